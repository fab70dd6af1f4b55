//! Deleting what has lost its owners, in the background, in the foreground, or not at all
//! (kube-controller-manager v1.36, `pkg/controller/garbagecollector`).

mod graph;
mod reconcile;
#[cfg(test)]
mod tests;

pub use reconcile::{BUGS, actor, of_everything};
