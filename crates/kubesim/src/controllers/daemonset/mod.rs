//! The DaemonSet controller: a pod on each node that admits it.
//!
//! Modelled on kube-controller-manager v1.36, `pkg/controller/daemon`. [`control`] orders a sync,
//! [`nodes`] says where pods belong and makes them, [`plan`] what to create and delete, [`status`]
//! what is reported.

mod control;
mod nodes;
mod plan;
mod status;
#[cfg(test)]
mod tests;

pub use control::{BUGS, actor, actor_with};
