//! Who owns whom, by uid, as far as the watches have told.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, object};

pub(super) const FOREGROUND: &str = "foregroundDeletion";
pub(super) const ORPHAN: &str = "orphan";

/// An object of the graph.
#[derive(Clone)]
pub(super) struct Item {
    pub(super) resource: Resource,
    pub(super) key: ObjectKey,
    pub(super) owners: Tree,
    pub(super) is_deleting: bool,
    pub(super) waits_for_dependents: bool,
    pub(super) orphans_dependents: bool,
}

/// All objects by uid, and the dependents of each uid, known or not.
#[derive(Clone, Default)]
pub(super) struct Graph {
    items: BTreeMap<Text, Item>,
    dependents: BTreeMap<Text, BTreeSet<Text>>,
}

impl Item {
    fn new(resource: Resource, object: &Tree) -> Self {
        let is_deleting = object::is_terminating(object);
        Item {
            resource,
            key: object::key(object),
            owners: object["metadata"]["ownerReferences"].clone(),
            is_deleting,
            waits_for_dependents: is_deleting && has_finalizer(object, FOREGROUND),
            orphans_dependents: is_deleting && has_finalizer(object, ORPHAN),
        }
    }

    /// Whether the item blocks the foreground deletion of this owner.
    pub(super) fn blocks(&self, owner: &str) -> bool {
        let mut owners = self.owners.items().iter();
        owners.any(|o| o["uid"] == owner && o["blockOwnerDeletion"].is_true())
    }
}

/// Whether the object has this finalizer.
pub(super) fn has_finalizer(object: &Tree, finalizer: &str) -> bool {
    object["metadata"]["finalizers"].items().iter().any(|have| have == finalizer)
}

impl Graph {
    pub(super) fn get(&self, uid: &str) -> Option<&Item> {
        self.items.get(uid)
    }

    pub(super) fn dependents(&self, uid: &str) -> impl Iterator<Item = &Text> {
        self.dependents.get(uid).into_iter().flatten()
    }

    /// Takes an object in; answers what was known of it.
    pub(super) fn put(&mut self, resource: Resource, object: &Tree) -> Option<Item> {
        let uid = Text::new(object::uid(object));
        let item = Item::new(resource, object);
        let old = self.items.get(&uid).cloned();
        if old.as_ref().is_none_or(|old| old.owners != item.owners) {
            self.unlink(&uid, old.as_ref());
            for owner in item.owners.items() {
                self.dependents.entry(owner["uid"].text()).or_default().insert(uid.clone());
            }
        }
        self.items.insert(uid, item);
        old
    }

    /// Forgets an object; its dependents stay linked to its uid.
    pub(super) fn remove(&mut self, uid: &str) -> Option<Item> {
        let item = self.items.remove(uid);
        self.unlink(uid, item.as_ref());
        item
    }

    fn unlink(&mut self, uid: &str, item: Option<&Item>) {
        for owner in item.map_or(&[][..], |item| item.owners.items()) {
            let owner = owner["uid"].str();
            if let Some(dependents) = self.dependents.get_mut(owner) {
                dependents.remove(uid);
                if dependents.is_empty() {
                    self.dependents.remove(owner);
                }
            }
        }
    }
}
