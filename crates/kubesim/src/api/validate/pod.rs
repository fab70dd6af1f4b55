//! Pods and pod templates (v1.36, `pkg/apis/core/validation`).

use std::collections::BTreeSet;

use kubesim_model::tree::Tree;

use super::container::{check_container, check_host_ports};
use super::metadata::check_labels;
use super::names::{is_dns_label, is_dns_subdomain};
use super::pod_parts::check_ephemeral;
use super::scheduling;
use crate::api::errors::Cause;

/// What is wrong with a pod's spec at `field`.
pub(super) fn check_spec(spec: &Tree, field: &str, causes: &mut Vec<Cause>) {
    check_spec_with(spec, field, &Tree::Null, causes);
}

/// The same, where the pod also gets volumes of these claim templates.
pub(super) fn check_spec_with(spec: &Tree, field: &str, claims: &Tree, causes: &mut Vec<Cause>) {
    if spec["containers"].items().is_empty() {
        causes.push(Cause::required(format!("{field}.containers"), ""));
    }
    let mut volumes = BTreeSet::new();
    for (at, volume) in spec["volumes"].items().iter().enumerate() {
        let field = format!("{field}.volumes[{at}]");
        check_name(&volume["name"], format!("{field}.name"), &mut volumes, causes);
        check_volume(volume, &field, causes);
    }
    volumes.extend(claims.items().iter().map(|claim| claim["metadata"]["name"].str()));
    let mut names = BTreeSet::new();
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for (at, container) in spec[list].items().iter().enumerate() {
            let field = format!("{field}.{list}[{at}]");
            check_name(&container["name"], format!("{field}.name"), &mut names, causes);
            check_container(container, spec, &field, &volumes, causes);
            if list == "initContainers" && container["restartPolicy"] != "Always" {
                for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
                    if !container[probe].is_null() {
                        let detail =
                            "may not be set for init containers without restartPolicy=Always";
                        causes.push(Cause::forbidden(format!("{field}.{probe}"), detail));
                    }
                }
            }
        }
    }
    check_host_ports(spec, field, causes);
    if !spec["ephemeralContainers"].is_null() {
        check_ephemeral(spec, field, causes);
    }
    one_of(spec, field, "restartPolicy", &["Always", "OnFailure", "Never"], causes);
    let policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    one_of(spec, field, "dnsPolicy", &policies, causes);
    let deadline = &spec["activeDeadlineSeconds"];
    if !deadline.is_null() && deadline.as_i64().is_none_or(|seconds| seconds < 1) {
        let field = format!("{field}.activeDeadlineSeconds");
        causes.push(Cause::invalid(field, deadline, "must be between 1 and 2147483647, inclusive"));
    }
    for (name, fits) in [
        ("nodeName", is_dns_subdomain as fn(&str) -> bool),
        ("serviceAccountName", is_dns_subdomain),
        ("priorityClassName", is_dns_subdomain),
        ("hostname", is_dns_label),
        ("subdomain", is_dns_label),
    ] {
        let value = &spec[name];
        if !value.str().is_empty() && !fits(value.str()) {
            let detail = "a lowercase RFC 1123 name is wanted";
            causes.push(Cause::invalid(format!("{field}.{name}"), value, detail));
        }
    }
    check_labels(&spec["nodeSelector"], &format!("{field}.nodeSelector"), causes);
    scheduling::check(spec, field, causes);
}

/// The value must be one of these, if it is there.
pub(super) fn one_of(
    tree: &Tree,
    field: &str,
    name: &str,
    allowed: &[&str],
    causes: &mut Vec<Cause>,
) {
    let value = &tree[name];
    if !value.is_null() && !allowed.contains(&value.str()) {
        causes.push(Cause::not_supported(format!("{field}.{name}"), value, allowed));
    }
}

fn check_volume(volume: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let mut sources = volume.fields().filter(|(key, _)| *key != "name");
    let first = sources.next();
    // Go's validation looks at the sources in the order of its own type: `emptyDir` and `hostPath`
    // before the others.
    if let (Some(_), Some((second, _))) = (first, sources.next()) {
        let detail = "may not specify more than 1 volume type";
        causes.push(Cause::forbidden(format!("{field}.{second}"), detail));
    }
    for (source, name) in [("configMap", "name"), ("secret", "secretName"), ("hostPath", "path")] {
        if !volume[source].is_null() && volume[source][name].str().is_empty() {
            causes.push(Cause::required(format!("{field}.{source}.{name}"), ""));
        }
    }
    let claim = &volume["persistentVolumeClaim"];
    if !claim.is_null() && claim["claimName"].str().is_empty() {
        causes.push(Cause::required(format!("{field}.persistentVolumeClaim.claimName"), ""));
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
    let before = causes.len();
    check_deadline(&old["activeDeadlineSeconds"], &new["activeDeadlineSeconds"], causes);
    scheduling::check_update(old, new, causes);
    if causes.len() > before {
        return;
    }
    for field in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
        restore(&mut same, old, field);
    }
    if !old["schedulingGates"].items().is_empty() {
        // Who waits at a gate may still be narrowed; how was checked above.
        restore(&mut same, old, "nodeSelector");
        restore(&mut same, old, "affinity");
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

/// A deadline can be set and come earlier.
fn check_deadline(had: &Tree, have: &Tree, causes: &mut Vec<Cause>) {
    let field = "spec.activeDeadlineSeconds";
    match (had.as_i64(), have.as_i64()) {
        (Some(had), Some(have)) if have > had => {
            let detail = "must be less than or equal to previous value";
            causes.push(Cause::invalid(field, &Tree::Int(have), detail));
        }
        (Some(_), None) => {
            let detail = "must not update from a positive integer to nil value";
            causes.push(Cause::invalid(field, have, detail));
        }
        _ => {}
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
