//! Defaults of what configures a cluster: admission, roles, networks, storage, quotas, flow control
//! (v1.36, `pkg/apis/*/v1/defaults.go`).

use kubesim_model::tree::Tree;
use kubesim_model::{list, map};

use super::pod::{self, each};
use super::{default, default_number, default_text};

const RBAC: &str = "rbac.authorization.k8s.io";

/// Fills in what an object of such a type leaves out.
pub(super) fn fill(resource: &str, object: &mut Tree) {
    let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
    match group {
        "" => fill_core(plural, object),
        "admissionregistration.k8s.io" => fill_admission(object),
        "networking.k8s.io" => fill_network(plural, object),
        "storage.k8s.io" => fill_storage(plural, object),
        "flowcontrol.apiserver.k8s.io" => fill_flow(object),
        RBAC if plural.ends_with("bindings") => {
            default_text(object.field_mut("roleRef"), "apiGroup", RBAC);
            each(object, "subjects", |subject| {
                if subject["kind"] == "User" || subject["kind"] == "Group" {
                    default_text(subject, "apiGroup", RBAC);
                }
            });
        }
        _ => {}
    }
}

fn fill_core(plural: &str, object: &mut Tree) {
    match plural {
        "replicationcontrollers" => {
            let labels = object["spec"]["template"]["metadata"]["labels"].clone();
            if labels.as_map().is_some() {
                default(object.field_mut("spec"), "selector", &labels);
                default(object.field_mut("metadata"), "labels", &labels);
            }
            default(object.field_mut("spec"), "replicas", 1);
            if object["spec"]["template"].as_map().is_some() {
                pod::fill_spec(object.at_mut(&["spec", "template", "spec"]));
            }
        }
        "podtemplates" => pod::fill_spec(object.at_mut(&["template", "spec"])),
        "limitranges" => each(object.field_mut("spec"), "limits", fill_limits),
        "persistentvolumes" => {
            default(object.field_mut("spec"), "persistentVolumeReclaimPolicy", "Retain");
            default(object.field_mut("spec"), "volumeMode", "Filesystem");
            if object["spec"]["hostPath"].as_map().is_some() {
                default(object.at_mut(&["spec", "hostPath"]), "type", "");
            }
        }
        "endpoints" => each(object, "subsets", |subset| {
            each(subset, "ports", |port| default(port, "protocol", "TCP"));
        }),
        _ => {}
    }
}

/// A container's limits default to the most that is allowed, its requests to its limits.
fn fill_limits(item: &mut Tree) {
    if item["type"] != "Container" {
        return;
    }
    for (to, from) in [("default", "max"), ("defaultRequest", "default"), ("defaultRequest", "min")]
    {
        for (resource, amount) in item[from].clone().fields() {
            default(item.field_mut(to), resource, amount);
        }
    }
}

fn fill_admission(object: &mut Tree) {
    let mutating = object["kind"] == "MutatingWebhookConfiguration";
    each(object, "webhooks", |hook| {
        default(hook, "failurePolicy", "Fail");
        fill_match(hook);
        default(hook, "timeoutSeconds", 10);
        if mutating {
            default(hook, "reinvocationPolicy", "Never");
        }
        each(hook, "rules", |rule| default(rule, "scope", "*"));
        if hook["clientConfig"]["service"].as_map().is_some() {
            default(hook.at_mut(&["clientConfig", "service"]), "port", 443);
        }
    });
    let policy = ["ValidatingAdmissionPolicy", "MutatingAdmissionPolicy"];
    if policy.contains(&object["kind"].str()) {
        default(object.field_mut("spec"), "failurePolicy", "Fail");
    }
    for field in ["matchConstraints", "matchResources"] {
        if object["spec"][field].as_map().is_some() {
            let matched = object.at_mut(&["spec", field]);
            fill_match(matched);
            for rules in ["resourceRules", "excludeResourceRules"] {
                each(matched, rules, |rule| default(rule, "scope", "*"));
            }
        }
    }
}

fn fill_match(tree: &mut Tree) {
    default(tree, "matchPolicy", "Equivalent");
    default(tree, "namespaceSelector", map! {});
    default(tree, "objectSelector", map! {});
}

fn fill_network(plural: &str, object: &mut Tree) {
    match plural {
        "networkpolicies" if object["spec"].as_map().is_some() => {
            let spec = object.field_mut("spec");
            let types = match spec["egress"].items() {
                [] => list!["Ingress"],
                _ => list!["Ingress", "Egress"],
            };
            default(spec, "policyTypes", types);
            for way in ["ingress", "egress"] {
                each(spec, way, |rule| {
                    each(rule, "ports", |port| default(port, "protocol", "TCP"));
                });
            }
        }
        "ingressclasses" if object["spec"]["parameters"].as_map().is_some() => {
            default(object.at_mut(&["spec", "parameters"]), "scope", "Cluster");
        }
        _ => {}
    }
}

fn fill_storage(plural: &str, object: &mut Tree) {
    match plural {
        "storageclasses" => {
            default(object, "reclaimPolicy", "Delete");
            default(object, "volumeBindingMode", "Immediate");
        }
        "csidrivers" => {
            let spec = object.field_mut("spec");
            default(spec, "attachRequired", true);
            for flag in ["podInfoOnMount", "requiresRepublish", "seLinuxMount", "storageCapacity"] {
                default(spec, flag, false);
            }
            default(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
            default(spec, "volumeLifecycleModes", list!["Persistent"]);
        }
        _ => {}
    }
}

fn fill_flow(object: &mut Tree) {
    let spec = object.field_mut("spec");
    if !spec["priorityLevelConfiguration"].is_null() {
        default_number(spec, "matchingPrecedence", 1000);
    }
    for (kind, shares) in [("exempt", 0), ("limited", 30)] {
        if spec[kind].as_map().is_some() {
            default(spec.field_mut(kind), "nominalConcurrencyShares", shares);
            default(spec.field_mut(kind), "lendablePercent", 0);
        }
    }
    if spec["limited"]["limitResponse"]["queuing"].as_map().is_some() {
        let queues = spec.at_mut(&["limited", "limitResponse", "queuing"]);
        default_number(queues, "handSize", 8);
        default_number(queues, "queues", 64);
        default_number(queues, "queueLengthLimit", 50);
    }
}
