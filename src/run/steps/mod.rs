//! What each kind of step does, as a task that goes on over time.

mod apply;
mod begin;
mod converge;
mod drain;
mod evict;
mod operate;
mod recreate;
mod requests;
mod script;
mod wait;

pub(super) use begin::{target, task};
pub(super) use requests::Requests;
