//! What is compared of Deployments and ReplicaSets.

use serde_json::Value;

use crate::objects::{COUNTS, LONG_AGO, NOTED, OWN};
use crate::theme::Facts;
use crate::writes::text;

/// What is compared of an object.
pub(crate) fn of(object: &Value) -> Facts {
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
