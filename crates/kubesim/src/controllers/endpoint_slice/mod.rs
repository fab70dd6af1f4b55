//! Which pods serve a Service, and which of them are ready (kube-controller-manager v1.36,
//! `pkg/controller/endpointslice`, and `k8s.io/endpointslice`).
//!
//! Not modelled: IPv6 slices, topology hints, and the last-change-trigger-time annotation.

mod endpoints;
mod reconcile;
#[cfg(test)]
mod tests;

pub use reconcile::{BUGS, actor};
