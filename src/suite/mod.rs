//! Text to a checked model: scenarios, subjects, requirements. Every value keeps its file, line and
//! column, and everything that is wrong with a file is said at once.
//!
//! The way: [`yaml`] makes nodes of text, `read` makes the model of nodes, `validate` checks what
//! needs the whole scenario, [`matrix`] and [`resolve`] make plain typed steps of a row of
//! parameters. What may be named (faults, invariants, subjects) comes in as a [`Vocabulary`].
//!
//! This module knows nothing else of the crate. It reads files, and nothing but files.

pub mod cel;
pub mod checks;
pub mod diagnostic;
pub mod duration;
pub mod faults;
pub mod load;
pub mod located;
pub mod matrix;
pub mod model;
pub mod node;
mod read;
pub mod render;
pub mod requirements;
pub mod resolve;
pub mod schema;
pub mod select;
pub mod steps;
pub mod subject;
pub mod template;
mod validate;
pub mod vocabulary;
pub mod ways;
pub mod yaml;

pub use diagnostic::{Code, Diagnostic, Severity};
pub use load::{Suite, load_requirements, load_subjects, load_suite};
pub use located::{Located, Place, Source};
pub use matrix::rows;
pub use model::{Params, ResolvedScenario, Scenario};
pub use resolve::resolve;
pub use subject::Subject;
pub use vocabulary::{Entry, Param, ParamKind, Vocabulary};

#[cfg(test)]
mod tests;
