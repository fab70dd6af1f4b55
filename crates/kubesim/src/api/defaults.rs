//! The values of fields that were left out, per type (v1.36, `pkg/apis/*/v1/defaults.go`): of what
//! controllers, kubelets and the scheduler rely on.

mod pod;
mod status;
mod workload;

pub(super) use status::reset_status;

use kubesim_model::object;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map};

use super::registry::Type;

/// Sets a field that is not there.
fn default(tree: &mut Tree, field: &str, value: impl Into<Tree>) {
    if tree[field].is_null() {
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
            _ => {}
        }
        let templated = !kind.custom && kind.resource.group() == "apps";
        let templated = templated && spec["template"].as_map().is_some();
        if templated && !spec["template"].is_same(&old["spec"]["template"]) {
            pod::fill_spec(spec.at_mut(&["template", "spec"]));
        }
    }
    match kind.resource.as_str() {
        "namespaces" => {
            let name = Text::new(object::name(object));
            object.set(&["metadata", "labels", "kubernetes.io/metadata.name"], name);
        }
        "priorityclasses.scheduling.k8s.io" => {
            default(object, "preemptionPolicy", "PreemptLowerPriority");
        }
        "secrets" => default(object, "type", "Opaque"),
        _ => {}
    }
}

fn fill_service(spec: &mut Tree) {
    default(spec, "type", "ClusterIP");
    default(spec, "sessionAffinity", "None");
    if spec["type"] != "ExternalName" {
        default(spec, "internalTrafficPolicy", "Cluster");
        default(spec, "ipFamilies", list!["IPv4"]);
        default(spec, "ipFamilyPolicy", "SingleStack");
    }
    if spec["type"] == "NodePort" || spec["type"] == "LoadBalancer" {
        default(spec, "externalTrafficPolicy", "Cluster");
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
