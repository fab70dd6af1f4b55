//! The controller that gathers the rules of ClusterRoles with an `aggregationRule` from those that
//! it selects (kube-controller-manager v1.36, `pkg/controller/clusterroleaggregation`).

mod reconcile;
#[cfg(test)]
mod tests;

pub use reconcile::actor;
