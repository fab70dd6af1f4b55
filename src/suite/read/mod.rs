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

pub(super) use reader::Reader;
pub(super) use scenario::{HEAD, KINDS};
