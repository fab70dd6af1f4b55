//! What was written: a line for each write, with what it changed.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::objects::{COUNTS, LONG_AGO, NOTED, OWN};

type Facts = BTreeMap<String, String>;

/// The writes of many namespaces, by their version: an object and whether it is there.
#[derive(Default)]
pub(crate) struct Writes {
    known: BTreeMap<(String, String), Facts>,
    later: BTreeMap<u64, (Value, bool)>,
}

impl Writes {
    /// Takes an object in that is there before anything is written.
    pub(crate) fn begin(&mut self, object: &Value) {
        self.known.insert(key(object), facts(object));
    }

    /// Takes in what an object became, or was when it was deleted.
    pub(crate) fn add(&mut self, version: u64, object: Value, is_there: bool) {
        self.later.insert(version, (object, is_there));
    }

    /// The lines of each namespace, in the order of the writes.
    pub(crate) fn lines(mut self) -> BTreeMap<String, Vec<String>> {
        let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (object, is_there) in self.later.values() {
            let (namespace, name) = key(object);
            let shown = if name.starts_with("web-") { "new" } else { &name };
            let mut line = format!("{shown} deleted");
            if *is_there {
                let after = facts(object);
                let before = self.known.insert(key(object), after.clone()).unwrap_or_default();
                let changed = difference(&before, &after);
                if changed.is_empty() {
                    continue;
                }
                line = format!("{shown}{changed}");
            }
            lines.entry(namespace).or_default().push(line);
        }
        lines
    }
}

fn difference(before: &Facts, after: &Facts) -> String {
    let gone = before.keys().filter(|key| !after.contains_key(*key)).map(|key| format!(" {key}=-"));
    let new = after.iter().filter(|(key, value)| before.get(*key) != Some(value));
    new.map(|(key, value)| format!(" {key}={value}")).chain(gone).collect()
}

fn key(object: &Value) -> (String, String) {
    (text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What is compared of an object.
fn facts(object: &Value) -> Facts {
    let mut facts = Facts::new();
    for (name, value) in object["metadata"]["annotations"].as_object().into_iter().flatten() {
        let own = name.strip_prefix(OWN);
        let short = NOTED.iter().find(|(_, long)| own == Some(long)).map(|(short, _)| *short);
        let name = short.map_or_else(|| format!("note.{name}"), str::to_owned);
        facts.insert(name, text(value));
    }
    let is_set = object["spec"]["strategy"].is_null();
    let replicas = if is_set { "size" } else { "wanted" };
    facts.insert(replicas.to_owned(), text(&object["spec"]["replicas"]));
    facts.insert(
        "image".to_owned(),
        text(&object["spec"]["template"]["spec"]["containers"][0]["image"]),
    );
    if let Some(seconds) = object["spec"]["minReadySeconds"].as_i64().filter(|it| *it > 0) {
        facts.insert("minReady".to_owned(), seconds.to_string());
    }
    if is_set {
        let owner = &object["metadata"]["ownerReferences"][0]["name"];
        facts.insert("owner".to_owned(), owner.as_str().unwrap_or("nobody").to_owned());
        return facts;
    }
    for (short, field) in COUNTS {
        if let Some(count) = object["status"][field].as_i64() {
            let name = if *short == "replicas" { "have" } else { short };
            facts.insert(name.to_owned(), count.to_string());
        }
    }
    for condition in object["status"]["conditions"].as_array().into_iter().flatten() {
        let (value, reason) = (text(&condition["status"]), text(&condition["reason"]));
        let old = |field: &str| condition[field] == LONG_AGO;
        let age = match (old("lastUpdateTime"), old("lastTransitionTime")) {
            (false, false) => "",
            (true, true) => "@old",
            (false, true) => "@renewed",
            (true, false) => "@odd",
        };
        facts.insert(text(&condition["type"]), format!("{value}/{reason}{age}"));
    }
    facts
}
