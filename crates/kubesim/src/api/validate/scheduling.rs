//! What a pod says about where it may run: tolerations, spread, affinity, gates (v1.36,
//! `pkg/apis/core/validation`).

use kubesim_model::tree::Tree;

use super::names::is_qualified_name;
use super::pod::one_of;
use super::workload::check_selector;
use crate::api::errors::Cause;

/// What is wrong with it in a pod's spec at `field`.
pub(super) fn check(spec: &Tree, field: &str, causes: &mut Vec<Cause>) {
    for (at, toleration) in spec["tolerations"].items().iter().enumerate() {
        check_toleration(toleration, &format!("{field}.tolerations[{at}]"), causes);
    }
    for (at, spread) in spec["topologySpreadConstraints"].items().iter().enumerate() {
        let field = format!("{field}.topologySpreadConstraints[{at}]");
        let skew = &spread["maxSkew"];
        if skew.as_i64().unwrap_or(0) <= 0 {
            causes.push(Cause::invalid(
                format!("{field}.maxSkew"),
                skew,
                "must be greater than zero",
            ));
        }
        if spread["topologyKey"].str().is_empty() {
            causes.push(Cause::required(format!("{field}.topologyKey"), "can not be empty"));
        }
        let kinds = ["DoNotSchedule", "ScheduleAnyway"];
        one_of(spread, &field, "whenUnsatisfiable", &kinds, causes);
    }
    for (at, gate) in spec["schedulingGates"].items().iter().enumerate() {
        if !is_qualified_name(gate["name"].str()) {
            let field = format!("{field}.schedulingGates[{at}]");
            let detail = "must be a qualified name";
            causes.push(Cause::invalid(field, &gate["name"], detail));
        }
    }
    if !spec["schedulingGates"].items().is_empty() && !spec["nodeName"].str().is_empty() {
        let detail = "cannot be set until all schedulingGates have been cleared";
        causes.push(Cause::forbidden(format!("{field}.nodeName"), detail));
    }
    for (at, gate) in spec["readinessGates"].items().iter().enumerate() {
        if !is_qualified_name(gate["conditionType"].str()) {
            let field = format!("{field}.readinessGates[{at}].conditionType");
            let detail = "must be a qualified name";
            causes.push(Cause::invalid(field, &gate["conditionType"], detail));
        }
    }
    if !spec["affinity"].is_null() {
        check_affinity(&spec["affinity"], &format!("{field}.affinity"), causes);
    }
}

/// What may not become of it once the pod is there: tolerations can only be added, gates only be
/// taken away, and node selectors only be narrowed while there are gates.
pub(super) fn check_update(old: &Tree, new: &Tree, causes: &mut Vec<Cause>) {
    let without_time = |toleration: &Tree| {
        let mut toleration = toleration.clone();
        toleration.remove(&["tolerationSeconds"]);
        toleration
    };
    let kept = |had: &Tree| {
        let had = without_time(had);
        new["tolerations"].items().iter().any(|have| without_time(have) == had)
    };
    if !old["tolerations"].items().iter().all(kept) {
        let detail = "existing toleration can not be modified except its tolerationSeconds";
        causes.push(Cause::forbidden("spec.tolerations", detail));
    }
    let gates = old["schedulingGates"].items();
    for (at, gate) in new["schedulingGates"].items().iter().enumerate() {
        if !gates.contains(gate) {
            let name = gate["name"].str();
            let detail =
                format!("only deletion is allowed, but found new scheduling gate '{name}'");
            causes.push(Cause::forbidden(format!("spec.schedulingGates[{at}].name"), &detail));
        }
    }
    let narrowed =
        |(key, value): (&kubesim_model::Text, &Tree)| new["nodeSelector"][key.as_str()] == *value;
    if !gates.is_empty() && !old["nodeSelector"].fields().all(narrowed) {
        let detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
        causes.push(Cause::invalid("spec.nodeSelector", &new["nodeSelector"], detail));
    }
}

/// What is wrong with a toleration at `field`.
pub(super) fn check_toleration(toleration: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let (key, operator) = (&toleration["key"], toleration["operator"].str());
    if !key.str().is_empty() && !is_qualified_name(key.str()) {
        causes.push(Cause::invalid(format!("{field}.key"), key, "must be a qualified name"));
    }
    if key.str().is_empty() && operator != "Exists" {
        let detail = "operator must be Exists when `key` is empty, which means \"match all values \
                      and all keys\"";
        causes.push(Cause::invalid(format!("{field}.operator"), &toleration["operator"], detail));
    }
    let effect = &toleration["effect"];
    if !toleration["tolerationSeconds"].is_null() && *effect != "NoExecute" {
        let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
        causes.push(Cause::invalid(format!("{field}.effect"), effect, detail));
    }
    match operator {
        "" | "Equal" => {}
        "Exists" if toleration["value"].str().is_empty() => {}
        "Exists" => {
            let detail = "value must be empty when `operator` is 'Exists'";
            causes.push(Cause::invalid(format!("{field}.operator"), &toleration["value"], detail));
        }
        _ => one_of(toleration, field, "operator", &["Equal", "Exists"], causes),
    }
    let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
    one_of(toleration, field, "effect", &effects, causes);
}

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

fn check_affinity(affinity: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let required = &affinity["nodeAffinity"][REQUIRED];
    let terms = format!("{field}.nodeAffinity.{REQUIRED}.nodeSelectorTerms");
    if !required.is_null() && required["nodeSelectorTerms"].items().is_empty() {
        let detail = "must have at least one node selector term";
        causes.push(Cause::required(terms.clone(), detail));
    }
    for (at, term) in required["nodeSelectorTerms"].items().iter().enumerate() {
        for (index, wanted) in term["matchExpressions"].items().iter().enumerate() {
            let field = format!("{terms}[{at}].matchExpressions[{index}]");
            check_node_requirement(wanted, &field, causes);
        }
    }
    for kind in ["podAffinity", "podAntiAffinity"] {
        for (at, term) in affinity[kind][REQUIRED].items().iter().enumerate() {
            check_pod_term(term, &format!("{field}.{kind}.{REQUIRED}[{at}]"), causes);
        }
    }
    for kind in ["nodeAffinity", "podAffinity", "podAntiAffinity"] {
        for (at, wanted) in affinity[kind][PREFERRED].items().iter().enumerate() {
            let field = format!("{field}.{kind}.{PREFERRED}[{at}]");
            let weight = &wanted["weight"];
            if !weight.as_i64().is_some_and(|weight| (1..=100).contains(&weight)) {
                let detail = "must be in the range 1-100";
                causes.push(Cause::invalid(format!("{field}.weight"), weight, detail));
            }
            if kind != "nodeAffinity" {
                let term = &wanted["podAffinityTerm"];
                check_pod_term(term, &format!("{field}.podAffinityTerm"), causes);
            }
        }
    }
}

fn check_node_requirement(wanted: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let (values, at) = (wanted["values"].items(), format!("{field}.values"));
    match wanted["operator"].str() {
        "In" | "NotIn" if values.is_empty() => {
            let detail = "must be specified when `operator` is 'In' or 'NotIn'";
            causes.push(Cause::required(at, detail));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            causes.push(Cause::forbidden(at, detail));
        }
        "Gt" | "Lt" if values.len() != 1 => {
            let detail = "must be specified single value when `operator` is 'Lt' or 'Gt'";
            causes.push(Cause::required(at, detail));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        _ => {
            let (field, value) = (format!("{field}.operator"), &wanted["operator"]);
            causes.push(Cause::invalid(field, value, "not a valid selector operator"));
        }
    }
    if !is_qualified_name(wanted["key"].str()) {
        let detail = "must be a qualified name";
        causes.push(Cause::invalid(format!("{field}.key"), &wanted["key"], detail));
    }
}

fn check_pod_term(term: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let (key, at) = (&term["topologyKey"], format!("{field}.topologyKey"));
    if key.str().is_empty() {
        causes.push(Cause::required(at.clone(), "can not be empty"));
    }
    if !is_qualified_name(key.str()) {
        causes.push(Cause::invalid(at, key, "must be a qualified name"));
    }
    check_selector(&term["labelSelector"], &format!("{field}.labelSelector"), causes);
}
