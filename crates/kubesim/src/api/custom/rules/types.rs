//! The types that expressions are checked with, and the type that a schema declares (apiserver
//! v0.36, `pkg/cel/common/schemas.go`).

use std::fmt;

use kubesim_model::Text;

use super::super::schema::{Additional, Kind, Schema};
use super::names::{escaped, unescaped};

/// A type.
#[derive(Clone, Debug)]
pub(super) enum Type<'s> {
    /// Any: checked when it is evaluated.
    Dyn,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Duration,
    Time,
    List(Box<Type<'s>>),
    Map(Box<Type<'s>>, Box<Type<'s>>),
    /// An object with the properties of a schema; the flag is set if it is one of the API, which
    /// has a name and a kind.
    Object(&'s Schema, bool),
    /// The metadata of such an object.
    Meta,
    Optional(Box<Type<'s>>),
    /// The type of types.
    Kind,
    /// A type of a library, by its name.
    Of(&'static str),
    /// A type of objects that expressions make, by its name: `Object.spec`.
    Made(Text),
    /// Values that expressions have names for.
    Named(Vec<(Text, Type<'s>)>),
    /// What a signature leaves open.
    Parameter(char),
}

impl<'s> Type<'s> {
    /// A list of such.
    pub(super) fn list(of: Type<'s>) -> Type<'s> {
        Type::List(Box::new(of))
    }

    /// The type that a schema declares; `None` if rules can't see such values.
    pub(super) fn of_schema(schema: &'s Schema, root: bool) -> Option<Type<'s>> {
        if schema.int_or_string {
            return Some(Type::Dyn);
        }
        match schema.kind {
            Kind::Array => {
                let items = schema.items.as_deref()?;
                Some(Type::list(Type::of_schema(items, items.embedded)?))
            }
            Kind::Object => match &schema.additional {
                Some(Additional::Of(of)) => {
                    let of = Type::of_schema(of, of.embedded)?;
                    Some(Type::Map(Box::new(Type::Text), Box::new(of)))
                }
                _ => Some(Type::Object(schema, root || schema.embedded)),
            },
            Kind::String => Some(match schema.checks.format.as_str() {
                "byte" => Type::Bytes,
                "duration" => Type::Duration,
                "date" | "date-time" => Type::Time,
                _ => Type::Text,
            }),
            Kind::Boolean => Some(Type::Bool),
            Kind::Number => Some(Type::Double),
            Kind::Integer => Some(Type::Int),
            Kind::Any => None,
        }
    }

    /// The type of a field; `None` if there is no such one.
    pub(super) fn field(&self, name: &str) -> Option<Type<'s>> {
        match self {
            Type::Object(schema, is_object) => {
                let own = unescaped(name);
                let property = schema.properties.get(own.as_str());
                let visible = escaped(&own).as_deref() == Some(name);
                if *is_object && !overrides(schema) {
                    match name {
                        "apiVersion" | "kind" => return Some(Type::Text),
                        "metadata" => return Some(Type::Meta),
                        _ => {}
                    }
                }
                Type::of_schema(property.filter(|_| visible)?, false)
            }
            Type::Meta => matches!(name, "name" | "generateName").then_some(Type::Text),
            Type::Map(_, value) => Some((**value).clone()),
            Type::Named(values) => {
                values.iter().find(|(have, _)| have == name).map(|(_, kind)| kind.clone())
            }
            Type::Dyn => Some(Type::Dyn),
            _ => None,
        }
    }

    /// Whether fields can be selected of it.
    pub(super) fn has_fields(&self) -> bool {
        let known = matches!(self, Type::Object(..) | Type::Meta | Type::Named(_));
        known || matches!(self, Type::Map(..) | Type::Dyn)
    }

    /// Whether a value of the type `other` is one of this type.
    pub(super) fn takes(&self, other: &Type<'s>) -> bool {
        match (self, other) {
            (Type::Dyn, _) | (_, Type::Dyn) => true,
            (Type::Bool, Type::Bool)
            | (Type::Null, Type::Null)
            | (Type::Int, Type::Int)
            | (Type::Uint, Type::Uint)
            | (Type::Double, Type::Double)
            | (Type::Text, Type::Text)
            | (Type::Bytes, Type::Bytes)
            | (Type::Duration, Type::Duration)
            | (Type::Time, Type::Time)
            | (Type::Meta, Type::Meta)
            | (Type::Kind, Type::Kind) => true,
            (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => a.takes(b),
            (Type::Map(a, b), Type::Map(c, d)) => a.takes(c) && b.takes(d),
            (Type::Object(a, _), Type::Object(b, _)) => std::ptr::eq(*a, *b),
            (Type::Of(a), Type::Of(b)) => a == b,
            (Type::Made(a), Type::Made(b)) => a == b,
            // A message may be null.
            (Type::Null, Type::Object(..) | Type::Meta | Type::Duration | Type::Time)
            | (Type::Object(..) | Type::Meta | Type::Duration | Type::Time, Type::Null) => true,
            _ => false,
        }
    }
}

/// Whether a schema itself says what all objects of the API have.
fn overrides(schema: &Schema) -> bool {
    let is = |name: &str, kind: Kind| schema.properties.get(name).is_some_and(|p| p.kind == kind);
    let metadata = schema.properties.get("metadata");
    let names = |name: &str| {
        metadata.and_then(|m| m.properties.get(name)).is_some_and(|p| p.kind == Kind::String)
    };
    is("kind", Kind::String)
        && is("apiVersion", Kind::String)
        && is("metadata", Kind::Object)
        && names("name")
        && names("generateName")
}

impl fmt::Display for Type<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Dyn => to.write_str("dyn"),
            Type::Null => to.write_str("null"),
            Type::Bool => to.write_str("bool"),
            Type::Int => to.write_str("int"),
            Type::Uint => to.write_str("uint"),
            Type::Double => to.write_str("double"),
            Type::Text => to.write_str("string"),
            Type::Bytes => to.write_str("bytes"),
            Type::Duration => to.write_str("duration"),
            Type::Time => to.write_str("timestamp"),
            Type::List(of) => write!(to, "list({of})"),
            Type::Map(key, value) => write!(to, "map({key}, {value})"),
            Type::Object(..) | Type::Meta => to.write_str("object"),
            Type::Optional(of) => write!(to, "optional_type({of})"),
            Type::Kind => to.write_str("type"),
            Type::Of(name) => to.write_str(name),
            Type::Made(name) => to.write_str(name),
            Type::Named(_) => to.write_str("kubernetes.variables"),
            Type::Parameter(name) => write!(to, "{name}"),
        }
    }
}
