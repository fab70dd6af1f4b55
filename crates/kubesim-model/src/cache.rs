//! What an actor knows of the cluster: the objects that its watches delivered, as an informer holds
//! them.

use std::collections::{BTreeMap, BTreeSet};

use crate::Text;
use crate::actor::WatchEvent;
use crate::object;
use crate::resource::{ObjectKey, Resource};
use crate::tree::Tree;

/// Objects by resource and key, with an index by controlling owner.
#[derive(Clone, Default)]
pub struct Cache {
    tables: BTreeMap<Resource, Table>,
}

#[derive(Clone, Default)]
struct Table {
    objects: BTreeMap<ObjectKey, Tree>,
    by_controller: BTreeMap<Text, BTreeSet<ObjectKey>>,
    listed: bool,
}

/// A change that a watch event made: the state before and after.
pub struct Change {
    /// Of which resource.
    pub resource: Resource,
    /// What was known before; `None` for a new object.
    pub old: Option<Tree>,
    /// What is known now; `None` for one that is gone.
    pub new: Option<Tree>,
}

impl Cache {
    /// Takes a watch event in and answers what it changed.
    pub fn take(&mut self, event: WatchEvent) -> Vec<Change> {
        let resource = event.resource().clone();
        let table = self.tables.entry(resource.clone()).or_default();
        match event {
            WatchEvent::Listed { items, .. } => {
                table.listed = true;
                let listed: BTreeSet<ObjectKey> = items.iter().map(object::key).collect();
                let gone: Vec<ObjectKey> =
                    table.objects.keys().filter(|key| !listed.contains(*key)).cloned().collect();
                let gone = gone.into_iter().map(|key| (key, None));
                let come = items.into_iter().map(|item| (object::key(&item), Some(item)));
                let changes: Vec<_> = gone.chain(come).collect();
                changes.into_iter().map(|(key, new)| table.put(&resource, key, new)).collect()
            }
            WatchEvent::Applied { object, .. } => {
                vec![table.put(&resource, object::key(&object), Some(object))]
            }
            WatchEvent::Deleted { object, .. } => {
                let key = object::key(&object);
                let change = table.put(&resource, key, None);
                // The last state comes with the event, and may be newer than the one known.
                vec![Change { old: Some(object), ..change }]
            }
        }
    }

    /// The object, if it is known.
    pub fn get(&self, resource: &Resource, key: &ObjectKey) -> Option<&Tree> {
        self.tables.get(resource)?.objects.get(key)
    }

    /// All known objects of a resource, in the order of their keys.
    pub fn all<'a>(&'a self, resource: &Resource) -> impl Iterator<Item = &'a Tree> + use<'a> {
        self.tables.get(resource).into_iter().flat_map(|table| table.objects.values())
    }

    /// The known objects of a resource in a namespace, in the order of their names.
    pub fn in_namespace<'a>(
        &'a self,
        resource: &Resource,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a Tree> + use<'a> {
        let from = ObjectKey::new(namespace, "");
        self.tables
            .get(resource)
            .into_iter()
            .flat_map(move |table| table.objects.range(from.clone()..))
            .take_while(move |(key, _)| key.namespace == namespace)
            .map(|(_, object)| object)
    }

    /// The known objects whose controlling owner has this uid, in the order of their keys.
    pub fn controlled_by<'a>(
        &'a self,
        resource: &Resource,
        uid: &str,
    ) -> impl Iterator<Item = &'a Tree> + use<'a> {
        let table = self.tables.get(resource);
        let keys = table.and_then(|table| table.by_controller.get(uid));
        keys.into_iter()
            .flatten()
            .filter_map(move |key| table.and_then(|table| table.objects.get(key)))
    }

    /// Whether each of these resources was listed once: nothing may be decided before.
    pub fn has_listed<'a>(&self, resources: impl IntoIterator<Item = &'a Resource>) -> bool {
        resources
            .into_iter()
            .all(|resource| self.tables.get(resource).is_some_and(|table| table.listed))
    }
}

impl Table {
    fn put(&mut self, resource: &Resource, key: ObjectKey, new: Option<Tree>) -> Change {
        let old = match &new {
            Some(object) => self.objects.insert(key.clone(), object.clone()),
            None => self.objects.remove(&key),
        };
        let owner = |object: &Option<Tree>| {
            let uid = object.as_ref().map_or("", object::controller_uid);
            (!uid.is_empty()).then(|| Text::new(uid))
        };
        let (before, after) = (owner(&old), owner(&new));
        if before != after {
            if let Some(uid) = before
                && let Some(keys) = self.by_controller.get_mut(&uid)
            {
                keys.remove(&key);
                if keys.is_empty() {
                    self.by_controller.remove(&uid);
                }
            }
            if let Some(uid) = after {
                self.by_controller.entry(uid).or_default().insert(key);
            }
        }
        Change { resource: resource.clone(), old, new }
    }
}
