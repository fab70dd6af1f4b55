//! Removing pods that nobody else will (kube-controller-manager v1.36, `pkg/controller/podgc`).

mod actor;
#[cfg(test)]
mod tests;

pub use actor::{BUGS, actor};
