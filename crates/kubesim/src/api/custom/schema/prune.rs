//! Taking away what a schema does not know: unknown fields, and nulls where none may be
//! (apiextensions-apiserver v0.36, `schema/pruning` and `schema/defaulting/prunenulls.go`).
//!
//! What does not change stays shared, and what an object shares with its last state was pruned
//! before.

use kubesim_model::Text;
use kubesim_model::tree::{Map, Tree};

use super::node::{Additional, Schema};

/// What pruning found.
#[derive(Debug, Default)]
pub(in crate::api) struct Pruned {
    /// The fields that were taken away, as paths.
    pub(in crate::api) unknown: Vec<String>,
    path: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Field(Text),
    Element(usize),
}

/// The fields that every object of the API has.
fn is_meta(name: &str) -> bool {
    matches!(name, "apiVersion" | "kind" | "metadata")
}

impl Schema {
    /// Takes the fields out of an object that the schema does not know.
    pub(in crate::api) fn prune(&self, object: &mut Tree, old: &Tree) -> Pruned {
        let mut pruned = Pruned::default();
        if let Some(new) = pruned.known(object, old, Some(self), true) {
            *object = new;
        }
        pruned.unknown.sort_unstable();
        pruned
    }

    /// Takes the fields out of a value that the schema does not know, wherever it is. Answers
    /// whether it knows all.
    pub(in crate::api) fn prune_value(&self, value: &mut Tree) -> bool {
        let mut pruned = Pruned::default();
        if let Some(new) = pruned.known(value, &Tree::Null, Some(self), false) {
            *value = new;
            return false;
        }
        true
    }

    /// Takes the nulls out of an object that may not be there and have no default.
    pub(in crate::api) fn drop_nulls(&self, object: &mut Tree, old: &Tree) {
        if let Some(new) = without_nulls(object, old, self) {
            *object = new;
        }
    }

    /// Whether `null` is no value here, and no default stands for it.
    fn drops_null(&self) -> bool {
        !self.nullable && self.default.is_null()
    }
}

impl Pruned {
    /// The tree with known fields only, or `None` if nothing changes. `root` is set for objects of
    /// the API, whose metadata is not looked at.
    fn known(
        &mut self,
        tree: &Tree,
        old: &Tree,
        schema: Option<&Schema>,
        root: bool,
    ) -> Option<Tree> {
        if tree.is_same(old) {
            return None;
        }
        let open = schema.is_some_and(|schema| schema.open);
        if open && !schema.is_some_and(|schema| schema.has_nodes) {
            return None;
        }
        match tree {
            Tree::Map(map) => self.known_fields(map, old, schema, root).map(Tree::Map),
            Tree::List(items) => {
                let of = schema.and_then(|schema| schema.items.as_deref());
                if open && of.is_none() {
                    return None;
                }
                let mut changed: Option<Vec<Tree>> = None;
                for (at, item) in items.iter().enumerate() {
                    self.path.push(Step::Element(at));
                    let before = old.items().get(at).unwrap_or(&Tree::Null);
                    if let Some(new) = self.known(item, before, of, false) {
                        changed.get_or_insert_with(|| items.to_vec())[at] = new;
                    }
                    self.path.pop();
                }
                changed.map(Tree::from)
            }
            _ => None,
        }
    }

    fn known_fields(
        &mut self,
        map: &Map,
        old: &Tree,
        schema: Option<&Schema>,
        root: bool,
    ) -> Option<Map> {
        let embedded = root || schema.is_some_and(|schema| schema.embedded);
        let mut changed: Option<Map> = None;
        for (key, value) in map.iter() {
            if embedded && is_meta(key) {
                continue;
            }
            let known = schema.and_then(|schema| {
                let property = schema.properties.get(key.as_str()).map(Some);
                property.or(schema.additional.as_ref().map(|additional| match additional {
                    Additional::Of(schema) => Some(schema.as_ref()),
                    Additional::Any(_) => None,
                }))
            });
            match known {
                Some(of) => {
                    self.path.push(Step::Field(key.clone()));
                    if let Some(new) = self.known(value, &old[key.as_str()], of, false) {
                        changed.get_or_insert_with(|| map.clone()).insert(key, new);
                    }
                    self.path.pop();
                }
                None if schema.is_some_and(|schema| schema.open) => {}
                None => {
                    if !is_meta(key) || !self.path.is_empty() {
                        self.path.push(Step::Field(key.clone()));
                        self.unknown.push(self.path());
                        self.path.pop();
                    }
                    changed.get_or_insert_with(|| map.clone()).remove(key);
                }
            }
        }
        changed
    }

    fn path(&self) -> String {
        let mut text = String::new();
        for step in &self.path {
            match step {
                Step::Field(name) if text.is_empty() => text += name,
                Step::Field(name) => text += &format!(".{name}"),
                Step::Element(at) => text += &format!("[{at}]"),
            }
        }
        text
    }
}

fn without_nulls(tree: &Tree, old: &Tree, schema: &Schema) -> Option<Tree> {
    if !schema.has_nodes || tree.is_same(old) {
        return None;
    }
    match tree {
        Tree::Map(map) => {
            let mut changed: Option<Map> = None;
            for (key, value) in map.iter() {
                let Some(of) = schema.property(key) else { continue };
                if value.is_null() && of.drops_null() {
                    changed.get_or_insert_with(|| map.clone()).remove(key);
                } else if let Some(new) = without_nulls(value, &old[key.as_str()], of) {
                    changed.get_or_insert_with(|| map.clone()).insert(key, new);
                }
            }
            changed.map(Tree::Map)
        }
        Tree::List(items) => {
            let of = schema.items.as_deref()?;
            let mut changed: Option<Vec<Tree>> = None;
            for (at, item) in items.iter().enumerate() {
                let before = old.items().get(at).unwrap_or(&Tree::Null);
                if let Some(new) = without_nulls(item, before, of) {
                    changed.get_or_insert_with(|| items.to_vec())[at] = new;
                }
            }
            changed.map(Tree::from)
        }
        _ => None,
    }
}
