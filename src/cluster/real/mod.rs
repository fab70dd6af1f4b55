//! A cluster with a real API server, whoever runs it: what it does is recorded from watches (what
//! changed) and from the audit log (who did it), and actors of the simulation can take part.

mod api;
mod apply;
mod audit;
mod cluster;
mod commands;
mod deliveries;
mod deployed;
mod folder;
mod ground;
mod kubeconfig;
mod limits;
mod policy;
mod programs;
mod proxy;
mod record;
mod recording;
mod runtime;
mod scope;
mod staff;
mod tasks;
mod undo;
mod undoable;
mod watch;

pub(super) use api::Api;
pub(super) use cluster::{RealCluster, Setup, Way, now};
pub(crate) use folder::Folder;
pub use folder::sweep_folders;
pub(super) use folder::{is_left_behind, with_journals};
pub(super) use ground::{Component, Ground};
pub(crate) use kubeconfig::{Credentials, Endpoint};
pub(super) use limits::{capabilities, is_of_the_system, refuse_bugs};
pub(super) use policy::AUDIT_POLICY;
pub(super) use programs::Programs;
pub(super) use proxy::{Happened, Proxy, Who};
pub(super) use record::{Mark, name_of, refused};
pub(super) use recording::is_followed;
pub(super) use runtime::Runtime;
pub(super) use scope::{MADE_BY, Names, Scope};
pub(super) use undo::{Header, Journal, JournalError, Undo};
pub(super) use undoable::{Healer, SharedJournal, Undoable};
