//! The objects of the API at one point of a history, found by name, uid and owner, and every state
//! that each of them had before.

use std::collections::BTreeMap;

use kubesim_model::Text;
use kubesim_model::object;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;

use super::event::Change;

/// How many owners are followed upwards: Deployment, ReplicaSet and Pod are two.
const OWNERS: usize = 4;

/// Objects by resource and name. States share what did not change.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    now: BTreeMap<Resource, BTreeMap<ObjectKey, Tree>>,
    by_uid: BTreeMap<Text, (Resource, ObjectKey)>,
    by_owner: BTreeMap<Text, BTreeMap<Resource, BTreeMap<ObjectKey, Tree>>>,
    states: BTreeMap<Resource, BTreeMap<ObjectKey, Vec<State>>>,
}

/// A state that an object had from a resourceVersion on; `None` when it was gone.
#[derive(Clone, Debug)]
struct State {
    rv: u64,
    object: Option<Tree>,
}

impl Objects {
    /// The object as it is now.
    pub fn get(&self, resource: &Resource, key: &ObjectKey) -> Option<&Tree> {
        self.now.get(resource)?.get(key)
    }

    /// All objects of a resource, by name.
    pub fn all<'a>(
        &'a self,
        resource: &Resource,
    ) -> impl Iterator<Item = (&'a ObjectKey, &'a Tree)> + use<'a> {
        self.now.get(resource).into_iter().flatten()
    }

    /// The resources of which there are or were objects.
    pub fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.now.keys()
    }

    /// The object with this uid.
    pub fn by_uid(&self, uid: &str) -> Option<(&Resource, &ObjectKey, &Tree)> {
        let (resource, key) = self.by_uid.get(uid)?;
        Some((resource, key, self.get(resource, key)?))
    }

    /// The objects of a resource that `uid` controls itself.
    pub fn controlled<'a>(
        &'a self,
        uid: &str,
        resource: &Resource,
    ) -> impl Iterator<Item = (&'a ObjectKey, &'a Tree)> + use<'a> {
        self.by_owner.get(uid).and_then(|of| of.get(resource)).into_iter().flatten()
    }

    /// The objects of a resource that `uid` controls, itself or through others, by name.
    pub fn descendants<'a>(
        &'a self,
        uid: &str,
        resource: &Resource,
    ) -> Vec<(&'a ObjectKey, &'a Tree)> {
        let mut found = Vec::new();
        let mut owners = vec![uid];
        for _ in 0..OWNERS {
            let mut below = Vec::new();
            for (of, objects) in owners.iter().filter_map(|uid| self.by_owner.get(*uid)).flatten() {
                if of == resource {
                    found.extend(objects);
                } else {
                    below.extend(objects.values().map(object::uid));
                }
            }
            owners = below;
        }
        found.sort_by_key(|(key, _)| *key);
        found
    }

    /// The uids of the controllers above an object, nearest first, also of those that are gone.
    pub fn owners(&self, object: &Tree) -> Vec<Text> {
        let mut owners = Vec::new();
        let controller = |object| {
            object::controller(object).map(|owner| owner["uid"].text()).unwrap_or_default()
        };
        let mut uid = controller(object);
        while !uid.is_empty() && owners.len() < OWNERS {
            let above = self.by_uid(&uid).map(|(_, _, owner)| controller(owner));
            owners.push(std::mem::replace(&mut uid, above.unwrap_or_default()));
        }
        owners
    }

    /// The newest state of the object with a resourceVersion of at most `rv`; `None` if it was gone
    /// or not there yet.
    pub fn at(&self, resource: &Resource, key: &ObjectKey, rv: u64) -> Option<&Tree> {
        let states = self.states.get(resource)?.get(key)?;
        let newer = states.partition_point(|state| state.rv <= rv);
        states[..newer].last()?.object.as_ref()
    }

    /// The state that [`Objects::at`] answers and all later ones, oldest first; `None` while the
    /// object was gone.
    pub fn since<'a>(
        &'a self,
        resource: &Resource,
        key: &ObjectKey,
        rv: u64,
    ) -> impl Iterator<Item = Option<&'a Tree>> + use<'a> {
        let states = self.states.get(resource).and_then(|states| states.get(key));
        let states = states.map(Vec::as_slice).unwrap_or_default();
        let newer = states.partition_point(|state| state.rv <= rv);
        states[newer.saturating_sub(1)..].iter().map(|state| state.object.as_ref())
    }

    /// The names of all objects of a resource that there are or were.
    pub fn ever<'a>(
        &'a self,
        resource: &Resource,
    ) -> impl Iterator<Item = &'a ObjectKey> + use<'a> {
        self.states.get(resource).into_iter().flat_map(BTreeMap::keys)
    }

    /// Takes a write in.
    pub(super) fn take(&mut self, change: &Change) {
        let Change { rv, resource, key, before, after } = change;
        if let Some(before) = before {
            self.unlink(before, resource, key);
        }
        let states = self.states.entry(resource.clone()).or_default();
        let states = states.entry(key.clone()).or_default();
        if states.is_empty() && before.is_some() {
            // Older than the history: known from when it was first told of.
            states.push(State { rv: 0, object: before.clone() });
        }
        states.push(State { rv: *rv, object: after.clone() });
        let now = self.now.entry(resource.clone()).or_default();
        match after {
            Some(after) => {
                now.insert(key.clone(), after.clone());
                self.link(after, resource, key);
            }
            None => drop(now.remove(key)),
        }
    }

    fn link(&mut self, object: &Tree, resource: &Resource, key: &ObjectKey) {
        if let Some(owner) = object::controller(object) {
            let owned = self.by_owner.entry(owner["uid"].text()).or_default();
            owned.entry(resource.clone()).or_default().insert(key.clone(), object.clone());
        }
        let uid = object["metadata"]["uid"].text();
        self.by_uid.insert(uid, (resource.clone(), key.clone()));
    }

    fn unlink(&mut self, object: &Tree, resource: &Resource, key: &ObjectKey) {
        let owned = self.by_owner.get_mut(object::controller_uid(object));
        if let Some(owned) = owned.and_then(|of| of.get_mut(resource)) {
            owned.remove(key);
        }
        self.by_uid.remove(object::uid(object));
    }
}
