//! What a StatefulSet reports.
//!
//! Modelled on kube-controller-manager v1.36, `stateful_set_control.go`.

use kubesim_model::Millis;
use kubesim_model::object;
use kubesim_model::tree::Tree;

use super::plan::{is_running_and_ready, revision};
use crate::controllers::owned::status::{counts, min_ready_seconds, replicas};

/// The status after a sync that leaves `fewer_current` fewer pods of the current revision.
pub(super) fn status_of(
    set: &Tree,
    pods: &[Tree],
    (current, update): (&str, &str),
    collisions: i64,
    fewer_current: i64,
    now: Millis,
) -> Tree {
    let count = |is: &dyn Fn(&Tree) -> bool| {
        i64::try_from(pods.iter().filter(|pod| is(pod)).count()).unwrap_or(i64::MAX)
    };
    let is_made = |pod: &Tree| !pod["status"]["phase"].str().is_empty();
    let is_of = |name: &str, pod: &Tree| {
        is_made(pod) && !object::is_terminating(pod) && revision(pod) == name
    };
    let min_ready = min_ready_seconds(set);
    let ready = count(&is_running_and_ready);
    let updated = count(&|pod| is_of(update, pod));
    let made = count(&is_made);
    let wanted = replicas(set);
    let is_rolling = set["spec"]["updateStrategy"]["type"] != "OnDelete";
    let is_complete = is_rolling && [updated, made, ready].iter().all(|count| *count == wanted);
    let (current, of_current) = match is_complete {
        true => (update, updated),
        false => (current, (count(&|pod| is_of(current, pod)) - fewer_current).max(0)),
    };
    let available =
        |pod: &Tree| is_running_and_ready(pod) && object::is_available(pod, min_ready, now);
    let mut status = counts(&[
        ("observedGeneration", object::generation(set)),
        ("readyReplicas", ready),
        ("currentReplicas", of_current),
        ("updatedReplicas", updated),
    ]);
    status.set(&["replicas"], made);
    status.set(&["availableReplicas"], count(&available));
    status.set(&["currentRevision"], current);
    status.set(&["updateRevision"], update);
    status.set(&["collisionCount"], collisions);
    if !set["status"]["conditions"].is_null() {
        status.set(&["conditions"], &set["status"]["conditions"]);
    }
    status
}
