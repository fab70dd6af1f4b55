//! The list of all built-in controllers.

use kubesim_model::actor::Actor;

/// Makes a controller, with a bug of its `BUGS` planted.
pub type MakeActor = fn(Option<&str>) -> Box<dyn Actor>;

/// The built-in controllers: actor name and how to make one.
pub fn all() -> Vec<(&'static str, MakeActor)> {
    vec![
        ("daemon-set-controller", super::daemonset::actor as MakeActor),
        ("deployment-controller", super::deployment::actor),
        ("disruption-controller", super::disruption::actor),
        ("endpointslice-controller", super::endpoint_slice::actor),
        ("generic-garbage-collector", super::garbage_collector::actor),
        ("namespace-controller", super::namespace::actor),
        ("node-controller", super::node_lifecycle::actor),
        ("pod-garbage-collector", super::pod_gc::actor),
        ("replicaset-controller", super::replicaset::actor),
        ("statefulset-controller", super::statefulset::actor),
        ("taint-eviction-controller", super::taint_eviction::actor),
    ]
}
