//! Which pods go first: when replicas are taken away (CS-16), and when pods are updated (CS-14).

use std::cmp::Reverse;

use kubesim_model::tree::Tree;
use kubesim_model::{Text, object};

use super::inplace::Stage;
use super::pods::PodFacts;

const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// Sorts pods by how readily they are deleted: the first costs least.
///
/// Unassigned, then pending or of unknown phase, then unavailable, then of lower deletion cost,
/// then on the more crowded node, then ready for a shorter time, then restarted more often, then
/// younger.
pub(super) fn for_deletion(pods: &mut [PodFacts<'_>]) {
    let nodes: Vec<Text> = pods.iter().map(|pod| pod.tree["spec"]["nodeName"].text()).collect();
    let crowd = |pod: &PodFacts<'_>| {
        let node = pod.tree["spec"]["nodeName"].str();
        nodes.iter().filter(|have| *have == node).count()
    };
    let rank = |pod: &PodFacts<'_>| {
        let tree = pod.tree;
        (
            !tree["spec"]["nodeName"].str().is_empty(),
            phase_rank(tree),
            pod.available,
            object::annotation(tree, DELETION_COST).parse::<i32>().unwrap_or(0),
            Reverse(crowd(pod)),
            Reverse(ready_since(tree)),
            Reverse(restarts(tree)),
            Reverse(tree["metadata"]["creationTimestamp"].text()),
            Text::new(object::name(tree)),
        )
    };
    pods.sort_by_cached_key(rank);
}

/// Sorts pods by how readily they are updated: those already taken out of service, then unassigned,
/// pending, not ready, not available, available; the older and then the name breaks ties.
pub(super) fn for_update(pods: &mut [PodFacts<'_>]) {
    pods.sort_by_cached_key(|pod| {
        let tree = pod.tree;
        (
            matches!(pod.stage, Stage::None),
            !tree["spec"]["nodeName"].str().is_empty(),
            phase_rank(tree),
            pod.ready,
            pod.available,
            object::key(tree),
        )
    });
}

fn phase_rank(pod: &Tree) -> u8 {
    match pod["status"]["phase"].str() {
        "Running" => 2,
        "Unknown" => 1,
        _ => 0,
    }
}

fn ready_since(pod: &Tree) -> Text {
    let ready = object::condition(pod, "Ready").filter(|ready| ready["status"] == "True");
    ready.map(|ready| ready["lastTransitionTime"].text()).unwrap_or_default()
}

fn restarts(pod: &Tree) -> i64 {
    let statuses = pod["status"]["containerStatuses"].items();
    let counts = statuses.iter().map(|status| status["restartCount"].as_i64().unwrap_or(0));
    counts.max().unwrap_or(0)
}
