//! What was written: a line for each write, with what it changed.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::theme::{Facts, Theme};

/// The kind, the namespace and the name of an object.
type Key = (String, String, String);

/// The writes of many namespaces, by their version: an object and whether it is there.
#[derive(Default)]
pub(crate) struct Writes {
    known: BTreeMap<Key, Facts>,
    later: BTreeMap<u64, (Value, bool)>,
}

impl Writes {
    /// Takes an object in that is there before anything is written.
    pub(crate) fn begin(&mut self, theme: &dyn Theme, object: &Value) {
        self.known.insert(key(object), theme.facts(object));
    }

    /// Takes in what an object became, or was when it was deleted.
    pub(crate) fn add(&mut self, version: u64, object: Value, is_there: bool) {
        self.later.insert(version, (object, is_there));
    }

    /// The lines of each namespace, in the order of the writes.
    pub(crate) fn lines(mut self, theme: &dyn Theme) -> BTreeMap<String, Vec<String>> {
        let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (object, is_there) in self.later.values() {
            let (_, namespace, _) = key(object);
            let shown = theme.shown(object);
            let mut line = format!("{shown} deleted");
            if *is_there {
                let after = theme.facts(object);
                let before = self.known.insert(key(object), after.clone()).unwrap_or_default();
                let changed = difference(&before, &after);
                if changed.is_empty() {
                    continue;
                }
                line = format!("{shown}{changed}");
            }
            lines.entry(namespace).or_default().push(line);
        }
        lines.into_iter().map(|(name, lines)| (name, theme.lines(lines))).collect()
    }
}

fn difference(before: &Facts, after: &Facts) -> String {
    let gone = before.keys().filter(|key| !after.contains_key(*key)).map(|key| format!(" {key}=-"));
    let new = after.iter().filter(|(key, value)| before.get(*key) != Some(value));
    new.map(|(key, value)| format!(" {key}={value}")).chain(gone).collect()
}

fn key(object: &Value) -> Key {
    let metadata = &object["metadata"];
    (text(&object["kind"]), text(&metadata["namespace"]), text(&metadata["name"]))
}

/// A value as it stands in a line.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
