//! On which nodes the pods of a DaemonSet belong, and the pod that is made for a node.
//!
//! Modelled on kube-controller-manager v1.36, `NodeShouldRunDaemonPod` and `daemon/util`.

use kubesim_model::object;
use kubesim_model::selector::{admits_node, tolerates};
use kubesim_model::tree::Tree;
use kubesim_model::{list, map};

use crate::controllers::owned::template::pod_of;

/// The label of a pod and of a revision with the revision's hash.
pub(super) const HASH: &str = "controller-revision-hash";

/// The taints that every daemon pod tolerates, with their effects.
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

/// What a node is to a DaemonSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A pod belongs here.
    Wanted,
    /// A pod that is here may stay, but none is made (a `NoSchedule` taint).
    Kept,
    /// No pod belongs here.
    Foreign,
}

/// What `node` is to `set`. Whether the node is cordoned makes no difference.
pub(super) fn place(set: &Tree, node: &Tree) -> Place {
    let spec = &set["spec"]["template"]["spec"];
    let bound_to = spec["nodeName"].str();
    if !(bound_to.is_empty() || bound_to == object::name(node)) || !admits_node(spec, node) {
        return Place::Foreign;
    }
    let tolerations = tolerations(spec);
    let repels = |effect: &str| {
        let taints = node["spec"]["taints"].items();
        taints.iter().any(|taint| taint["effect"] == effect && !tolerates(&tolerations, taint))
    };
    match (repels("NoExecute"), repels("NoSchedule")) {
        (true, _) => Place::Foreign,
        (false, true) => Place::Kept,
        (false, false) => Place::Wanted,
    }
}

/// The node on which a pod is, or to which it is pinned.
pub(super) fn node_of(pod: &Tree) -> &str {
    let bound_to = pod["spec"]["nodeName"].str();
    if !bound_to.is_empty() {
        return bound_to;
    }
    let required = pod.at(&REQUIRED);
    let fields = required["nodeSelectorTerms"].items().iter().flat_map(|term| {
        term["matchFields"].items().iter().filter(|field| field["key"] == "metadata.name")
    });
    let names = fields.map(|field| &field["values"]);
    names.into_iter().find_map(|names| names[0].as_str()).unwrap_or_default()
}

const REQUIRED: [&str; 4] =
    ["spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];

/// The pod of `set` for the node of this name, of the revision with this hash.
pub(super) fn pod(set: &Tree, node: &str, hash: &str) -> Tree {
    let mut pod = pod_of(set, &set["spec"]["template"]);
    pod.set(&["metadata", "labels", HASH], hash);
    let generation = object::annotation(set, "deprecated.daemonset.template.generation");
    if !generation.is_empty() {
        pod.set(&["metadata", "labels", "pod-template-generation"], generation);
    }
    pod.set(&["spec", "tolerations"], tolerations(&set["spec"]["template"]["spec"]));
    let pin = list![map! { "key" => "metadata.name", "operator" => "In", "values" => list![node] }];
    let mut path = REQUIRED.to_vec();
    path.push("nodeSelectorTerms");
    let terms = pod.at_mut(&path).items_mut();
    if terms.is_empty() {
        terms.push(map! {});
    }
    terms.iter_mut().for_each(|term| term.set(&["matchFields"], &pin));
    pod
}

fn tolerations(spec: &Tree) -> Tree {
    let mut all = spec["tolerations"].items().to_vec();
    let network = spec["hostNetwork"]
        .is_true()
        .then_some(("node.kubernetes.io/network-unavailable", "NoSchedule"));
    for (key, effect) in TOLERATED.into_iter().chain(network) {
        let toleration = map! { "key" => key, "operator" => "Exists", "effect" => effect };
        if !all.contains(&toleration) {
            all.push(toleration);
        }
    }
    all.into()
}
