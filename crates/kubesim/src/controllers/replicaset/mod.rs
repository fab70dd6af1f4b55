//! The ReplicaSet controller: as many pods as asked for, whichever they are.
//!
//! Modelled on kube-controller-manager v1.36, `pkg/controller/replicaset`. [`control`] decides when
//! to create and delete, [`rank`] which pods go first, [`status`] what is reported.

mod control;
mod rank;
mod status;
#[cfg(test)]
mod tests;

pub use control::{BUGS, actor, actor_with};
