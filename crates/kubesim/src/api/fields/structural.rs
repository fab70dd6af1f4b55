//! The schema of a custom type, made of the `openAPIV3Schema` of its definition (kube-openapi
//! v0.0.0 of Kubernetes v1.36, `pkg/schemaconv`).

use kubesim_model::Text;
use kubesim_model::tree::Tree;

use super::schema::{Atom, Field, Fields, Keys, List, Scalar, Schema, Typed};

/// Schemas are read so deep; what lies below is taken as it comes.
const DEEPEST: usize = 64;

/// The merge schema of a custom type.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Structural {
    schema: Schema,
    root: usize,
}

impl Structural {
    /// Makes it of an `openAPIV3Schema`; of an object with nothing declared, if there is none.
    pub(in super::super) fn of(declared: &Tree) -> Structural {
        let (mut schema, metadata) = Schema::new().add_metadata();
        let mut reading = Reading { schema: &mut schema, metadata };
        let root = reading.object(declared, true, keeps(declared), 0);
        Structural { schema, root }
    }

    /// The type of whole objects.
    pub(in super::super) fn root(&self) -> Typed<'_> {
        Typed { schema: &self.schema, at: self.root }
    }
}

struct Reading<'s> {
    schema: &'s mut Schema,
    metadata: usize,
}

/// Whether fields that are not declared are kept.
fn keeps(declared: &Tree) -> bool {
    declared["x-kubernetes-preserve-unknown-fields"].is_true()
}

impl Reading<'_> {
    /// A type; `open` where undeclared fields are kept, which holds for all below, too.
    fn kind(&mut self, declared: &Tree, open: bool, depth: usize) -> usize {
        let open = open || keeps(declared);
        if depth > DEEPEST {
            return Schema::any(false);
        }
        let embedded = declared["x-kubernetes-embedded-resource"].is_true();
        let atom = match declared["type"].str() {
            "object" => return self.object(declared, embedded, open, depth),
            "array" => Atom { list: Some(self.list(declared, open, depth)), ..Atom::default() },
            "integer" | "number" => Atom::scalar(Scalar::Number),
            "boolean" => Atom::scalar(Scalar::Bool),
            "string" if ["", "byte"].contains(&declared["format"].str()) => {
                Atom::scalar(Scalar::Text)
            }
            "string" => Atom::scalar(Scalar::Any),
            _ if declared["x-kubernetes-int-or-string"].is_true() => Atom::scalar(Scalar::Any),
            _ => Atom {
                scalar: Some(Scalar::Any),
                list: Some(self.list(declared, open, depth)),
                map: Some(self.fields(declared, false, open, depth)),
            },
        };
        self.schema.add(atom)
    }

    fn object(&mut self, declared: &Tree, whole: bool, open: bool, depth: usize) -> usize {
        let fields = self.fields(declared, whole, open, depth);
        self.schema.add(Atom::map(fields))
    }

    /// The fields of a map; those of every object, too, if it is a whole one.
    fn fields(&mut self, declared: &Tree, whole: bool, open: bool, depth: usize) -> Fields {
        let mut fields = Fields {
            is_atomic: declared["x-kubernetes-map-type"] == "atomic",
            ..Fields::default()
        };
        let field = |kind, default: &Tree| Field {
            kind,
            default: Some(default.clone()).filter(|default| !default.is_null()),
            is_never_absent: false,
        };
        for (name, inner) in declared["properties"].fields() {
            let kind = self.kind(inner, open, depth + 1);
            fields.named.insert(name.clone(), field(kind, &inner["default"]));
        }
        if whole {
            let text = self.schema.add(Atom::scalar(Scalar::Text));
            for (name, kind) in [("apiVersion", text), ("kind", text), ("metadata", self.metadata)]
            {
                fields.named.insert(Text::new_static(name), field(kind, &Tree::Null));
            }
        }
        let others = &declared["additionalProperties"];
        fields.rest = match others {
            Tree::Map(_) => Some(self.kind(others, open, depth + 1)),
            Tree::Bool(true) => Some(Schema::any(false)),
            Tree::Null if open || fields.named.is_empty() => Some(Schema::any(false)),
            _ => None,
        };
        fields
    }

    fn list(&mut self, declared: &Tree, open: bool, depth: usize) -> List {
        let items = match &declared["items"] {
            Tree::Map(_) => self.kind(&declared["items"], open, depth + 1),
            _ => Schema::any(true),
        };
        let keys = match declared["x-kubernetes-list-type"].str() {
            "set" => Keys::Set,
            "map" => {
                let keys = declared["x-kubernetes-list-map-keys"].items();
                Keys::By(keys.iter().map(Tree::text).collect())
            }
            _ => Keys::Atomic,
        };
        List { items, keys }
    }
}
