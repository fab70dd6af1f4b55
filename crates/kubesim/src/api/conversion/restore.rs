//! What a webhook may change of an object's metadata: labels and annotations, and nothing else
//! (apiextensions-apiserver v0.36, `apiserver/conversion/webhook_converter.go`).

use kubesim_model::object;
use kubesim_model::tree::Tree;

use crate::api::validate;

/// A converted object must be the one that was sent.
///
/// # Errors
/// In what it is another.
pub(super) fn check_identity(sent: &Tree, converted: &Tree) -> Result<(), String> {
    let parts = [
        ("name", object::name(sent), object::name(converted)),
        ("namespace", object::namespace(sent), object::namespace(converted)),
        ("UID", object::uid(sent), object::uid(converted)),
    ];
    for (what, had, have) in parts {
        if had != have {
            return Err(format!("must have the same {what}: {had} != {have}"));
        }
    }
    Ok(())
}

/// Gives a converted object the metadata that was sent, but for its labels and annotations.
///
/// # Errors
/// What is wrong with these.
pub(super) fn restore(sent: &Tree, converted: &mut Tree) -> Result<(), String> {
    let made = converted["metadata"].clone();
    if made.is_null() && converted.get("metadata").is_none() {
        return Err("missing metadata in converted object".to_owned());
    }
    if made.as_map().is_none() {
        let kind = go_type(&made);
        return Err(format!("invalid metadata of type {kind} in converted object"));
    }
    let mut metadata = sent["metadata"].clone();
    for field in ["labels", "annotations"] {
        let texts = &made[field];
        if texts.is_null() {
            metadata.remove(&[field]);
            continue;
        }
        if texts.as_map().is_none() {
            let kind = go_type(texts);
            return Err(format!("invalid metadata.{field} of type {kind} in converted object"));
        }
        if let Some((key, value)) = texts.fields().find(|(_, value)| value.as_str().is_none()) {
            return Err(format!(
                "metadata.{field}[{key}] must be a string, but is {} in converted object",
                go_type(value)
            ));
        }
        if *texts != metadata[field] {
            check_texts(field, texts)?;
        }
        metadata.set(&[field], texts);
    }
    converted.set(&["metadata"], metadata);
    Ok(())
}

/// Labels or annotations that were changed must be such as all objects have.
fn check_texts(field: &str, texts: &Tree) -> Result<(), String> {
    let mut causes = Vec::new();
    match field {
        "labels" => validate::check_labels(texts, "metadata.labels", &mut causes),
        _ => validate::check_annotations(texts, "metadata.annotation", &mut causes),
    }
    let mut told: Vec<String> = Vec::new();
    for cause in causes {
        let text = format!("{}: {}", cause.field, cause.message);
        if !told.contains(&text) {
            told.push(text);
        }
    }
    match told.as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        many => Err(format!("[{}]", many.join(", "))),
    }
}

/// What Go calls a value that was read from JSON.
fn go_type(value: &Tree) -> &'static str {
    match value {
        Tree::Null => "<nil>",
        Tree::Bool(_) => "bool",
        Tree::Int(_) => "int64",
        Tree::Float(_) => "float64",
        Tree::Str(_) => "string",
        Tree::List(_) => "[]interface {}",
        Tree::Map(_) => "map[string]interface {}",
    }
}
