//! The endpoints that a Service should have, by the ports that they serve.

use std::collections::BTreeMap;
use std::sync::Arc;

use kubesim_model::cache::Cache;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, map, object};

/// What a planted bug leaves out.
#[derive(Clone, Copy, Default)]
pub(super) struct Bugs {
    /// Not ready pods are shown as ready.
    pub(super) keeps_not_ready: bool,
    /// Terminating pods are shown as if they stayed.
    pub(super) forgets_terminating: bool,
}

/// Endpoints with the same ports, by address.
pub(super) struct Group {
    pub(super) ports: Tree,
    pub(super) endpoints: BTreeMap<Text, Tree>,
}

/// What was worked out for each pod of a Service's namespace, in the order of their names: good as
/// long as Service and pod are the same objects, and no node changed its zone.
#[derive(Clone, Default)]
pub(super) struct Known {
    service: Tree,
    pods: Vec<Shown>,
}

/// A pod, and what the Service shows of it.
#[derive(Clone)]
struct Shown {
    pod: Tree,
    endpoint: Option<Arc<Endpoint>>,
}

struct Endpoint {
    ports: Tree,
    /// The text of the ports.
    group: Text,
    address: Text,
    content: Tree,
}

/// Whether a Service's endpoints are kept at all.
pub(super) fn is_served(service: &Tree) -> bool {
    let spec = &service["spec"];
    spec["type"] != "ExternalName" && spec["selector"].fields().next().is_some()
}

/// Whether the Service selects a pod with these labels.
pub(super) fn selects(service: &Tree, pod: &Tree) -> bool {
    let labels = &pod["metadata"]["labels"];
    let mut wanted = service["spec"]["selector"].fields();
    is_served(service) && wanted.all(|(key, value)| labels[key.as_str()] == *value)
}

/// The endpoints of a Service, grouped by the numbers that its ports have on the pods; by the text
/// of the ports.
pub(super) fn wanted(
    service: &Tree,
    cache: &Cache,
    bugs: Bugs,
    known: &mut Known,
) -> BTreeMap<Text, Group> {
    const PODS: Resource = Resource::PODS;
    if !known.service.is_same(service) {
        *known = Known { service: service.clone(), pods: Vec::new() };
    }
    let mut before = std::mem::take(&mut known.pods).into_iter().peekable();
    let mut groups = BTreeMap::<Text, Group>::new();
    for pod in cache.in_namespace(&PODS, object::namespace(service)) {
        let precedes =
            |had: &Shown| !had.pod.is_same(pod) && object::name(&had.pod) < object::name(pod);
        while before.next_if(precedes).is_some() {}
        let shown = before.next_if(|had| had.pod.is_same(pod)).unwrap_or_else(|| Shown {
            pod: pod.clone(),
            endpoint: shown(service, pod, cache, bugs).map(Arc::new),
        });
        if let Some(endpoint) = &shown.endpoint {
            let group = groups.entry(endpoint.group.clone()).or_insert_with(|| Group {
                ports: endpoint.ports.clone(),
                endpoints: BTreeMap::new(),
            });
            group.endpoints.insert(endpoint.address.clone(), endpoint.content.clone());
        }
        known.pods.push(shown);
    }
    groups
}

/// What a Service shows of a pod, if anything.
fn shown(service: &Tree, pod: &Tree, cache: &Cache, bugs: Bugs) -> Option<Endpoint> {
    let address = pod["status"]["podIP"].text();
    if address.is_empty() || object::is_terminal(pod) || !selects(service, pod) {
        return None;
    }
    let ports = ports(service, pod);
    let group = Text::from(ports.to_string());
    Some(Endpoint { ports, group, address, content: endpoint(service, pod, cache, bugs) })
}

/// The zone of a node, or the empty text.
pub(super) fn zone(node: Option<&Tree>) -> &str {
    node.map_or("", |node| object::label(node, "topology.kubernetes.io/zone"))
}

fn endpoint(service: &Tree, pod: &Tree, cache: &Cache, bugs: Bugs) -> Tree {
    let serving = object::is_ready(pod) || bugs.keeps_not_ready;
    let terminating = object::is_terminating(pod) && !bugs.forgets_terminating;
    let published = service["spec"]["publishNotReadyAddresses"].is_true();
    let ready = published || (serving && !terminating);
    let metadata = &pod["metadata"];
    let mut endpoint = map! {
        "addresses" => kubesim_model::list![&pod["status"]["podIP"]],
        "conditions" =>
            map! { "ready" => ready, "serving" => serving, "terminating" => terminating },
        "targetRef" => map! {
            "kind" => "Pod", "namespace" => &metadata["namespace"],
            "name" => &metadata["name"], "uid" => &metadata["uid"],
        },
    };
    let node = &pod["spec"]["nodeName"];
    if !node.is_null() {
        endpoint.set(&["nodeName"], node);
        let node = cache.get(&Resource::NODES, &ObjectKey::new("", node.text()));
        let zone = zone(node);
        if !zone.is_empty() {
            endpoint.set(&["zone"], zone);
        }
    }
    let hostname = &pod["spec"]["hostname"];
    if !hostname.is_null() && pod["spec"]["subdomain"] == service["metadata"]["name"] {
        endpoint.set(&["hostname"], hostname);
    }
    endpoint
}

/// The Service's ports with their numbers on this pod; named ports that the pod lacks are left out.
fn ports(service: &Tree, pod: &Tree) -> Tree {
    let resolved = service["spec"]["ports"].items().iter().filter_map(|port| {
        let number = number_on(pod, port)?;
        let protocol = match port["protocol"].str() {
            "" => Tree::from("TCP"),
            _ => port["protocol"].clone(),
        };
        let name = port["name"].text();
        let mut resolved = map! { "name" => name, "port" => number, "protocol" => protocol };
        if !port["appProtocol"].is_null() {
            resolved.set(&["appProtocol"], &port["appProtocol"]);
        }
        Some(resolved)
    });
    resolved.collect::<Vec<Tree>>().into()
}

fn number_on(pod: &Tree, port: &Tree) -> Option<i64> {
    let target = &port["targetPort"];
    if target.is_null() {
        return port["port"].as_i64();
    }
    let Some(name) = target.as_str() else {
        return target.as_i64().filter(|n| *n > 0).or(port["port"].as_i64());
    };
    let protocol = |port: &Tree| match port["protocol"].str() {
        "" => Text::new_static("TCP"),
        other => Text::new(other),
    };
    let spec = &pod["spec"];
    let sidecars = spec["initContainers"].items().iter();
    let sidecars = sidecars.filter(|container| container["restartPolicy"] == "Always");
    let containers = spec["containers"].items().iter().chain(sidecars);
    let mut ports = containers.flat_map(|container| container["ports"].items());
    let named = ports.find(|have| have["name"] == name && protocol(have) == protocol(port))?;
    named["containerPort"].as_i64()
}
