//! Facts about hosts and kubelets, shown on one node.

mod bench;
mod faults;
mod life;
mod trace;
mod whole;
