//! Which objects and which changes are refused (v1.36, `pkg/apis/*/validation`): the rules that
//! protect users and controllers from each other.

mod admission;
mod autoscaling;
mod budget;
mod certificate;
mod configuration;
mod container;
mod content;
mod event;
mod job;
mod job_status;
mod metadata;
mod names;
mod pod;
mod pod_parts;
mod scheduling;
mod service;
mod workload;

pub(super) use event::check_strictly;
pub(super) use metadata::{check_annotations, check_labels};
pub(super) use names::{is_label_value, is_qualified_name};

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;

use super::custom;
use super::errors::Cause;
use super::registry::Type;
use super::router::Call;

/// What is wrong with the metadata of an object inside of another.
pub(super) fn check_embedded_metadata(metadata: &Tree, field: &str, causes: &mut Vec<Cause>) {
    metadata::check_embedded(metadata, field, causes);
}

/// What is wrong with a new object.
pub(super) fn created(kind: &Type, object: &Tree, call: &Call<'_>) -> Vec<Cause> {
    let mut causes = metadata::check(kind, object);
    if kind.custom {
        let found = custom::created(kind, object);
        causes.extend(found.causes);
        call.warn(found.warnings);
        return causes;
    }
    if kind.resource == Resource::CUSTOM_RESOURCE_DEFINITIONS {
        warn_of_formats(&Tree::Null, object, call);
    }
    check_content(kind, object, &mut causes);
    if kind.resource == Resource::PODS && !object["spec"]["ephemeralContainers"].is_null() {
        causes.push(Cause::forbidden("spec.ephemeralContainers", "cannot be set on create"));
    }
    causes
}

/// What is wrong with a change. What both share was checked before.
pub(super) fn updated(kind: &Type, old: &Tree, new: &Tree, call: &Call<'_>) -> Vec<Cause> {
    let subresource = call.request.subresource.as_str();
    let mut causes = Vec::new();
    if !new["metadata"].is_same(&old["metadata"]) {
        causes = metadata::check(kind, new);
        metadata::check_update(old, new, &mut causes);
    }
    if kind.custom {
        let found = custom::updated(kind, old, new, subresource);
        causes.extend(found.causes);
        call.warn(found.warnings);
        return causes;
    }
    if kind.resource == Resource::CUSTOM_RESOURCE_DEFINITIONS {
        warn_of_formats(old, new, call);
        causes.extend(match subresource {
            "status" => custom::status_problems(new),
            _ => custom::problems(new, old),
        });
        return causes;
    }
    if kind.resource.group() == "certificates.k8s.io" {
        certificate::check_update(old, new, subresource, &mut causes);
        return causes;
    }
    if subresource == "status" {
        check_status(kind, old, new, &mut causes);
        let class = &new["status"]["qosClass"];
        if kind.resource == Resource::PODS && *class != old["status"]["qosClass"] {
            causes.push(Cause::invalid("status.qosClass", class, "field is immutable"));
        }
        if kind.resource == Resource::NAMESPACES {
            check_phase(new, &mut causes);
        }
        let balancers = !new["status"]["loadBalancer"]["ingress"].items().is_empty();
        if kind.resource == Resource::SERVICES && balancers && new["spec"]["type"] != "LoadBalancer"
        {
            let detail = "may only be used when `spec.type` is 'LoadBalancer'";
            causes.push(Cause::forbidden("status.loadBalancer.ingress", detail));
        }
        return causes;
    }
    match subresource {
        "ephemeralcontainers" => pod_parts::check_added(old, new, &mut causes),
        "resize" => pod_parts::check_resize(old, new, &mut causes),
        _ => check_change(kind, old, new, &mut causes),
    }
    causes
}

/// What is wrong with a change to the whole of a built-in object.
fn check_change(kind: &Type, old: &Tree, new: &Tree, causes: &mut Vec<Cause>) {
    content::check_update(kind, old, new, causes);
    if new["spec"].is_same(&old["spec"]) {
        return;
    }
    check_content(kind, new, causes);
    match kind.resource.as_str() {
        "pods" => pod::check_update(&old["spec"], &new["spec"], causes),
        "services" => service::check_update(&old["spec"], &new["spec"], causes),
        "jobs.batch" => job::check_job_update(old, new, causes),
        "cronjobs.batch" => job::check_cron_job(new, old, causes),
        _ if kind.resource.group() == "apps" => {
            workload::check_update(kind, &old["spec"], &new["spec"], causes);
        }
        resource => {
            configuration::check_spec_update(resource, &old["spec"], &new["spec"], causes);
        }
    }
}

/// Tells of formats in a definition that will be ignored, and were not there before.
fn warn_of_formats(old: &Tree, new: &Tree, call: &Call<'_>) {
    let known = custom::unknown_formats(&old["spec"]);
    let found = custom::unknown_formats(&new["spec"]).into_iter();
    call.warn(
        found
            .filter(|format| !known.contains(format))
            .map(|format| format!("unrecognized format \"{format}\"")),
    );
}

/// A namespace is active until it is deleted.
fn check_phase(namespace: &Tree, causes: &mut Vec<Cause>) {
    let phase = &namespace["status"]["phase"];
    if *phase == "Terminating" && !kubesim_model::object::is_terminating(namespace) {
        let detail = "may only be 'Active' if `deletionTimestamp` is empty";
        causes.push(Cause::invalid("status.Phase", phase, detail));
    }
}

/// What is wrong with the status that a write to it leaves.
fn check_status(kind: &Type, old: &Tree, new: &Tree, causes: &mut Vec<Cause>) {
    let status = &new["status"];
    match kind.resource.as_str() {
        "jobs.batch" => job_status::check(old, new, causes),
        "horizontalpodautoscalers.autoscaling" => autoscaling::check_status(status, causes),
        "resourcequotas" => {
            for field in ["hard", "used"] {
                configuration::check_amounts(&status[field], &format!("status.{field}"), causes);
            }
        }
        "replicationcontrollers" => workload::check_status(kind, status, causes),
        _ => {}
    }
    if kind.resource == Resource::POD_DISRUPTION_BUDGETS {
        let counts = ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"];
        for count in counts {
            not_negative(&status[count], &format!("status.{count}"), causes);
        }
    }
    if kind.resource.group() == "apps" {
        workload::check_status(kind, status, causes);
    }
}

fn check_content(kind: &Type, object: &Tree, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    match kind.resource.as_str() {
        "pods" => pod::check_spec(spec, "spec", causes),
        "deployments.apps" | "replicasets.apps" | "statefulsets.apps" | "daemonsets.apps" => {
            workload::check(kind, spec, causes);
        }
        "poddisruptionbudgets.policy" => budget::check(spec, causes),
        "services" => service::check(spec, causes),
        "jobs.batch" => job::check_job(object, causes),
        // A change is looked at together with what was before.
        "cronjobs.batch" if object["metadata"]["resourceVersion"].is_null() => {
            job::check_cron_job(object, &Tree::Null, causes);
        }
        "horizontalpodautoscalers.autoscaling" => autoscaling::check(spec, causes),
        "certificatesigningrequests.certificates.k8s.io" => certificate::check(object, causes),
        _ if kind.resource == Resource::CUSTOM_RESOURCE_DEFINITIONS => {
            causes.extend(custom::problems(object, &Tree::Null));
        }
        _ => content::check(kind, object, causes),
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
