//! Cells that many types have.

pub(super) use kubesim::api::age as span;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, object};

/// A text, or `<none>`.
pub(super) fn or_none(text: &Tree) -> Tree {
    or(text, "<none>")
}

/// A text, or what stands for none.
pub(super) fn or(text: &Tree, none: &'static str) -> Tree {
    match text {
        Tree::Null => none.into(),
        Tree::Str(text) if text.is_empty() => none.into(),
        Tree::Str(text) => text.clone().into(),
        other => other.to_string().into(),
    }
}

/// How long ago a time is; `<unknown>` for none.
pub(super) fn since(time: &Tree, now: Millis) -> Tree {
    match object::parse_time(time.str()) {
        Some(then) => span(now as i64 - then as i64).into(),
        None => "<unknown>".into(),
    }
}

/// How old an object is.
pub(super) fn age(found: &Tree, now: Millis) -> Tree {
    since(&found["metadata"]["creationTimestamp"], now)
}

/// Nothing but how old it is.
pub(super) fn aged(object: &Tree, now: Millis) -> Vec<Tree> {
    vec![age(object, now)]
}

/// When it was created.
pub(super) fn created(object: &Tree, _: Millis) -> Vec<Tree> {
    vec![object["metadata"]["creationTimestamp"].clone()]
}

/// A number, or 0.
pub(super) fn count(value: &Tree) -> Tree {
    value.as_i64().unwrap_or(0).into()
}

/// How many there are.
pub(super) fn len(value: &Tree) -> i64 {
    let count = value.as_map().map_or(value.items().len(), |map| map.len());
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Texts, separated; `<none>` if there are none.
pub(super) fn joined(texts: impl IntoIterator<Item = impl AsRef<str>>, by: &str) -> Tree {
    let texts: Vec<String> = texts.into_iter().map(|text| text.as_ref().to_owned()).collect();
    if texts.is_empty() { "<none>".into() } else { texts.join(by).into() }
}

/// The first of texts, and how many there are more.
pub(super) fn first_of(texts: &[String], most: usize) -> String {
    let shown = texts.iter().take(most).cloned().collect::<Vec<_>>().join(",");
    match texts.len() > most {
        true => format!("{shown} + {} more...", texts.len() - most),
        false => shown,
    }
}

/// Labels, as in `app=web,tier=front`.
pub(super) fn labels(labels: &Tree) -> Tree {
    joined(labels.fields().map(|(key, value)| format!("{key}={}", value.str())), ",")
}

/// A label selector as a text (apimachinery v0.36, `FormatLabelSelector`).
pub(super) fn selector(selector: &Tree) -> Tree {
    let equal = selector["matchLabels"].fields();
    let mut parts: Vec<(Text, String)> =
        equal.map(|(key, value)| (Text::new(key), format!("{key}={}", value.str()))).collect();
    for wanted in selector["matchExpressions"].items() {
        let key = wanted["key"].text();
        let mut values: Vec<&str> = wanted["values"].items().iter().map(Tree::str).collect();
        values.sort_unstable();
        let values = values.join(",");
        let text = match wanted["operator"].str() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_string(),
        };
        parts.push((key, text));
    }
    parts.sort_by(|a, b| a.0.cmp(&b.0));
    joined(parts.into_iter().map(|(_, text)| text), ",")
}

/// The names and the images of the containers of a pod template.
pub(super) fn containers(spec: &Tree) -> [Tree; 2] {
    let all = spec["containers"].items();
    let list = |field: &str| {
        let texts: Vec<&str> = all.iter().map(|one| one[field].str()).collect();
        Tree::from(texts.join(","))
    };
    [list("name"), list("image")]
}
