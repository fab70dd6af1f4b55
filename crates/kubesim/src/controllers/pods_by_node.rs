//! Which pods are bound to which node, as the `spec.nodeName` index of a pod informer.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::cache::Change;
use kubesim_model::resource::ObjectKey;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, object};

/// Pod keys by node name.
#[derive(Clone, Default)]
pub(super) struct PodsByNode(BTreeMap<Text, BTreeSet<ObjectKey>>);

impl PodsByNode {
    /// Takes in what became of a pod.
    pub(super) fn take(&mut self, change: &Change) {
        let node = |pod: &Option<Tree>| {
            let node = pod.as_ref().map_or("", |pod| pod["spec"]["nodeName"].str());
            (!node.is_empty()).then(|| Text::new(node))
        };
        let (old, new) = (node(&change.old), node(&change.new));
        if old == new {
            return;
        }
        let Some(key) = change.new.as_ref().or(change.old.as_ref()).map(object::key) else {
            return;
        };
        if let Some(node) = old
            && let Some(keys) = self.0.get_mut(&node)
        {
            keys.remove(&key);
            if keys.is_empty() {
                self.0.remove(&node);
            }
        }
        if let Some(node) = new {
            self.0.entry(node).or_default().insert(key);
        }
    }

    /// The pods of a node, by their keys.
    pub(super) fn on(&self, node: &str) -> impl Iterator<Item = &ObjectKey> {
        self.0.get(node).into_iter().flatten()
    }
}
