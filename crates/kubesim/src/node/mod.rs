//! The nodes: machines that run containers ([`Host`]), and the kubelet on each of them.

mod host;
mod kubelet;
#[cfg(test)]
mod tests;

pub use host::{ContainerAction, Host, HostFact, HostOut, node_address};
pub use kubelet::{BUGS, KubeletConfig, kubelet};
