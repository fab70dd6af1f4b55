//! Reads selectors, event filters and triggers.

use std::collections::BTreeMap;

use kubesim_model::Text;

use super::reader::Reader;
use crate::suite::diagnostic::{Code, Diagnostic};
use crate::suite::duration::Amount;
use crate::suite::node::{Node, Value};
use crate::suite::select::{Change, EventFilter, Mode, Select, Trigger};

/// The fields of a selector.
pub(in crate::suite) const SELECT: [&str; 10] =
    ["mode", "role", "node", "zone", "workload", "pod", "labels", "container", "actor", "where"];
/// The fields of an event filter.
pub(in crate::suite) const EVENT: [&str; 8] =
    ["kind", "on", "name", "namespace", "actor", "subresource", "where", "nth"];
/// The fields of a trigger.
pub(in crate::suite) const TRIGGER: [&str; 4] = ["at", "after", "event", "step"];

impl Reader<'_> {
    pub(super) fn select(&mut self, node: &Node) -> Option<Select> {
        let fields = self.fields(node, "`select`", &SELECT)?;
        let mut word =
            |name: &str| fields.get(name).and_then(|node| self.word(node, &format!("`{name}`")));
        let (node, zone, workload) = (word("node"), word("zone"), word("workload"));
        let (pod, container, actor) = (word("pod"), word("container"), word("actor"));
        let roles = ["worker", "control-plane"];
        let role = fields.get("role").and_then(|role| self.one_of(role, "`role`", &roles));
        Some(Select {
            mode: fields.get("mode").and_then(|mode| self.mode(mode)).unwrap_or_default(),
            role,
            node,
            zone,
            workload,
            pod,
            labels: fields.get("labels").map(|labels| self.labels(labels)).unwrap_or_default(),
            container,
            actor,
            where_: fields.get("where").and_then(|node| self.cel(node, "`where`", &["object"])),
        })
    }

    fn mode(&mut self, node: &Node) -> Option<Mode> {
        match &node.value {
            Value::Str(word) if word == "one" => return Some(Mode::One),
            Value::Str(word) if word == "all" => return Some(Mode::All),
            Value::Str(word) => {
                if let Some(Amount::Percent(percent @ 1..=100)) = Amount::parse(word) {
                    return u32::try_from(percent).ok().map(Mode::Percent);
                }
            }
            Value::Int(_) => {
                let count = self.int(node, "`mode`", (1, 10_000))?;
                return u32::try_from(count).ok().map(Mode::Count);
            }
            _ => {}
        }
        let message = "`mode` is `one`, `all`, a number or a percentage up to `100%`";
        self.report(Diagnostic::error(Code::UnknownWord, &node.at, message));
        None
    }

    /// Labels: keys and values as Kubernetes allows them.
    pub(super) fn labels(&mut self, node: &Node) -> BTreeMap<Text, Text> {
        let mut labels = BTreeMap::new();
        if !matches!(node.value, Value::Map(_)) {
            self.wrong_type(node, "labels are a mapping");
        }
        for (key, value) in node.entries() {
            if !is_label_key(key) {
                let message = format!("`{}` is no valid label key", key.value);
                self.report(Diagnostic::error(Code::BadLabel, &key.at, message));
            }
            let Some(text) = self.text(value, "a label value") else { continue };
            if !is_label_value(&text) {
                let message = format!("`{}` is no valid label value", text.value);
                let found = Diagnostic::error(Code::BadLabel, &value.at, message);
                self.report(found.help(
                    "at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends",
                ));
            }
            labels.insert(key.value.clone(), text.value);
        }
        labels
    }

    pub(super) fn event(&mut self, node: &Node) -> Option<EventFilter> {
        let fields = self.fields(node, "`event`", &EVENT)?;
        let mut word =
            |name: &str| fields.get(name).and_then(|node| self.word(node, &format!("`{name}`")));
        let (name, namespace) = (word("name"), word("namespace"));
        let (actor, subresource) = (word("actor"), word("subresource"));
        let words = ["any", "create", "update", "delete"];
        let on = fields.get("on").and_then(|on| self.one_of(on, "`on`", &words));
        let variables = ["object", "oldObject", "event", "params"];
        let where_ = fields.get("where").and_then(|node| self.cel(node, "`where`", &variables));
        let nth = fields.get("nth").and_then(|nth| self.int(nth, "`nth`", (1, 1_000_000)));
        let kind = self.required(&fields, "`event`", "kind");
        let kind = kind.and_then(|kind| self.kind(kind))?;
        Some(EventFilter {
            kind,
            on: match on.as_deref() {
                Some("create") => Change::Create,
                Some("update") => Change::Update,
                Some("delete") => Change::Delete,
                _ => Change::Any,
            },
            name,
            namespace,
            actor,
            subresource,
            where_,
            nth: nth.and_then(|nth| u32::try_from(nth).ok()).unwrap_or(1),
        })
    }

    /// The kind of an object: a word that starts with a capital letter.
    pub(super) fn kind(&mut self, node: &Node) -> Option<crate::suite::Located<Text>> {
        let kind = self.text(node, "`kind`")?;
        let good = kind.starts_with(|first: char| first.is_ascii_uppercase())
            && kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !good {
            let message = format!("`{}` is no kind of object", kind.value);
            let found = Diagnostic::error(Code::BadName, &node.at, message);
            self.report(found.help("kinds start with a capital letter and are singular: `Pod`"));
            return None;
        }
        Some(kind)
    }

    pub(super) fn trigger(&mut self, node: &Node) -> Option<Trigger> {
        let fields = self.fields(node, "`trigger`", &TRIGGER)?;
        let given: Vec<_> = ["at", "event", "step"].iter().filter_map(|n| fields.get(n)).collect();
        if let [first, second, ..] = given.as_slice() {
            let message = "a trigger has one of `at`, `event` and `step`";
            let found = Diagnostic::error(Code::Exclusive, &second.at, message);
            self.report(found.also(&first.at, "the other"));
        }
        if given.is_empty() && fields.get("after").is_none() {
            let message = "a trigger needs one of `at`, `after`, `event` and `step`";
            self.report(Diagnostic::error(Code::MissingField, &node.at, message));
        }
        Some(Trigger {
            at: fields.get("at").and_then(|at| self.duration(at, "`at`")),
            event: fields.get("event").and_then(|event| self.event(event)),
            step: fields.get("step").and_then(|step| self.text(step, "`step`")),
            after: fields.get("after").and_then(|after| self.duration(after, "`after`")),
        })
    }
}

/// Whether Kubernetes takes `text` as a label key: an optional DNS prefix and a name.
pub(in crate::suite) fn is_label_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => {
            is_dns_name(prefix, 253) && !name.is_empty() && is_label_value(name)
        }
        None => !text.is_empty() && is_label_value(text),
    }
}

/// Whether Kubernetes takes `text` as a label value.
fn is_label_value(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let outer = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    text.is_empty()
        || (text.len() <= 63
            && text.bytes().all(inner)
            && outer(text.bytes().next())
            && outer(text.bytes().next_back()))
}

/// Whether `text` is a DNS subdomain of at most `longest` bytes, as names of objects are.
pub(in crate::suite) fn is_dns_name(text: &str, longest: usize) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text.len() <= longest && text.split('.').all(label)
}
