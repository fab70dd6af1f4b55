//! Reading and writing the parts that all Kubernetes objects share, and what pods say of
//! themselves.

use crate::resource::{ObjectKey, Resource};
use crate::tree::Tree;
use crate::{Millis, Text, map};

/// 2026-01-01T00:00:00Z, where every world begins, in Unix milliseconds.
pub const EPOCH: i64 = 1_767_225_600_000;

/// `metadata.name`.
pub fn name(object: &Tree) -> &str {
    object["metadata"]["name"].str()
}

/// `metadata.namespace`, or the empty text.
pub fn namespace(object: &Tree) -> &str {
    object["metadata"]["namespace"].str()
}

/// Namespace and name.
pub fn key(object: &Tree) -> ObjectKey {
    let metadata = &object["metadata"];
    ObjectKey { namespace: metadata["namespace"].text(), name: metadata["name"].text() }
}

/// `metadata.uid`.
pub fn uid(object: &Tree) -> &str {
    object["metadata"]["uid"].str()
}

/// `metadata.resourceVersion` as a number; 0 if there is none.
pub fn resource_version(object: &Tree) -> u64 {
    object["metadata"]["resourceVersion"].str().parse().unwrap_or(0)
}

/// `metadata.generation`, or 0.
pub fn generation(object: &Tree) -> i64 {
    object["metadata"]["generation"].as_i64().unwrap_or(0)
}

/// Whether a deletion was asked for.
pub fn is_terminating(object: &Tree) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
}

/// The value of a label, or the empty text.
pub fn label<'a>(object: &'a Tree, key: &str) -> &'a str {
    object["metadata"]["labels"][key].str()
}

/// The value of an annotation, or the empty text.
pub fn annotation<'a>(object: &'a Tree, key: &str) -> &'a str {
    object["metadata"]["annotations"][key].str()
}

/// The owner reference that says `controller: true`.
pub fn controller(object: &Tree) -> Option<&Tree> {
    object["metadata"]["ownerReferences"].items().iter().find(|owner| owner["controller"].is_true())
}

/// The uid of the controlling owner, or the empty text.
pub fn controller_uid(object: &Tree) -> &str {
    controller(object).map_or("", |owner| owner["uid"].str())
}

/// An owner reference to `owner` with `controller` and `blockOwnerDeletion`.
pub fn controller_reference(owner: &Tree) -> Tree {
    map! {
        "apiVersion" => &owner["apiVersion"], "kind" => &owner["kind"],
        "name" => name(owner), "uid" => uid(owner),
        "controller" => true, "blockOwnerDeletion" => true,
    }
}

/// The condition of this type in `status.conditions`.
pub fn condition<'a>(object: &'a Tree, kind: &str) -> Option<&'a Tree> {
    object["status"]["conditions"].items().iter().find(|condition| condition["type"] == kind)
}

/// Whether the condition of this type is `True`.
pub fn has_condition(object: &Tree, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| condition["status"] == "True")
}

/// Sets a condition in a `status`; `lastTransitionTime` moves only when the status of it changes.
/// Answers whether anything changed.
pub fn set_condition(status: &mut Tree, new: Tree, now: Millis) -> bool {
    let conditions = status["conditions"].items();
    let at = conditions.iter().position(|have| have["type"] == new["type"]);
    let mut new = new;
    match at.map(|at| &conditions[at]) {
        Some(old) if old["status"] == new["status"] => {
            new.set(&["lastTransitionTime"], &old["lastTransitionTime"]);
            if *old == new {
                return false;
            }
        }
        _ => new.set(&["lastTransitionTime"], timestamp(now)),
    }
    let conditions = status.field_mut("conditions").items_mut();
    match at {
        Some(at) => conditions[at] = new,
        None => conditions.push(new),
    }
    true
}

/// A virtual time as Kubernetes writes it: RFC 3339, whole seconds, UTC.
pub fn timestamp(at: Millis) -> Text {
    format_time(at, "%Y-%m-%dT%H:%M:%SZ")
}

/// A virtual time with microseconds, as leases write it.
pub fn micro_timestamp(at: Millis) -> Text {
    format_time(at, "%Y-%m-%dT%H:%M:%S%.6fZ")
}

fn format_time(at: Millis, format: &str) -> Text {
    let at = EPOCH.saturating_add(i64::try_from(at).unwrap_or(i64::MAX / 2));
    jiff::Timestamp::from_millisecond(at)
        .map(|time| Text::from(time.strftime(format).to_string()))
        .unwrap_or_default()
}

/// The virtual time of a Kubernetes timestamp; `None` for what is none, or lies before the epoch.
pub fn parse_time(text: &str) -> Option<Millis> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Millis::try_from(time.as_millisecond() - EPOCH).ok()
}

/// Whether a pod says `Ready`.
pub fn is_ready(pod: &Tree) -> bool {
    has_condition(pod, "Ready")
}

/// Whether a pod has been ready for `min_ready_seconds`.
pub fn is_available(pod: &Tree, min_ready_seconds: i64, now: Millis) -> bool {
    let Some(ready) = condition(pod, "Ready").filter(|ready| ready["status"] == "True") else {
        return false;
    };
    min_ready_seconds == 0
        || parse_time(ready["lastTransitionTime"].str())
            .is_some_and(|since| since + 1000 * min_ready_seconds.max(0) as Millis <= now)
}

/// Whether a pod has ended: `Succeeded` or `Failed`.
pub fn is_terminal(pod: &Tree) -> bool {
    matches!(pod["status"]["phase"].str(), "Succeeded" | "Failed")
}

/// Whether a pod counts for its controller: neither ended nor terminating.
pub fn is_active(pod: &Tree) -> bool {
    !is_terminal(pod) && !is_terminating(pod)
}

/// How an object is named in Events and messages: `pods default/web-0`.
pub fn about(resource: &Resource, object: &Tree) -> Text {
    Text::from(format!("{resource} {}", key(object)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_round() {
        assert_eq!(timestamp(0), "2026-01-01T00:00:00Z");
        assert_eq!(micro_timestamp(1_234), "2026-01-01T00:00:01.234000Z");
        assert_eq!(parse_time("2026-01-01T00:05:00Z"), Some(300_000));
        assert_eq!(parse_time("yesterday"), None);
    }

    #[test]
    fn a_condition_moves_its_time_only_when_its_status_changes() {
        let mut status = map! {};
        let ready = |value: &str, reason: &str| {
            map! { "type" => "Ready", "status" => value, "reason" => reason }
        };
        assert!(set_condition(&mut status, ready("False", "A"), 1_000));
        assert!(set_condition(&mut status, ready("False", "B"), 2_000));
        assert!(!set_condition(&mut status, ready("False", "B"), 3_000));
        assert_eq!(status["conditions"][0]["lastTransitionTime"], "2026-01-01T00:00:01Z");
        assert!(set_condition(&mut status, ready("True", ""), 4_000));
        assert_eq!(status["conditions"][0]["lastTransitionTime"], "2026-01-01T00:00:04Z");
    }
}
