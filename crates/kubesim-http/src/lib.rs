//! The HTTP of a Kubernetes API server, without sockets: URLs, queries and bodies to requests of
//! the model, and answers back.
//!
//! Knows no world and no time. What Kubernetes v1.36 serves and is not simulated is refused by
//! name.

mod call;
mod config;
mod form;
mod frame;
mod meta;
mod path;
mod query;
mod reply;
#[cfg(test)]
mod tests;

pub use call::{Call, Watching, read};
pub use form::Form;
pub use frame::{bookmark, frames};
pub use meta::{Meta, serves};
pub use path::{Path, read as read_path};
pub use reply::{Reply, answer, status};
