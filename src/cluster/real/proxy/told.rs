//! What an answer or an event of a watch tells of: the object and its version. The rest of it is
//! not read.

use kubesim_model::Text;
use kubesim_model::resource::ObjectKey;
use serde::Deserialize;

/// The annotation of the bookmark that ends the initial events of a watch (apimachinery v0.36).
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

#[derive(Default, Deserialize)]
#[serde(default)]
struct Object {
    metadata: Metadata,
    code: u16,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    name: Text,
    namespace: Text,
    resource_version: Text,
    r#continue: Text,
    annotations: std::collections::BTreeMap<Text, Text>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    r#type: Text,
    object: Object,
}

/// The object in an answer and its version; of a list the name is empty. `None` for a Status, and
/// for the first page of a list, which does not hold all.
pub(super) fn in_answer(body: &[u8]) -> Option<(ObjectKey, u64)> {
    of(serde_json::from_slice::<Object>(body).ok()?)
}

/// The object that an event of a watch in this namespace tells of, and its version. The bookmark
/// that ends the initial events tells of all, and has no name.
pub(super) fn in_event(line: &[u8], namespace: &Text) -> Option<(ObjectKey, u64)> {
    let event = serde_json::from_slice::<Event>(line).ok()?;
    let is_end = event.object.metadata.annotations.contains_key(INITIAL_EVENTS_END);
    match event.r#type.as_str() {
        "BOOKMARK" if is_end => {
            let (_, rv) = of(event.object)?;
            Some((ObjectKey::new(namespace.clone(), ""), rv))
        }
        "BOOKMARK" | "ERROR" => None,
        _ => of(event.object).filter(|(key, _)| !key.name.is_empty()),
    }
}

fn of(object: Object) -> Option<(ObjectKey, u64)> {
    let Metadata { name, namespace, resource_version, r#continue, .. } = object.metadata;
    let rv = resource_version.parse().ok().filter(|rv| *rv > 0)?;
    (object.code == 0 && r#continue.is_empty()).then(|| (ObjectKey::new(namespace, name), rv))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_events_name_what_they_tell_of() {
        let pod =
            br#"{"kind":"Pod","metadata":{"name":"a","namespace":"n","resourceVersion":"7"}}"#;
        assert_eq!(in_answer(pod), Some((ObjectKey::new("n", "a"), 7)));
        let list = br#"{"kind":"PodList","metadata":{"resourceVersion":"9"},"items":[{}]}"#;
        assert_eq!(in_answer(list), Some((ObjectKey::new("", ""), 9)));
        let page = br#"{"metadata":{"resourceVersion":"9","continue":"ey"},"items":[{}]}"#;
        assert_eq!(in_answer(page), None);
        let status = br#"{"kind":"Status","metadata":{},"code":404}"#;
        assert_eq!(in_answer(status), None);
        let added = br#"{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"7"}}}"#;
        assert_eq!(in_event(added, &"n".into()), Some((ObjectKey::new("", "a"), 7)));
        let bookmark = br#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}"#;
        assert_eq!(in_event(bookmark, &"n".into()), None);
        let end = br#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9",
            "annotations":{"k8s.io/initial-events-end":"true"}}}}"#;
        assert_eq!(in_event(end, &"n".into()), Some((ObjectKey::new("n", ""), 9)));
        let error = br#"{"type":"ERROR","object":{"kind":"Status","code":410}}"#;
        assert_eq!(in_event(error, &"n".into()), None);
        assert_eq!(in_event(b"nonsense", &"n".into()), None);
    }
}
