//! The list of all built-in controllers.

use kubesim_model::actor::Actor;

/// Makes a controller, with a bug of its `BUGS` planted.
pub type MakeActor = fn(Option<&str>) -> Box<dyn Actor>;

/// The built-in controllers: actor name and how to make one.
pub fn all() -> Vec<(&'static str, MakeActor)> {
    vec![
        ("cronjob-controller", super::cron_job::actor as MakeActor),
        ("daemon-set-controller", super::daemonset::actor),
        ("deployment-controller", super::deployment::actor),
        ("disruption-controller", super::disruption::actor),
        ("endpointslice-controller", super::endpoint_slice::actor),
        ("generic-garbage-collector", super::garbage_collector::actor),
        ("job-controller", super::job::actor),
        ("namespace-controller", super::namespace::actor),
        ("node-controller", super::node_lifecycle::actor),
        ("pod-garbage-collector", super::pod_gc::actor),
        ("replicaset-controller", super::replicaset::actor),
        ("replication-controller", super::replicaset::of_replication_controllers),
        ("resourcequota-controller", super::resource_quota::actor),
        ("statefulset-controller", super::statefulset::actor),
        ("taint-eviction-controller", super::taint_eviction::actor),
        ("ttl-after-finished-controller", super::ttl_after_finished::actor),
    ]
}

/// What programs from outside rely on: controllers beside those of [`all`], and in the place of
/// those with the same name, such that look after every built-in type.
pub fn for_clients() -> Vec<(&'static str, MakeActor)> {
    vec![
        ("clusterrole-aggregation-controller", (|_| super::role_aggregation::actor()) as MakeActor),
        ("generic-garbage-collector", super::garbage_collector::of_everything),
        ("namespace-controller", super::namespace::of_everything),
        ("service-account-controller", |_| super::furnish::service_account()),
    ]
}
