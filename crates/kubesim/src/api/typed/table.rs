//! The table of all built-in types: `schema/types.txt`, which `schema/main.go` makes of the Go
//! types of Kubernetes v1.36.
//!
//! A line without indentation names a type; the lines after it are its fields: name, shape and
//! presence. `[X]` is a list of X, `{X}` a map of X; a shape with a capital is another type. Then
//! comes how server-side apply takes the field apart: `list=` with the keys of a list's elements
//! (none for a set), `atomic` for what is one value (of a list that is taken apart: each element),
//! `default=` what a key is that is not there, and `null` for what is written so where it is not
//! there. How strategic patches merge lists is not read here.

use std::collections::BTreeMap;
use std::sync::OnceLock;

const TYPES: &str = include_str!("../../../schema/types.txt");

/// What a field holds.
#[derive(Debug)]
pub(in super::super) enum Shape {
    /// A text.
    Text,
    /// Bytes in base64.
    Bytes,
    /// A flag.
    Bool,
    /// A whole number of so many bits.
    Int(u8),
    /// Any number.
    Number,
    /// A quantity of a resource.
    Quantity,
    /// A number or a text.
    IntOrText,
    /// A time in whole seconds.
    Time,
    /// A time with microseconds.
    MicroTime,
    /// Anything.
    Any,
    /// A map of texts to such values.
    Map(Box<Shape>),
    /// A list of such values.
    List(Box<Shape>),
    /// Another type, by its place in the table.
    Object(usize),
}

/// When a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Presence {
    /// When it is there.
    Given,
    /// When it is there and not zero, empty or `false`.
    NonZero,
    /// Always.
    Always,
}

/// A field of a type.
#[derive(Debug)]
pub(in super::super) struct Field {
    pub(in super::super) name: &'static str,
    pub(in super::super) shape: Shape,
    pub(in super::super) presence: Presence,
    /// The fields by which a list's elements are told apart: none for a set, `None` for a list
    /// that is one value.
    pub(in super::super) keys: Option<Vec<&'static str>>,
    /// Whether a map or a struct, or each element of a list, is one value.
    pub(in super::super) is_atomic: bool,
    /// What it is as a key where it is not there.
    pub(in super::super) default: Option<&'static str>,
    /// Whether it is written as `null` where it is not there.
    pub(in super::super) is_null: bool,
}

/// A type: its fields in the order of their names.
#[derive(Debug)]
pub(in super::super) struct Object {
    pub(in super::super) name: &'static str,
    pub(in super::super) fields: Vec<Field>,
}

/// All types.
#[derive(Debug)]
pub(in super::super) struct Table {
    objects: Vec<Object>,
    names: BTreeMap<&'static str, usize>,
}

impl Table {
    /// The table, which is read once.
    pub(in super::super) fn get() -> &'static Table {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(|| Table::read(TYPES))
    }

    /// The type at a place that a shape of this table names.
    pub(in super::super) fn object(&self, at: usize) -> &Object {
        &self.objects[at]
    }

    /// The place of the type with this name.
    pub(in super::super) fn find(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// The names of all types.
    pub(in super::super) fn names(&self) -> impl Iterator<Item = &'static str> + use<'_> {
        self.names.keys().copied()
    }

    fn read(text: &'static str) -> Table {
        let lines = || text.lines().filter(|line| !line.starts_with('#'));
        let heads = lines().filter(|line| !line.starts_with(' '));
        let names: BTreeMap<&str, usize> = heads.enumerate().map(|(at, name)| (name, at)).collect();
        let mut objects: Vec<Object> = Vec::new();
        for line in lines() {
            match (line.strip_prefix("  "), objects.last_mut()) {
                (Some(line), Some(object)) => object.fields.push(Field::read(line, &names)),
                _ => objects.push(Object { name: line, fields: Vec::new() }),
            }
        }
        Table { objects, names }
    }
}

impl Field {
    fn read(line: &'static str, names: &BTreeMap<&str, usize>) -> Field {
        let mut words = line.split(' ');
        let (name, shape) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let shape = Shape::read(shape, names);
        let mut field = Field {
            name,
            shape,
            presence: Presence::Given,
            keys: None,
            is_atomic: false,
            default: None,
            is_null: false,
        };
        for word in words {
            match word.split_once('=') {
                None if word == "always" => field.presence = Presence::Always,
                None if word == "nonzero" => field.presence = Presence::NonZero,
                None if word == "atomic" => field.is_atomic = true,
                None if word == "null" => field.is_null = true,
                Some(("list", keys)) => {
                    field.keys = Some(keys.split(',').filter(|key| !key.is_empty()).collect());
                }
                Some(("default", value)) => field.default = Some(value),
                _ => {}
            }
        }
        field
    }
}

impl Shape {
    fn read(text: &str, names: &BTreeMap<&str, usize>) -> Shape {
        let inside = |open, close| text.strip_prefix(open).and_then(|t| t.strip_suffix(close));
        if let Some(inner) = inside('[', ']') {
            return Shape::List(Box::new(Shape::read(inner, names)));
        }
        if let Some(inner) = inside('{', '}') {
            return Shape::Map(Box::new(Shape::read(inner, names)));
        }
        match text {
            "string" => Shape::Text,
            "bytes" => Shape::Bytes,
            "bool" => Shape::Bool,
            "int32" => Shape::Int(32),
            "int64" => Shape::Int(64),
            "number" => Shape::Number,
            "quantity" => Shape::Quantity,
            "int-or-string" => Shape::IntOrText,
            "time" => Shape::Time,
            "microtime" => Shape::MicroTime,
            name => names.get(name).map_or(Shape::Any, |at| Shape::Object(*at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_in_the_order_in_which_trees_keep_their_keys() {
        for object in &Table::get().objects {
            assert!(object.fields.is_sorted_by_key(|field| field.name), "{}", object.name);
        }
    }

    #[test]
    fn every_shape_is_known() {
        for line in TYPES.lines().filter(|line| line.starts_with(' ')) {
            let shape = line.split_whitespace().nth(1).unwrap();
            let plain = shape.trim_matches(['[', ']', '{', '}']);
            let known = Table::get().find(plain).is_some() || plain.starts_with(char::is_lowercase);
            assert!(known && (plain == "any") == shape_is_any(shape), "{line}");
        }
    }

    fn shape_is_any(text: &str) -> bool {
        fn any(shape: &Shape) -> bool {
            match shape {
                Shape::Any => true,
                Shape::List(inner) | Shape::Map(inner) => any(inner),
                _ => false,
            }
        }
        any(&Shape::read(text, &Table::get().names))
    }
}
