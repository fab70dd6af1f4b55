//! The scheduler: which node a pod runs on (kube-scheduler v1.36, default profile).
//!
//! A pod waits in the queue, is filtered and scored against a snapshot of the
//! nodes, is assumed on the chosen one, and is bound through `pods/binding`. Without a node it may
//! preempt others, and waits for an event that could help it.
//!
//! Not modelled: volumes, resource claims, image locality, and the share of nodes that is looked
//! at above 100 nodes (here always all).

mod actor;
mod affinity;
mod filter;
mod preempt;
mod queue;
mod score;
mod snapshot;
mod spread;
#[cfg(test)]
mod tests;

pub use actor::{BUGS, actor};
