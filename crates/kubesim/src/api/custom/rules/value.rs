//! The values that expressions compute with.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use kube_cel::cel;
use kubesim_model::Text;
use kubesim_model::tree::Tree;

use super::super::schema::{Additional, Kind, ListKind, Schema, go_duration};
use super::names::unescaped;

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::api) enum Failure {
    /// It failed, in the words of cel-go.
    Error(String),
    /// It would cost more than it may.
    TooDear,
}

/// A value, or why there is none.
pub(super) type Answer<'a> = Result<Value<'a>, Failure>;

/// Fails with a text.
pub(super) fn fail<T>(why: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Error(why.into()))
}

/// Fails because values don't go together.
pub(super) fn no_overload<T>() -> Result<T, Failure> {
    fail("no such overload")
}

/// A value. Lists and objects of trees stay as they are; their schema says what is in them.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Text),
    Bytes(Rc<Vec<u8>>),
    /// In nanoseconds.
    Duration(i64),
    Time(Timestamp),
    /// A list or an object of a tree.
    Tree(Tree, Option<&'a Schema>),
    List(Rc<Vec<Value<'a>>>),
    Map(Rc<BTreeMap<Key, Value<'a>>>),
    Optional(Option<Rc<Value<'a>>>),
    /// An object that an expression has made: its type, and its fields.
    Made(Text, Rc<BTreeMap<Text, Value<'a>>>),
    /// A type, by its name.
    Type(Text),
    /// A value of a library: a quantity, an address, a URL.
    Foreign(cel::Value),
}

/// A key of a map.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Bool(bool),
    Int(i64),
    Uint(u64),
    Text(Text),
}

impl<'a> Value<'a> {
    /// A tree as its schema says what it is.
    pub(super) fn of_tree(tree: &Tree, schema: Option<&'a Schema>) -> Answer<'a> {
        let kind = schema.filter(|schema| !schema.int_or_string).map(|schema| schema.kind);
        Ok(match (tree, kind) {
            (Tree::Null, _) => Value::Null,
            (Tree::Bool(flag), _) => Value::Bool(*flag),
            (Tree::Int(number), Some(Kind::Number)) => Value::Double(*number as f64),
            (Tree::Int(number), _) => Value::Int(*number),
            (Tree::Float(number), Some(Kind::Integer)) => Value::Int(*number as i64),
            (Tree::Float(number), _) => Value::Double(*number),
            (Tree::Str(text), Some(Kind::String)) => {
                let format = schema.map_or("", |schema| schema.checks.format.as_str());
                return of_text(text, format);
            }
            (Tree::Str(text), _) => Value::Text(text.clone()),
            (Tree::List(_) | Tree::Map(_), _) => Value::Tree(tree.clone(), schema),
        })
    }

    /// The flag, if this is one.
    pub(super) fn bool(&self) -> Result<bool, Failure> {
        match self {
            Value::Bool(flag) => Ok(*flag),
            _ => no_overload(),
        }
    }

    /// How many elements, fields or letters there are.
    pub(super) fn size(&self) -> Option<usize> {
        Some(match self {
            Value::Text(text) => text.chars().count(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Tree(Tree::List(items), _) => items.len(),
            Value::Tree(Tree::Map(map), _) => map.len(),
            Value::List(items) => items.len(),
            Value::Map(map) => map.len(),
            _ => return None,
        })
    }

    /// The elements of a list.
    pub(super) fn items(&self) -> Option<Result<Vec<Value<'a>>, Failure>> {
        match self {
            Value::List(items) => Some(Ok(items.to_vec())),
            Value::Tree(Tree::List(items), schema) => {
                let of = schema.and_then(|schema| schema.items.as_deref());
                Some(items.iter().map(|item| Value::of_tree(item, of)).collect())
            }
            _ => None,
        }
    }

    /// The entries of a map, in the order of their keys. Fields of objects have their own names.
    pub(super) fn entries(&self) -> Option<Result<Vec<(Key, Value<'a>)>, Failure>> {
        match self {
            Value::Map(map) => {
                Some(Ok(map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()))
            }
            Value::Tree(Tree::Map(map), schema) => Some(
                map.iter()
                    .map(|(key, value)| {
                        let of = schema.and_then(|schema| schema.property(key));
                        Ok((Key::Text(key.clone()), Value::of_tree(value, of)?))
                    })
                    .collect(),
            ),
            _ => None,
        }
    }

    /// Selects a field, as `a.b` does; `Ok(None)` if it is not there.
    pub(super) fn field(&self, name: &str) -> Result<Option<Value<'a>>, Failure> {
        match self {
            Value::Tree(tree @ Tree::Map(_), schema) => {
                let is_map =
                    schema.is_some_and(|s| matches!(s.additional, Some(Additional::Of(_))));
                let name = if is_map { name.to_owned() } else { unescaped(name) };
                let of = schema.and_then(|schema| schema.property(&name));
                tree.get(&name).map(|value| Value::of_tree(value, of)).transpose()
            }
            Value::Map(map) => Ok(map.get(&Key::Text(Text::new(name))).cloned()),
            Value::Made(_, fields) => Ok(fields.get(&Text::new(name)).cloned()),
            _ => no_overload(),
        }
    }

    /// Finds by an index or a key, as `a[b]` does; `Ok(None)` if it is not there.
    pub(super) fn at(&self, index: &Value<'a>) -> Result<Option<Value<'a>>, Failure> {
        let place = || match index {
            Value::Int(at) => Ok(usize::try_from(*at).ok()),
            Value::Uint(at) => Ok(usize::try_from(*at).ok()),
            Value::Double(at) if at.fract() == 0.0 && *at >= 0.0 => Ok(Some(*at as usize)),
            _ => no_overload(),
        };
        match self {
            Value::List(items) => Ok(place()?.and_then(|at| items.get(at)).cloned()),
            Value::Tree(Tree::List(items), schema) => {
                let of = schema.and_then(|schema| schema.items.as_deref());
                let found = place()?.and_then(|at| items.get(at));
                found.map(|item| Value::of_tree(item, of)).transpose()
            }
            Value::Tree(tree @ Tree::Map(_), schema) => {
                let Value::Text(key) = index else { return no_overload() };
                let of = schema.and_then(|schema| schema.property(key));
                tree.get(key).map(|value| Value::of_tree(value, of)).transpose()
            }
            Value::Map(map) => {
                for key in Key::candidates(index)? {
                    if let Some(found) = map.get(&key) {
                        return Ok(Some(found.clone()));
                    }
                }
                Ok(None)
            }
            _ => no_overload(),
        }
    }

    /// Whether this list is equal whatever the order of its elements.
    pub(super) fn list_kind(&self) -> ListKind {
        match self {
            Value::Tree(Tree::List(_), Some(schema)) => schema.list,
            _ => ListKind::Atomic,
        }
    }

    /// The name of the type.
    pub(super) fn type_name(&self) -> &str {
        match self {
            Value::Null => "null_type",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Uint(_) => "uint",
            Value::Double(_) => "double",
            Value::Text(_) => "string",
            Value::Bytes(_) => "bytes",
            Value::Duration(_) => "google.protobuf.Duration",
            Value::Time(_) => "google.protobuf.Timestamp",
            Value::Tree(Tree::List(_), _) | Value::List(_) => "list",
            Value::Tree(_, Some(schema)) if !schema.properties.is_empty() => "object",
            Value::Tree(..) | Value::Map(_) => "map",
            Value::Optional(_) => "optional_type",
            Value::Made(name, _) => name.as_str(),
            Value::Type(_) => "type",
            Value::Foreign(cel::Value::Opaque(opaque)) => opaque.runtime_type_name(),
            Value::Foreign(_) => "dyn",
        }
    }
}

impl Key {
    /// The key that a value is.
    pub(super) fn of(value: &Value<'_>) -> Result<Key, Failure> {
        match value {
            Value::Bool(flag) => Ok(Key::Bool(*flag)),
            Value::Int(number) => Ok(Key::Int(*number)),
            Value::Uint(number) => Ok(Key::Uint(*number)),
            Value::Text(text) => Ok(Key::Text(text.clone())),
            _ => fail("unsupported key type"),
        }
    }

    /// The keys that are equal to a value: numbers of different types are.
    fn candidates(value: &Value<'_>) -> Result<Vec<Key>, Failure> {
        let mut keys = Vec::new();
        match value {
            Value::Int(number) => {
                keys.push(Key::Int(*number));
                keys.extend(u64::try_from(*number).map(Key::Uint));
            }
            Value::Uint(number) => {
                keys.push(Key::Uint(*number));
                keys.extend(i64::try_from(*number).map(Key::Int));
            }
            Value::Double(number) if number.fract() == 0.0 => {
                keys.push(Key::Int(*number as i64));
                keys.push(Key::Uint(*number as u64));
            }
            value => keys.push(Key::of(value)?),
        }
        Ok(keys)
    }

    /// The value that a key is.
    pub(super) fn value<'a>(&self) -> Value<'a> {
        match self {
            Key::Bool(flag) => Value::Bool(*flag),
            Key::Int(number) => Value::Int(*number),
            Key::Uint(number) => Value::Uint(*number),
            Key::Text(text) => Value::Text(text.clone()),
        }
    }
}

fn of_text<'a>(text: &Text, format: &str) -> Answer<'a> {
    Ok(match format {
        "byte" => match STANDARD.decode(text.as_str()) {
            Ok(bytes) => Value::Bytes(Rc::new(bytes)),
            Err(_) => return fail(format!("Failed to decode base64 string {text}")),
        },
        "duration" => match go_duration(text) {
            Some(nanos) => Value::Duration(nanos),
            None => return fail(format!("Invalid duration {text}")),
        },
        "date" => {
            let date: Result<jiff::civil::Date, _> = text.parse();
            match date.ok().and_then(|date| date.in_tz("UTC").ok()) {
                Some(zoned) => Value::Time(zoned.timestamp()),
                None => return fail(format!("Invalid date formatted string {text}")),
            }
        }
        "date-time" => match text.parse() {
            Ok(time) => Value::Time(time),
            Err(_) => return fail(format!("Invalid date-time formatted string {text}")),
        },
        _ => Value::Text(text.clone()),
    })
}

/// Whether two values are equal. Numbers are whatever their types; values of other types differ.
pub(super) fn equal(one: &Value<'_>, other: &Value<'_>) -> bool {
    match (one, other) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Text(a), Value::Text(b)) | (Value::Type(a), Value::Type(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::Duration(a), Value::Duration(b)) => a == b,
        (Value::Time(a), Value::Time(b)) => a == b,
        (Value::Foreign(a), Value::Foreign(b)) => a == b,
        (Value::Made(a, one), Value::Made(b, other)) => {
            let mut pairs = one.iter().zip(other.iter());
            a == b
                && one.len() == other.len()
                && pairs.all(|((a, one), (b, other))| a == b && equal(one, other))
        }
        (Value::Optional(a), Value::Optional(b)) => match (a, b) {
            (Some(a), Some(b)) => equal(a, b),
            (a, b) => a.is_none() && b.is_none(),
        },
        _ => {
            if let Some(order) = numbers(one, other) {
                return order == Some(Ordering::Equal);
            }
            if let (Some(a), Some(b)) = (one.items(), other.items()) {
                let (Ok(a), Ok(b)) = (a, b) else { return false };
                return equal_lists(&a, &b, one.list_kind() != ListKind::Atomic);
            }
            if let (Some(a), Some(b)) = (one.entries(), other.entries()) {
                let (Ok(a), Ok(b)) = (a, b) else { return false };
                return a.len() == b.len()
                    && a.iter().zip(&b).all(|(a, b)| a.0 == b.0 && equal(&a.1, &b.1));
            }
            false
        }
    }
}

fn equal_lists(one: &[Value<'_>], other: &[Value<'_>], any_order: bool) -> bool {
    let inside = |value, list: &[Value<'_>]| list.iter().any(|have| equal(have, value));
    one.len() == other.len()
        && if any_order {
            one.iter().all(|value| inside(value, other))
                && other.iter().all(|value| inside(value, one))
        } else {
            one.iter().zip(other).all(|(a, b)| equal(a, b))
        }
}

/// The order of two numbers; `None` if one is none, `Some(None)` if they have no order.
pub(super) fn numbers(one: &Value<'_>, other: &Value<'_>) -> Option<Option<Ordering>> {
    let exact = |value: &Value<'_>| match value {
        Value::Int(number) => Some(i128::from(*number)),
        Value::Uint(number) => Some(i128::from(*number)),
        _ => None,
    };
    let float = |value: &Value<'_>| match value {
        Value::Int(number) => Some(*number as f64),
        Value::Uint(number) => Some(*number as f64),
        Value::Double(number) => Some(*number),
        _ => None,
    };
    match (exact(one), exact(other)) {
        (Some(a), Some(b)) => Some(Some(a.cmp(&b))),
        _ => Some(float(one)?.partial_cmp(&float(other)?)),
    }
}

/// The order of two values of the same type.
pub(super) fn compare(one: &Value<'_>, other: &Value<'_>) -> Result<Ordering, Failure> {
    match (one, other) {
        (Value::Bool(a), Value::Bool(b)) => Ok(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Ok(a.as_str().cmp(b.as_str())),
        (Value::Bytes(a), Value::Bytes(b)) => Ok(a.cmp(b)),
        (Value::Duration(a), Value::Duration(b)) => Ok(a.cmp(b)),
        (Value::Time(a), Value::Time(b)) => Ok(a.cmp(b)),
        _ => match numbers(one, other) {
            Some(Some(order)) => Ok(order),
            Some(None) => fail("NaN values cannot be ordered"),
            None => no_overload(),
        },
    }
}
