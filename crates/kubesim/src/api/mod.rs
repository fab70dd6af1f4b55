//! The simulated API server: one store, one request path, and the semantics of Kubernetes v1.36.
//!
//! [`Api::handle`] carries out one request at once: patch, the form of the type, defaulting,
//! admission, validation, store. Webhooks are called by nobody here: where somebody calls them,
//! [`Api::attempt`] says which calls a request needs, and [`Api::convert`] which a watch does.
//! Encodings, latency, watches and caches are the business of whoever stands in front of it: a
//! watch is a [`Api::list`] followed by the [`Api::changes_since`] its version, each translated by
//! the watch's [`Selection`]. Who may do what is for them to
//! ask, with [`Api::permit`]; only who gives rights to others is asked here.

mod accounts;
mod admission;
mod applying;
mod authorization;
mod budget;
mod component;
mod connect;
mod conversion;
mod convert;
mod create;
mod custom;
mod defaults;
mod delete;
mod errors;
mod eviction;
mod fields;
mod hooks;
mod identity;
mod limits;
mod listing;
mod metadata;
mod mirror;
mod parts;
mod patching;
mod policies;
mod quota;
mod registry;
mod review;
mod router;
mod selection;
mod server;
mod snapshot;
mod store;
mod subresource;
mod token;
mod typed;
mod update;
mod validate;
mod window;

pub use authorization::{Access, Authorization, Decision};
pub use connect::connection;
pub use convert::{in_version, stored_as};
pub use custom::{
    Additional, Column, Conversion, Definition, Kind, ListKind, Schema, Version, age,
};
pub use errors::forbidden_option;
pub use hooks::{Attempt, Destination, Errand, Heard, Progress, Reply};
pub use identity::{Identity, User, service_account, service_account_groups};
pub(crate) use registry::stores_in_namespaces;
pub use registry::{Type, is_asked};
pub use selection::Selection;
pub use server::{Api, ApiConfig, Handled};
pub use snapshot::Snapshot;
pub use typed::type_schemas;
pub use window::Write;

#[cfg(test)]
mod tests;
