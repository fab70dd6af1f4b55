//! A cluster with a real API server, whoever runs it: what it does is recorded from watches (what
//! changed) and from the audit log (who did it), and actors of the simulation can take part.

mod api;
mod audit;
mod cluster;
mod folder;
mod ground;
mod limits;
mod nodes;
mod policy;
mod programs;
mod record;
mod runtime;
mod staff;
mod watch;

pub(super) use api::Api;
pub(super) use cluster::{RealCluster, Setup, now};
pub use folder::sweep_folders;
pub(super) use folder::{Folder, is_left_behind};
pub(super) use ground::{Component, Ground};
pub(super) use limits::{capabilities, is_of_the_system, refuse_bugs};
pub(super) use policy::AUDIT_POLICY;
pub(super) use runtime::Runtime;
