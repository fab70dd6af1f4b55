//! What configures a cluster: quotas, limits, classes, roles, storage (v1.36,
//! `pkg/apis/*/validation`).

use std::collections::BTreeSet;

use kubesim_model::quantity;
use kubesim_model::tree::Tree;

use super::metadata::check_labels;
use super::names::{is_dns_label, is_dns_subdomain, is_path_segment, is_qualified_name};
use super::not_negative;
use super::pod::one_of;
use super::scheduling::check_toleration;
use super::workload::{check_pods_of, check_template_of};
use crate::api::errors::Cause;

const IMMUTABLE: &str = "field is immutable";

/// What is wrong with an object of the group of such types.
pub(super) fn check(resource: &str, object: &Tree, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    match resource {
        "replicationcontrollers" => check_controller(spec, causes),
        "podtemplates" => check_template_of(&object["template"], "template", causes),
        "limitranges" => check_limits(&spec["limits"], causes),
        "resourcequotas" => check_quota(spec, causes),
        "ingressclasses.networking.k8s.io" => check_ingress_class(spec, causes),
        "runtimeclasses.node.k8s.io" => check_runtime_class(object, causes),
        "storageclasses.storage.k8s.io" => check_storage_class(object, causes),
        "csidrivers.storage.k8s.io" => {
            one_of(
                spec,
                "spec",
                "fsGroupPolicy",
                &["File", "None", "ReadWriteOnceWithFSType"],
                causes,
            );
        }
        "csinodes.storage.k8s.io" => check_drivers(&spec["drivers"], causes),
        "volumeattachments.storage.k8s.io" => check_attachment(spec, causes),
        "csistoragecapacities.storage.k8s.io" if object["storageClassName"].str().is_empty() => {
            let detail = "a lowercase RFC 1123 subdomain is wanted";
            causes.push(Cause::invalid("storageClassName", &Tree::from(""), detail));
        }
        "volumeattributesclasses.storage.k8s.io" => {
            check_qualified(&object["driverName"], "driverName", causes);
        }
        "roles.rbac.authorization.k8s.io" | "clusterroles.rbac.authorization.k8s.io" => {
            check_rules(&object["rules"], resource.starts_with("roles"), causes);
        }
        "rolebindings.rbac.authorization.k8s.io"
        | "clusterrolebindings.rbac.authorization.k8s.io" => check_binding(object, causes),
        _ => {}
    }
}

/// The fields of a type that can't be changed.
pub(super) fn fixed(resource: &str) -> &'static [&'static str] {
    match resource {
        "rolebindings.rbac.authorization.k8s.io"
        | "clusterrolebindings.rbac.authorization.k8s.io" => &["roleRef"],
        "runtimeclasses.node.k8s.io" => &["handler"],
        "storageclasses.storage.k8s.io" => {
            &["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"]
        }
        "csistoragecapacities.storage.k8s.io" => &["nodeTopology", "storageClassName"],
        "volumeattributesclasses.storage.k8s.io" => &["driverName", "parameters"],
        "volumeattachments.storage.k8s.io" => &["spec"],
        _ => &[],
    }
}

/// What may not be changed of a spec.
pub(super) fn check_spec_update(resource: &str, old: &Tree, new: &Tree, causes: &mut Vec<Cause>) {
    let fixed: &[&str] = match resource {
        "resourcequotas" => &["scopes"],
        "ingressclasses.networking.k8s.io" => &["controller"],
        "csidrivers.storage.k8s.io" => &["attachRequired", "fsGroupPolicy", "volumeLifecycleModes"],
        _ => &[],
    };
    for field in fixed {
        if old[*field] != new[*field] {
            // Kubernetes names this one otherwise than it is called.
            let name = if *field == "attachRequired" { "attachedRequired" } else { field };
            causes.push(Cause::invalid(format!("spec.{name}"), &new[*field], IMMUTABLE));
        }
    }
}

fn check_controller(spec: &Tree, causes: &mut Vec<Cause>) {
    for number in ["minReadySeconds", "replicas"] {
        not_negative(&spec[number], &format!("spec.{number}"), causes);
    }
    let (selector, template) = (&spec["selector"], &spec["template"]);
    let selects = selector.fields().next().is_some();
    if !selects {
        causes.push(Cause::required("spec.selector", ""));
    }
    if template.is_null() {
        causes.push(Cause::required("spec.template", ""));
        return;
    }
    if selects {
        let labels = kubesim_model::map! { "matchLabels" => selector };
        check_pods_of(&labels, template, causes);
    }
    check_template_of(template, "spec.template", causes);
    let policy = &template["spec"]["restartPolicy"];
    if *policy != "Always" {
        causes.push(Cause::not_supported("spec.template.spec.restartPolicy", policy, &["Always"]));
    }
    if !template["spec"]["activeDeadlineSeconds"].is_null() {
        let field = "spec.template.spec.activeDeadlineSeconds";
        causes.push(Cause::forbidden(field, "is not supported in what a controller keeps up"));
    }
}

fn check_limits(limits: &Tree, causes: &mut Vec<Cause>) {
    let mut seen = BTreeSet::new();
    for (at, item) in limits.items().iter().enumerate() {
        let (field, kind) = (format!("spec.limits[{at}]"), &item["type"]);
        let own = ["Pod", "Container", "PersistentVolumeClaim"].contains(&kind.str());
        if !is_qualified_name(kind.str()) || !(own || kind.str().contains('/')) {
            let detail = "must be a standard limit type or fully qualified";
            causes.push(Cause::invalid(format!("{field}.type"), kind, detail));
        }
        if !seen.insert(kind.str()) {
            causes.push(Cause::duplicate(format!("{field}.type"), kind));
        }
        if *kind == "Pod" {
            for name in ["default", "defaultRequest"] {
                if item[name].fields().next().is_some() {
                    let detail = "may not be specified when `type` is 'Pod'";
                    causes.push(Cause::forbidden(format!("{field}.{name}"), detail));
                }
            }
        }
        let storage = |name: &str| !item[name]["storage"].is_null();
        if *kind == "PersistentVolumeClaim" && !storage("min") && !storage("max") {
            let detail = "either minimum or maximum storage value is required, but neither was \
                          provided";
            causes.push(Cause::required(format!("{field}.limits"), detail));
        }
        check_order(item, &field, causes);
    }
}

/// What is wanted by default lies between the least and the most, and below the default limit.
fn check_order(item: &Tree, field: &str, causes: &mut Vec<Cause>) {
    // The smaller one, the larger one, and which of them is to blame.
    let pairs = [
        ("min", "max", "min"),
        ("min", "defaultRequest", "defaultRequest"),
        ("defaultRequest", "max", "defaultRequest"),
        ("defaultRequest", "default", "defaultRequest"),
        ("min", "default", "default"),
        ("default", "max", "default"),
    ];
    for (less, more, blamed) in pairs {
        for (resource, small) in item[less].fields() {
            let large = quantity::milli(&item[more][resource.as_str()]);
            if large.is_some_and(|large| quantity::milli(small) > Some(large)) {
                let detail = format!("{less} value is greater than {more} value");
                let field = format!("{field}.{blamed}[{resource}]");
                causes.push(Cause::invalid(field, small, &detail));
            }
        }
    }
    for (resource, ratio) in item["maxLimitRequestRatio"].fields() {
        if quantity::milli(ratio).is_some_and(|ratio| ratio < 1000) {
            let field = format!("{field}.maxLimitRequestRatio[{resource}]");
            causes.push(Cause::invalid(field, ratio, "ratio is less than 1"));
        }
    }
}

/// Amounts of resources that quotas count; whole numbers of objects.
pub(super) fn check_amounts(amounts: &Tree, field: &str, causes: &mut Vec<Cause>) {
    const KNOWN: [&str; 17] = [
        "configmaps",
        "cpu",
        "ephemeral-storage",
        "limits.cpu",
        "limits.ephemeral-storage",
        "limits.memory",
        "memory",
        "persistentvolumeclaims",
        "pods",
        "replicationcontrollers",
        "requests.cpu",
        "requests.ephemeral-storage",
        "requests.memory",
        "requests.storage",
        "resourcequotas",
        "secrets",
        "services",
    ];
    for (resource, amount) in amounts.fields() {
        let field = format!("{field}[{resource}]");
        let name = resource.as_str();
        let known = KNOWN.contains(&name)
            || ["services.nodeports", "services.loadbalancers"].contains(&name)
            || name.starts_with("requests.hugepages-")
            || name.starts_with("hugepages-");
        if !is_qualified_name(name) {
            let detail = "name part must be a qualified name";
            causes.push(Cause::invalid(field.clone(), &Tree::from(resource), detail));
        }
        if !known && !name.contains('/') {
            let detail = "must be a standard resource for quota";
            causes.push(Cause::invalid(field.clone(), &Tree::from(resource), detail));
        }
        let milli = quantity::milli(amount).unwrap_or(0);
        if milli < 0 {
            let detail = "must be greater than or equal to 0";
            causes.push(Cause::invalid(field.clone(), amount, detail));
        }
        let counted = known && !name.contains(['.', '/']) && KNOWN[7..].contains(&name);
        if (counted || name.starts_with("services.")) && milli % 1000 != 0 {
            causes.push(Cause::invalid(field, amount, "must be an integer"));
        }
    }
}

fn check_quota(spec: &Tree, causes: &mut Vec<Cause>) {
    check_amounts(&spec["hard"], "spec.hard", causes);
    let scopes = [
        "BestEffort",
        "CrossNamespacePodAffinity",
        "NotBestEffort",
        "NotTerminating",
        "PriorityClass",
        "Terminating",
    ];
    let mut seen = BTreeSet::new();
    for scope in spec["scopes"].items() {
        seen.insert(scope.str());
        if !scopes.contains(&scope.str()) && *scope != "VolumeAttributesClass" {
            causes.push(Cause::invalid("spec.scopes", &spec["scopes"], "unsupported scope"));
        }
    }
    for (one, other) in [("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")] {
        if seen.contains(one) && seen.contains(other) {
            causes.push(Cause::invalid("spec.scopes", &spec["scopes"], "conflicting scopes"));
        }
    }
    // Kubernetes does not say which of the expressions it means.
    let field = "spec.scopeSelector.matchExpressions";
    for wanted in spec["scopeSelector"]["matchExpressions"].items() {
        let scope = wanted["scopeName"].str();
        if !scopes.contains(&scope) && scope != "VolumeAttributesClass" {
            let (field, value) = (format!("{field}.scopeName"), &wanted["scopeName"]);
            causes.push(Cause::invalid(field, value, "unsupported scope"));
        }
        let empty = wanted["values"].items().is_empty();
        match wanted["operator"].str() {
            "In" | "NotIn" if empty => {
                let detail = "must be at least one value when `operator` is 'In' or 'NotIn' for \
                              scope selector";
                causes.push(Cause::required(format!("{field}.values"), detail));
            }
            "Exists" | "DoesNotExist" if !empty => {
                let detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for \
                              scope selector";
                causes.push(Cause::invalid(format!("{field}.values"), &wanted["values"], detail));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            _ => {
                let (field, value) = (format!("{field}.operator"), &wanted["operator"]);
                causes.push(Cause::invalid(field, value, "not a valid selector operator"));
            }
        }
    }
}

fn check_ingress_class(spec: &Tree, causes: &mut Vec<Cause>) {
    let controller = &spec["controller"];
    let path = controller.str().split_once('/');
    if controller.str().is_empty() {
        causes.push(Cause::required("spec.controller", ""));
    } else if !path.is_some_and(|(domain, path)| is_dns_subdomain(domain) && !path.is_empty()) {
        let detail = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        causes.push(Cause::invalid("spec.controller", controller, detail));
    }
    let (parameters, field) = (&spec["parameters"], "spec.parameters");
    if parameters.is_null() {
        return;
    }
    for name in ["kind", "name"] {
        if parameters[name].str().is_empty() {
            causes.push(Cause::required(format!("{field}.{name}"), ""));
        } else if !is_path_segment(parameters[name].str()) {
            causes.push(Cause::invalid(
                format!("{field}.{name}"),
                &parameters[name],
                "no path segment",
            ));
        }
    }
    let (scope, namespace) = (parameters["scope"].str(), &parameters["namespace"]);
    one_of(parameters, field, "scope", &["Cluster", "Namespace"], causes);
    if scope == "Namespace" && namespace.str().is_empty() {
        let detail = "`parameters.scope` is set to 'Namespace'";
        causes.push(Cause::required(format!("{field}.namespace"), detail));
    }
    if scope == "Cluster" && !namespace.is_null() {
        let detail = "`parameters.scope` is set to 'Cluster'";
        causes.push(Cause::forbidden(format!("{field}.namespace"), detail));
    }
}

fn check_runtime_class(class: &Tree, causes: &mut Vec<Cause>) {
    let handler = &class["handler"];
    if handler.str().is_empty() {
        causes.push(Cause::required("handler", ""));
    } else if !is_dns_label(handler.str()) {
        causes.push(Cause::invalid("handler", handler, "a lowercase RFC 1123 label is wanted"));
    }
    let scheduling = &class["scheduling"];
    check_labels(&scheduling["nodeSelector"], "scheduling.nodeSelector", causes);
    for (at, toleration) in scheduling["tolerations"].items().iter().enumerate() {
        check_toleration(toleration, &format!("scheduling.tolerations[{at}]"), causes);
    }
}

fn check_qualified(name: &Tree, field: &str, causes: &mut Vec<Cause>) {
    if name.str().is_empty() {
        causes.push(Cause::required(field, ""));
    } else if !is_qualified_name(&name.str().to_lowercase()) {
        causes.push(Cause::invalid(field, name, "name part must be a qualified name"));
    }
}

fn check_storage_class(class: &Tree, causes: &mut Vec<Cause>) {
    check_qualified(&class["provisioner"], "provisioner", causes);
    let kept = &class["reclaimPolicy"];
    if !["", "Delete", "Retain"].contains(&kept.str()) {
        causes.push(Cause::not_supported("reclaimPolicy", kept, &["Delete", "Retain"]));
    }
    let mode = &class["volumeBindingMode"];
    let modes = ["Immediate", "WaitForFirstConsumer"];
    if !modes.contains(&mode.str()) {
        causes.push(Cause::not_supported("volumeBindingMode", mode, &modes));
    }
}

fn check_drivers(drivers: &Tree, causes: &mut Vec<Cause>) {
    let mut seen = BTreeSet::new();
    for (at, driver) in drivers.items().iter().enumerate() {
        let field = format!("spec.drivers[{at}]");
        check_driver_name(&driver["name"], &format!("{field}.name"), causes);
        if driver["nodeID"].str().is_empty() {
            causes.push(Cause::required(format!("{field}.nodeID"), ""));
        }
        if !seen.insert(driver["name"].str()) {
            causes.push(Cause::duplicate(format!("{field}.name"), &driver["name"]));
        }
    }
}

fn check_driver_name(name: &Tree, field: &str, causes: &mut Vec<Cause>) {
    if name.str().is_empty() {
        causes.push(Cause::required(field, ""));
    } else if name.str().len() > 63 || !is_dns_subdomain(&name.str().to_lowercase()) {
        causes.push(Cause::invalid(field, name, "a lowercase RFC 1123 subdomain is wanted"));
    }
}

fn check_attachment(spec: &Tree, causes: &mut Vec<Cause>) {
    check_driver_name(&spec["attacher"], "spec.attacher", causes);
    let (inline, named) =
        (&spec["source"]["inlineVolumeSpec"], &spec["source"]["persistentVolumeName"]);
    let detail = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
    match (inline.is_null(), named.is_null()) {
        (true, true) => causes.push(Cause::required("spec.source", detail)),
        (false, false) => causes.push(Cause::forbidden("spec.source", detail)),
        _ => {}
    }
    if !is_dns_subdomain(spec["nodeName"].str()) {
        let detail = "a lowercase RFC 1123 subdomain is wanted";
        causes.push(Cause::invalid("spec.nodeName", &spec["nodeName"], detail));
    }
}

fn check_rules(rules: &Tree, namespaced: bool, causes: &mut Vec<Cause>) {
    for (at, rule) in rules.items().iter().enumerate() {
        let field = format!("rules[{at}]");
        let has = |list: &str| !rule[list].items().is_empty();
        if !has("verbs") {
            let detail = "verbs must contain at least one value";
            causes.push(Cause::required(format!("{field}.verbs"), detail));
        }
        if has("nonResourceURLs") {
            let wrong = if namespaced {
                Some("namespaced rules cannot apply to non-resource URLs")
            } else if has("apiGroups") || has("resources") || has("resourceNames") {
                Some("rules cannot apply to both regular resources and non-resource URLs")
            } else {
                None
            };
            if let Some(detail) = wrong {
                let field = format!("{field}.nonResourceURLs");
                causes.push(Cause::invalid(field, &rule["nonResourceURLs"], detail));
            }
            continue;
        }
        for list in ["apiGroups", "resources"] {
            if !has(list) {
                let detail = "resource rules must supply at least one value";
                causes.push(Cause::required(format!("{field}.{list}"), detail));
            }
        }
    }
}

fn check_binding(binding: &Tree, causes: &mut Vec<Cause>) {
    const RBAC: &str = "rbac.authorization.k8s.io";
    let everywhere = binding["kind"] == "ClusterRoleBinding";
    let role = &binding["roleRef"];
    if role["apiGroup"] != RBAC {
        causes.push(Cause::not_supported("roleRef.apiGroup", &role["apiGroup"], &[RBAC]));
    }
    let kinds: &[&str] = if everywhere { &["ClusterRole"] } else { &["Role", "ClusterRole"] };
    if !kinds.contains(&role["kind"].str()) {
        causes.push(Cause::not_supported("roleRef.kind", &role["kind"], kinds));
    }
    if role["name"].str().is_empty() {
        causes.push(Cause::required("roleRef.name", ""));
    }
    for (at, subject) in binding["subjects"].items().iter().enumerate() {
        let field = format!("subjects[{at}]");
        if subject["name"].str().is_empty() {
            causes.push(Cause::required(format!("{field}.name"), ""));
        }
        let group = &subject["apiGroup"];
        let wanted = match subject["kind"].str() {
            "ServiceAccount" => {
                if everywhere && subject["namespace"].str().is_empty() {
                    causes.push(Cause::required(format!("{field}.namespace"), ""));
                }
                ""
            }
            "User" | "Group" => RBAC,
            _ => {
                let allowed = ["ServiceAccount", "User", "Group"];
                causes.push(Cause::not_supported(
                    format!("{field}.kind"),
                    &subject["kind"],
                    &allowed,
                ));
                continue;
            }
        };
        if group.str() != wanted {
            causes.push(Cause::not_supported(format!("{field}.apiGroup"), group, &[wanted]));
        }
    }
}
