//! The HTTP of a Kubernetes API server, without sockets: URLs, queries and bodies to requests of
//! the model, and answers back.
//!
//! Knows no world and no time. What Kubernetes v1.36 serves and is not simulated is refused by
//! name.

mod access;
mod call;
mod config;
mod discovery;
mod form;
mod frame;
mod meta;
mod names;
mod openapi;
mod openapi_v2;
mod path;
mod protobuf;
mod query;
mod repeated;
mod reply;
mod schemas;
mod table;
#[cfg(test)]
mod tests;
mod view;

pub use access::access;
pub use call::{Call, LARGEST_BODY, Watching, read};
pub use form::Form;
pub use frame::{bookmark, frames, initial_lines, line};
pub use meta::{Meta, serves};
pub use path::{Path, read as read_path};
pub use reply::{Reply, answer, status};
pub use table::Include;
pub use view::View;
