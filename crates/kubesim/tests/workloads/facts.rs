//! What is compared of an object: its status, who owns and keeps it, what is noted on it, and of its
//! spec what controllers set.

use serde_json::Value;

use crate::objects::{INDEX, LONG_AGO, TRACKING, short};
use crate::theme::Facts;
use crate::writes::text;

/// How an object is called: one with a generated name by the index that it is for.
pub(crate) fn name(object: &Value) -> String {
    let metadata = &object["metadata"];
    let short = short(object["kind"].as_str().unwrap_or_default());
    let name = metadata["name"].as_str().unwrap_or_default();
    if !name.starts_with("web-") {
        return format!("{short}/{name}");
    }
    match metadata["annotations"][INDEX].as_str() {
        Some(index) => format!("{short}/new[{index}]"),
        None => format!("{short}/new"),
    }
}

pub(crate) fn of(object: &Value) -> Facts {
    let mut facts = Facts::new();
    let metadata = &object["metadata"];
    if !metadata["deletionTimestamp"].is_null() {
        facts.insert("terminates".to_owned(), "true".to_owned());
    }
    let owner = &metadata["ownerReferences"][0];
    if !owner.is_null() {
        let kind = short(owner["kind"].as_str().unwrap_or_default());
        facts.insert("owner".to_owned(), format!("{kind}/{}", text(&owner["name"])));
    }
    for finalizer in metadata["finalizers"].as_array().into_iter().flatten() {
        let finalizer = text(finalizer);
        let name = if finalizer == TRACKING { "tracked" } else { &finalizer };
        facts.insert(name.to_owned(), "true".to_owned());
    }
    for notes in ["labels", "annotations"] {
        for (key, value) in metadata[notes].as_object().into_iter().flatten() {
            if !key.ends_with("controller-uid") {
                facts.insert(format!("{notes}.{key}"), shown(value));
            }
        }
    }
    let spec = &object["spec"];
    for field in ["hostname", "completions"] {
        if !spec[field].is_null() {
            facts.insert(field.to_owned(), text(&spec[field]));
        }
    }
    for variable in spec["containers"][0]["env"].as_array().into_iter().flatten() {
        let from = &variable["valueFrom"]["fieldRef"]["fieldPath"];
        facts.insert(format!("env.{}", text(&variable["name"])), text(from));
    }
    flatten("", &object["status"], &mut facts);
    facts.retain(|name, _| !name.starts_with("qosClass") && !name.starts_with("phase"));
    facts
}

fn flatten(path: &str, value: &Value, facts: &mut Facts) {
    match (path, value) {
        ("conditions", Value::Array(conditions)) => {
            for one in conditions {
                let time = shown(&one["lastTransitionTime"]);
                let (value, reason) = (text(&one["status"]), text(&one["reason"]));
                let said = format!("{value}/{reason}@{time}: {}", text(&one["message"]));
                // The message of a failed request is the API server's.
                let said = said.split(": pods").next().unwrap_or_default().to_owned();
                facts.insert(text(&one["type"]), said);
            }
        }
        (path, Value::Array(items)) if path.starts_with("uncounted") => {
            facts.insert(path.to_owned(), items.len().to_string());
        }
        (path, Value::Array(items)) if path == "active" => {
            let names: Vec<String> = items.iter().map(|item| text(&item["name"])).collect();
            facts.insert(path.to_owned(), names.join(","));
        }
        (_, Value::Array(_)) => {}
        (path, Value::Object(fields)) => {
            for (key, value) in fields {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, value, facts);
            }
        }
        (path, value) => {
            facts.insert(path.to_owned(), shown(value));
        }
    }
}

/// A value; a time by whether it is long past.
fn shown(value: &Value) -> String {
    let text = text(value);
    let is_time = text.len() == LONG_AGO.len() && text.ends_with('Z') && text.contains("T");
    match is_time {
        true if text == LONG_AGO => "old".to_owned(),
        true => "recent".to_owned(),
        false => text,
    }
}
