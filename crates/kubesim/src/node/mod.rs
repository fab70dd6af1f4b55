//! The nodes: machines that run containers ([`Host`]), and the kubelet on each of them.

mod host;

pub use host::{ContainerAction, Host, HostFact, HostOut, node_address};
