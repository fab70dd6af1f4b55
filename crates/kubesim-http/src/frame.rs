//! Watch events as they go over the wire: one JSON object a line.

use bytes::Bytes;
use kubesim::world::RawEvent;
use kubesim_model::actor::WatchEvent;
use kubesim_model::tree::Tree;

use crate::View;

/// The line of one event, with its object as it is shown.
pub fn line(event: &str, object: &Tree) -> Bytes {
    Bytes::from(text(event, object))
}

/// The lines of an event. `initial` asks for the bookmark that ends the initial events.
pub fn frames(event: &RawEvent, view: &View, initial: bool) -> Bytes {
    let mut lines = String::new();
    match event {
        RawEvent::Initial { items, rv } => return initial_lines(items, *rv, view, initial),
        RawEvent::Change(begins, WatchEvent::Applied { object, .. }) => {
            let event = if *begins { "ADDED" } else { "MODIFIED" };
            lines += &text(event, &view.event(object, false));
        }
        RawEvent::Change(_, WatchEvent::Deleted { object, .. }) => {
            lines += &text("DELETED", &view.event(object, false));
        }
        RawEvent::Change(_, WatchEvent::Listed { items, .. }) => {
            items.iter().for_each(|item| lines += &text("ADDED", &view.event(item, false)));
        }
        RawEvent::Error(status) => lines += &text("ERROR", &status.to_tree()),
        RawEvent::Opened | RawEvent::Refused(_) | RawEvent::Closed => {}
    }
    Bytes::from(lines)
}

/// The lines of what there was when a watch began; with `ends`, of the bookmark after them.
pub fn initial_lines(items: &[Tree], rv: u64, view: &View, ends: bool) -> Bytes {
    let mut lines = String::new();
    for (at, item) in items.iter().enumerate() {
        lines += &text("ADDED", &view.event(item, at == 0));
    }
    if ends {
        lines += &text("BOOKMARK", &view.mark(rv, true));
    }
    Bytes::from(lines)
}

/// A bookmark: all up to `rv` was told.
pub fn bookmark(view: &View, rv: u64) -> Bytes {
    line("BOOKMARK", &view.mark(rv, false))
}

fn text(event: &str, object: &Tree) -> String {
    format!("{{\"type\":\"{event}\",\"object\":{object}}}\n")
}
