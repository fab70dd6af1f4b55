//! What controllers leave behind: every object that is theirs, without what varies from run to run.

use std::path::Path;

use serde_json::{Map, Value};

use crate::script::Cluster;

/// What is compared: all that controllers make or keep the status of.
const IN_SHOP: &str = "pods,services,endpoints,configmaps,resourcequotas,serviceaccounts,\
                       replicationcontrollers,deployments,replicasets,statefulsets,daemonsets,\
                       controllerrevisions,jobs,cronjobs,poddisruptionbudgets,endpointslices";
const EVERYWHERE: [&str; 4] =
    ["namespaces", "serviceaccounts -n kube-system", "clusterroles admin edit view", "nodes"];
/// What says when, where or in which order something was.
const VARIES: [&str; 29] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
    "lastTransitionTime",
    "lastUpdateTime",
    "lastProbeTime",
    "lastHeartbeatTime",
    "startTime",
    "startedAt",
    "finishedAt",
    "completionTime",
    "containerID",
    "podIP",
    "podIPs",
    "hostIP",
    "hostIPs",
    "nodeName",
    "ip",
    "clusterIP",
    "clusterIPs",
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "ca.crt",
    "addresses",
    "targetRef",
    "endpoints.kubernetes.io/last-change-trigger-time",
    // How often something was scaled on its way is a matter of time.
    "generation",
    "observedGeneration",
];

/// How names begin that an API server makes up in pods.
const MADE_UP: &str = "kube-api-access-";

/// The state, a line for each value.
pub(crate) fn of(kubeconfig: &Path) -> Vec<String> {
    let on = Cluster(kubeconfig);
    let mut lines = Vec::new();
    let shop = format!("-n shop get {IN_SHOP}");
    for command in EVERYWHERE.map(|what| format!("get {what}")).iter().chain([&shop]) {
        let list = on.ask(&format!("{command} -o json")).unwrap();
        let list: Value = serde_json::from_str(&list).unwrap();
        for item in list["items"].as_array().unwrap().iter().filter(|item| !is_over(item)) {
            write(&name(item), &normal(item), &mut lines);
        }
    }
    lines.sort();
    lines
}

/// Whether it is a pod that has ended: a drain takes along those that ended on its node.
fn is_over(item: &Value) -> bool {
    let phase = item["status"]["phase"].as_str().unwrap_or_default();
    item["kind"] == "Pod" && ["Succeeded", "Failed"].contains(&phase)
}

/// What an object is called, without what was generated.
fn name(item: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &item["metadata"];
    let mut name = text(&metadata["name"]);
    if let Some(base) = metadata["generateName"].as_str() {
        name = format!("{base}#");
    }
    format!("{}/{}/{name}", text(&item["kind"]), text(&metadata["namespace"]))
}

fn normal(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(key, _)| !VARIES.contains(&key.as_str()));
            let mut kept: Map<_, _> =
                kept.map(|(key, value)| (key.clone(), normal(value))).collect();
            if kept.contains_key("generateName") {
                kept.remove("name");
            }
            Value::Object(kept)
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(normal).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        Value::String(text) if text.starts_with(MADE_UP) => MADE_UP.into(),
        other => other.clone(),
    }
}

fn write(path: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| write(&format!("{path} {key}"), value, lines));
        }
        Value::Array(items) => {
            let each = items.iter().enumerate();
            each.for_each(|(at, item)| write(&format!("{path} {at}"), item, lines));
        }
        value => lines.push(format!("{path} = {value}")),
    }
}

/// What is there on one side only.
pub(crate) fn difference(real: &[String], ours: &[String]) -> Vec<String> {
    let without = |some: &[String], others: &[String], sign: char| -> Vec<String> {
        let mut left = others.to_vec();
        let mut lines = Vec::new();
        for line in some {
            match left.iter().position(|other| other == line) {
                Some(at) => drop(left.swap_remove(at)),
                None => lines.push(format!("{sign} {line}")),
            }
        }
        lines
    };
    [without(real, ours, '-'), without(ours, real, '+')].concat()
}
