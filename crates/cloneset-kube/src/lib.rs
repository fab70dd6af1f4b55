//! The reference CloneSet controller as an ordinary kube-rs controller: the decisions of
//! [`reference::cloneset`] on a `kube::Client`, on a simulated cluster or a real one.
//!
//! [`run`] is the whole program. It watches CloneSets, Pods and ControllerRevisions; each write is
//! remembered until the watches have shown it ([`reference::expectations`]), so that nothing is
//! decided from a cache that lags behind the controller's own writes.

mod controller;
mod send;
mod state;

pub use controller::run;
