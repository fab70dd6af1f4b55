//! Pods and pod templates (v1.36, `pkg/apis/core/validation`).

use std::collections::BTreeSet;

use kubesim_model::tree::Tree;

use super::names::is_dns_label;
use super::not_negative;
use crate::api::errors::Cause;

/// What is wrong with a pod's spec at `field`.
pub(super) fn check_spec(spec: &Tree, field: &str, causes: &mut Vec<Cause>) {
    if spec["containers"].items().is_empty() {
        causes.push(Cause::required(format!("{field}.containers"), ""));
    }
    let mut volumes = BTreeSet::new();
    for (at, volume) in spec["volumes"].items().iter().enumerate() {
        let name = format!("{field}.volumes[{at}].name");
        check_name(&volume["name"], name, &mut volumes, causes);
    }
    let mut names = BTreeSet::new();
    for list in ["initContainers", "containers"] {
        for (at, container) in spec[list].items().iter().enumerate() {
            let field = format!("{field}.{list}[{at}]");
            check_name(&container["name"], format!("{field}.name"), &mut names, causes);
            check_container(container, &field, &volumes, causes);
            let policy = &container["restartPolicy"];
            let sidecar = list == "initContainers" && *policy == "Always";
            if !policy.is_null() && !sidecar {
                let field = format!("{field}.restartPolicy");
                causes.push(Cause::not_supported(field, policy, &["Always"]));
            }
        }
    }
    let policies = ["Always", "OnFailure", "Never"];
    if !policies.contains(&spec["restartPolicy"].str()) {
        let field = format!("{field}.restartPolicy");
        causes.push(Cause::not_supported(field, &spec["restartPolicy"], &policies));
    }
    let deadline = &spec["activeDeadlineSeconds"];
    if !deadline.is_null() && deadline.as_i64().is_none_or(|seconds| seconds < 1) {
        let field = format!("{field}.activeDeadlineSeconds");
        causes.push(Cause::invalid(field, deadline, "must be greater than 0"));
    }
}

fn check_name<'t>(
    name: &'t Tree,
    field: String,
    seen: &mut BTreeSet<&'t str>,
    causes: &mut Vec<Cause>,
) {
    let text = name.str();
    if text.is_empty() {
        causes.push(Cause::required(field, ""));
    } else if !is_dns_label(text) {
        causes.push(Cause::invalid(field, name, "a lowercase RFC 1123 label is wanted"));
    } else if !seen.insert(text) {
        causes.push(Cause::duplicate(field, name));
    }
}

fn check_container(
    container: &Tree,
    field: &str,
    volumes: &BTreeSet<&str>,
    causes: &mut Vec<Cause>,
) {
    let image = &container["image"];
    if image.str().is_empty() {
        causes.push(Cause::required(format!("{field}.image"), ""));
    } else if image.str().trim() != image.str() {
        let detail = "must not have leading or trailing whitespace";
        causes.push(Cause::invalid(format!("{field}.image"), image, detail));
    }
    let policies = ["Always", "IfNotPresent", "Never"];
    let policy = &container["imagePullPolicy"];
    if !policy.is_null() && !policies.contains(&policy.str()) {
        let field = format!("{field}.imagePullPolicy");
        causes.push(Cause::not_supported(field, policy, &policies));
    }
    for (at, mount) in container["volumeMounts"].items().iter().enumerate() {
        if mount["mountPath"].str().is_empty() {
            causes.push(Cause::required(format!("{field}.volumeMounts[{at}].mountPath"), ""));
        }
        if !volumes.contains(mount["name"].str()) {
            let field = format!("{field}.volumeMounts[{at}].name");
            causes.push(Cause::not_found(field, &mount["name"]));
        }
    }
    for (at, port) in container["ports"].items().iter().enumerate() {
        let number = &port["containerPort"];
        if !number.as_i64().is_some_and(|port| (1..=65_535).contains(&port)) {
            let field = format!("{field}.ports[{at}].containerPort");
            causes.push(Cause::invalid(field, number, "must be between 1 and 65535, inclusive"));
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        check_probe(&container[probe], &format!("{field}.{probe}"), causes);
        let wanted = &container[probe]["successThreshold"];
        if probe != "readinessProbe" && !wanted.is_null() && wanted.as_i64() != Some(1) {
            let field = format!("{field}.{probe}.successThreshold");
            causes.push(Cause::invalid(field, wanted, "must be 1"));
        }
    }
}

fn check_probe(probe: &Tree, field: &str, causes: &mut Vec<Cause>) {
    if probe.is_null() {
        return;
    }
    let handlers = ["exec", "grpc", "httpGet", "tcpSocket"];
    match handlers.iter().filter(|handler| !probe[**handler].is_null()).count() {
        0 => causes.push(Cause::required(field, "must specify a handler type")),
        1 => {}
        _ => causes.push(Cause::forbidden(field, "may not specify more than 1 handler type")),
    }
    let numbers = [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ];
    for number in numbers {
        not_negative(&probe[number], &format!("{field}.{number}"), causes);
    }
}

/// What a pod's spec may not become once it exists: only images, an earlier deadline, more
/// tolerations, fewer scheduling gates and a grace of 1 for a negative one are changes.
pub(super) fn check_update(old: &Tree, new: &Tree, causes: &mut Vec<Cause>) {
    let mut same = new.clone();
    for list in ["containers", "initContainers"] {
        if old[list].items().len() != new[list].items().len() {
            causes.push(Cause::forbidden(
                format!("spec.{list}"),
                "pod updates may not add or remove containers",
            ));
            return;
        }
        for (at, container) in old[list].items().iter().enumerate() {
            if same[list][at]["image"] != container["image"] {
                same.field_mut(list).items_mut()[at].set(&["image"], &container["image"]);
            }
        }
    }
    let (had, have) = (&old["activeDeadlineSeconds"], &new["activeDeadlineSeconds"]);
    if had != have && (had.is_null() || have.as_i64() <= had.as_i64()) && !have.is_null() {
        restore(&mut same, old, "activeDeadlineSeconds");
    }
    let subset = |some: &Tree, all: &Tree| some.items().iter().all(|one| all.items().contains(one));
    if subset(&old["tolerations"], &new["tolerations"]) {
        restore(&mut same, old, "tolerations");
    }
    if subset(&new["schedulingGates"], &old["schedulingGates"]) {
        restore(&mut same, old, "schedulingGates");
    }
    let grace = "terminationGracePeriodSeconds";
    if old[grace].as_i64().is_some_and(|had| had < 0) && new[grace].as_i64() == Some(1) {
        restore(&mut same, old, grace);
    }
    if same != *old {
        let detail = "pod updates may not change fields other than `spec.containers[*].image`, \
                      `spec.initContainers[*].image`, `spec.activeDeadlineSeconds`, \
                      `spec.tolerations` (only additions to existing tolerations), \
                      `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
                      previously negative), `spec.schedulingGates` (only removals)";
        causes.push(Cause::forbidden("spec", detail));
    }
}

fn restore(spec: &mut Tree, old: &Tree, field: &str) {
    match &old[field] {
        Tree::Null => {
            spec.remove(&[field]);
        }
        value => spec.set(&[field], value),
    }
}
