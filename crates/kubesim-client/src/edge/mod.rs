//! HTTP at the edge: URLs, queries and bodies to requests of the model, and answers back.
//!
//! Knows no world. What Kubernetes v1.36 serves and is not simulated is refused by name.

mod call;
mod form;
mod frame;
mod meta;
mod path;
mod query;
mod reply;

pub(crate) use call::{Call, Watching, read};
pub(crate) use form::Form;
pub(crate) use frame::{bookmark, frames};
pub(crate) use meta::{Meta, serves};
pub use path::{Path, read as read_path};
pub(crate) use reply::{Reply, answer, status};

#[cfg(test)]
mod tests;
