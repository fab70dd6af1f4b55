//! The values of fields that were left out, per type (v1.36, `pkg/apis/*/v1/defaults.go`): of what
//! controllers, kubelets and the scheduler rely on.

mod autoscaling;
mod batch;
mod configuration;
mod pod;
mod status;
mod workload;

pub(super) use batch::{label_job, select_own_pods};
pub(super) use status::{complete_status, qos_class, reset_status};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kubesim_model::object;
use kubesim_model::tree::Tree;
use kubesim_model::{list, map};

use super::registry::Type;
use super::{custom, metadata};

/// Sets a field that is not there.
fn default(tree: &mut Tree, field: &str, value: impl Into<Tree>) {
    if tree[field].is_null() {
        tree.set(&[field], value);
    }
}

/// Sets a number that is not there or zero.
fn default_number(tree: &mut Tree, field: &str, value: i64) {
    if tree[field].as_i64().unwrap_or(0) == 0 {
        tree.set(&[field], value);
    }
}

/// Sets a field that is not there or an empty text.
fn default_text(tree: &mut Tree, field: &str, value: &'static str) {
    if tree[field].str().is_empty() {
        tree.set(&[field], value);
    }
}

/// Fills in what `object` leaves out. What it shares with `old` has its defaults already.
pub(super) fn fill(kind: &Type, object: &mut Tree, old: &Tree) {
    if object["spec"].as_map().is_some() && !object["spec"].is_same(&old["spec"]) {
        let spec = object.field_mut("spec");
        match kind.resource.as_str() {
            "pods" => pod::fill_pod(spec),
            "deployments.apps" => workload::fill_deployment(spec),
            "replicasets.apps" => default(spec, "replicas", 1),
            "statefulsets.apps" => workload::fill_stateful_set(spec),
            "daemonsets.apps" => workload::fill_daemon_set(spec),
            "services" => fill_service(spec),
            "cronjobs.batch" => batch::fill_cron_job(spec),
            "horizontalpodautoscalers.autoscaling" => autoscaling::fill(spec),
            _ => {}
        }
        let templated = !kind.custom && kind.resource.group() == "apps";
        let templated = templated && spec["template"].as_map().is_some();
        if templated && !spec["template"].is_same(&old["spec"]["template"]) {
            pod::fill_spec(spec.at_mut(&["template", "spec"]));
        }
    }
    match kind.resource.as_str() {
        "pods" => {}
        "jobs.batch" => batch::fill_job(object, old),
        "nodes" => fill_node(object),
        "namespaces" if !object::name(object).is_empty() => metadata::label_namespace(object),
        "priorityclasses.scheduling.k8s.io" => {
            default(object, "preemptionPolicy", "PreemptLowerPriority");
        }
        "secrets" => fill_secret(object),
        "customresourcedefinitions.apiextensions.k8s.io" => custom::complete(object),
        "endpointslices.discovery.k8s.io" if !object["ports"].items().is_empty() => {
            for port in object.field_mut("ports").items_mut() {
                default(port, "name", "");
                default(port, "protocol", "TCP");
            }
        }
        "persistentvolumeclaims" => default(object.field_mut("spec"), "volumeMode", "Filesystem"),
        _ if kind.custom => {}
        resource => configuration::fill(resource, object),
    }
}

/// What a node can give is what it has; its one range of addresses is its list of them, too.
fn fill_node(node: &mut Tree) {
    if !node["status"]["capacity"].is_null() {
        let capacity = node["status"]["capacity"].clone();
        default(node.field_mut("status"), "allocatable", capacity);
    }
    if !node["spec"]["podCIDR"].str().is_empty() {
        let range = node["spec"]["podCIDR"].clone();
        default(node.field_mut("spec"), "podCIDRs", list![range]);
    }
}

/// Texts become data.
fn fill_secret(secret: &mut Tree) {
    default(secret, "type", "Opaque");
    let Some(texts) = secret.remove(&["stringData"]) else { return };
    for (key, text) in texts.fields() {
        secret.set(&["data", key], STANDARD.encode(text.str()));
    }
}

fn fill_service(spec: &mut Tree) {
    default(spec, "type", "ClusterIP");
    default(spec, "sessionAffinity", "None");
    if spec["type"] != "ExternalName" {
        default(spec, "internalTrafficPolicy", "Cluster");
    }
    if spec["type"] == "NodePort" || spec["type"] == "LoadBalancer" {
        default(spec, "externalTrafficPolicy", "Cluster");
    } else {
        spec.remove(&["externalTrafficPolicy"]);
    }
    if spec["type"] == "LoadBalancer" {
        default(spec, "allocateLoadBalancerNodePorts", true);
    }
    if spec["sessionAffinity"] == "ClientIP" {
        let config = map! { "clientIP" => map! { "timeoutSeconds" => 10_800 } };
        default(spec, "sessionAffinityConfig", config);
    }
    if spec["ports"].items().is_empty() {
        return;
    }
    for port in spec.field_mut("ports").items_mut() {
        default(port, "protocol", "TCP");
        let same = port["port"].clone();
        default(port, "targetPort", same);
    }
}

/// An object with these fields, each zero.
fn zeros(fields: &[&str]) -> Tree {
    let mut zeros = map! {};
    for field in fields {
        zeros.set(&[field], 0);
    }
    zeros
}
