//! Whether the nodes of a trial have joined the cluster: what is given finds all of them ready, as
//! in a cluster that somebody was handed.

use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, object};

use crate::history::View;
use crate::suite::model::NodeSpec;

/// How long nodes may take; a kind cluster of eight nodes takes about a minute.
pub(super) const JOIN: Millis = 600_000;

/// The taint of a node that is not ready yet (node lifecycle controller, Kubernetes v1.36).
const NOT_READY: &str = "node.kubernetes.io/not-ready";

/// The first node that is not ready for pods.
pub(super) fn missing<'a>(nodes: &'a [NodeSpec], view: &View) -> Option<&'a str> {
    let has_joined = |node: &&NodeSpec| {
        let key = ObjectKey::new("", node.name.clone());
        view.objects.get(&Resource::NODES, &key).is_some_and(is_ready)
    };
    nodes.iter().find(|node| !has_joined(node)).map(|node| node.name.as_str())
}

fn is_ready(node: &Tree) -> bool {
    object::condition(node, "Ready").is_some_and(|ready| ready["status"] == "True")
        && node["spec"]["taints"].items().iter().all(|taint| taint["key"] != NOT_READY)
}
