//! The taints that stand for conditions of nodes (kube-controller-manager v1.36,
//! `nodelifecycle`; `TaintNodesByCondition`).

use kubesim_model::tree::Tree;
use kubesim_model::{Millis, map, object};

use super::health::Ready;

pub(super) const NOT_READY: &str = "node.kubernetes.io/not-ready";
pub(super) const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

/// Condition, its status, and the taint that keeps new pods away meanwhile.
const BY_CONDITION: [(&str, &str, &str); 6] = [
    ("Ready", "False", NOT_READY),
    ("Ready", "Unknown", UNREACHABLE),
    ("MemoryPressure", "True", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "True", "node.kubernetes.io/disk-pressure"),
    ("NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"),
    ("PIDPressure", "True", "node.kubernetes.io/pid-pressure"),
];
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// A set of taints to put on and to take off.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Swap {
    add: Vec<(&'static str, &'static str)>,
    remove: Vec<(&'static str, &'static str)>,
}

impl Swap {
    /// The `NoSchedule` taints as conditions and cordon demand.
    pub(super) fn no_schedule(node: &Tree) -> Self {
        let mut swap = Swap::default();
        for (kind, status, taint) in BY_CONDITION {
            let holds = object::condition(node, kind).is_some_and(|c| c["status"] == status);
            swap.demand(taint, holds);
        }
        swap.demand(UNSCHEDULABLE, node["spec"]["unschedulable"].is_true());
        swap
    }

    fn demand(&mut self, key: &'static str, wanted: bool) {
        let list = if wanted { &mut self.add } else { &mut self.remove };
        list.push((key, "NoSchedule"));
    }

    /// The `NoExecute` taint of a node in this state, instead of the other one.
    pub(super) fn no_execute(ready: Ready) -> Self {
        let (not_ready, unreachable) = ((NOT_READY, "NoExecute"), (UNREACHABLE, "NoExecute"));
        match ready {
            Ready::True => Swap { add: vec![], remove: vec![not_ready, unreachable] },
            Ready::False => Swap { add: vec![not_ready], remove: vec![unreachable] },
            Ready::Unknown => Swap { add: vec![unreachable], remove: vec![not_ready] },
        }
    }

    /// The node's taints after the swap; `None` if they are so already.
    pub(super) fn apply(&self, node: &Tree, now: Millis) -> Option<Tree> {
        let is = |taint: &Tree, (key, effect): &(&str, &str)| {
            taint["key"] == *key && taint["effect"] == *effect
        };
        let have = node["spec"]["taints"].items();
        let missing = |wanted: &&(&str, &str)| !have.iter().any(|taint| is(taint, wanted));
        let add: Vec<&(&str, &str)> = self.add.iter().filter(missing).collect();
        let stays = |taint: &&Tree| !self.remove.iter().any(|unwanted| is(taint, unwanted));
        let mut taints: Vec<Tree> = have.iter().filter(stays).cloned().collect();
        if add.is_empty() && taints.len() == have.len() {
            return None;
        }
        taints.extend(add.into_iter().map(|(key, effect)| {
            let at = object::timestamp(now);
            map! { "key" => *key, "effect" => *effect, "timeAdded" => at }
        }));
        Some(taints.into())
    }
}

/// Whether the node has this `NoExecute` taint.
pub(super) fn has_no_execute(node: &Tree, key: &str) -> bool {
    let taints = node["spec"]["taints"].items();
    taints.iter().any(|taint| taint["key"] == key && taint["effect"] == "NoExecute")
}
