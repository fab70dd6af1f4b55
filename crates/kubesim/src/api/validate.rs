//! Which objects and which changes are refused (v1.36, `pkg/apis/*/validation`): the rules that
//! protect users and controllers from each other. Unknown fields are not looked for.

mod budget;
mod metadata;
mod names;
mod pod;
mod workload;

pub(super) use names::{is_label_value, is_qualified_name};

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;

use super::custom;
use super::errors::Cause;
use super::registry::Type;

/// What is wrong with a new object.
pub(super) fn created(kind: &Type, object: &Tree) -> Vec<Cause> {
    let mut causes = metadata::check(kind, object);
    check_content(kind, object, &mut causes);
    causes
}

/// What is wrong with a change. What both share was checked before.
pub(super) fn updated(kind: &Type, old: &Tree, new: &Tree, subresource: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    if !new["metadata"].is_same(&old["metadata"]) {
        causes = metadata::check(kind, new);
        metadata::check_update(old, new, &mut causes);
    }
    if subresource == "status" || kind.custom {
        return causes;
    }
    let content = |tree: &Tree| match kind.resource.as_str() {
        "configmaps" | "secrets" => tree["immutable"].is_true(),
        _ => false,
    };
    if content(old) && (new["data"] != old["data"] || !content(new)) {
        causes.push(Cause::forbidden("data", "field is immutable when `immutable` is set"));
    }
    if new["spec"].is_same(&old["spec"]) {
        return causes;
    }
    check_content(kind, new, &mut causes);
    match kind.resource.as_str() {
        "pods" => pod::check_update(&old["spec"], &new["spec"], &mut causes),
        "services" => check_service_update(&old["spec"], &new["spec"], &mut causes),
        _ if kind.resource.group() == "apps" => {
            workload::check_update(kind, &old["spec"], &new["spec"], &mut causes);
        }
        _ => {}
    }
    causes
}

fn check_content(kind: &Type, object: &Tree, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    match kind.resource.as_str() {
        "pods" => pod::check_spec(spec, "spec", causes),
        "deployments.apps" | "replicasets.apps" | "statefulsets.apps" | "daemonsets.apps" => {
            workload::check(kind, spec, causes);
        }
        "poddisruptionbudgets.policy" => budget::check(spec, causes),
        "services" => check_service(spec, causes),
        _ if kind.resource == Resource::CUSTOM_RESOURCE_DEFINITIONS => {
            causes.extend(custom::problems(object));
        }
        _ => {}
    }
}

/// A number that must not be negative, if it is there.
fn not_negative(value: &Tree, field: &str, causes: &mut Vec<Cause>) {
    if value.is_null() {
        return;
    }
    match value.as_i64() {
        Some(number) if number >= 0 => {}
        Some(_) => {
            causes.push(Cause::invalid(field, value, "must be greater than or equal to 0"));
        }
        None => causes.push(Cause::invalid(field, value, "must be a whole number")),
    }
}

fn check_service(spec: &Tree, causes: &mut Vec<Cause>) {
    let kinds = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    if !kinds.contains(&spec["type"].str()) {
        causes.push(Cause::not_supported("spec.type", &spec["type"], &kinds));
    }
    let headless = spec["clusterIP"] == "None" || spec["type"] == "ExternalName";
    if spec["ports"].items().is_empty() && !headless {
        causes.push(Cause::required("spec.ports", ""));
    }
    for (at, port) in spec["ports"].items().iter().enumerate() {
        if !port["port"].as_i64().is_some_and(|port| (1..=65_535).contains(&port)) {
            let field = format!("spec.ports[{at}].port");
            causes.push(Cause::invalid(
                field,
                &port["port"],
                "must be between 1 and 65535, inclusive",
            ));
        }
        if spec["ports"].items().len() > 1 && port["name"].str().is_empty() {
            causes.push(Cause::required(format!("spec.ports[{at}].name"), ""));
        }
    }
}

fn check_service_update(old: &Tree, new: &Tree, causes: &mut Vec<Cause>) {
    let both = old["type"] != "ExternalName" && new["type"] != "ExternalName";
    if both && old["clusterIP"] != new["clusterIP"] {
        causes.push(Cause::invalid("spec.clusterIP", &new["clusterIP"], "field is immutable"));
    }
}
