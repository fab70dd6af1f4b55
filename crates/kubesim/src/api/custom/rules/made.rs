//! Objects that expressions make: parts of the object that is to be changed, and steps of JSON
//! patches (apiserver v0.36, `pkg/cel/mutation`).

use std::collections::BTreeMap;

use kubesim_model::Text;
use kubesim_model::map;
use kubesim_model::tree::Tree;

use super::functions::told;
use super::text;
use super::value::{Key, Value};

/// The type of whole objects; those of their parts have the path behind it: `Object.spec`.
pub(super) const OBJECT: &str = "Object";
/// The type of steps of JSON patches.
pub(super) const PATCH: &str = "JSONPatch";

/// Whether there is a type of this name.
pub(super) fn is_type(name: &str) -> bool {
    name == PATCH || name == OBJECT || name.starts_with("Object.")
}

/// The object that a value is.
///
/// # Errors
/// What is wrong with it.
pub(super) fn whole(value: &Value<'_>) -> Result<Tree, String> {
    if let Value::Made(..) = value {
        check_names(value, OBJECT)?;
    }
    tree(value)
}

/// The JSON patch that a list of steps is.
///
/// # Errors
/// What is wrong with it.
pub(super) fn patch(value: &Value<'_>) -> Result<Tree, String> {
    let steps = value.items().unwrap_or(Ok(Vec::new())).unwrap_or_default();
    let steps: Result<Vec<Tree>, String> = steps.iter().map(step).collect();
    Ok(steps?.into())
}

fn step(value: &Value<'_>) -> Result<Tree, String> {
    let Value::Made(_, fields) = value else {
        return Err(
            "type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch"
                .to_owned(),
        );
    };
    let mut step = map! { "op" => "", "path" => "" };
    for (name, value) in fields.iter() {
        if let (Value::Made(kind, _), "value") = (value, name.as_str()) {
            // What is made there stands below the object in any place.
            check_names(value, kind)?;
        }
        match tree(value)? {
            from if name == "from" && from.str().is_empty() => {}
            value => step.set(&[name.as_str()], value),
        }
    }
    Ok(step)
}

/// Parts of an object must be of the type that belongs to their place.
fn check_names(value: &Value<'_>, expected: &str) -> Result<(), String> {
    let mut wrong = Vec::new();
    find_misnamed(value, expected, &mut wrong);
    if wrong.is_empty() { Ok(()) } else { Err(format!("type mismatch: {}", wrong.join("\n"))) }
}

fn find_misnamed(value: &Value<'_>, expected: &str, wrong: &mut Vec<String>) {
    match value {
        Value::Made(name, fields) => {
            if name != expected {
                wrong.push(format!(
                    "unexpected type name {name:?}, expected {expected:?}, which matches field \
                     name path from root Object type"
                ));
            }
            for (name, value) in fields.iter() {
                find_misnamed(value, &format!("{expected}.{name}"), wrong);
            }
        }
        Value::List(items) => {
            items.iter().for_each(|item| find_misnamed(item, expected, wrong));
        }
        Value::Map(entries) => {
            entries.values().for_each(|value| find_misnamed(value, expected, wrong));
        }
        _ => {}
    }
}

/// A value as JSON.
fn tree(value: &Value<'_>) -> Result<Tree, String> {
    let fields = |fields: &BTreeMap<Text, Value<'_>>| {
        let fields = fields.iter().map(|(name, value)| Ok((name.clone(), tree(value)?)));
        fields.collect::<Result<_, String>>().map(Tree::Map)
    };
    Ok(match value {
        Value::Null | Value::Optional(None) => Tree::Null,
        Value::Bool(flag) => Tree::Bool(*flag),
        Value::Int(number) => Tree::Int(*number),
        Value::Uint(number) => i64::try_from(*number).map_or(Tree::Null, Tree::Int),
        Value::Double(number) => Tree::Float(*number),
        Value::Text(text) => Tree::from(text),
        Value::Time(_) | Value::Duration(_) => {
            text::of(value).map(Tree::from).map_err(|failure| told(&failure))?
        }
        Value::Tree(tree, _) => tree.clone(),
        Value::Made(_, made) => fields(made)?,
        Value::List(items) => {
            let items: Result<Vec<Tree>, String> = items.iter().map(tree).collect();
            items?.into()
        }
        Value::Map(entries) => {
            let mut named = BTreeMap::new();
            for (key, value) in entries.iter() {
                let Key::Text(key) = key else {
                    return Err("a key of a map is no string".to_owned());
                };
                named.insert(key.clone(), value.clone());
            }
            fields(&named)?
        }
        Value::Optional(Some(inner)) => tree(inner)?,
        Value::Bytes(_) | Value::Type(_) | Value::Foreign(_) => {
            return Err(format!("a value of the type {} is no JSON", value.type_name()));
        }
    })
}
