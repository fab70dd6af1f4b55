//! What may be changed of a pod through its subresources `ephemeralcontainers` and `resize` (v1.36,
//! `pkg/apis/core/validation`).

use std::collections::BTreeSet;

use kubesim_model::tree::Tree;

use super::pod::check_spec;
use crate::api::defaults::qos_class;
use crate::api::errors::Cause;

/// What a container that is added to a running pod can't have.
const NOT_EPHEMERAL: [&str; 7] = [
    "ports",
    "resources",
    "resizePolicy",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
];

/// What is wrong with ephemeral containers beyond what is wrong with any container.
pub(super) fn check_ephemeral(spec: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let own = spec["containers"].items().iter().chain(spec["initContainers"].items());
    let names: BTreeSet<&str> = own.map(|container| container["name"].str()).collect();
    for (at, container) in spec["ephemeralContainers"].items().iter().enumerate() {
        let field = format!("{field}.ephemeralContainers[{at}]");
        let target = &container["targetContainerName"];
        if !target.str().is_empty() && !names.contains(target.str()) {
            causes.push(Cause::not_found(format!("{field}.targetContainerName"), target));
        }
        for name in NOT_EPHEMERAL {
            let value = &container[name];
            if !value.is_null() && *value != Tree::map() {
                let detail = "cannot be set for an Ephemeral Container";
                causes.push(Cause::forbidden(format!("{field}.{name}"), detail));
            }
        }
    }
}

/// Ephemeral containers are only ever added.
pub(super) fn check_added(old: &Tree, new: &Tree, causes: &mut Vec<Cause>) {
    let field = "spec.ephemeralContainers";
    check_spec(&new["spec"], "spec", causes);
    let have = new["spec"]["ephemeralContainers"].items();
    for had in old["spec"]["ephemeralContainers"].items() {
        let name = had["name"].str();
        let what = match have.iter().find(|container| container["name"] == name) {
            None => "removed",
            Some(container) if container != had => "changed",
            Some(_) => continue,
        };
        let detail = format!("existing ephemeral containers \"{name}\" may not be {what}");
        causes.push(Cause::forbidden(field, &detail));
    }
}

/// Only processors and memory of containers can be resized, and neither be taken away, nor change
/// the class of the pod.
pub(super) fn check_resize(old: &Tree, new: &Tree, causes: &mut Vec<Cause>) {
    let (had, have) = (&old["spec"], &new["spec"]);
    check_spec(have, "spec", causes);
    if old["status"]["qosClass"] != qos_class(have) {
        let detail = "Pod QOS Class may not change as a result of resizing";
        causes.push(Cause::invalid("spec", &old["status"]["qosClass"], detail));
    }
    for list in ["containers", "initContainers"] {
        let (had, have) = (had[list].items(), have[list].items());
        let renamed = had.iter().zip(have).position(|(had, have)| had["name"] != have["name"]);
        if had.len() != have.len() {
            let detail = format!("{list} may not be added or removed on resize");
            causes.push(Cause::forbidden(format!("spec.{list}"), &detail));
            return;
        }
        if let Some(at) = renamed {
            let detail = "containers may not be renamed or reordered on resize";
            causes.push(Cause::forbidden(format!("spec.{list}[{at}].name"), detail));
            return;
        }
        for (at, (had, have)) in had.iter().zip(have).enumerate() {
            check_container(had, have, list, at, causes);
        }
    }
}

fn check_container(had: &Tree, have: &Tree, list: &str, at: usize, causes: &mut Vec<Cause>) {
    let field = format!("spec.{list}[{at}]");
    if list == "initContainers" && had != have && had["restartPolicy"] != "Always" {
        let detail = "resources for non-sidecar init containers are immutable";
        causes.push(Cause::forbidden("spec", detail));
        return;
    }
    for amounts in ["limits", "requests"] {
        for (resource, _) in had["resources"][amounts].fields() {
            if have["resources"][amounts][resource.as_str()].is_null() {
                let field = format!("{field}.resources.{amounts}");
                let detail = format!("resource {amounts} cannot be removed");
                causes.push(Cause::forbidden(field, &detail));
                break;
            }
        }
    }
    let without = |container: &Tree| {
        let mut rest = container.clone();
        for amounts in ["limits", "requests"] {
            for resource in ["cpu", "memory"] {
                rest.remove(&["resources", amounts, resource]);
            }
            if rest["resources"][amounts].fields().next().is_none() {
                rest.remove(&["resources", amounts]);
            }
        }
        rest
    };
    if without(had) != without(have) {
        let (field, detail) = match list {
            "containers" => ("spec".to_owned(), "only cpu and memory resources are mutable"),
            _ => (field, "only cpu and memory resources for sidecar containers are mutable"),
        };
        causes.push(Cause::forbidden(field, detail));
    }
}
