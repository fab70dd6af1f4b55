//! What comes before the steps of a trial: the subject's definitions are created and all nodes join
//! the cluster. What is given finds it as one is handed a cluster.

use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, object};

use super::stage::{Progress, Stage, Task};
use super::steps::Requests;
use crate::suite::model::NodeSpec;

/// How long nodes and definitions may take; a kind cluster of eight nodes takes about a minute.
const JOIN: Millis = 600_000;

/// The taint of a node that is not ready yet (node lifecycle controller, Kubernetes v1.36).
const NOT_READY: &str = "node.kubernetes.io/not-ready";

/// The preparation of a cluster with these nodes.
pub(super) struct Preparation<'a> {
    /// Creates the definitions; `None` once they are there.
    requests: Option<Requests>,
    /// The definitions.
    definitions: Vec<ObjectKey>,
    nodes: &'a [NodeSpec],
}

impl<'a> Preparation<'a> {
    pub(super) fn new(definitions: &[Tree], nodes: &'a [NodeSpec]) -> Self {
        let requests = Some(Requests::creating(definitions));
        let definitions = definitions.iter().map(object::key).collect();
        Preparation { requests, definitions, nodes }
    }
}

impl Task for Preparation<'_> {
    fn poll(&mut self, stage: &mut Stage<'_>) -> Progress {
        if let Some(requests) = &mut self.requests {
            match requests.poll(stage) {
                Progress::Done(Ok(_)) => self.requests = None,
                Progress::Done(Err(why)) => {
                    let why = format!("the subject's definitions were refused: {why}");
                    return Progress::Done(Err(why));
                }
                pending @ Progress::Pending(_) => return pending,
            }
        }
        match established(&self.definitions, stage) {
            Progress::Done(Ok(_)) => joined(self.nodes, stage),
            other => other,
        }
    }
}

/// Whether the types of all these definitions are served, and it was told that they are.
fn established(definitions: &[ObjectKey], stage: &Stage<'_>) -> Progress {
    let objects = &stage.journal.view().objects;
    let is_missing = |key: &&ObjectKey| {
        let definition = objects.get(&Resource::CUSTOM_RESOURCE_DEFINITIONS, key);
        let condition = definition.and_then(|one| object::condition(one, "Established"));
        condition.is_none_or(|established| established["status"] != "True")
    };
    match definitions.iter().find(is_missing) {
        None => Progress::Done(Ok(String::new())),
        Some(key) if stage.now() >= JOIN => {
            Progress::Done(Err(format!("the definition `{}` was not established", key.name)))
        }
        Some(_) => Progress::Pending(Some(JOIN)),
    }
}

/// Whether all these nodes are ready for pods.
fn joined(nodes: &[NodeSpec], stage: &Stage<'_>) -> Progress {
    let objects = &stage.journal.view().objects;
    let is_missing = |node: &&NodeSpec| {
        let key = ObjectKey::new("", node.name.clone());
        !objects.get(&Resource::NODES, &key).is_some_and(is_ready)
    };
    match nodes.iter().find(is_missing) {
        None => Progress::Done(Ok(String::new())),
        Some(node) if stage.now() >= JOIN => {
            Progress::Done(Err(format!("the node `{}` did not get ready", node.name)))
        }
        Some(_) => Progress::Pending(Some(JOIN)),
    }
}

fn is_ready(node: &Tree) -> bool {
    object::condition(node, "Ready").is_some_and(|ready| ready["status"] == "True")
        && node["spec"]["taints"].items().iter().all(|taint| taint["key"] != NOT_READY)
}
