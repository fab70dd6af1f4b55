//! Which part of the last state belongs to a part of the new one, and whether they are equal: what
//! was invalid before and did not change is let pass (apiserver v0.36, `pkg/cel/common`
//! `CorrelatedObject`; feature CRDValidationRatcheting).

use kubesim_model::tree::Tree;

use super::node::{ListKind, Schema};

/// A value, the value that was in its place, and the schema of both.
#[derive(Clone, Copy, Debug)]
pub(in crate::api) struct Old<'a> {
    new: &'a Tree,
    pub(in crate::api) old: &'a Tree,
    schema: &'a Schema,
}

impl<'a> Old<'a> {
    /// A whole object and its last state.
    pub(in crate::api) fn new(new: &'a Tree, old: &'a Tree, schema: &'a Schema) -> Self {
        Old { new, old, schema }
    }

    /// The same for a field; `None` if it is not in both, or nothing is known of it.
    pub(in crate::api) fn field(self, name: &str) -> Option<Old<'a>> {
        let (new, old) = (self.new.get(name)?, self.old.get(name)?);
        Some(Old { new, old, schema: self.schema.property(name)? })
    }

    /// The same for an element, which is found by its keys; `None` for other lists.
    pub(in crate::api) fn element(self, at: usize) -> Option<Old<'a>> {
        if self.schema.list != ListKind::Map {
            return None;
        }
        let new = self.new.items().get(at)?;
        let old = same_keyed(self.schema, self.old, new)?;
        Some(Old { new, old, schema: self.schema.items.as_deref()? })
    }

    /// Whether both are equal, as far as that can be told: objects with fields of which nothing is
    /// known never are, and lists with keys are whatever the order of their elements.
    pub(in crate::api) fn is_equal(self) -> bool {
        match (self.new, self.old) {
            (Tree::Map(new), Tree::Map(old)) => {
                new.len() == old.len()
                    && new.iter().all(|(key, _)| self.field(key).is_some_and(Old::is_equal))
            }
            (Tree::List(new), Tree::List(old)) if self.schema.list == ListKind::Map => {
                new.len() == old.len()
                    && (0..new.len()).all(|at| self.element(at).is_some_and(Old::is_equal))
            }
            (new, old) => new == old,
        }
    }
}

/// The element of a list with the keys of `element`.
pub(in crate::api) fn same_keyed<'a>(
    schema: &Schema,
    list: &'a Tree,
    element: &Tree,
) -> Option<&'a Tree> {
    element.as_map()?;
    let same = |other: &&Tree| {
        other.as_map().is_some() && schema.keys.iter().all(|key| other.get(key) == element.get(key))
    };
    list.items().iter().find(same)
}
