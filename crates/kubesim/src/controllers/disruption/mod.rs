//! The status of PodDisruptionBudgets: how many pods may be evicted now (kube-controller-manager
//! v1.36, `pkg/controller/disruption`). Evictions are carried out by the API.

mod count;
mod reconcile;
#[cfg(test)]
mod tests;

pub use reconcile::{BUGS, actor};
