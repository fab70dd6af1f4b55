//! The controller that fills ClusterRoles with the rules of others, which they select by labels.
//!
//! Modelled on kube-controller-manager v1.36, `pkg/controller/clusterroleaggregation`.

mod reconcile;
#[cfg(test)]
mod tests;

pub use reconcile::actor;
