//! Events: the same facts under other names.

use kubesim_model::tree::Tree;

const NAMES: [(&str, &str); 7] = [
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
    ("reportingController", "reportingComponent"),
];

pub(super) fn stored(event: &Tree) -> Tree {
    let mut stored = renamed(event, false);
    for field in ["involvedObject", "source"] {
        if stored[field].is_null() {
            stored.set(&[field], Tree::map());
        }
    }
    stored
}

pub(super) fn shown(event: &Tree) -> Tree {
    let mut shown = renamed(event, true);
    for field in ["reportingController", "reportingInstance"] {
        if shown[field] == "" {
            shown.remove(&[field]);
        }
    }
    shown
}

fn renamed(event: &Tree, back: bool) -> Tree {
    let mut event = event.clone();
    for (one, other) in NAMES {
        let (from, to) = if back { (other, one) } else { (one, other) };
        if let Some(value) = event.remove(&[from]) {
            event.set(&[to], value);
        }
    }
    event
}
