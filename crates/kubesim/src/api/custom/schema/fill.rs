//! Defaults of a schema (apiextensions-apiserver v0.36, `schema/defaulting/algorithm.go`).

use kubesim_model::Text;
use kubesim_model::tree::{Map, Tree};
use kubesim_model::weight::weigh;

use super::node::{Additional, Schema};

/// How many bytes of defaults an object may get: with more it could not be stored (etcd: 1.5 MiB).
const MOST_DEFAULTS: usize = 3 << 19;
/// What each of them takes at least.
const LEAST: usize = 8;

impl Schema {
    /// Fills in the defaults of fields that are left out, or are `null` where that is no value.
    /// What the object shares with `old` has its defaults already. Answers whether all were filled
    /// in, or they are too large.
    pub(in crate::api) fn fill(&self, object: &mut Tree, old: &Tree) -> bool {
        let mut left = MOST_DEFAULTS;
        if let Some(new) = filled(object, old, self, &mut left) {
            *object = new;
        }
        left > 0
    }

    fn stands_for_null(&self, value: &Tree) -> bool {
        value.is_null() && !self.nullable && !self.default.is_null()
    }
}

/// The tree with its defaults, or `None` if nothing changes.
fn filled(tree: &Tree, old: &Tree, schema: &Schema, left: &mut usize) -> Option<Tree> {
    if !schema.has_defaults || tree.is_same(old) || *left == 0 {
        return None;
    }
    match tree {
        Tree::Map(map) => {
            let mut changed: Option<Map> = None;
            for (name, property) in &schema.properties {
                let missing = match map.get(name) {
                    None => !property.default.is_null(),
                    Some(value) => property.stands_for_null(value),
                };
                if missing && pays(&property.default, left) {
                    changed.get_or_insert_with(|| map.clone()).insert(name, &property.default);
                }
            }
            fill_fields(map, changed, (old, schema), left).map(Tree::Map)
        }
        Tree::List(items) => {
            let of = schema.items.as_deref()?;
            let mut changed: Option<Vec<Tree>> = None;
            for (at, item) in items.iter().enumerate() {
                let before = old.items().get(at).unwrap_or(&Tree::Null);
                if let Some(new) = filled_or_default(item, before, of, left) {
                    changed.get_or_insert_with(|| items.to_vec())[at] = new;
                }
            }
            changed.map(Tree::from)
        }
        _ => None,
    }
}

/// Defaults inside of the fields, those that were just filled in among them.
fn fill_fields(
    map: &Map,
    changed: Option<Map>,
    (old, schema): (&Tree, &Schema),
    left: &mut usize,
) -> Option<Map> {
    let mut changed = changed;
    let now = changed.clone();
    for (key, value) in now.as_ref().unwrap_or(map).iter() {
        let key: &Text = key;
        let before = &old[key.as_str()];
        let new = match (schema.properties.get(key), &schema.additional) {
            (Some(of), _) => filled(value, before, of, left),
            (None, Some(Additional::Of(of))) => filled_or_default(value, before, of, left),
            _ => None,
        };
        if let Some(new) = new {
            changed.get_or_insert_with(|| map.clone()).insert(key, new);
        }
    }
    changed
}

/// Whether there is room for a default. It is used up then.
fn pays(default: &Tree, left: &mut usize) -> bool {
    // Even the smallest one has a name and takes time.
    let weight = weigh(default, *left).map_or(*left, |weight| weight + LEAST);
    *left = left.saturating_sub(weight);
    *left > 0
}

fn filled_or_default(value: &Tree, old: &Tree, schema: &Schema, left: &mut usize) -> Option<Tree> {
    if schema.stands_for_null(value) && pays(&schema.default, left) {
        let default = schema.default.clone();
        return Some(filled(&default, &Tree::Null, schema, left).unwrap_or(default));
    }
    filled(value, old, schema, left)
}
