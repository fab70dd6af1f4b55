//! The two kinds of sets that keep up a number of pods.

use kubesim_model::resource::Resource;

/// What differs between ReplicaSets and ReplicationControllers (v1.36, `NewReplicationManager`).
#[derive(Clone)]
pub(super) struct Kind {
    /// The kind, as owner references name it.
    pub(super) name: &'static str,
    pub(super) resource: Resource,
    /// Whether the status has `terminatingReplicas`.
    pub(super) reports_terminating: bool,
    /// Whether most clusters have none: pods are watched only once there is one.
    pub(super) is_rare: bool,
}

impl Kind {
    pub(super) const REPLICA_SET: Kind = Kind {
        name: "ReplicaSet",
        resource: Resource::REPLICA_SETS,
        reports_terminating: true,
        is_rare: false,
    };
    pub(super) const REPLICATION_CONTROLLER: Kind = Kind {
        name: "ReplicationController",
        resource: Resource::REPLICATION_CONTROLLERS,
        reports_terminating: false,
        is_rare: true,
    };
}
