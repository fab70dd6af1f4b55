//! Deployments, ReplicaSets, StatefulSets and DaemonSets (v1.36, `pkg/apis/apps/validation`).

use kubesim_model::selector::selects;
use kubesim_model::tree::Tree;

use super::budget::check_share;
use super::metadata::{check_annotations, check_labels};
use super::names::is_qualified_name;
use super::{not_negative, pod};
use crate::api::errors::Cause;
use crate::api::registry::Type;

/// What of a StatefulSet's spec may change.
const CHANGEABLE: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

pub(super) fn check(kind: &Type, spec: &Tree, causes: &mut Vec<Cause>) {
    for field in ["replicas", "minReadySeconds", "revisionHistoryLimit"] {
        not_negative(&spec[field], &format!("spec.{field}"), causes);
    }
    check_template(spec, causes);
    match kind.kind.as_str() {
        "Deployment" => check_deployment(spec, causes),
        "StatefulSet" => check_stateful_set(spec, causes),
        "DaemonSet" => check_daemon_set(spec, causes),
        _ => {}
    }
}

pub(super) fn check_update(kind: &Type, old: &Tree, new: &Tree, causes: &mut Vec<Cause>) {
    if old["selector"] != new["selector"] && kind.kind != "StatefulSet" {
        causes.push(Cause::invalid("spec.selector", &new["selector"], "field is immutable"));
    }
    if kind.kind != "StatefulSet" {
        return;
    }
    let fixed = |key: &str| !CHANGEABLE.contains(&key);
    let differs = |one: &Tree, other: &Tree| {
        one.fields().any(|(key, value)| fixed(key) && *value != other[key.as_str()])
    };
    if differs(old, new) || differs(new, old) {
        let detail = format!(
            "updates to statefulset spec for fields other than {} are forbidden",
            CHANGEABLE.map(|field| format!("'{field}'")).join(", ")
        );
        causes.push(Cause::forbidden("spec", &detail));
    }
}

/// A label selector: known operators, and values where the operator wants them.
pub(super) fn check_selector(selector: &Tree, field: &str, causes: &mut Vec<Cause>) {
    check_labels(&selector["matchLabels"], &format!("{field}.matchLabels"), causes);
    for (at, wanted) in selector["matchExpressions"].items().iter().enumerate() {
        let field = format!("{field}.matchExpressions[{at}]");
        if !is_qualified_name(wanted["key"].str()) {
            let field = format!("{field}.key");
            causes.push(Cause::invalid(field, &wanted["key"], "must be a qualified name"));
        }
        let empty = wanted["values"].items().is_empty();
        let values = format!("{field}.values");
        match wanted["operator"].str() {
            "In" | "NotIn" if empty => {
                let detail = "must be specified when `operator` is 'In' or 'NotIn'";
                causes.push(Cause::required(values, detail));
            }
            "Exists" | "DoesNotExist" if !empty => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                causes.push(Cause::forbidden(values, detail));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            _ => {
                let field = format!("{field}.operator");
                let detail = "not a valid selector operator";
                causes.push(Cause::invalid(field, &wanted["operator"], detail));
            }
        }
    }
}

fn check_template(spec: &Tree, causes: &mut Vec<Cause>) {
    let (selector, template) = (&spec["selector"], &spec["template"]);
    let labels = &template["metadata"]["labels"];
    let before = causes.len();
    if selector.as_map().is_none() {
        causes.push(Cause::required("spec.selector", ""));
    } else {
        check_selector(selector, "spec.selector", causes);
    }
    if causes.len() > before && selector.as_map().is_some() {
        causes.push(Cause::invalid("spec.selector", selector, "is no valid label selector"));
    } else if is_empty(selector) && selector.as_map().is_some() {
        let detail = "empty selector is invalid for this kind";
        causes.push(Cause::invalid("spec.selector", selector, detail));
    } else if is_empty(selector) || !selects(selector, labels) {
        let detail = "`selector` does not match template `labels`";
        causes.push(Cause::invalid("spec.template.metadata.labels", labels, detail));
    }
    check_template_with(template, "spec.template", &spec["volumeClaimTemplates"], causes);
    let policy = &template["spec"]["restartPolicy"];
    if ["OnFailure", "Never"].contains(&policy.str()) {
        causes.push(Cause::not_supported("spec.template.spec.restartPolicy", policy, &["Always"]));
    }
    if !template["spec"]["activeDeadlineSeconds"].is_null() {
        let field = "spec.template.spec.activeDeadlineSeconds";
        causes.push(Cause::forbidden(field, "is not supported in what a controller keeps up"));
    }
}

/// What is wrong with a pod template at `field`.
pub(super) fn check_template_of(template: &Tree, field: &str, causes: &mut Vec<Cause>) {
    check_template_with(template, field, &Tree::Null, causes);
}

/// The same, where pods also get volumes of these claim templates.
fn check_template_with(template: &Tree, field: &str, claims: &Tree, causes: &mut Vec<Cause>) {
    let metadata = &template["metadata"];
    check_labels(&metadata["labels"], &format!("{field}.labels"), causes);
    check_annotations(&metadata["annotations"], &format!("{field}.annotations"), causes);
    pod::check_spec_with(&template["spec"], &format!("{field}.spec"), claims, causes);
}

/// The selector must select the pods that the template makes.
pub(super) fn check_pods_of(selector: &Tree, template: &Tree, causes: &mut Vec<Cause>) {
    let labels = &template["metadata"]["labels"];
    if selector.is_null() || !selects(selector, labels) {
        let detail = "`selector` does not match template `labels`";
        causes.push(Cause::invalid("spec.template.metadata.labels", labels, detail));
    }
}

fn is_empty(selector: &Tree) -> bool {
    selector["matchLabels"].fields().next().is_none()
        && selector["matchExpressions"].items().is_empty()
}

fn check_deployment(spec: &Tree, causes: &mut Vec<Cause>) {
    let strategy = &spec["strategy"];
    match strategy["type"].str() {
        "Recreate" if !strategy["rollingUpdate"].is_null() => {
            let detail = "may not be specified when strategy `type` is 'Recreate'";
            causes.push(Cause::forbidden("spec.strategy.rollingUpdate", detail));
        }
        "Recreate" => {}
        "RollingUpdate" => check_rolling(strategy, "spec.strategy", causes),
        _ => {
            let allowed = ["Recreate", "RollingUpdate"];
            causes.push(Cause::not_supported("spec.strategy", strategy, &allowed));
        }
    }
    let (deadline, ready) = (&spec["progressDeadlineSeconds"], &spec["minReadySeconds"]);
    not_negative(deadline, "spec.progressDeadlineSeconds", causes);
    if deadline.as_i64().is_some_and(|deadline| deadline <= ready.as_i64().unwrap_or(0)) {
        let detail = "must be greater than minReadySeconds";
        causes.push(Cause::invalid("spec.progressDeadlineSeconds", deadline, detail));
    }
}

fn check_stateful_set(spec: &Tree, causes: &mut Vec<Cause>) {
    let policy = &spec["podManagementPolicy"];
    if !["OrderedReady", "Parallel"].contains(&policy.str()) {
        let detail = "must be 'OrderedReady' or 'Parallel'";
        causes.push(Cause::invalid("spec.podManagementPolicy", policy, detail));
    }
    let strategy = &spec["updateStrategy"];
    let rolling = &strategy["rollingUpdate"];
    match strategy["type"].str() {
        "OnDelete" if !rolling.is_null() => {
            let detail = "only allowed for updateStrategy 'RollingUpdate'";
            causes.push(Cause::invalid("spec.updateStrategy.rollingUpdate", rolling, detail));
        }
        "OnDelete" | "RollingUpdate" => {}
        _ => {
            let detail = "must be 'RollingUpdate' or 'OnDelete'";
            causes.push(Cause::invalid("spec.updateStrategy", strategy, detail));
        }
    }
    not_negative(&rolling["partition"], "spec.updateStrategy.rollingUpdate.partition", causes);
    not_negative(&spec["ordinals"]["start"], "spec.ordinals.start", causes);
    let (field, claims) = (
        "spec.persistentVolumeClaimRetentionPolicy",
        &spec["persistentVolumeClaimRetentionPolicy"],
    );
    for when in ["whenDeleted", "whenScaled"] {
        pod::one_of(claims, field, when, &["Retain", "Delete"], causes);
    }
}

fn check_daemon_set(spec: &Tree, causes: &mut Vec<Cause>) {
    let strategy = &spec["updateStrategy"];
    if !["OnDelete", "RollingUpdate"].contains(&strategy["type"].str()) {
        let allowed = ["RollingUpdate", "OnDelete"];
        causes.push(Cause::not_supported("spec.updateStrategy", strategy, &allowed));
    }
    let rolling = &strategy["rollingUpdate"];
    if rolling.is_null() {
        return;
    }
    let (surge, unavailable) = (&rolling["maxSurge"], &rolling["maxUnavailable"]);
    let field = |name: &str| format!("spec.updateStrategy.rollingUpdate.{name}");
    check_share(unavailable, &field("maxUnavailable"), causes);
    check_share(surge, &field("maxSurge"), causes);
    match (is_nothing(unavailable), is_nothing(surge)) {
        (true, true) => {
            let detail = "cannot be 0 when maxSurge is 0";
            causes.push(Cause::required(field("maxUnavailable"), detail));
        }
        (false, false) => {
            let detail = "may not be set when maxUnavailable is non-zero";
            causes.push(Cause::invalid(field("maxSurge"), surge, detail));
        }
        _ => {}
    }
}

fn is_nothing(share: &Tree) -> bool {
    share.as_i64() == Some(0) || *share == "0%"
}

/// Counts in a status: none negative, and none more than what it is a part of.
pub(super) fn check_status(kind: &Type, status: &Tree, causes: &mut Vec<Cause>) {
    let parts: &[&str] = match kind.kind.as_str() {
        "Deployment" => &["updatedReplicas", "readyReplicas", "availableReplicas"],
        "ReplicaSet" | "ReplicationController" => {
            &["fullyLabeledReplicas", "readyReplicas", "availableReplicas"]
        }
        "StatefulSet" => {
            &["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"]
        }
        "DaemonSet" => &[
            "currentNumberScheduled",
            "numberMisscheduled",
            "desiredNumberScheduled",
            "numberReady",
            "updatedNumberScheduled",
            "numberAvailable",
            "numberUnavailable",
        ],
        _ => return,
    };
    let others = ["replicas", "unavailableReplicas", "observedGeneration", "collisionCount"];
    for count in others.iter().chain(parts) {
        not_negative(&status[*count], &format!("status.{count}"), causes);
    }
    let number = |count: &str| status[count].as_i64().unwrap_or(0);
    let mut within = |part: &str, whole: &str, detail: &str| {
        if number(part) > number(whole) {
            let field = format!("status.{part}");
            causes.push(Cause::invalid(field, &Tree::Int(number(part)), detail));
        }
    };
    if kind.kind == "DaemonSet" {
        return;
    }
    for part in parts {
        within(part, "replicas", "cannot be greater than status.replicas");
    }
    within("availableReplicas", "readyReplicas", "cannot be greater than readyReplicas");
}

/// `maxSurge` and `maxUnavailable` of a rolling update: shares, and not both nothing.
fn check_rolling(strategy: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let rolling = &strategy["rollingUpdate"];
    if rolling.is_null() {
        return;
    }
    let (surge, unavailable) = (&rolling["maxSurge"], &rolling["maxUnavailable"]);
    let field = |name: &str| format!("{field}.rollingUpdate.{name}");
    check_share(unavailable, &field("maxUnavailable"), causes);
    if surge.as_str().is_none_or(|text| !text.ends_with('%')) {
        // A surge may be more than everything, so percentages have no upper limit.
        check_share(surge, &field("maxSurge"), causes);
    }
    if is_nothing(surge) && is_nothing(unavailable) {
        let detail = "may not be 0 when `maxSurge` is 0";
        causes.push(Cause::invalid(field("maxUnavailable"), unavailable, detail));
    }
}
