//! Watch events as they go over the wire: one JSON object a line.

use bytes::Bytes;
use kubesim::api::in_version;
use kubesim::world::RawEvent;
use kubesim_model::actor::WatchEvent;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, map};

use crate::Form;

/// The lines of an event. `initial` asks for the bookmark that ends the initial events.
pub fn frames(event: &RawEvent, form: Form, kind: &Tree, initial: bool) -> Bytes {
    let mut lines = String::new();
    let version = kind["apiVersion"].str();
    let show = |object: &Tree| form.object(&in_version(object, version));
    let mut line = |event: &str, object: Tree| {
        let frame = map! { "type" => event, "object" => object };
        lines.push_str(&frame.to_string());
        lines.push('\n');
    };
    match event {
        RawEvent::Initial { items, rv } => {
            items.iter().for_each(|item| line("ADDED", show(item)));
            if initial {
                line("BOOKMARK", mark(kind, *rv, true));
            }
        }
        RawEvent::Change(begins, WatchEvent::Applied { object, .. }) => {
            line(if *begins { "ADDED" } else { "MODIFIED" }, show(object));
        }
        RawEvent::Change(_, WatchEvent::Deleted { object, .. }) => {
            line("DELETED", show(object));
        }
        RawEvent::Change(_, WatchEvent::Listed { items, .. }) => {
            items.iter().for_each(|item| line("ADDED", show(item)));
        }
        RawEvent::Error(status) => line("ERROR", status.to_tree()),
        RawEvent::Opened | RawEvent::Refused(_) | RawEvent::Closed => {}
    }
    Bytes::from(lines)
}

/// A bookmark: all up to `rv` was told.
pub fn bookmark(kind: &Tree, rv: u64) -> Bytes {
    let frame = map! { "type" => "BOOKMARK", "object" => mark(kind, rv, false) };
    Bytes::from(format!("{frame}\n"))
}

/// The object of a bookmark; `kind` holds `apiVersion` and `kind` of what is watched.
fn mark(kind: &Tree, rv: u64, initial_end: bool) -> Tree {
    let mut object = kind.clone();
    object.set(&["metadata", "resourceVersion"], Text::from(rv.to_string()));
    if initial_end {
        object.set(&["metadata", "annotations", "k8s.io/initial-events-end"], "true");
    }
    object
}
