//! Deleting pods from nodes with `NoExecute` taints that they do not tolerate, or not for ever
//! (kube-controller-manager v1.36, `pkg/controller/tainteviction`). It asks no disruption budget.

mod actor;
#[cfg(test)]
mod tests;

pub use actor::{BUGS, actor};
