//! Nodes to the model. Readers never stop at a mistake: they report it and go on, so that a user
//! sees all of them at once.

mod args;
mod checks;
mod cluster;
mod faults;
mod manifests;
mod reader;
mod requirements;
mod scenario;
mod select;
mod steps;
mod subject;
mod ways;

/// The names of the fields, of which schemas are made as well.
pub(super) mod fields {
    pub(in crate::suite) use super::cluster::{LIMITS, NODE};
    pub(in crate::suite) use super::scenario::SPEC;
    pub(in crate::suite) use super::select::{EVENT, SELECT, TRIGGER};
    pub(in crate::suite) use super::subject::{FROM, SUBJECT};
}

pub(super) use reader::Reader;
pub(super) use scenario::{HEAD, KINDS};
