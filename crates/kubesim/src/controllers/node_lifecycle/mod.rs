//! Judging nodes by their heartbeats and tainting those that fail (kube-controller-manager v1.36,
//! `pkg/controller/nodelifecycle`). Evicting pods from tainted nodes is `taint_eviction`'s
//! business.
//!
//! Not modelled: the `beta.kubernetes.io` label copies, and the upper bound on parallel updates.

mod actor;
mod health;
mod taints;
#[cfg(test)]
mod tests;
mod zones;

pub use actor::{BUGS, actor};
