//! The objects of a case as the API takes them.
//!
//! A field `a.b=VALUE` is `spec.a.b`, after the bar `status.a.b`; a value is JSON without spaces, or
//! a text. In values `@old` is a time long past, `@recent` the time of the case, and `@pod/NAME` the
//! uid of an object. Some fields of pods are short for several.

use std::collections::BTreeMap;

use kubesim_model::resource::Resource;
use serde_json::{Value, json};

use crate::case::{Case, Object};
use crate::theme::{Kind, Server, Verb};

/// A time long past, and not before the simulation's first.
pub(crate) const LONG_AGO: &str = "2026-01-01T00:00:00Z";
/// What keeps a pod until its Job has counted it.
pub(crate) const TRACKING: &str = "batch.kubernetes.io/job-tracking";
/// Which completion of a Job a pod is for.
pub(crate) const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// The kinds, as lines name them.
const KINDS: &[(&str, &str, &str, &str)] = &[
    ("claim", "PersistentVolumeClaim", "/api/v1", "persistentvolumeclaims"),
    ("config", "ConfigMap", "/api/v1", "configmaps"),
    ("controller", "ReplicationController", "/api/v1", "replicationcontrollers"),
    ("cron", "CronJob", "/apis/batch/v1", "cronjobs.batch"),
    ("job", "Job", "/apis/batch/v1", "jobs.batch"),
    ("pod", "Pod", "/api/v1", "pods"),
    ("quota", "ResourceQuota", "/api/v1", "resourcequotas"),
    ("service", "Service", "/api/v1", "services"),
    ("set", "ReplicaSet", "/apis/apps/v1", "replicasets.apps"),
];

/// The kind that lines name so.
pub(crate) fn kind(short: &str) -> Kind {
    let (_, _, path, resource) = row(short);
    Kind { path, resource: Resource::new(*resource) }
}

/// How lines name a kind.
pub(crate) fn short(kind: &str) -> &'static str {
    KINDS.iter().find(|(_, long, ..)| *long == kind).map_or("object", |(short, ..)| short)
}

fn row(short: &str) -> &'static (&'static str, &'static str, &'static str, &'static str) {
    KINDS.iter().find(|(name, ..)| *name == short).unwrap_or_else(|| panic!("no kind {short}"))
}

/// Writes the objects of a case, each with its status; then deletes those that are to terminate.
pub(crate) fn prepare(server: &mut dyn Server, case: &Case) {
    let mut there: BTreeMap<String, Value> = BTreeMap::new();
    for of in &case.objects {
        let (short, name) = of.name.split_once('/').expect("a kind and a name");
        let body = object(of, &case.name, &there);
        let made = server.ask(Verb::Create, &kind(short), (&case.name, name), body);
        there.insert(of.name.clone(), made);
    }
    for of in case.objects.iter().filter(|of| !of.status.is_empty()) {
        let (short, name) = of.name.split_once('/').expect("a kind and a name");
        let body = json!({ "status": status(of, &there) });
        server.ask(Verb::PatchStatus, &kind(short), (&case.name, name), body);
    }
    for of in case.objects.iter().filter(|of| of.fields.iter().any(|(key, _)| key == "deleted")) {
        let (short, name) = of.name.split_once('/').expect("a kind and a name");
        server.ask(Verb::Delete, &kind(short), (&case.name, name), Value::Null);
    }
}

fn template() -> Value {
    let container = json!({ "name": "app", "image": "app:1" });
    let spec = json!({ "restartPolicy": "Never", "containers": [container] });
    json!({ "metadata": { "labels": { "app": "web" } }, "spec": spec })
}

/// An object without its status.
fn object(of: &Object, namespace: &str, there: &BTreeMap<String, Value>) -> Value {
    let (short, name) = of.name.split_once('/').expect("a kind and a name");
    let (_, kind, path, _) = row(short);
    let version = path.trim_start_matches("/api/").trim_start_matches("/apis/");
    let mut object = json!({
        "apiVersion": version, "kind": kind, "metadata": { "name": name, "namespace": namespace },
    });
    match short {
        "job" => object["spec"]["template"] = template(),
        "cron" => object["spec"]["jobTemplate"]["spec"]["template"] = template(),
        "controller" => {
            object["spec"]["template"] = template();
            object["spec"]["template"]["spec"]["restartPolicy"] = json!("Always");
        }
        "pod" => object["spec"] = template()["spec"].clone(),
        "claim" => object["spec"]["accessModes"] = json!(["ReadWriteOnce"]),
        _ => {}
    }
    for (key, text) in &of.fields {
        match (short, key.as_str()) {
            (_, "deleted") => {}
            (_, "owner") => own(&mut object, &there[text]),
            (_, "kept") => object["metadata"]["finalizers"] = json!(["example.com/stay"]),
            (_, "data") => object["data"] = json!({ "key": text }),
            ("pod", "labels") => object["metadata"]["labels"] = value(text, there),
            ("pod", "tracked") => object["metadata"]["finalizers"] = json!([TRACKING]),
            ("pod", "index") => {
                object["metadata"]["annotations"][INDEX] = json!(text);
                object["metadata"]["labels"][INDEX] = json!(text);
            }
            ("pod", "failures") => {
                let name = "batch.kubernetes.io/job-index-failure-count";
                object["metadata"]["annotations"][name] = json!(text);
            }
            (_, path) => set(&mut object["spec"], path, value(text, there)),
        }
    }
    object
}

/// Makes an object one of its owner's: a pod of a Job is tracked.
fn own(object: &mut Value, owner: &Value) {
    let metadata = &owner["metadata"];
    object["metadata"]["ownerReferences"] = json!([{
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": metadata["name"],
        "uid": metadata["uid"], "controller": true, "blockOwnerDeletion": true,
    }]);
    if object["kind"] == "Pod" {
        object["metadata"]["labels"] = owner["spec"]["template"]["metadata"]["labels"].clone();
        if owner["kind"] == "Job" {
            object["metadata"]["finalizers"] = json!([TRACKING]);
        }
    }
}

/// The status of an object.
fn status(of: &Object, there: &BTreeMap<String, Value>) -> Value {
    let mut status = json!({});
    let mut container = json!({ "name": "app", "image": "app:1", "imageID": "app:1" });
    let mut conditions = Vec::new();
    let is_pod = of.name.starts_with("pod/");
    for (key, text) in &of.status {
        let value = value(text, there);
        match (is_pod, key.as_str()) {
            (true, "exit") => container["state"]["terminated"]["exitCode"] = value,
            (true, "ended") => {
                container["state"]["terminated"]["finishedAt"] = value.clone();
                container["state"]["terminated"]["startedAt"] = value;
            }
            (true, "restarts") => container["restartCount"] = value,
            (true, "ready") => conditions.push(condition("Ready", text, there)),
            (true, "target") => conditions.push(condition("DisruptionTarget", text, there)),
            (false, kind) if kind.starts_with(char::is_uppercase) => {
                conditions.push(condition(kind, text, there));
            }
            (_, path) => set(&mut status, path, value),
        }
    }
    if is_pod && (!container["state"].is_null() || !container["restartCount"].is_null()) {
        for (field, default) in [("ready", json!(false)), ("restartCount", json!(0))] {
            if container[field].is_null() {
                container[field] = default;
            }
        }
        status["containerStatuses"] = json!([container]);
    }
    if !conditions.is_empty() {
        status["conditions"] = json!(conditions);
    }
    status
}

/// `True@old`, or `True/Reason@recent`.
fn condition(kind: &str, text: &str, there: &BTreeMap<String, Value>) -> Value {
    let (said, when) = text.split_once('@').unwrap_or_else(|| panic!("{kind}={text}"));
    let (value, reason) = said.split_once('/').unwrap_or((said, "Reason"));
    let time = self::value(&format!("@{when}"), there);
    let mut condition = json!({
        "type": kind, "status": value, "reason": reason, "message": "so it was",
        "lastTransitionTime": time,
    });
    if there.keys().any(|name| name.starts_with("job/")) && kind != "Ready" {
        condition["lastProbeTime"] = condition["lastTransitionTime"].clone();
    }
    condition
}

/// A value with its times and uids.
fn value(text: &str, there: &BTreeMap<String, Value>) -> Value {
    let mut text = text.to_owned();
    for (name, object) in there {
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
        text = text.replace(&format!("@{name}"), uid);
    }
    let recent = there.values().next().map(|first| &first["metadata"]["creationTimestamp"]);
    let recent = recent.and_then(Value::as_str).unwrap_or(LONG_AGO);
    text = text.replace("@old", LONG_AGO).replace("@recent", recent);
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

fn set(object: &mut Value, path: &str, value: Value) {
    let place = path.split('.').fold(object, |place, key| &mut place[key]);
    *place = value;
}
