//! When a node was last heard of, by the controller's own clock, and what its silence means
//! (kube-controller-manager v1.36, `tryUpdateNodeHealth`).

use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, map, object};

/// Silence of a node that never reported.
const STARTUP_GRACE: Millis = 60_000;
/// Silence of a node that did (`--node-monitor-grace-period`).
const GRACE: Millis = 50_000;

/// What the controller remembers of a node.
#[derive(Clone)]
pub(super) struct Health {
    /// When it last noticed a sign of life.
    pub(super) heard_at: Millis,
    heartbeat: Text,
    renewed: Text,
    /// The status of `Ready` after the last look.
    pub(super) ready: Ready,
}

/// The status of a node's `Ready` condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    True,
    False,
    Unknown,
}

impl Ready {
    pub(super) fn of(node: &Tree) -> Ready {
        match object::condition(node, "Ready").map(|ready| ready["status"].str()) {
            Some("True") => Ready::True,
            Some("False") => Ready::False,
            _ => Ready::Unknown,
        }
    }
}

impl Health {
    pub(super) fn new(now: Millis) -> Self {
        let (heartbeat, renewed) = Default::default();
        Health { heard_at: now, heartbeat, renewed, ready: Ready::Unknown }
    }

    /// Notices signs of life: a newer heartbeat of the node's status, or a renewed lease.
    pub(super) fn look(&mut self, node: &Tree, lease: Option<&Tree>, now: Millis) {
        let ready = object::condition(node, "Ready");
        let heartbeat = ready.map(|ready| ready["lastHeartbeatTime"].text()).unwrap_or_default();
        if heartbeat != self.heartbeat {
            self.heartbeat = heartbeat;
            self.heard_at = now;
        }
        let renewed = lease.map(|lease| lease["spec"]["renewTime"].text()).unwrap_or_default();
        if renewed > self.renewed {
            self.renewed = renewed;
            self.heard_at = now;
        }
        self.ready = Ready::of(node);
    }

    /// Whether the node has been silent for too long.
    pub(super) fn is_silent(&self, node: &Tree, now: Millis) -> bool {
        let reported = object::condition(node, "Ready").is_some();
        now > self.heard_at + if reported { GRACE } else { STARTUP_GRACE }
    }
}

/// The node with every condition `Unknown` that a kubelet reports; `None` if all are already.
pub(super) fn with_unknown_conditions(node: &Tree, now: Millis) -> Option<Tree> {
    let mut new = node.clone();
    let status = new.field_mut("status");
    let mut changed = false;
    for kind in ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] {
        let (reason, message, heartbeat) = match object::condition(node, kind) {
            Some(had) if had["status"] == "Unknown" => continue,
            Some(had) => (
                "NodeStatusUnknown",
                "Kubelet stopped posting node status.",
                had["lastHeartbeatTime"].clone(),
            ),
            None => (
                "NodeStatusNeverUpdated",
                "Kubelet never posted node status.",
                node["metadata"]["creationTimestamp"].clone(),
            ),
        };
        let condition = map! {
            "type" => kind, "status" => "Unknown", "reason" => reason, "message" => message,
            "lastHeartbeatTime" => heartbeat,
        };
        changed |= object::set_condition(status, condition, now);
    }
    changed.then_some(new)
}
