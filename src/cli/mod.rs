//! The command line: one file per command. Everything that it does can be done with the library
//! too.

mod args;
mod catalogue;
mod check;
mod cleanup;
mod docs;
mod entry;
mod exit_code;
mod explain;
mod fidelity;
mod image;
mod list;
mod markdown;
mod measure;
mod measure_api;
mod mutants;
mod new;
mod progress;
mod provider;
mod replay;
mod run;
mod schema;
mod serve;
mod soak;
mod terminal;
mod topic;
mod validate;
mod way;

pub use docs::{Page, pages};
pub use entry::main;
