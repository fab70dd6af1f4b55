//! What a ReplicaSet reports.
//!
//! Modelled on kube-controller-manager v1.36, `replica_set_utils.go`.

use kubesim_model::object;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, map};

use crate::controllers::owned::status::{counts, min_ready_seconds, replicas};

/// The status of a ReplicaSet with these active pods and so many terminating ones, if these are
/// reported; `failed` says that creating or deleting pods failed in this sync.
pub(super) fn status_of(
    set: &Tree,
    active: &[Tree],
    terminating: Option<usize>,
    failed: bool,
    now: Millis,
) -> Tree {
    let template_labels = &set["spec"]["template"]["metadata"]["labels"];
    let fully_labeled = |pod: &&Tree| {
        let labels = &pod["metadata"]["labels"];
        template_labels.fields().all(|(key, value)| labels[key.as_str()] == *value)
    };
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let min_ready = min_ready_seconds(set);
    let available = |pod: &&Tree| object::is_available(pod, min_ready, now);
    let mut status = counts(&[
        ("fullyLabeledReplicas", number(active.iter().filter(fully_labeled).count())),
        ("readyReplicas", number(active.iter().filter(|pod| object::is_ready(pod)).count())),
        ("availableReplicas", number(active.iter().filter(available).count())),
        ("observedGeneration", object::generation(set)),
    ]);
    status.set(&["replicas"], active.len());
    if let Some(terminating) = terminating {
        status.set(&["terminatingReplicas"], terminating);
    }
    let mut conditions = set["status"]["conditions"].items().to_vec();
    let known = conditions.iter().any(|condition| condition["type"] == "ReplicaFailure");
    match (failed, known) {
        (true, false) => conditions.push(failure(set, active.len(), now)),
        (false, true) => conditions.retain(|condition| condition["type"] != "ReplicaFailure"),
        _ => {}
    }
    if !conditions.is_empty() {
        status.set(&["conditions"], conditions);
    }
    status
}

fn failure(set: &Tree, active: usize, now: Millis) -> Tree {
    let too_few = i64::try_from(active).is_ok_and(|active| active < replicas(set));
    map! {
        "type" => "ReplicaFailure", "status" => "True",
        "reason" => if too_few { "FailedCreate" } else { "FailedDelete" },
        "message" => "a request for a pod failed",
        "lastTransitionTime" => object::timestamp(now),
    }
}
