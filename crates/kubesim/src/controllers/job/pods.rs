//! What the pods of a Job say.

use std::cmp::Reverse;

use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, object};

use super::spec::replaces_failed_only;

/// What keeps a pod until it was counted.
pub(super) const FINALIZER: &str = "batch.kubernetes.io/job-tracking";
/// Which completion a pod is for: an annotation, and a label of the same name.
pub(super) const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// How often an index failed before the pod.
pub(super) const FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
/// How often it failed in a way that the policy of the Job ignores.
pub(super) const IGNORED: &str = "batch.kubernetes.io/job-index-ignored-failure-count";

/// Whether the pod waits to be counted.
pub(super) fn is_tracked(pod: &Tree) -> bool {
    pod["metadata"]["finalizers"].items().iter().any(|have| have == FINALIZER)
}

/// A pod as it is when the Job has taken it in: with its finalizer, if it had no owner before.
pub(super) fn as_taken_in(mut pod: Tree) -> Tree {
    if object::controller(&pod).is_none() && !is_tracked(&pod) {
        pod.at_mut(&["metadata", "finalizers"]).items_mut().push(FINALIZER.into());
    }
    pod
}

/// The index that the pod is for.
pub(super) fn index(pod: &Tree) -> Option<i64> {
    object::annotation(pod, INDEX).parse().ok().filter(|index| *index >= 0)
}

pub(super) fn has_succeeded(pod: &Tree) -> bool {
    pod["status"]["phase"] == "Succeeded"
}

/// Whether a pod terminates and has not ended.
pub(super) fn is_ending(pod: &Tree) -> bool {
    object::is_terminating(pod) && !object::is_terminal(pod)
}

/// Whether a pod counts as failed. One that was deleted does, as it may never say so, unless the
/// Job replaces only what has really failed.
pub(super) fn has_failed(pod: &Tree, job: &Tree) -> bool {
    pod["status"]["phase"] == "Failed"
        || !replaces_failed_only(job) && object::is_terminating(pod) && !has_succeeded(pod)
}

/// How often the pod's index failed before it, by the failures that count and by all.
pub(super) fn failures(pod: &Tree) -> (i64, i64) {
    let number = |name: &str| {
        let number = object::annotation(pod, name).parse().ok();
        number.filter(|number| (0..=i64::from(i32::MAX)).contains(number)).unwrap_or(0)
    };
    let counted = number(FAILURES);
    (counted, counted + number(IGNORED))
}

/// When a pod ended: with its last container, else when it said it was not ready, else when its
/// deletion was asked for.
pub(super) fn ended_at(pod: &Tree) -> Millis {
    let time = |value: &Tree| object::parse_time(value.str());
    let not_ready = || {
        let ready = object::condition(pod, "Ready").filter(|ready| ready["status"] == "False");
        ready.and_then(|ready| time(&ready["lastTransitionTime"]))
    };
    let metadata = &pod["metadata"];
    let deleted = || {
        let grace = metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
        let until = time(&metadata["deletionTimestamp"])?;
        Some(until.saturating_sub(1000 * Millis::try_from(grace).unwrap_or(0)))
    };
    last_container_end(pod)
        .or_else(not_ready)
        .or_else(deleted)
        .or_else(|| time(&metadata["creationTimestamp"]))
        .unwrap_or(0)
}

/// The end of the last container, if all app containers and sidecars have ended.
fn last_container_end(pod: &Tree) -> Option<Millis> {
    let is_sidecar = |name: &Tree| {
        let mut inits = pod["spec"]["initContainers"].items().iter();
        inits.any(|init| init["name"] == *name && init["restartPolicy"] == "Always")
    };
    let status = &pod["status"];
    let apps = status["containerStatuses"].items().iter();
    let inits = status["initContainerStatuses"].items().iter();
    let sidecars = inits.filter(|status| is_sidecar(&status["name"]));
    let ends = apps
        .chain(sidecars)
        .map(|status| object::parse_time(status["state"]["terminated"]["finishedAt"].str()));
    ends.collect::<Option<Vec<Millis>>>()?.into_iter().max()
}

/// Sorts pods so that those that have done least come first (`ActivePods.Less`): without a node,
/// pending, not ready, ready for a short time, often restarted, young.
pub(super) fn sort_by_worth(pods: &mut [Tree]) {
    let latest_first = |time: Option<Millis>| (time.is_some(), Reverse(time));
    let restarts = |list: &Tree| {
        let counts = list.items().iter().filter_map(|status| status["restartCount"].as_i64());
        counts.max().unwrap_or(0)
    };
    pods.sort_by_cached_key(|pod| {
        let status = &pod["status"];
        let phase = match status["phase"].str() {
            "Pending" | "" => 0,
            "Unknown" => 1,
            _ => 2,
        };
        let ready = object::condition(pod, "Ready").filter(|ready| ready["status"] == "True");
        let since = ready.and_then(|ready| object::parse_time(ready["lastTransitionTime"].str()));
        (
            !pod["spec"]["nodeName"].str().is_empty(),
            phase,
            ready.is_some(),
            latest_first(since),
            Reverse(restarts(&status["containerStatuses"])),
            Reverse(restarts(&status["initContainerStatuses"])),
            latest_first(object::parse_time(pod["metadata"]["creationTimestamp"].str())),
        )
    });
}

/// The uid of a pod.
pub(super) fn uid(pod: &Tree) -> Text {
    pod["metadata"]["uid"].text()
}
