//! The kubelet (v1.36, `pkg/kubelet`): runs the pods that are bound to its node, and reports.
//!
//! It is driven by events alone: watches, the container runtime's answers, and timers for what it
//! really does by the clock (leases, relists with something to find, probes whose answer may have
//! changed, back-offs). A pod with nothing due costs nothing.

mod action;
mod actor;
mod admission;
mod back_off;
mod condition;
mod config;
mod environment;
mod heartbeat;
mod orphans;
mod phase;
mod pods;
mod probes;
mod report;
mod runtime;
mod status;
mod sync;
mod terminate;
mod unit;
mod worker;

pub use actor::kubelet;
pub use config::{BUGS, KubeletConfig};
