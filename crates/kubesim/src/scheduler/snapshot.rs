//! What the scheduler believes to run on each node: bound pods of its cache and pods that it has
//! assumed (kube-scheduler v1.36, `backend/cache`).

use std::collections::BTreeMap;

use kubesim_model::resource::ObjectKey;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, object, quantity};

/// Amounts by resource name, in thousandths.
pub(super) type Amounts = BTreeMap<Text, i64>;

/// CPU that a container without a request is scored with, in millicores.
const DEFAULT_CPU: i64 = 100;
/// Memory that a container without a request is scored with, in thousandths of a byte.
const DEFAULT_MEMORY: i64 = 200 * 1024 * 1024 * 1000;

/// A pod on a node, with what it asks for.
#[derive(Clone)]
pub(super) struct Placed {
    pub(super) pod: Tree,
    pub(super) requests: Amounts,
    pub(super) scored: Amounts,
}

/// A node with its pods.
#[derive(Clone, Default)]
pub(super) struct NodeInfo {
    /// `Null` while only pods of the node are known.
    pub(super) node: Tree,
    pub(super) pods: BTreeMap<ObjectKey, Placed>,
    /// The sum of the pods' requests.
    pub(super) requested: Amounts,
    /// The same with defaults for containers that ask for nothing; scores use it.
    pub(super) scored: Amounts,
}

/// All nodes by name.
#[derive(Clone, Default)]
pub(super) struct Snapshot {
    nodes: BTreeMap<Text, NodeInfo>,
}

impl Placed {
    pub(super) fn new(pod: &Tree) -> Self {
        Placed { pod: pod.clone(), requests: requests(pod, false), scored: requests(pod, true) }
    }
}

impl NodeInfo {
    pub(super) fn add(&mut self, placed: Placed) {
        let key = object::key(&placed.pod);
        self.remove(&key);
        add(&mut self.requested, &placed.requests, 1);
        add(&mut self.scored, &placed.scored, 1);
        self.pods.insert(key, placed);
    }

    pub(super) fn remove(&mut self, key: &ObjectKey) -> Option<Placed> {
        let placed = self.pods.remove(key)?;
        add(&mut self.requested, &placed.requests, -1);
        add(&mut self.scored, &placed.scored, -1);
        Some(placed)
    }

    /// What the node has of a resource, in thousandths.
    pub(super) fn allocatable(&self, resource: &str) -> i64 {
        quantity::milli(&self.node["status"]["allocatable"][resource]).unwrap_or(0)
    }

    /// The node's label, if it has it.
    pub(super) fn label(&self, key: &str) -> Option<&str> {
        self.node["metadata"]["labels"][key].as_str()
    }
}

impl Snapshot {
    /// The nodes that exist, by name.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&Text, &NodeInfo)> {
        self.nodes.iter().filter(|(_, info)| !info.node.is_null())
    }

    pub(super) fn get(&self, name: &str) -> Option<&NodeInfo> {
        self.nodes.get(name)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut NodeInfo> {
        self.nodes.get_mut(name)
    }

    /// Makes a node known, or changes it; `Null` takes it away.
    pub(super) fn set_node(&mut self, name: &str, node: Tree) {
        let info = self.nodes.entry(Text::new(name)).or_default();
        info.node = node;
        if info.node.is_null() && info.pods.is_empty() {
            self.nodes.remove(name);
        }
    }

    /// Counts a pod on a node.
    pub(super) fn place(&mut self, node: &str, pod: &Tree) {
        self.nodes.entry(Text::new(node)).or_default().add(Placed::new(pod));
    }

    /// No longer counts a pod on a node.
    pub(super) fn displace(&mut self, node: &str, key: &ObjectKey) {
        let Some(info) = self.nodes.get_mut(node) else { return };
        info.remove(key);
        if info.node.is_null() && info.pods.is_empty() {
            self.nodes.remove(node);
        }
    }
}

fn add(sum: &mut Amounts, amounts: &Amounts, sign: i64) {
    for (resource, amount) in amounts {
        let have = sum.entry(resource.clone()).or_default();
        *have = have.saturating_add(amount.saturating_mul(sign));
    }
}

/// What a pod asks for (component-helpers v0.36 `PodRequests`): containers and sidecars together,
/// or the greatest init container with the sidecars started before it, whichever is more; plus
/// overhead. Requests of the pod as a whole take their place.
fn requests(pod: &Tree, with_defaults: bool) -> Amounts {
    let spec = &pod["spec"];
    let mut running = Amounts::new();
    for container in spec["containers"].items() {
        add(&mut running, &container_requests(container, with_defaults), 1);
    }
    let (mut sidecars, mut greatest) = (Amounts::new(), Amounts::new());
    for container in spec["initContainers"].items() {
        let mut own = container_requests(container, with_defaults);
        if container["restartPolicy"] == "Always" {
            add(&mut running, &own, 1);
            add(&mut sidecars, &own, 1);
            own = sidecars.clone();
        } else {
            add(&mut own, &sidecars, 1);
        }
        raise(&mut greatest, &own);
    }
    raise(&mut running, &greatest);
    running.extend(amounts(&spec["resources"]["requests"]));
    add(&mut running, &amounts(&spec["overhead"]), 1);
    running
}

fn container_requests(container: &Tree, with_defaults: bool) -> Amounts {
    let mut requests = amounts(&container["resources"]["requests"]);
    if with_defaults {
        requests.entry(Text::new_static("cpu")).or_insert(DEFAULT_CPU);
        requests.entry(Text::new_static("memory")).or_insert(DEFAULT_MEMORY);
    }
    requests
}

fn amounts(requests: &Tree) -> Amounts {
    requests
        .fields()
        .filter_map(|(name, value)| Some((name.clone(), quantity::milli(value)?.max(0))))
        .collect()
}

fn raise(to: &mut Amounts, at_least: &Amounts) {
    for (resource, amount) in at_least {
        let have = to.entry(resource.clone()).or_default();
        *have = (*have).max(*amount);
    }
}
