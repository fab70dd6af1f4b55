//! Trees to CEL values and back.

use std::sync::Arc;

use kube_cel::cel::Value;
use kube_cel::cel::objects::Key;
use kubesim_model::Text;
use kubesim_model::tree::{Map, Tree};

use super::CelError;
use super::mask::Mask;

/// `tree` as a value; with a mask, only those fields of it that the mask names.
pub(super) fn value_of(tree: &Tree, mask: Option<&Mask>) -> Value {
    let mask = mask.filter(|mask| mask.fits(tree));
    match tree {
        Tree::Null => Value::Null,
        Tree::Bool(value) => Value::Bool(*value),
        Tree::Int(value) => Value::Int(*value),
        Tree::Float(value) => Value::Float(*value),
        Tree::Str(text) => Value::String(Arc::new(text.to_string())),
        Tree::List(items) => {
            let of_items = mask.map(Mask::items);
            Value::List(Arc::new(items.iter().map(|item| value_of(item, of_items)).collect()))
        }
        Tree::Map(map) => {
            let key = |key: &Text| Key::String(Arc::new(key.to_string()));
            let map: Arc<_> = Arc::new(match mask {
                None => map.iter().map(|(k, v)| (key(k), value_of(v, None))).collect(),
                Some(mask) => mask
                    .fields()
                    .filter_map(|(name, mask)| {
                        Some((key(name), value_of(map.get(name)?, Some(mask))))
                    })
                    .collect(),
            });
            Value::Map(kube_cel::cel::objects::Map { map })
        }
    }
}

/// `value` as a tree.
///
/// # Errors
/// A value of a type that no field of an object can hold.
pub(super) fn tree_of(value: &Value) -> Result<Tree, CelError> {
    Ok(match value {
        Value::Null => Tree::Null,
        Value::Bool(value) => Tree::Bool(*value),
        Value::Int(value) => Tree::Int(*value),
        Value::UInt(value) => Tree::from(*value),
        Value::Float(value) => Tree::Float(*value),
        Value::String(text) => Tree::Str(Text::new(text.as_str())),
        Value::List(items) => items.iter().map(tree_of).collect::<Result<Vec<_>, _>>()?.into(),
        Value::Map(map) => {
            let entry = |(key, value): (&Key, &Value)| {
                let key = match key {
                    Key::String(key) => Text::new(key.as_str()),
                    Key::Int(key) => Text::from(key.to_string()),
                    Key::Uint(key) => Text::from(key.to_string()),
                    Key::Bool(key) => Text::from(key.to_string()),
                };
                Ok((key, tree_of(value)?))
            };
            map.map.iter().map(entry).collect::<Result<Map, CelError>>()?.into()
        }
        Value::Duration(value) => Tree::Int(value.num_milliseconds()),
        Value::Timestamp(value) => Tree::from(value.to_rfc3339()),
        other => {
            let kind = other.type_of();
            return Err(CelError::Failed(format!(
                "the answer is a {kind}, which no field can hold"
            )));
        }
    })
}
