//! Structural schemas of custom resources, compiled once and shared: what they keep, fill in and
//! refuse (apiextensions-apiserver v0.36, `pkg/apiserver/schema` and `pkg/apiserver/validation`).

mod embedded;
mod fill;
mod formats;
mod lists;
mod node;
mod numbers;
mod old;
mod path;
mod pattern;
mod prune;
mod value;

pub(super) use formats::{go_duration, is_known as is_known_format};
pub use node::{Additional, Kind, ListKind, Schema};
pub(super) use numbers::written;
pub(super) use old::{Old, same_keyed};
pub(super) use pattern::compile as compile_pattern;
