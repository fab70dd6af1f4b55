//! The ReplicaSet controller: as many pods as asked for, whichever they are.
//!
//! Modelled on kube-controller-manager v1.36, `pkg/controller/replicaset`. [`control`] decides when
//! to create and delete, [`rank`] which pods go first, [`status`] what is reported. The older
//! ReplicationControllers are looked after in the same way, as upstream: [`kind`] is what differs.

mod control;
mod kind;
mod rank;
mod status;
#[cfg(test)]
mod tests;

pub use control::{BUGS, actor, actor_with, of_replication_controllers};
