//! The status with which objects begin, whatever their creator wrote there.

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, list, map, object, quantity};

use super::super::registry::Type;
use super::zeros;

/// Replaces the status of a new object (v1.36, `PrepareForCreate` of each type). Nodes keep the one
/// that their kubelet registers.
pub(in super::super) fn reset_status(kind: &Type, object: &mut Tree, now: Millis) {
    if !kind.has_status() || kind.resource == Resource::NODES {
        return;
    }
    let status = match kind.resource.as_str() {
        "pods" => pod_status(&object["spec"], now),
        "namespaces" => {
            object.set(&["spec", "finalizers"], list!["kubernetes"]);
            map! { "phase" => "Active" }
        }
        "services" | "ingresses.networking.k8s.io" => map! { "loadBalancer" => map! {} },
        "persistentvolumeclaims" => map! { "phase" => "Pending" },
        "persistentvolumes" => map! {
            "phase" => "Pending", "lastPhaseTransitionTime" => object::timestamp(now),
        },
        "replicasets.apps" | "replicationcontrollers" => zeros(&["replicas"]),
        "horizontalpodautoscalers.autoscaling" => zeros(&["desiredReplicas"]),
        "volumeattachments.storage.k8s.io" => map! { "attached" => false },
        "statefulsets.apps" => zeros(&["availableReplicas", "replicas"]),
        "daemonsets.apps" => zeros(&[
            "currentNumberScheduled",
            "desiredNumberScheduled",
            "numberMisscheduled",
            "numberReady",
        ]),
        "poddisruptionbudgets.policy" => {
            zeros(&["currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"])
        }
        _ if kind.custom => {
            object.remove(&["status"]);
            return;
        }
        _ => map! {},
    };
    object.set(&["status"], status);
}

/// What follows from what was written to a status (v1.36, conversions and defaults of
/// `pkg/apis/core/v1`).
pub(in super::super) fn complete_status(kind: &Type, object: &mut Tree) {
    let status = &object["status"];
    match kind.resource.as_str() {
        "pods" if !status["podIP"].is_null() && status["podIPs"].items().is_empty() => {
            let address = map! { "ip" => &status["podIP"] };
            object.set(&["status", "podIPs"], list![address]);
        }
        "nodes" if status["allocatable"].is_null() && !status["capacity"].is_null() => {
            let capacity = status["capacity"].clone();
            object.set(&["status", "allocatable"], capacity);
        }
        _ => {}
    }
}

fn pod_status(spec: &Tree, now: Millis) -> Tree {
    let mut status = map! { "phase" => "Pending", "qosClass" => qos_class(spec) };
    if !spec["schedulingGates"].items().is_empty() {
        let condition = map! {
            "type" => "PodScheduled", "status" => "False", "reason" => "SchedulingGated",
            "message" => "Scheduling is blocked due to non-empty scheduling gates",
        };
        object::set_condition(&mut status, condition, now);
    }
    status
}

/// How the kubelet ranks a pod under pressure (v1.36, `pkg/apis/core/v1/helper/qos`).
pub(in super::super) fn qos_class(spec: &Tree) -> &'static str {
    let (mut any, mut guaranteed) = (false, true);
    for container in spec["containers"].items().iter().chain(spec["initContainers"].items()) {
        let resources = &container["resources"];
        for resource in ["cpu", "memory"] {
            let (request, limit) =
                (&resources["requests"][resource], &resources["limits"][resource]);
            any |= counts(request) || counts(limit);
            let same = request.is_null() || request == limit || {
                let request = quantity::milli(request);
                request.is_some() && request == quantity::milli(limit)
            };
            guaranteed &= counts(limit) && same;
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

fn counts(quantity: &Tree) -> bool {
    !quantity.is_null() && *quantity != "0"
}
