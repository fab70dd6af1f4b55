//! What there is in a cluster, as far as a trial could change it: what must be the same after a
//! trial as when the cluster was new.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt as _};
use serde::{Deserialize, Serialize};

use super::objects::{self, Found};
use super::traces::Traces;

/// Objects, nodes and hosts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Inventory {
    /// Each object that stays, with what it says, shortened.
    objects: BTreeMap<String, String>,
    /// The nodes by name.
    pub(super) nodes: BTreeMap<String, NodeParts>,
    /// What the hosts answer when they are asked what a fault could have left, by node.
    hosts: BTreeMap<String, Traces>,
}

/// What trials may change of a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct NodeParts {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeSet<String>,
    pub(super) unschedulable: bool,
    pub(super) taints: Vec<v1::Taint>,
}

impl NodeParts {
    fn of(node: &v1::Node) -> NodeParts {
        let spec = node.spec.clone().unwrap_or_default();
        NodeParts {
            labels: node.labels().clone(),
            annotations: node.annotations().keys().cloned().collect(),
            unschedulable: spec.unschedulable.unwrap_or(false),
            taints: spec.taints.unwrap_or_default(),
        }
    }
}

impl Inventory {
    /// What there is now.
    pub(super) async fn take(
        client: &Client,
        hosts: BTreeMap<String, Traces>,
    ) -> Result<Inventory, kube::Error> {
        let found = objects::all(client).await?;
        let stays = found.into_iter().filter(|object| !object.is_fleeting());
        let objects = stays.map(|object| (object.id(), object.digest)).collect();
        Ok(Inventory { objects, nodes: nodes(client).await?, hosts })
    }

    /// Whether the object was there.
    pub(super) fn knows(&self, object: &Found) -> bool {
        self.objects.contains_key(&object.id())
    }

    /// What of `now` is not so here, told in words.
    pub(super) fn differences(&self, now: &Inventory) -> Vec<String> {
        let mut told = Vec::new();
        for (id, digest) in &now.objects {
            match self.objects.get(id) {
                None => told.push(format!("{id} is left")),
                Some(before) if before != digest => told.push(format!("{id} was changed")),
                _ => {}
            }
        }
        let gone = self.objects.keys().filter(|id| !now.objects.contains_key(*id));
        told.extend(gone.map(|id| format!("{id} is gone")));
        for (name, parts) in &self.nodes {
            match now.nodes.get(name) {
                Some(now) if now == parts => {}
                Some(_) => {
                    told.push(format!("node {name} has other labels, annotations or taints"))
                }
                None => told.push(format!("node {name} is gone")),
            }
        }
        let others = now.nodes.keys().filter(|name| !self.nodes.contains_key(*name));
        told.extend(others.map(|name| format!("node {name} is left")));
        for (name, before) in &self.hosts {
            let now = now.hosts.get(name).cloned().unwrap_or_default();
            let (gone, left) =
                (before.lines.difference(&now.lines), now.lines.difference(&before.lines));
            told.extend(left.map(|line| format!("on {name}: {line} is left")));
            told.extend(gone.map(|line| format!("on {name}: {line} is gone")));
            let images = before.images.difference(&now.images);
            told.extend(images.map(|image| format!("on {name}: the image {image} is gone")));
        }
        told
    }
}

/// The nodes as they are now.
pub(super) async fn nodes(client: &Client) -> Result<BTreeMap<String, NodeParts>, kube::Error> {
    let nodes = Api::<v1::Node>::all(client.clone()).list(&ListParams::default()).await?;
    Ok(nodes.items.iter().map(|node| (node.name_any(), NodeParts::of(node))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(objects: &[(&str, &str)], host: &[&str]) -> Inventory {
        let pair = |(id, digest): &(&str, &str)| ((*id).to_owned(), (*digest).to_owned());
        let objects = objects.iter().map(pair).collect();
        let lines = host.iter().map(|line| (*line).to_owned()).collect();
        let traces = Traces { lines, images: BTreeSet::new() };
        let hosts = BTreeMap::from([("worker-1".to_owned(), traces)]);
        let nodes = BTreeMap::from([("worker-1".to_owned(), NodeParts::default())]);
        Inventory { objects, nodes, hosts }
    }

    #[test]
    fn what_is_as_it_was_is_not_told() {
        let new = with(&[("services default/kubernetes", "a")], &["image a"]);
        assert_eq!(new.differences(&new.clone()), [""; 0]);
    }

    #[test]
    fn what_is_left_changed_or_gone_is_told() {
        let system = "deployments.apps kube-system/coredns";
        let new =
            with(&[("storageclasses.storage.k8s.io standard", "a"), (system, "b")], &["rule a"]);
        let mut later = with(&[("pods default/web", "a"), (system, "c")], &["rule b"]);
        later.nodes.get_mut("worker-1").unwrap().unschedulable = true;
        assert_eq!(
            new.differences(&later),
            [
                "deployments.apps kube-system/coredns was changed",
                "pods default/web is left",
                "storageclasses.storage.k8s.io standard is gone",
                "node worker-1 has other labels, annotations or taints",
                "on worker-1: rule b is left",
                "on worker-1: rule a is gone",
            ]
        );
    }
}
