//! The built-in controllers, each as an actor that reads its own cache and writes by requests.
//!
//! Modelled on kube-controller-manager v1.36. [`all`] names them as their service accounts in
//! `kube-system` are named, so `replicaset-controller` writes as
//! `system:serviceaccount:kube-system:replicaset-controller`.

#[cfg(test)]
mod bench;
pub mod cron_job;
pub mod daemonset;
pub mod deployment;
pub mod disruption;
pub mod endpoint_slice;
pub mod furnish;
pub mod garbage_collector;
pub mod job;
mod kinds;
pub mod namespace;
pub mod node_lifecycle;
mod owned;
pub mod pod_gc;
mod pods_by_node;
mod registry;
pub mod replicaset;
pub mod resource_quota;
pub mod role_aggregation;
pub mod statefulset;
pub mod taint_eviction;
pub mod ttl_after_finished;

pub use owned::own_writes::StaleReads;
pub use registry::{MakeActor, all, for_clients};
