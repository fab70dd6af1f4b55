//! The TTL-after-finished controller: Jobs that ended go after a while.
//!
//! Modelled on kube-controller-manager v1.36, `pkg/controller/ttlafterfinished`.

mod reconcile;
#[cfg(test)]
mod tests;

pub use reconcile::actor;
