//! How the values of a type are taken apart: which maps and lists are one value, and how the
//! elements of the others are told from each other (structured-merge-diff v6, `schema`).
//!
//! [`Schema::builtin`] is that of the built-in types, [`super::structural`] makes those of custom
//! ones, and [`Schema::deduced`] takes objects as they come.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use kubesim_model::Text;
use kubesim_model::tree::Tree;

use super::step::{Step, Value};

/// The types of an object and of all that it holds. They refer to each other by their places.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Schema {
    pub(super) atoms: Vec<Atom>,
}

/// What a value may be; of several forms, the one that it has.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Atom {
    pub(super) scalar: Option<Scalar>,
    pub(super) list: Option<List>,
    pub(super) map: Option<Fields>,
}

/// A value that is not taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Number,
    Text,
    Bool,
    Any,
}

/// A list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct List {
    pub(super) items: usize,
    pub(super) keys: Keys,
}

/// How the elements of a list are told from each other.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Keys {
    /// Not at all: the list is one value.
    Atomic,
    /// By their values.
    Set,
    /// By these of their fields.
    By(Vec<Text>),
}

/// A map or a struct.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fields {
    pub(super) named: BTreeMap<Text, Field>,
    /// The type of all others, if there may be others.
    pub(super) rest: Option<usize>,
    /// Whether it is one value.
    pub(super) is_atomic: bool,
}

/// A field of a struct.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) kind: usize,
    /// What it is as a key where it is not there.
    pub(super) default: Option<Tree>,
    /// Whether it is written as `null` where it is not there, so that it is never not there.
    pub(super) is_never_absent: bool,
}

/// A type within its schema.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Typed<'s> {
    pub(super) schema: &'s Schema,
    pub(super) at: usize,
}

/// What a value is taken as.
pub(super) enum Form<'s> {
    Scalar(Scalar),
    List(ListOf<'s>),
    Map(MapOf<'s>),
}

/// A list within its schema.
#[derive(Clone, Copy)]
pub(super) struct ListOf<'s> {
    pub(super) items: Typed<'s>,
    pub(super) keys: &'s Keys,
}

/// A map within its schema.
#[derive(Clone, Copy)]
pub(super) struct MapOf<'s> {
    schema: &'s Schema,
    pub(super) fields: &'s Fields,
}

/// The type of what stands at a step.
#[derive(Clone, Copy)]
pub(super) struct Member<'s> {
    pub(super) kind: Typed<'s>,
    /// Whether it is a field of a struct.
    pub(super) is_named: bool,
}

/// The place of the type in which maps are taken apart and lists are not.
const DEDUCED: usize = 0;
/// The place of the type that is one value.
const ATOMIC: usize = 1;

impl Schema {
    /// A schema with nothing but the two types that take any value.
    pub(super) fn new() -> Schema {
        let any = |map: usize, is_atomic: bool| Atom {
            scalar: Some(Scalar::Any),
            list: Some(List { items: ATOMIC, keys: Keys::Atomic }),
            map: Some(Fields { rest: Some(map), is_atomic, ..Fields::default() }),
        };
        Schema { atoms: vec![any(DEDUCED, false), any(ATOMIC, true)] }
    }

    /// The type that takes any value, and takes maps apart, or nothing.
    pub(super) fn any(is_atomic: bool) -> usize {
        if is_atomic { ATOMIC } else { DEDUCED }
    }

    /// The type of objects without a schema: maps are taken apart, lists are one value.
    pub(in super::super) fn deduced() -> Typed<'static> {
        static SCHEMA: OnceLock<Schema> = OnceLock::new();
        Typed { schema: SCHEMA.get_or_init(Schema::new), at: DEDUCED }
    }

    /// Adds a type.
    pub(super) fn add(&mut self, atom: Atom) -> usize {
        self.atoms.push(atom);
        self.atoms.len() - 1
    }
}

impl Atom {
    pub(super) fn scalar(scalar: Scalar) -> Atom {
        Atom { scalar: Some(scalar), ..Atom::default() }
    }

    pub(super) fn list(items: usize, keys: Keys) -> Atom {
        Atom { list: Some(List { items, keys }), ..Atom::default() }
    }

    pub(super) fn map(fields: Fields) -> Atom {
        Atom { map: Some(fields), ..Atom::default() }
    }
}

impl<'s> Typed<'s> {
    fn atom(self) -> &'s Atom {
        &self.schema.atoms[self.at]
    }

    /// The form in which a value is taken: its own, if the type has it; else the first of map,
    /// scalar and list that it has.
    pub(super) fn form(self, value: Option<&Tree>) -> Form<'s> {
        let (atom, schema) = (self.atom(), self.schema);
        let scalar = atom.scalar.map(Form::Scalar);
        let map = atom.map.as_ref().map(|fields| Form::Map(MapOf { schema, fields }));
        let list = atom.list.as_ref().map(|list| {
            let items = Typed { schema, at: list.items };
            Form::List(ListOf { items, keys: &list.keys })
        });
        let found = match value {
            None | Some(Tree::Null | Tree::Map(_)) => map.or(scalar).or(list),
            Some(Tree::List(_)) => list.or(map).or(scalar),
            Some(_) => scalar.or(map).or(list),
        };
        found.unwrap_or(Form::Scalar(Scalar::Any))
    }

    /// Whether maps or lists of this type are one value.
    pub(super) fn is_one_value(self) -> bool {
        match self.form(None) {
            Form::Scalar(_) => false,
            Form::List(list) => *list.keys == Keys::Atomic,
            Form::Map(map) => map.fields.is_atomic,
        }
    }

    /// The type of what stands at a step of a value of this type.
    pub(super) fn member(self, step: &Step) -> Option<Member<'s>> {
        match step {
            Step::Field(name) => {
                let fields = self.atom().map.as_ref()?;
                MapOf { schema: self.schema, fields }.member(name)
            }
            Step::Key(_) => {
                let at = self.atom().list.as_ref()?.items;
                Some(Member { kind: Typed { schema: self.schema, at }, is_named: false })
            }
            _ => None,
        }
    }
}

impl<'s> MapOf<'s> {
    /// The type of a field.
    pub(super) fn member(self, name: &str) -> Option<Member<'s>> {
        let named = self.fields.named.get(name).map(|field| field.kind);
        let is_named = named.is_some();
        let at = named.or(self.fields.rest)?;
        Some(Member { kind: Typed { schema: self.schema, at }, is_named })
    }
}

impl ListOf<'_> {
    /// How an element is found in the list.
    ///
    /// # Errors
    /// A text, if it can't be told from others.
    pub(super) fn step(&self, item: &Tree) -> Result<Step, String> {
        match self.keys {
            Keys::Atomic => Err("invalid indexing of non-associative list".to_owned()),
            Keys::Set => match item {
                Tree::Map(_) => Err("associative list without keys has an element that's a map \
                                     type"
                    .to_owned()),
                Tree::List(_) => {
                    Err("not supported: associative list with lists as elements".to_owned())
                }
                Tree::Null => Err("associative list without keys has an element that's an \
                                   explicit null"
                    .to_owned()),
                value => Ok(Step::Value(Value(value.clone()))),
            },
            Keys::By(keys) => self.key(keys, item),
        }
    }

    fn key(&self, keys: &[Text], item: &Tree) -> Result<Step, String> {
        let Some(fields) = item.as_map() else {
            let what = if item.is_null() { "a null element" } else { "non-map elements" };
            return Err(format!("associative list with keys may not have {what}"));
        };
        let kind = self.items.atom().map.as_ref();
        let default = |key: &str| kind?.named.get(key)?.default.clone();
        let mut found: Vec<(Text, Value)> = Vec::new();
        for key in keys {
            let value = fields.get(key).cloned().or_else(|| default(key));
            found.extend(value.map(|value| (key.clone(), Value(value))));
        }
        if found.is_empty() {
            let keys: Vec<String> = keys.iter().map(|key| format!("\"{key}\"")).collect();
            return Err(format!(
                "associative list with keys has an element that omits all key fields [{}] (and \
                 doesn't have default values for any key fields)",
                keys.join(" ")
            ));
        }
        found.sort();
        Ok(Step::Key(found))
    }
}
