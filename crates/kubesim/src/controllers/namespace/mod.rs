//! Emptying namespaces that terminate (kube-controller-manager v1.36, `pkg/controller/namespace`,
//! `OrderedNamespaceDeletion`): the pods first, then all else, then the finalizer.

mod conditions;
mod reconcile;
#[cfg(test)]
mod tests;

pub use reconcile::{BUGS, actor, of_everything};
