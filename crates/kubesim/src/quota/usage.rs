//! What an object uses of what quotas count (`pkg/quota/v1/evaluator/core`).

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

use super::amount::{Amount, Amounts};
use super::pod::{all_of, uses_compute};

/// Resources that quotas also count under their own names, besides pods, services and claims.
const NAMED: [&str; 4] = ["configmaps", "replicationcontrollers", "resourcequotas", "secrets"];
/// What quotas count of pods, besides huge pages and what nodes have of their own.
const OF_PODS: [&str; 10] = [
    "cpu",
    "ephemeral-storage",
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "memory",
    "pods",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
const OF_SERVICES: [&str; 3] = ["services", "services.loadbalancers", "services.nodeports"];
const OF_CLAIMS: [&str; 2] = ["persistentvolumeclaims", "requests.storage"];
const OF_A_CLASS: &str = ".storageclass.storage.k8s.io/";
const OF_DEVICES: &str = "requests.deviceclass.resource.kubernetes.io/";
/// What of the limits of pods is counted.
const LIMITED: [&str; 3] = ["cpu", "ephemeral-storage", "memory"];

/// The resource whose objects are counted under this name; `None` if there is none.
pub(crate) fn counted_by(name: &str) -> Option<Resource> {
    if let Some(resource) = name.strip_prefix("count/") {
        return (resource != "events").then(|| Resource::new(Text::new(resource)));
    }
    let of_class =
        |kind: &str| name.strip_suffix(kind).is_some_and(|class| class.ends_with(OF_A_CLASS));
    let of_nodes = name.starts_with("requests.")
        && (name.contains('/') && !name.contains("kubernetes.io/") || name.starts_with(OF_DEVICES));
    let huge = name.trim_start_matches("requests.").starts_with("hugepages-");
    if OF_CLAIMS.contains(&name) || OF_CLAIMS.iter().any(|kind| of_class(kind)) {
        Some(Resource::PERSISTENT_VOLUME_CLAIMS)
    } else if OF_SERVICES.contains(&name) {
        Some(Resource::SERVICES)
    } else if OF_PODS.contains(&name) || huge || of_nodes {
        Some(Resource::PODS)
    } else {
        NAMED.contains(&name).then(|| Resource::new(Text::new(name)))
    }
}

/// What an object uses at this time.
pub(crate) fn usage(resource: &Resource, object: &Tree, now: Millis) -> Amounts {
    let mut used = Amounts::new();
    if object.is_null() {
        return used;
    }
    let name = resource.as_str();
    used.insert(Text::from(format!("count/{name}")), Amount::count(1));
    match name {
        "pods" if uses_compute(object, now) => of_pod(&object["spec"], &mut used),
        "services" => of_service(&object["spec"], &mut used),
        "persistentvolumeclaims" => of_claim(object, &mut used),
        _ if NAMED.contains(&name) => drop(used.insert(Text::new(name), Amount::count(1))),
        _ => {}
    }
    used
}

fn of_pod(spec: &Tree, used: &mut Amounts) {
    used.insert(Text::new_static("pods"), Amount::count(1));
    for (resource, amount) in all_of(spec, "requests") {
        used.insert(Text::from(format!("requests.{resource}")), amount);
        if !resource.contains('/') {
            used.insert(resource, amount);
        }
    }
    for (resource, amount) in all_of(spec, "limits") {
        if LIMITED.contains(&resource.as_str()) {
            used.insert(Text::from(format!("limits.{resource}")), amount);
        }
    }
}

/// Of a balanced service without ports of nodes only those count that name one.
fn of_service(spec: &Tree, used: &mut Amounts) {
    let ports = spec["ports"].items();
    let is_balanced = spec["type"] == "LoadBalancer";
    let on_nodes = match spec["type"].str() {
        "NodePort" => ports.len(),
        "LoadBalancer" if spec["allocateLoadBalancerNodePorts"].as_bool() == Some(false) => {
            ports.iter().filter(|port| port["nodePort"].as_i64().unwrap_or(0) != 0).count()
        }
        "LoadBalancer" => ports.len(),
        _ => 0,
    };
    for (name, count) in [
        (OF_SERVICES[0], 1),
        (OF_SERVICES[1], usize::from(is_balanced)),
        (OF_SERVICES[2], on_nodes),
    ] {
        used.insert(Text::new_static(name), Amount::count(count));
    }
}

/// A claim counts for what it asks for, or for what it was given if that is more.
fn of_claim(claim: &Tree, used: &mut Amounts) {
    let mut amounts = vec![("persistentvolumeclaims", Amount::count(1))];
    if let Some(asked) = Amount::read(&claim["spec"]["resources"]["requests"]["storage"]) {
        let given = Amount::read(&claim["status"]["allocatedResources"]["storage"]);
        let storage = given.filter(|given| *given > asked).unwrap_or(asked);
        amounts.push(("requests.storage", storage.rounded_up()));
    }
    let beta = &claim["metadata"]["annotations"]["volume.beta.kubernetes.io/storage-class"];
    let class = beta.as_str().unwrap_or(claim["spec"]["storageClassName"].str());
    for (name, amount) in amounts {
        used.insert(Text::new_static(name), amount);
        if !class.is_empty() {
            used.insert(Text::from(format!("{class}{OF_A_CLASS}{name}")), amount);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubesim_model::{list, map, object};

    #[test]
    fn each_name_is_counted_by_one_resource() {
        for (name, resource) in [
            ("count/deployments.apps", Some("deployments.apps")),
            ("count/pods", Some("pods")),
            ("pods", Some("pods")),
            ("requests.cpu", Some("pods")),
            ("hugepages-2Mi", Some("pods")),
            ("requests.nvidia.com/gpu", Some("pods")),
            ("services.nodeports", Some("services")),
            ("requests.storage", Some("persistentvolumeclaims")),
            ("gold.storageclass.storage.k8s.io/requests.storage", Some("persistentvolumeclaims")),
            ("secrets", Some("secrets")),
            ("count/events", None),
            ("limits.gadgets", None),
        ] {
            let counted = counted_by(name);
            assert_eq!(counted.as_ref().map(Resource::as_str), resource, "{name}");
        }
    }

    #[test]
    fn a_pod_that_ended_or_should_have_ended_counts_as_an_object_only() {
        let app = map! { "resources" => map! { "requests" => map! { "cpu" => "100m" } } };
        let metadata = map! {
            "deletionTimestamp" => object::timestamp(10_000), "deletionGracePeriodSeconds" => 5,
        };
        let mut pod = map! {
            "metadata" => metadata, "spec" => map! { "containers" => list![app] },
        };
        let used = |pod: &Tree, now| usage(&Resource::PODS, pod, now);
        assert_eq!(used(&pod, 15_000)["cpu"].text(), "100m");
        assert_eq!(used(&pod, 15_001).len(), 1);
        pod.set(&["status", "phase"], "Succeeded");
        assert_eq!(used(&pod, 0)["count/pods"], Amount::count(1));
        assert!(!used(&pod, 0).contains_key("pods"));
    }

    #[test]
    fn services_count_their_ports_on_nodes() {
        let ports = list![map! { "port" => 1, "nodePort" => 30_000 }, map! { "port" => 2 }];
        let nodeports = |kind: &str, allocates: Option<bool>| {
            let spec = map! {
                "type" => kind, "ports" => &ports, "allocateLoadBalancerNodePorts" => allocates,
            };
            usage(&Resource::SERVICES, &map! { "spec" => spec }, 0)["services.nodeports"].milli
        };
        assert_eq!(nodeports("ClusterIP", None), 0);
        assert_eq!(nodeports("NodePort", None), 2_000);
        assert_eq!(nodeports("LoadBalancer", Some(true)), 2_000);
        assert_eq!(nodeports("LoadBalancer", Some(false)), 1_000);
    }
}
