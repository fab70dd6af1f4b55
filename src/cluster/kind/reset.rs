//! Making a cluster again what it was when it was new, and finding what is not so.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::{join_all, try_join, try_join_all};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Node as ApiNode, Pod, ServiceAccount};
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};
use thiserror::Error;

use super::inventory::{Inventory, NodeParts, nodes};
use super::objects;
use super::site::Site;
use super::traces::{Traces, clear, revive};
use crate::cluster::real::is_of_the_system;

/// How long everything may take to settle, and how often is looked.
const SETTLES_WITHIN: Duration = Duration::from_secs(180);
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How often objects are asked to go, and from which time on nothing holds them back: until then
/// those whom finalizers are for have had their time.
const REMOVALS: u32 = 60;
const BY_FORCE: u32 = 15;

/// The taints of a node that is not heard of (node lifecycle controller, Kubernetes v1.36).
const LIFECYCLE: &str = "node.kubernetes.io/";

/// The components that hold a lease while they work.
const LEADERS: [&str; 2] = ["kube-controller-manager", "kube-scheduler"];

/// Why a cluster can't be made what it was.
#[derive(Debug, Error)]
pub(super) enum ResetError {
    #[error(transparent)]
    Api(#[from] kube::Error),
    #[error(transparent)]
    Node(#[from] kind_rs::Error),
    #[error("{0}")]
    Stuck(String),
}

/// Resets the cluster; answers what is not as it was when it was new.
pub(super) async fn reset(site: &Site, client: &Client) -> Result<Vec<String>, ResetError> {
    let nodes = try_join_all(site.nodes.iter().map(|(name, node)| revive(node, name)));
    try_join(nodes, site.restart_components()).await?;
    remove_all(site, client).await?;
    settle(client, &site.names()).await?;
    restore_nodes(client, &site.new.nodes).await?;
    let cleared = join_all(site.all_nodes().map(|(_, node)| clear(node))).await;
    let now = take_inventory(site, client).await?;
    let mut left = site.new.differences(&now);
    for ((name, _), cleared) in site.all_nodes().zip(cleared) {
        if !cleared? {
            left.push(format!("on {name}: containers did not end by themselves"));
        }
    }
    Ok(left)
}

/// What there is in the cluster.
pub(super) async fn take_inventory(site: &Site, client: &Client) -> Result<Inventory, ResetError> {
    let hosts = site
        .all_nodes()
        .map(async |(name, node)| Traces::of(node).await.map(|traces| (name.to_owned(), traces)));
    let hosts: BTreeMap<String, Traces> = try_join_all(hosts).await?.into_iter().collect();
    Ok(Inventory::take(client, hosts).await?)
}

/// Takes away all objects that were not there.
async fn remove_all(site: &Site, client: &Client) -> Result<(), ResetError> {
    let mut left = Vec::new();
    for round in 0..REMOVALS {
        left = objects::all(client).await?;
        left.retain(|object| !object.is_fleeting() && !site.new.knows(object));
        if left.is_empty() {
            return Ok(());
        }
        objects::remove(client, left.clone(), round >= BY_FORCE).await;
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let ids: Vec<String> = left.iter().map(objects::Found::id).collect();
    Err(ResetError::Stuck(format!("these do not go away: {}", ids.join(", "))))
}

/// Waits until the nodes of these names are ready, the system's own pods work and the controllers
/// are at work.
pub(super) async fn settle(client: &Client, names: &[String]) -> Result<(), ResetError> {
    let mut tries = SETTLES_WITHIN.as_millis() / LOOK_AGAIN.as_millis();
    let before = renewals(client).await?;
    loop {
        let why = match unready(client, names).await? {
            None => idle(&before, &renewals(client).await?),
            why => why,
        };
        match why {
            None => return Ok(()),
            Some(why) if tries == 0 => return Err(ResetError::Stuck(why)),
            Some(_) => tries -= 1,
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// When the leaders renewed their leases.
async fn renewals(client: &Client) -> Result<Vec<String>, kube::Error> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), "kube-system");
    let mut renewals = Vec::new();
    for name in LEADERS {
        let lease = leases.get_opt(name).await?;
        let renewed = lease.and_then(|lease| lease.spec).and_then(|spec| spec.renew_time);
        renewals.push(json!(renewed).to_string());
    }
    Ok(renewals)
}

fn idle(before: &[String], now: &[String]) -> Option<String> {
    let mut all = LEADERS.iter().zip(before.iter().zip(now));
    let (name, _) = all.find(|(_, (before, now))| before == now)?;
    Some(format!("`{name}` does not renew its lease"))
}

/// What is not ready yet.
async fn unready(client: &Client, names: &[String]) -> Result<Option<String>, kube::Error> {
    let nodes = Api::<ApiNode>::all(client.clone()).list(&ListParams::default()).await?.items;
    let is_ready =
        |name: &&String| nodes.iter().any(|node| node.name_any() == **name && is_node_ready(node));
    if let Some(name) = names.iter().find(|name| !is_ready(name)) {
        return Ok(Some(format!("the node {name} does not get ready")));
    }
    let pods = Api::<Pod>::all(client.clone()).list(&ListParams::default()).await?.items;
    let ours = pods.iter().filter(|pod| is_of_the_system(&pod.namespace().unwrap_or_default()));
    if let Some(pod) = ours.into_iter().find(|pod| !is_pod_ready(pod)) {
        return Ok(Some(format!("the system's pod {} does not get ready", pod.name_any())));
    }
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let is_there = accounts.get_opt("default").await?.is_some()
        && maps.get_opt("kube-root-ca.crt").await?.is_some();
    Ok((!is_there).then(|| "the controllers do not fill the namespace `default`".to_owned()))
}

fn is_node_ready(node: &ApiNode) -> bool {
    let conditions = node.status.iter().filter_map(|status| status.conditions.as_ref()).flatten();
    let mut ready = conditions.filter(|one| one.type_ == "Ready");
    let taints = node.spec.iter().filter_map(|spec| spec.taints.as_ref()).flatten();
    let mut silent = taints.filter(|taint| {
        matches!(taint.key.strip_prefix(LIFECYCLE), Some("not-ready" | "unreachable"))
    });
    ready.any(|ready| ready.status == "True") && silent.next().is_none()
}

/// Whether a pod works or has done its work.
fn is_pod_ready(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    if matches!(phase, Some("Succeeded" | "Failed")) {
        return true;
    }
    let conditions = pod.status.iter().filter_map(|status| status.conditions.as_ref()).flatten();
    let is_ready = conditions.into_iter().any(|one| one.type_ == "Ready" && one.status == "True");
    is_ready && pod.metadata.deletion_timestamp.is_none()
}

/// Gives the nodes the labels, annotations and taints that they had.
async fn restore_nodes(
    client: &Client,
    wanted: &BTreeMap<String, NodeParts>,
) -> Result<(), kube::Error> {
    let api = Api::<ApiNode>::all(client.clone());
    for (name, now) in nodes(client).await? {
        if let Some(wanted) = wanted.get(&name)
            && *wanted != now
        {
            let patch = Patch::Merge(restoration(wanted, &now));
            api.patch(&name, &PatchParams::default(), &patch).await?;
        }
    }
    Ok(())
}

/// The patch that makes `now` what is wanted.
fn restoration(wanted: &NodeParts, now: &NodeParts) -> Value {
    let mut labels = json!(wanted.labels);
    for label in now.labels.keys().filter(|label| !wanted.labels.contains_key(*label)) {
        labels[label] = Value::Null;
    }
    let mut annotations = json!({});
    for annotation in now.annotations.difference(&wanted.annotations) {
        annotations[annotation] = Value::Null;
    }
    json!({
        "metadata": {"labels": labels, "annotations": annotations},
        "spec": {
            "unschedulable": wanted.unschedulable.then_some(true),
            "taints": (!wanted.taints.is_empty()).then_some(&wanted.taints),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_given_back_what_it_had_and_nothing_else() {
        let parts = |labels: &[(&str, &str)], unschedulable| NodeParts {
            labels: labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            unschedulable,
            ..NodeParts::default()
        };
        let (wanted, now) = (parts(&[("a", "1")], false), parts(&[("a", "2"), ("b", "3")], true));
        let spec = json!({"unschedulable": null, "taints": null});
        let metadata = json!({"labels": {"a": "1", "b": null}, "annotations": {}});
        assert_eq!(restoration(&wanted, &now), json!({"metadata": metadata, "spec": spec}));
    }
}
