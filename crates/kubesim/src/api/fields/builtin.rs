//! The schema of the built-in types, made of their table.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use kubesim_model::Text;
use kubesim_model::tree::Tree;

use super::schema::{Atom, Field, Fields, Keys, Scalar, Schema, Typed};
use crate::api::typed::{Presence, Shape, Table};

/// All built-in types.
struct Builtin {
    schema: Schema,
    /// The types that objects are of.
    kinds: BTreeMap<&'static str, usize>,
}

impl Schema {
    /// The built-in type of this name, as in `Deployment`; that of anything, if there is none.
    pub(in super::super) fn builtin(kind: &str) -> Typed<'static> {
        static BUILTIN: OnceLock<Builtin> = OnceLock::new();
        let builtin = BUILTIN.get_or_init(|| {
            let mut making = Making::new(Schema::new());
            let names = Table::get().names();
            let kinds = names.map(|name| (name, making.object(name, false))).collect();
            Builtin { schema: making.schema, kinds }
        });
        match builtin.kinds.get(kind) {
            Some(at) => Typed { schema: &builtin.schema, at: *at },
            None => Schema::deduced(),
        }
    }

    /// Adds the built-in type `ObjectMeta` and what it holds.
    pub(super) fn add_metadata(self) -> (Schema, usize) {
        let mut making = Making::new(self);
        let at = making.object("ObjectMeta", false);
        (making.schema, at)
    }
}

/// A schema in the making, with the places of its types by name and by whether they are one value.
struct Making {
    schema: Schema,
    known: BTreeMap<(&'static str, bool), usize>,
}

impl Making {
    fn new(schema: Schema) -> Making {
        Making { schema, known: BTreeMap::new() }
    }

    /// The place of a struct, which is made with all that it holds.
    fn object(&mut self, name: &str, is_atomic: bool) -> usize {
        let table = Table::get();
        let Some(object) = table.find(name).map(|at| table.object(at)) else {
            return Schema::any(is_atomic);
        };
        if let Some(at) = self.known.get(&(object.name, is_atomic)) {
            return *at;
        }
        // Types may hold themselves.
        let at = self.schema.add(Atom::default());
        self.known.insert((object.name, is_atomic), at);
        let mut fields = Fields { is_atomic, ..Fields::default() };
        for field in &object.fields {
            let kind = self.shape(&field.shape, field.is_atomic, field.keys.as_deref());
            // Go's zero values stand in OpenAPI as defaults of what is always written.
            let default = match (&field.shape, field.presence) {
                _ if field.default.is_some() => field.default.map(Tree::from),
                (Shape::Text, Presence::Always) => Some("".into()),
                (Shape::Int(_), Presence::Always) => Some(0.into()),
                _ => None,
            };
            let is_never_absent = field.is_null;
            let field_of = Field { kind, default, is_never_absent };
            fields.named.insert(Text::new_static(field.name), field_of);
        }
        self.schema.atoms[at] = Atom::map(fields);
        at
    }

    fn shape(&mut self, shape: &Shape, is_atomic: bool, keys: Option<&[&'static str]>) -> usize {
        let atom = match shape {
            Shape::Object(at) => {
                let name = Table::get().object(*at).name;
                return self.object(name, is_atomic);
            }
            Shape::Any => return Schema::any(is_atomic),
            Shape::Text | Shape::Bytes => Atom::scalar(Scalar::Text),
            Shape::Bool => Atom::scalar(Scalar::Bool),
            Shape::Int(_) | Shape::Number => Atom::scalar(Scalar::Number),
            Shape::Quantity | Shape::IntOrText | Shape::Time | Shape::MicroTime => {
                Atom::scalar(Scalar::Any)
            }
            Shape::Map(inner) => {
                let rest = Some(self.shape(inner, false, None));
                Atom::map(Fields { rest, is_atomic, ..Fields::default() })
            }
            Shape::List(inner) => {
                // Of a list that is taken apart, the elements may each be one value.
                let items = self.shape(inner, is_atomic, None);
                let keys = match keys {
                    None => Keys::Atomic,
                    Some([]) => Keys::Set,
                    Some(keys) => Keys::By(keys.iter().map(|key| Text::new_static(key)).collect()),
                };
                Atom::list(items, keys)
            }
        };
        self.schema.add(atom)
    }
}
