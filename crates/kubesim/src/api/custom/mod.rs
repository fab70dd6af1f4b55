//! Custom resources: definitions, the types that they declare, and what their objects must be
//! (apiextensions-apiserver v0.36).

mod cause;
mod columns;
mod declared;
mod definition;
mod rules;
mod schema;
mod strategy;
#[cfg(test)]
mod tests;
mod words;

pub use columns::{Column, age};
pub use declared::{Conversion, Definition, Version};
pub(super) use definition::{
    complete, give_form, mark, note_stored, problems, status_problems, unknown_formats,
};
pub(super) use rules::{Expression, Given, Scope, Wanted};
pub use schema::{Additional, Kind, ListKind, Schema};
pub(super) use strategy::{check_kind, check_version, created, decode, updated};
pub(super) use words::dns_1123_subdomain;
