//! The StatefulSet controller: pods with identities, one after another.
//!
//! Modelled on kube-controller-manager v1.36, `pkg/controller/statefulset`, with
//! `MaxUnavailableStatefulSet` off. [`control`] orders a sync, [`plan`] decides what it does,
//! [`identity`] makes names, labels and claims, [`status`] what is reported. Claims are made as
//! objects; they are never deleted here (retention policy `Retain`), and binding is not awaited.

mod control;
mod identity;
mod plan;
mod status;
#[cfg(test)]
mod tests;

pub use control::{BUGS, actor, actor_with};
