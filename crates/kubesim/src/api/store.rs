//! The store: the newest state of every object, and the window of changes that led to it.
//!
//! It knows versions and nothing of types, validation or permissions.

use std::collections::BTreeMap;
use std::sync::Arc;

use kubesim_model::Text;
use kubesim_model::request::Status;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;

use super::errors;
use super::window::{Window, Write};

type Table = BTreeMap<ObjectKey, Tree>;

/// Objects by resource and key with one version for all, as etcd keeps them.
#[derive(Clone)]
pub(super) struct Store {
    tables: BTreeMap<Resource, Arc<Table>>,
    window: Window,
}

impl Store {
    /// An empty store that remembers at least `window` writes.
    pub(super) fn new(window: usize) -> Self {
        Store { tables: BTreeMap::new(), window: Window::new(window) }
    }

    /// An empty store whose next write has the version after `version`.
    pub(super) fn starting_at(window: usize, version: u64) -> Self {
        Store { tables: BTreeMap::new(), window: Window::starting_at(window, version) }
    }

    /// The newest version.
    pub(super) fn version(&self) -> u64 {
        self.window.newest()
    }

    /// Makes everything before `rv` unavailable.
    pub(super) fn compact(&mut self, rv: u64) {
        self.window.compact(rv);
    }

    /// The newest state of an object.
    pub(super) fn get(&self, resource: &Resource, key: &ObjectKey) -> Option<&Tree> {
        self.tables.get(resource)?.get(key)
    }

    /// Stores a new state and answers it as stored, with its version.
    pub(super) fn put(&mut self, resource: &Resource, key: &ObjectKey, object: Tree) -> Tree {
        let rv = self.version() + 1;
        let mut object = object;
        object.set(&["metadata", "resourceVersion"], Text::from(rv.to_string()));
        let table = Arc::make_mut(self.tables.entry(resource.clone()).or_default());
        let before = table.insert(key.clone(), object.clone());
        let (resource, key) = (resource.clone(), key.clone());
        self.window.push(Write { rv, resource, key, before, after: Some(object.clone()) });
        object
    }

    /// Stores a state as it is, with the version that it has elsewhere.
    pub(super) fn mirror(&mut self, resource: &Resource, key: &ObjectKey, object: Tree) {
        let table = Arc::make_mut(self.tables.entry(resource.clone()).or_default());
        let before = table.insert(key.clone(), object.clone());
        let (rv, resource, key) = (self.version() + 1, resource.clone(), key.clone());
        self.window.push(Write { rv, resource, key, before, after: Some(object) });
    }

    /// Takes an object out. One that is not there changes nothing.
    pub(super) fn remove(&mut self, resource: &Resource, key: &ObjectKey) {
        let Some(table) = self.tables.get_mut(resource).filter(|table| table.contains_key(key))
        else {
            return;
        };
        let before = Arc::make_mut(table).remove(key);
        let (rv, resource, key) = (self.version() + 1, resource.clone(), key.clone());
        self.window.push(Write { rv, resource, key, before, after: None });
    }

    /// The writes after `rv`, of all resources.
    ///
    /// # Errors
    /// 410 `Expired` when the window does not reach back to `rv`; 504 `Timeout` when `rv` is newer
    /// than the store (apiserver v0.36, `storage.NewTooLargeResourceVersionError`).
    pub(super) fn after(&self, rv: u64) -> Result<impl DoubleEndedIterator<Item = &Write>, Status> {
        if rv < self.window.oldest() {
            return Err(errors::too_old(rv, self.window.oldest()));
        }
        if rv > self.version() {
            return Err(errors::too_new(rv, self.version()));
        }
        Ok(self.window.after(rv))
    }

    /// The objects of a resource in a namespace (in all with the empty one), in the order of keys.
    pub(super) fn range<'a>(
        &'a self,
        resource: &Resource,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a ObjectKey, &'a Tree)> + use<'a> {
        let from = ObjectKey::new(namespace, "");
        self.tables
            .get(resource)
            .into_iter()
            .flat_map(move |table| table.range(from.clone()..))
            .take_while(move |(key, _)| namespace.is_empty() || key.namespace == namespace)
    }

    /// The objects of a resource as they were at `rv`: the newest ones with later writes undone.
    ///
    /// # Errors
    /// As [`Store::after`].
    pub(super) fn at(
        &self,
        resource: &Resource,
        rv: u64,
    ) -> Result<BTreeMap<ObjectKey, Tree>, Status> {
        let mut objects: Table =
            self.tables.get(resource).map(|table| (**table).clone()).unwrap_or_default();
        for write in self.after(rv)?.rev().filter(|write| write.resource == *resource) {
            match &write.before {
                Some(before) => objects.insert(write.key.clone(), before.clone()),
                None => objects.remove(&write.key),
            };
        }
        Ok(objects)
    }
}
