//! The ResourceQuota controller: what the objects of a namespace use together.
//!
//! Modelled on kube-controller-manager v1.36, `pkg/controller/resourcequota`. Admission charges
//! what is made; this counts anew when a quota changes, when something goes, and every five
//! minutes. Resources are watched only where a quota counts them.

mod reconcile;
#[cfg(test)]
mod tests;

pub use reconcile::actor;
