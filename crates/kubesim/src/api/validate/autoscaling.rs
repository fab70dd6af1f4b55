//! HorizontalPodAutoscalers, in the form of `autoscaling/v2` (v1.36,
//! `pkg/apis/autoscaling/validation`).

use kubesim_model::quantity;
use kubesim_model::tree::Tree;

use super::names::is_path_segment;
use super::not_negative;
use super::pod::one_of;
use crate::api::errors::Cause;

/// Kind of metric, the field that describes it, and whether its target may be a total.
const METRICS: [(&str, &str); 5] = [
    ("Object", "object"),
    ("External", "external"),
    ("Pods", "pods"),
    ("Resource", "resource"),
    ("ContainerResource", "containerResource"),
];

pub(super) fn check(spec: &Tree, causes: &mut Vec<Cause>) {
    let (least, most) = (&spec["minReplicas"], &spec["maxReplicas"]);
    let number = |tree: &Tree| tree.as_i64().unwrap_or(0);
    if !least.is_null() && number(least) < 1 {
        let detail = "must be greater than or equal to 1";
        causes.push(Cause::invalid("spec.minReplicas", least, detail));
    }
    if number(most) == 0 {
        causes.push(Cause::required("spec.maxReplicas", "must be set and greater than 0"));
    } else if number(most) < 0 {
        let detail = "must be greater than or equal to 1";
        causes.push(Cause::invalid("spec.maxReplicas", most, detail));
    }
    if !least.is_null() && number(most) < number(least) {
        let detail = "must be greater than or equal to `minReplicas`";
        causes.push(Cause::invalid("spec.maxReplicas", most, detail));
    }
    let target = &spec["scaleTargetRef"];
    check_reference(target, "spec.scaleTargetRef", causes);
    if target["kind"] != "ReplicationController" && !target["apiVersion"].str().contains('/') {
        let (field, detail) =
            ("spec.scaleTargetRef.apiVersion", "apiVersion must specify API group");
        causes.push(Cause::invalid(field, &target["apiVersion"], detail));
    }
    for (at, metric) in spec["metrics"].items().iter().enumerate() {
        check_metric(metric, &format!("spec.metrics[{at}]"), causes);
    }
    let outside = |metric: &Tree| metric["type"] == "Object" || metric["type"] == "External";
    if least.as_i64() == Some(0) && !spec["metrics"].items().iter().any(outside) {
        let detail = "must specify at least one Object or External metric to support scaling to \
                      zero replicas";
        causes.push(Cause::forbidden("spec.metrics", detail));
    }
    for way in ["scaleUp", "scaleDown"] {
        let rules = &spec["behavior"][way];
        if !rules.is_null() {
            check_rules(rules, &format!("spec.behavior.{way}"), causes);
        }
    }
}

/// What is wrong with the counts of a status.
pub(super) fn check_status(status: &Tree, causes: &mut Vec<Cause>) {
    for count in ["currentReplicas", "desiredReplicas"] {
        not_negative(&status[count], &format!("status.{count}"), causes);
    }
}

fn check_reference(target: &Tree, field: &str, causes: &mut Vec<Cause>) {
    for name in ["kind", "name"] {
        check_segment(&target[name], &format!("{field}.{name}"), causes);
    }
    let version = &target["apiVersion"];
    if version.str().matches('/').count() > 1 {
        let detail = "unexpected GroupVersion string";
        causes.push(Cause::invalid(format!("{field}.apiVersion"), version, detail));
    }
}

fn check_segment(name: &Tree, field: &str, causes: &mut Vec<Cause>) {
    if name.str().is_empty() {
        causes.push(Cause::required(field, ""));
    } else if !is_path_segment(name.str()) {
        causes.push(Cause::invalid(field, name, "may not be '.' or '..', or contain '/' or '%'"));
    }
}

fn check_metric(metric: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let kind = &metric["type"];
    if kind.str().is_empty() {
        let detail = "must specify a metric source type";
        causes.push(Cause::required(format!("{field}.type"), detail));
    }
    let own = METRICS.iter().find(|(name, _)| kind == name).map(|(_, field)| *field);
    if own.is_none() {
        let kinds = METRICS.map(|(name, _)| name);
        causes.push(Cause::not_supported(format!("{field}.type"), kind, &kinds));
    }
    let given = METRICS.iter().map(|(_, name)| *name).filter(|name| !metric[*name].is_null());
    let given: Vec<&str> = given.collect();
    if let Some(first) = given.first() {
        check_source(&metric[*first], first, &format!("{field}.{first}"), causes);
    }
    if let Some(own) = own.filter(|own| metric[*own].is_null()) {
        let detail = "must populate information for the given metric source";
        causes.push(Cause::required(format!("{field}.{own}"), detail));
    }
    if given.len() != 1 {
        for other in given.iter().filter(|name| Some(**name) != own) {
            let detail = "must populate the given metric source only";
            causes.push(Cause::forbidden(format!("{field}.{other}"), detail));
        }
    }
}

fn check_source(source: &Tree, kind: &str, field: &str, causes: &mut Vec<Cause>) {
    match kind {
        "resource" | "containerResource" => {
            if source["name"].str().is_empty() {
                let detail = "must specify a resource name";
                causes.push(Cause::required(format!("{field}.name"), detail));
            }
            if kind == "containerResource" && source["container"].str().is_empty() {
                let detail = "must specify a container";
                causes.push(Cause::required(format!("{field}.container"), detail));
            }
        }
        _ => {
            if kind == "object" {
                let target = &source["describedObject"];
                check_reference(target, &format!("{field}.describedObject"), causes);
            }
            check_segment(&source["metric"]["name"], &format!("{field}.metric.name"), causes);
        }
    }
    let (target, field) = (&source["target"], format!("{field}.target"));
    check_target(target, &field, causes);
    let has = |name: &str| !target[name].is_null();
    let both = |one: &str, other: &str| has(one) && has(other);
    let (wanted, twice) = match kind {
        "object" => ((!has("value") && !has("averageValue")).then_some("averageValue"), None),
        "external" => (
            (!has("value") && !has("averageValue")).then_some("averageValue"),
            both("value", "averageValue").then_some("value"),
        ),
        "pods" => ((!has("averageValue")).then_some("averageValue"), None),
        _ => (
            (!has("averageUtilization") && !has("averageValue")).then_some("averageUtilization"),
            both("averageUtilization", "averageValue").then_some("averageValue"),
        ),
    };
    if let Some(name) = wanted {
        causes.push(Cause::required(format!("{field}.{name}"), "must set a target"));
    }
    if let Some(name) = twice {
        causes.push(Cause::forbidden(format!("{field}.{name}"), "may not set two targets"));
    }
}

fn check_target(target: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let kind = &target["type"];
    if kind.str().is_empty() {
        let detail = "must specify a metric target type";
        causes.push(Cause::required(format!("{field}.type"), detail));
    }
    if !["Utilization", "Value", "AverageValue"].contains(&kind.str()) {
        let detail = "must be either Utilization, Value, or AverageValue";
        causes.push(Cause::invalid(format!("{field}.type"), kind, detail));
    }
    for name in ["value", "averageValue"] {
        let amount = &target[name];
        if !amount.is_null() && quantity::milli(amount).is_none_or(|amount| amount <= 0) {
            causes.push(Cause::invalid(format!("{field}.{name}"), amount, "must be positive"));
        }
    }
    let share = &target["averageUtilization"];
    if share.as_i64().is_some_and(|share| share < 1) {
        let field = format!("{field}.averageUtilization");
        causes.push(Cause::invalid(field, share, "must be greater than 0"));
    }
}

fn check_rules(rules: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let window = &rules["stabilizationWindowSeconds"];
    if window.as_i64().is_some_and(|window| !(0..=3600).contains(&window)) {
        let detail = "must be between 0 and 3600";
        causes.push(Cause::invalid(format!("{field}.stabilizationWindowSeconds"), window, detail));
    }
    one_of(rules, field, "selectPolicy", &["Disabled", "Max", "Min"], causes);
    if rules["policies"].items().is_empty() {
        let detail = "must specify at least one Policy";
        causes.push(Cause::required(format!("{field}.policies"), detail));
    }
    for (at, policy) in rules["policies"].items().iter().enumerate() {
        let field = format!("{field}.policies[{at}]");
        let kinds = ["Percent", "Pods"];
        if !kinds.contains(&policy["type"].str()) {
            causes.push(Cause::not_supported(format!("{field}.type"), &policy["type"], &kinds));
        }
        for (name, most) in [("value", i64::MAX), ("periodSeconds", 1800)] {
            let value = policy[name].as_i64().unwrap_or(0);
            if value <= 0 || value > most {
                let field = format!("{field}.{name}");
                causes.push(Cause::invalid(field, &policy[name], "must be greater than zero"));
            }
        }
    }
}
