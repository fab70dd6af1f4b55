//! Lists whose elements must differ: sets and maps (apiextensions-apiserver v0.36,
//! `schema/listtype`).

use std::collections::BTreeMap;

use kubesim_model::Text;
use kubesim_model::tree::{Map, Tree};

use super::node::{Additional, ListKind, Schema};
use crate::api::errors::Cause;

impl Schema {
    /// Which elements of the lists in an object are there twice.
    pub(in crate::api) fn duplicates(&self, object: &Tree) -> Vec<Cause> {
        let mut causes = Vec::new();
        self.find_duplicates(object, "", &mut causes);
        causes
    }

    fn find_duplicates(&self, tree: &Tree, path: &str, causes: &mut Vec<Cause>) {
        if !self.has_keyed_lists {
            return;
        }
        match tree {
            Tree::Map(map) => {
                for (key, value) in map.iter() {
                    // Where there are properties too, both schemas are looked at.
                    if let Some(Additional::Of(of)) = &self.additional {
                        of.find_duplicates(value, &format!("{path}[{key}]"), causes);
                    }
                    if let Some(of) = self.properties.get(key) {
                        let dot = if path.is_empty() { "" } else { "." };
                        of.find_duplicates(value, &format!("{path}{dot}{key}"), causes);
                    }
                }
            }
            Tree::List(items) => {
                match self.list {
                    ListKind::Atomic => {}
                    ListKind::Set => repeated(items, path, causes),
                    ListKind::Map => self.check_keys(items, path, causes),
                }
                let Some(of) = self.items.as_deref() else { return };
                for (at, item) in items.iter().enumerate() {
                    of.find_duplicates(item, &format!("{path}[{at}]"), causes);
                }
            }
            _ => {}
        }
    }

    fn check_keys(&self, items: &[Tree], path: &str, causes: &mut Vec<Cause>) {
        let wrong = items.iter().position(|item| item.as_map().is_none() && !item.is_null());
        if let Some(at) = wrong {
            let detail = "must be an object for an array of list-type map";
            causes.push(Cause::invalid(format!("{path}[{at}]"), &items[at], detail));
            return;
        }
        let keys = |item: &Tree| {
            let key = |key: &Text| Some((key.clone(), item.get(key)?.clone()));
            Tree::Map(self.keys.iter().filter_map(key).collect::<Map>())
        };
        repeated(&items.iter().map(keys).collect::<Vec<_>>(), path, causes);
    }
}

/// Tells of each element that is there more than once where it is there for the second time.
fn repeated(items: &[Tree], path: &str, causes: &mut Vec<Cause>) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (at, item) in items.iter().enumerate() {
        let times = seen.entry(item.to_string()).or_default();
        *times += 1;
        if *times == 2 {
            causes.push(Cause::duplicate(format!("{path}[{at}]"), item));
        }
    }
}
