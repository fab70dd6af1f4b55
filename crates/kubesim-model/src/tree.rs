//! Persistent object trees: a JSON value whose copies share everything that did not change.
//!
//! Copying a [`Tree`] copies a pointer. Setting a field copies only the maps on the way to it, so a
//! write costs its path and not its object, and versions, caches, snapshots and histories share
//! the rest. Map keys are sorted by their text, which makes the serialised form canonical.

use std::fmt;
use std::ops::Index;
use std::sync::Arc;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

mod map;

pub use map::{Fields, Map};

use crate::Text;

/// A JSON value with shared subtrees.
#[derive(Clone, Default)]
pub enum Tree {
    /// JSON `null`; also what indexing answers for a field that is not there.
    #[default]
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    Str(Text),
    /// A list.
    List(Arc<Vec<Tree>>),
    /// An object.
    Map(Map),
}

static NULL: Tree = Tree::Null;

impl Tree {
    /// An empty object.
    pub fn map() -> Self {
        Tree::Map(Map::default())
    }

    /// The field `key`, if this is an object that has it.
    #[inline]
    pub fn get(&self, key: &str) -> Option<&Tree> {
        self.as_map().and_then(|map| map.get(key))
    }

    /// The value at `path`, or `Null`.
    #[inline]
    pub fn at(&self, path: &[&str]) -> &Tree {
        path.iter().fold(self, |node, key| &node[*key])
    }

    /// The text, if this is one.
    #[inline]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Tree::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The text, or `""`.
    #[inline]
    pub fn str(&self) -> &str {
        self.as_str().unwrap_or_default()
    }

    /// The text as a shared [`Text`], or the empty one.
    pub fn text(&self) -> Text {
        match self {
            Tree::Str(text) => text.clone(),
            _ => Text::default(),
        }
    }

    /// The whole number, if this is one.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Tree::Int(number) => Some(*number),
            Tree::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
                Some(*number as i64)
            }
            _ => None,
        }
    }

    /// The boolean, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Tree::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Whether this is `true`.
    pub fn is_true(&self) -> bool {
        matches!(self, Tree::Bool(true))
    }

    /// Whether this is `null` or a field that is not there.
    pub fn is_null(&self) -> bool {
        matches!(self, Tree::Null)
    }

    /// The elements; none if this is no list.
    pub fn items(&self) -> &[Tree] {
        match self {
            Tree::List(items) => items,
            _ => &[],
        }
    }

    /// The object, if this is one.
    #[inline]
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Tree::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The fields in the order of their keys; none if this is no object.
    pub fn fields(&self) -> Fields<'_> {
        self.as_map().map(Map::iter).unwrap_or_default()
    }

    /// The field `key` for writing. A value that is no object becomes one; a missing field is
    /// `Null`.
    pub fn field_mut(&mut self, key: &str) -> &mut Tree {
        if self.as_map().is_none() {
            *self = Tree::map();
        }
        match self {
            Tree::Map(map) => map.entry(key),
            _ => unreachable!("made an object above"),
        }
    }

    /// The value at `path` for writing; objects on the way are made.
    pub fn at_mut(&mut self, path: &[&str]) -> &mut Tree {
        path.iter().fold(self, |node, key| node.field_mut(key))
    }

    /// The elements for writing. A value that is no list becomes an empty one.
    pub fn items_mut(&mut self) -> &mut Vec<Tree> {
        if !matches!(self, Tree::List(_)) {
            *self = Tree::List(Arc::default());
        }
        match self {
            Tree::List(items) => Arc::make_mut(items),
            _ => unreachable!("made a list above"),
        }
    }

    /// Sets the value at `path`; objects on the way are made. An equal value changes nothing, so
    /// that unchanged subtrees stay shared.
    pub fn set(&mut self, path: &[&str], value: impl Into<Tree>) {
        let value = value.into();
        if self.at(path) != &value || value.is_null() {
            *self.at_mut(path) = value;
        }
    }

    /// Takes away the field at `path` and answers what it was.
    pub fn remove(&mut self, path: &[&str]) -> Option<Tree> {
        let (last, parents) = path.split_last()?;
        self.at(parents).get(last)?;
        match self.at_mut(parents) {
            Tree::Map(map) => map.remove(last),
            _ => None,
        }
    }

    /// Whether both are the same shared subtree (or equal scalars): cheap, and never wrong when
    /// true.
    pub fn is_same(&self, other: &Tree) -> bool {
        match (self, other) {
            (Tree::List(a), Tree::List(b)) => Arc::ptr_eq(a, b),
            (Tree::Map(a), Tree::Map(b)) => a.is_same(b),
            (Tree::Null, Tree::Null) => true,
            (Tree::Bool(a), Tree::Bool(b)) => a == b,
            (Tree::Int(a), Tree::Int(b)) => a == b,
            (Tree::Str(a), Tree::Str(b)) => a == b,
            _ => false,
        }
    }

    /// Whether two objects have the same fields but for those that are ignored; whether they are
    /// equal, if one is no object.
    pub fn equals_but_for(&self, ignored: &[&str], other: &Tree) -> bool {
        let (Tree::Map(own), Tree::Map(others)) = (self, other) else { return self == other };
        let counts = |(key, _): &(&Text, &Tree)| !ignored.contains(&key.as_str());
        self.is_same(other) || own.iter().filter(counts).eq(others.iter().filter(counts))
    }

    /// A stable 64-bit FNV-1a hash of the canonical JSON form.
    pub fn digest(&self) -> u64 {
        struct Fnv(u64);
        impl std::io::Write for Fnv {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                for byte in bytes {
                    self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
                }
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        serde_json::to_writer(&mut hash, self).expect("hashing does no input or output");
        hash.0
    }
}

impl PartialEq for Tree {
    fn eq(&self, other: &Tree) -> bool {
        if self.is_same(other) {
            return true;
        }
        match (self, other) {
            (Tree::List(a), Tree::List(b)) => a == b,
            (Tree::Map(a), Tree::Map(b)) => a == b,
            (Tree::Float(a), Tree::Float(b)) => a == b,
            (Tree::Int(a), Tree::Float(b)) | (Tree::Float(b), Tree::Int(a)) => *a as f64 == *b,
            _ => false,
        }
    }
}

impl PartialEq<str> for Tree {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == Some(other)
    }
}

impl PartialEq<&str> for Tree {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == Some(*other)
    }
}

impl Index<&str> for Tree {
    type Output = Tree;
    #[inline]
    fn index(&self, key: &str) -> &Tree {
        self.get(key).unwrap_or(&NULL)
    }
}

impl Index<usize> for Tree {
    type Output = Tree;
    fn index(&self, at: usize) -> &Tree {
        self.items().get(at).unwrap_or(&NULL)
    }
}

macro_rules! from {
    ($($source:ty => $make:expr),* $(,)?) => {
        $(impl From<$source> for Tree {
            fn from(value: $source) -> Tree {
                let make: fn($source) -> Tree = $make;
                make(value)
            }
        })*
    };
}

from! {
    bool => Tree::Bool,
    i64 => Tree::Int,
    i32 => |value| Tree::Int(value.into()),
    u32 => |value| Tree::Int(value.into()),
    u64 => |value| i64::try_from(value).map_or(Tree::Float(value as f64), Tree::Int),
    usize => |value| Tree::from(value as u64),
    f64 => Tree::Float,
    String => |value| Tree::Str(Text::from(value)),
    Text => Tree::Str,
    &Text => |value| Tree::Str(value.clone()),
    Vec<Tree> => |value| Tree::List(Arc::new(value)),
    Map => Tree::Map,
    &Tree => Tree::clone,
}

impl From<&str> for Tree {
    fn from(value: &str) -> Tree {
        Tree::Str(Text::new(value))
    }
}

impl<T: Into<Tree>> From<Option<T>> for Tree {
    fn from(value: Option<T>) -> Tree {
        value.map_or(Tree::Null, Into::into)
    }
}

impl From<serde_json::Value> for Tree {
    fn from(value: serde_json::Value) -> Tree {
        use serde_json::Value;
        match value {
            Value::Null => Tree::Null,
            Value::Bool(value) => Tree::Bool(value),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => Tree::Int(whole),
                None => Tree::Float(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => text.into(),
            Value::Array(items) => items.into_iter().map(Tree::from).collect::<Vec<_>>().into(),
            Value::Object(fields) => fields
                .into_iter()
                .map(|(key, value)| (Text::from(key), Tree::from(value)))
                .collect::<Map>()
                .into(),
        }
    }
}

impl From<&Tree> for serde_json::Value {
    fn from(tree: &Tree) -> serde_json::Value {
        use serde_json::Value;
        match tree {
            Tree::Null => Value::Null,
            Tree::Bool(value) => (*value).into(),
            Tree::Int(value) => (*value).into(),
            Tree::Float(value) => (*value).into(),
            Tree::Str(text) => text.as_str().into(),
            Tree::List(items) => items.iter().map(Value::from).collect(),
            Tree::Map(map) => {
                map.iter().map(|(key, value)| (key.to_string(), Value::from(value))).collect()
            }
        }
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Tree::Null => to.serialize_unit(),
            Tree::Bool(value) => to.serialize_bool(*value),
            Tree::Int(value) => to.serialize_i64(*value),
            Tree::Float(value) => to.serialize_f64(*value),
            Tree::Str(text) => to.serialize_str(text),
            Tree::List(items) => {
                let mut list = to.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Tree::Map(map) => {
                let mut object = to.serialize_map(Some(map.len()))?;
                map.iter()
                    .try_for_each(|(key, value)| object.serialize_entry(key.as_str(), value))?;
                object.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Tree, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Tree;
            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("a JSON value")
            }
            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Null)
            }
            fn visit_none<E>(self) -> Result<Tree, E> {
                Ok(Tree::Null)
            }
            fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Tree, D::Error> {
                Tree::deserialize(from)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
                Ok(value.into())
            }
            fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
                Ok(value.into())
            }
            fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
                Ok(value.into())
            }
            fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
                Ok(value.into())
            }
            fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
                Ok(value.into())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(list.into())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Tree, A::Error> {
                let mut list = Vec::new();
                while let Some((key, value)) = fields.next_entry::<String, Tree>()? {
                    list.push((Text::from(key), value));
                }
                Ok(list.into_iter().collect::<Map>().into())
            }
        }
        from.deserialize_any(Reader)
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, to)
    }
}

/// Makes an object: `map! { "name" => name, "labels" => map! { "app" => "web" } }`.
#[macro_export]
macro_rules! map {
    ($($key:expr => $value:expr),* $(,)?) => {{
        $crate::tree::Tree::Map(<$crate::tree::Map as ::std::iter::FromIterator<_>>::from_iter([
            $(($crate::Text::new($key), $crate::tree::Tree::from($value))),*
        ]))
    }};
}

/// Makes a list: `list![1, "two", map! {}]`.
#[macro_export]
macro_rules! list {
    ($($item:expr),* $(,)?) => {
        $crate::tree::Tree::from(vec![$($crate::tree::Tree::from($item)),*])
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_shares_what_did_not_change() {
        let old = map! { "spec" => map! { "a" => 1 }, "status" => map! { "b" => 2 } };
        let mut new = old.clone();
        new.set(&["status", "b"], 3);
        assert!(new["spec"].is_same(&old["spec"]));
        assert_eq!(old["status"]["b"].as_i64(), Some(2));
        assert_eq!(new["status"]["b"].as_i64(), Some(3));
    }

    #[test]
    fn fields_that_are_ignored_may_differ_or_be_missing() {
        let (a, b) = (map! { "a" => 1, "b" => 2, "c" => 3 }, map! { "a" => 1, "c" => 4 });
        assert!(a.equals_but_for(&["b", "c"], &b) && b.equals_but_for(&["b", "c"], &a));
        assert!(!a.equals_but_for(&["c"], &b) && !b.equals_but_for(&["c"], &a));
        assert!(!a.equals_but_for(&["a", "b", "c"], &Tree::Null));
    }

    #[test]
    fn keys_are_sorted_and_the_last_duplicate_wins() {
        let tree: Tree = serde_json::from_str(r#"{"b":1,"a":2,"b":3}"#).expect("JSON");
        assert_eq!(tree.to_string(), r#"{"a":2,"b":3}"#);
    }

    #[test]
    fn removing_what_is_not_there_makes_nothing() {
        let mut tree = map! {};
        assert!(tree.remove(&["a", "b"]).is_none());
        assert_eq!(tree.to_string(), "{}");
    }
}
