//! Reference controllers: written to be right, with bugs that can be planted to prove that a
//! harness sees them.
//!
//! Every controller is an [`kubesim_model::actor::Actor`]: it runs inside a simulated cluster, and
//! over a Kubernetes client on a real one. This crate knows no simulator and no suites.
//!
//! * [`cloneset`]: OpenKruise's CloneSet, as its documents promise it: in-place image updates,
//!   partition, budgets. Its decisions are pure functions that other frames may use.
//! * [`ticket`]: a workflow system as companies ran before Kubernetes: known to be wrong, honestly.
//! * [`expectations`]: how they avoid to decide from a cache that lags behind their own writes.
//! * [`registry`]: all of them by name.

pub mod cloneset;
pub mod expectations;
pub mod registry;
#[cfg(test)]
mod testing;
pub mod ticket;

pub use registry::{Entry, actors};
