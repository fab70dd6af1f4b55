//! What types without a `spec` hold: ConfigMaps, Secrets, EndpointSlices, PriorityClasses,
//! ControllerRevisions, Leases, Events, and the taints of nodes (v1.36, `pkg/apis/*/validation`).

use std::collections::BTreeSet;

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;

use super::names::is_qualified_name;
use super::pod::one_of;
use super::{admission, configuration, event};
use crate::api::errors::Cause;
use crate::api::registry::Type;

/// The highest priority that is not the system's own.
const HIGHEST_PRIORITY: i64 = 1_000_000_000;

/// What is wrong with an object.
pub(super) fn check(kind: &Type, object: &Tree, causes: &mut Vec<Cause>) {
    match kind.resource.as_str() {
        "configmaps" => check_keys(object, &["data", "binaryData"], causes),
        "secrets" => check_keys(object, &["data"], causes),
        "endpointslices.discovery.k8s.io" => check_slice(object, causes),
        "priorityclasses.scheduling.k8s.io" => check_priority(object, causes),
        "controllerrevisions.apps" if object["data"].is_null() => {
            causes.push(Cause::required("data", "data is mandatory"));
        }
        "leases.coordination.k8s.io" => {
            let seconds = &object["spec"]["leaseDurationSeconds"];
            if seconds.as_i64().is_some_and(|seconds| seconds <= 0) {
                let field = "spec.leaseDurationSeconds";
                causes.push(Cause::invalid(field, seconds, "must be greater than 0"));
            }
        }
        "events" => event::check(object, causes),
        "nodes" => check_taints(&object["spec"]["taints"], causes),
        _ if kind.resource.group() == "admissionregistration.k8s.io" => match kind.kind.as_str() {
            name if name.ends_with("WebhookConfiguration") => {
                admission::check_webhooks(object, causes);
            }
            name if name.ends_with("Policy") => admission::check_policy(object, causes),
            _ => admission::check_binding(object, causes),
        },
        resource => configuration::check(resource, object, causes),
    }
}

/// What may not be changed.
pub(super) fn check_update(kind: &Type, old: &Tree, new: &Tree, causes: &mut Vec<Cause>) {
    let holds_data = [Resource::CONFIG_MAPS, Resource::SECRETS].contains(&kind.resource);
    if holds_data && old["immutable"].is_true() {
        let detail = "field is immutable when `immutable` is set";
        for field in ["immutable", "data", "binaryData"] {
            if old[field] != new[field] {
                causes.push(Cause::forbidden(field, detail));
            }
        }
    }
    let fixed = match kind.resource.as_str() {
        "secrets" => "type",
        "controllerrevisions.apps" => "data",
        "endpointslices.discovery.k8s.io" => "addressType",
        _ => "",
    };
    if kind.resource == Resource::PRIORITY_CLASSES && old["value"] != new["value"] {
        causes.push(Cause::forbidden("value", "may not be changed in an update."));
    }
    if !fixed.is_empty() && old[fixed] != new[fixed] {
        causes.push(Cause::invalid(fixed, &new[fixed], "field is immutable"));
    }
    for field in configuration::fixed(kind.resource.as_str()) {
        if old[*field] != new[*field] {
            causes.push(Cause::invalid(*field, &new[*field], "field is immutable"));
        }
    }
    let shown = new["spec"].is_null() || kind.resource == Resource::NODES;
    if shown && kind.resource != Resource::CONTROLLER_REVISIONS {
        check(kind, new, causes);
    }
}

fn check_keys(object: &Tree, maps: &[&str], causes: &mut Vec<Cause>) {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    for map in maps {
        for (key, _) in object[*map].fields() {
            if key.is_empty() || key.len() > 253 || !key.bytes().all(inner) {
                let detail = "a valid config key must consist of alphanumeric characters, '-', \
                              '_' or '.'";
                causes.push(Cause::invalid(format!("{map}[{key}]"), &Tree::from(key), detail));
            }
        }
    }
}

fn check_slice(slice: &Tree, causes: &mut Vec<Cause>) {
    let kind = &slice["addressType"];
    if kind.str().is_empty() {
        causes.push(Cause::required("addressType", ""));
    }
    one_of(slice, "", "addressType", &["", "FQDN", "IPv4", "IPv6"], causes);
    for (at, endpoint) in slice["endpoints"].items().iter().enumerate() {
        let field = format!("endpoints[{at}].addresses");
        if endpoint["addresses"].items().is_empty() {
            causes.push(Cause::required(field.clone(), "must contain at least 1 address"));
        }
        for (number, address) in endpoint["addresses"].items().iter().enumerate() {
            let fits = match kind.str() {
                "IPv4" => address.str().parse::<std::net::Ipv4Addr>().is_ok(),
                "IPv6" => address.str().parse::<std::net::Ipv6Addr>().is_ok(),
                _ => true,
            };
            if !fits {
                let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
                causes.push(Cause::invalid(format!("{field}[{number}]"), address, detail));
            }
        }
    }
}

fn check_priority(class: &Tree, causes: &mut Vec<Cause>) {
    let name = class["metadata"]["name"].str();
    if ["system-cluster-critical", "system-node-critical"].contains(&name) {
        return;
    }
    if name.starts_with("system-") {
        let detail = "priority class names with 'system-' prefix are reserved for system use only";
        causes.push(Cause::forbidden("metadata.name", detail));
    }
    if class["value"].as_i64().unwrap_or(0) > HIGHEST_PRIORITY {
        let detail = "maximum allowed value of a user defined priority is 1000000000";
        causes.push(Cause::forbidden("value", detail));
    }
}

fn check_taints(taints: &Tree, causes: &mut Vec<Cause>) {
    let mut seen = BTreeSet::new();
    for (at, taint) in taints.items().iter().enumerate() {
        let field = format!("metadata.taints[{at}]");
        if !is_qualified_name(taint["key"].str()) {
            let detail = "must be a qualified name";
            causes.push(Cause::invalid(format!("{field}.key"), &taint["key"], detail));
        }
        let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
        one_of(taint, &field, "effect", &effects, causes);
        if !seen.insert((taint["key"].str(), taint["effect"].str())) {
            causes.push(Cause::duplicate(field, taint));
        }
    }
}
