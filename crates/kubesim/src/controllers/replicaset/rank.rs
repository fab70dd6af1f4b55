//! Which pods a ReplicaSet deletes first when it has too many.
//!
//! Modelled on kube-controller-manager v1.36, `ActivePodsWithRanks.Less`.

use std::collections::BTreeMap;

use kubesim_model::object;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

/// What the order looks at, read once for each pod.
struct Ranked<'a> {
    pod: &'a Tree,
    node: &'a str,
    phase: u8,
    ready: bool,
    cost: i64,
    related: usize,
    ready_since: Option<Millis>,
    restarts: (i64, i64),
    created: Option<Millis>,
}

/// The pods in the order in which they are to be deleted. `related` are the pods of all ReplicaSets
/// of the same owner: of two alike pods the one with more of these on its node goes first.
pub(super) fn deletion_order<'a>(
    pods: impl IntoIterator<Item = &'a Tree>,
    related: &[&Tree],
    now: Millis,
) -> Vec<&'a Tree> {
    let mut on_node: BTreeMap<&str, usize> = BTreeMap::new();
    for pod in related.iter().filter(|pod| object::is_active(pod)) {
        *on_node.entry(pod["spec"]["nodeName"].str()).or_default() += 1;
    }
    let mut ranked: Vec<Ranked<'a>> = Vec::new();
    for pod in pods {
        let new = Ranked::new(pod, &on_node);
        // The order is not transitive (equal times and equal ages are different things), which a
        // library sort may answer with a panic: insert by hand.
        let at = ranked.iter().rposition(|have| !new.goes_before(have, now)).map_or(0, |at| at + 1);
        ranked.insert(at, new);
    }
    ranked.into_iter().map(|ranked| ranked.pod).collect()
}

impl<'a> Ranked<'a> {
    fn new(pod: &'a Tree, on_node: &BTreeMap<&str, usize>) -> Self {
        let node = pod["spec"]["nodeName"].str();
        let ready = object::is_ready(pod);
        let since = |ready: &Tree| object::parse_time(ready["lastTransitionTime"].str());
        Ranked {
            pod,
            node,
            phase: match pod["status"]["phase"].str() {
                "Pending" | "" => 0,
                "Unknown" => 1,
                _ => 2,
            },
            ready,
            cost: deletion_cost(pod),
            related: on_node.get(node).copied().unwrap_or(0),
            ready_since: object::condition(pod, "Ready").filter(|_| ready).and_then(since),
            restarts: (
                most_restarts(&pod["status"]["containerStatuses"]),
                most_restarts(&pod["status"]["initContainerStatuses"]),
            ),
            created: object::parse_time(pod["metadata"]["creationTimestamp"].str()),
        }
    }

    fn goes_before(&self, other: &Self, now: Millis) -> bool {
        if self.node.is_empty() != other.node.is_empty() {
            return self.node.is_empty();
        }
        if self.phase != other.phase {
            return self.phase < other.phase;
        }
        if self.ready != other.ready {
            return !self.ready;
        }
        if self.cost != other.cost {
            return self.cost < other.cost;
        }
        if self.related != other.related {
            return self.related > other.related;
        }
        if self.ready && self.ready_since != other.ready_since {
            return self.is_younger(other, self.ready_since, other.ready_since, now);
        }
        if self.restarts != other.restarts {
            return self.restarts > other.restarts;
        }
        self.created != other.created && self.is_younger(other, self.created, other.created, now)
    }

    /// The younger goes first; of two ages of the same magnitude the smaller UID, so that the pods
    /// of one burst go in random order.
    fn is_younger(&self, other: &Self, a: Option<Millis>, b: Option<Millis>, now: Millis) -> bool {
        let (Some(a), Some(b)) = (a, b) else { return a.is_none() };
        match magnitude(a, now).cmp(&magnitude(b, now)) {
            std::cmp::Ordering::Equal => uid(self.pod) < uid(other.pod),
            order => order.is_lt(),
        }
    }
}

/// The magnitude of an age: the whole part of the decimal logarithm of its nanoseconds.
fn magnitude(since: Millis, now: Millis) -> Option<u32> {
    now.saturating_sub(since).saturating_mul(1_000_000).checked_ilog10()
}

/// The annotation by which users say which pods are cheap to lose; 0 for what is no whole number.
fn deletion_cost(pod: &Tree) -> i64 {
    let text = object::annotation(pod, "controller.kubernetes.io/pod-deletion-cost");
    let well_formed = text == "0" || !text.trim_start_matches('-').starts_with(['0', '+']);
    text.parse::<i32>().ok().filter(|_| well_formed).map_or(0, i64::from)
}

fn most_restarts(statuses: &Tree) -> i64 {
    let counts = statuses.items().iter().filter_map(|status| status["restartCount"].as_i64());
    counts.max().unwrap_or(0)
}

fn uid(pod: &Tree) -> Text {
    Text::new(object::uid(pod))
}
