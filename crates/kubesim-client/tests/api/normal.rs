//! Answers without what varies between servers and runs. What is the same within a case stays
//! recognisable: uids and versions are numbered in the order in which they appear.

use serde_json::{Map, Value, json};

use crate::arms::HttpReply;

/// The names of what has appeared in a case.
#[derive(Default)]
pub(crate) struct Normal {
    /// Whether it is kept who owns which fields.
    owners: bool,
    uids: Vec<String>,
    versions: Vec<String>,
    /// Generated names, and the base of each.
    names: Vec<(String, String)>,
}

/// Whether a cell tells how long ago something was: `3s`, `5m20s`.
fn is_age(text: &str) -> bool {
    let units = text.bytes().filter(|byte| b"smhdy".contains(byte)).count();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    units > 0
        && digits > 0
        && units + digits == text.len()
        && !text.starts_with(char::is_alphabetic)
}

impl Normal {
    /// Nothing has appeared yet.
    pub(crate) fn new(owners: bool) -> Normal {
        Normal { owners, ..Normal::default() }
    }

    /// An answer in the form that is recorded.
    pub(crate) fn answer(&mut self, reply: &HttpReply, is_watch: bool) -> Value {
        let mut told = json!({ "code": reply.code });
        if !reply.warnings.is_empty() {
            told["warnings"] = json!(reply.warnings);
        }
        if let Some(seconds) = &reply.retry_after {
            told["retryAfter"] = json!(seconds);
        }
        let lines = reply.body.lines().filter(|line| !line.is_empty());
        let events: Result<Vec<Value>, _> = lines.map(serde_json::from_str).collect();
        if let Ok(events) = events
            && is_watch
            && reply.code == 200
            && events.iter().all(|event| event["type"].is_string())
        {
            told["events"] = events.into_iter().map(|event| self.event(event)).collect();
        } else {
            let body: Value = serde_json::from_str(&reply.body)
                .unwrap_or_else(|_| Value::from(reply.body.trim_end()));
            told["body"] = self.tree("", body);
        }
        told
    }

    fn event(&mut self, event: Value) -> Value {
        let mut event = event;
        if event["type"] == "BOOKMARK" {
            event["object"]["metadata"]["resourceVersion"] = json!("rv");
        }
        self.tree("", event)
    }

    /// A part of an answer in that form.
    pub(crate) fn tree(&mut self, key: &str, value: Value) -> Value {
        match value {
            Value::Object(map) => Value::Object(self.object(map)),
            Value::Array(items) => items.into_iter().map(|item| self.tree(key, item)).collect(),
            Value::String(text) => Value::String(self.text(key, text)),
            Value::Number(_) if key == "nodePort" => json!("port"),
            other => other,
        }
    }

    fn object(&mut self, mut map: Map<String, Value>) -> Map<String, Value> {
        if !self.owners {
            map.remove("managedFields");
        }
        // What columns mean is told to nobody who prints them.
        if map.contains_key("format") && map.contains_key("priority") {
            map.remove("description");
        }
        if map.contains_key("items") && map.get("metadata").is_some_and(Value::is_object) {
            map["metadata"]["resourceVersion"] = json!("rv");
        }
        if let (Some(base), Some(name)) = (map.get("generateName"), map.get("name")) {
            let (base, name) = (text_of(base), text_of(name));
            let new = !self.names.iter().any(|(have, _)| *have == name);
            if new && !base.is_empty() && name.len() > base.len() && name.starts_with(&base) {
                self.names.push((name, base));
            }
        }
        if let Some(Value::Array(owners)) = map.get_mut("managedFields") {
            // They are ordered by time, which varies.
            owners.sort_by_key(|owner| {
                let part = |key: &str| text_of(&owner[key]);
                ["operation", "manager", "apiVersion", "subresource"].map(part)
            });
        }
        // To every client, what is null is what is not there.
        let there = map.into_iter().filter(|(_, value)| !value.is_null());
        there.map(|(key, value)| (key.clone(), self.tree(&key, value))).collect()
    }

    fn text(&mut self, key: &str, text: String) -> String {
        if is_time(&text) {
            return "time".to_owned();
        }
        match key {
            "cells" if is_age(&text) => return "age".to_owned(),
            "cells" if text.parse::<std::net::Ipv4Addr>().is_ok() => return "ip".to_owned(),
            "continue" if !text.is_empty() => return "token".to_owned(),
            "token" if text.starts_with("eyJ") => return "token".to_owned(),
            "clusterIP" | "clusterIPs" if text.parse::<std::net::Ipv4Addr>().is_ok() => {
                return "ip".to_owned();
            }
            "resourceVersion" if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                return format!("rv-{}", number(&mut self.versions, &text));
            }
            _ => {}
        }
        if text.len() == "kube-api-access-12345".len() && text.starts_with("kube-api-access-") {
            return "kube-api-access-#".to_owned();
        }
        let text = self.without_uids(&text);
        let mut text = if text.to_lowercase().replace(' ', "").contains("resourceversion") {
            without_numbers(&text)
        } else {
            text
        };
        for (at, (name, base)) in self.names.iter().enumerate() {
            text = text.replace(name.as_str(), &format!("{base}#{}", at + 1));
        }
        text
    }

    /// The text with each uid in it replaced.
    fn without_uids(&mut self, text: &str) -> String {
        let mut told = String::new();
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            if let Some(uid) = rest.get(..36).filter(|uid| is_uid(uid)) {
                told += &format!("uid-{}", number(&mut self.uids, uid));
                rest = &rest[36..];
            } else {
                told.push(letter);
                rest = &rest[letter.len_utf8()..];
            }
        }
        told
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn number(seen: &mut Vec<String>, value: &str) -> usize {
    if let Some(at) = seen.iter().position(|have| have == value) {
        return at + 1;
    }
    seen.push(value.to_owned());
    seen.len()
}

fn is_uid(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

fn is_time(text: &str) -> bool {
    let form = "dddd-dd-ddTdd:dd:dd";
    let fits = |(have, want): (u8, u8)| {
        if want == b'd' { have.is_ascii_digit() } else { have == want }
    };
    text.len() >= 20 && text.ends_with('Z') && text.bytes().zip(form.bytes()).all(fits)
}

fn without_numbers(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let trimmed = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let digits = !trimmed.is_empty() && trimmed.bytes().all(|byte| byte.is_ascii_digit());
        if digits { word.replace(trimmed, "N") } else { word.to_owned() }
    });
    words.collect::<Vec<_>>().join(" ")
}
