//! The objects of a case as the API takes them.

use serde_json::{Value, json};

use crate::case::Object;

/// Where the annotations of the Deployment controller are.
pub(crate) const OWN: &str = "deployment.kubernetes.io/";

/// The annotations of that prefix: as they are called in cases, and really.
pub(crate) const NOTED: &[(&str, &str)] = &[
    ("desired", "desired-replicas"),
    ("max", "max-replicas"),
    ("revision", "revision"),
    ("history", "revision-history"),
];

/// The fields of a status: as they are called in cases, and really.
pub(crate) const COUNTS: &[(&str, &str)] = &[
    ("observed", "observedGeneration"),
    ("replicas", "replicas"),
    ("updated", "updatedReplicas"),
    ("ready", "readyReplicas"),
    ("available", "availableReplicas"),
    ("unavailable", "unavailableReplicas"),
    ("terminating", "terminatingReplicas"),
    ("collisions", "collisionCount"),
];

/// A time at which all deadlines are over, and not before the simulation's first.
pub(crate) const LONG_AGO: &str = "2026-01-01T00:00:00Z";

fn number(text: &str) -> i64 {
    text.parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

/// A number, or a part of the whole.
fn share(text: &str) -> Value {
    text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number))
}

fn template(version: &str) -> Value {
    let container = json!({ "name": "app", "image": format!("app:{version}") });
    json!({ "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [container] } })
}

fn annotate(object: &mut Value, key: &str, value: &str) -> bool {
    let own = NOTED.iter().find(|(short, _)| *short == key);
    let own = own.map(|(_, name)| format!("{OWN}{name}"));
    let Some(name) = own.or_else(|| key.strip_prefix("note.").map(str::to_owned)) else {
        return false;
    };
    object["metadata"]["annotations"][name] = json!(value);
    true
}

/// The Deployment of a case.
pub(crate) fn deployment(of: &Object, namespace: &str) -> Value {
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": of.name, "namespace": namespace },
        "spec": { "selector": { "matchLabels": { "app": "web" } } },
    });
    for (key, value) in &of.fields {
        let spec = &mut object["spec"];
        match key.as_str() {
            "template" => spec["template"] = template(value),
            "replicas" => spec["replicas"] = json!(number(value)),
            "strategy" => spec["strategy"] = json!({ "type": value }),
            "maxSurge" | "maxUnavailable" => {
                spec["strategy"]["type"] = json!("RollingUpdate");
                spec["strategy"]["rollingUpdate"][key] = share(value);
            }
            "paused" => spec["paused"] = json!(value == "true"),
            "historyLimit" => spec["revisionHistoryLimit"] = json!(number(value)),
            "deadline" => spec["progressDeadlineSeconds"] = json!(number(value)),
            "minReady" => spec["minReadySeconds"] = json!(number(value)),
            "deleted" => object["metadata"]["finalizers"] = json!(["example.com/stay"]),
            _ => assert!(annotate(&mut object, key, value), "a Deployment has no {key}"),
        }
    }
    object
}

/// A ReplicaSet of the Deployment that was answered as `owner`.
pub(crate) fn replica_set(of: &Object, owner: &Value) -> Value {
    let reference = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
    });
    let labels = json!({ "app": "web", "pod-template-hash": of.name });
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": of.name, "namespace": owner["metadata"]["namespace"], "labels": labels,
            "ownerReferences": [reference],
        },
        "spec": { "selector": { "matchLabels": labels } },
    });
    for (key, value) in &of.fields {
        match key.as_str() {
            "template" => {
                object["spec"]["template"] = template(value);
                object["spec"]["template"]["metadata"]["labels"] = labels.clone();
            }
            "size" => object["spec"]["replicas"] = json!(number(value)),
            "orphan" => object["metadata"]["ownerReferences"] = json!([]),
            "stray" => object["metadata"]["labels"]["app"] = json!("stray"),
            _ => assert!(annotate(&mut object, key, value), "a ReplicaSet has no {key}"),
        }
    }
    object
}

/// The status of an object of a case, of which `recent` is when the case began.
pub(crate) fn status(of: &Object, recent: &Value) -> Value {
    let mut status = json!({});
    let mut conditions = Vec::new();
    for (key, value) in &of.status {
        if let Some((_, field)) = COUNTS.iter().find(|(short, _)| short == key) {
            status[field] = json!(number(value));
        } else if key == "failure" {
            conditions.push(json!({
                "type": "ReplicaFailure", "status": "True", "reason": value, "message": "it failed",
                "lastTransitionTime": LONG_AGO,
            }));
        } else {
            conditions.push(condition(key, value, recent));
        }
    }
    if of.status.iter().any(|(key, _)| key == "replicas") && of.name != "web" {
        status["fullyLabeledReplicas"] = status["replicas"].clone();
    }
    if !conditions.is_empty() {
        status["conditions"] = json!(conditions);
    }
    status
}

fn condition(kind: &str, value: &str, recent: &Value) -> Value {
    let parts =
        value.split_once('/').and_then(|(value, rest)| Some((value, rest.split_once('@')?)));
    let (value, (reason, when)) = parts.unwrap_or_else(|| panic!("{kind}={value}"));
    let time = if when == "old" { json!(LONG_AGO) } else { recent.clone() };
    json!({
        "type": kind, "status": value, "reason": reason, "message": "so it was",
        "lastUpdateTime": time, "lastTransitionTime": time,
    })
}
