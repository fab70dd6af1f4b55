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
    complete, give_form, mark, problems, status_problems, unknown_formats,
};
pub use schema::{Additional, Kind, ListKind, Schema};
pub(super) use strategy::{check_kind, created, decode, updated};
