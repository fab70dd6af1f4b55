//! The Deployment controller: from one template to the next by scaling ReplicaSets.
//!
//! Modelled on kube-controller-manager v1.36, `pkg/controller/deployment`. [`control`] orders the
//! steps of a sync, [`limits`] says how far a rollout may go, [`sets`] tells new from old,
//! [`scaling`] decides sizes, [`status`] what is reported.

mod control;
mod limits;
mod scaling;
mod sets;
mod status;
#[cfg(test)]
mod tests;

pub use control::{BUGS, actor};
