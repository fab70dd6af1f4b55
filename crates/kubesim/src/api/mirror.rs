//! Following a real API server: the store holds what that one tells, and answers nothing itself but
//! lists and watches.

use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, object};

use super::ApiConfig;
use super::server::Api;
use super::window::Write;

impl Api {
    /// A server that has nothing of its own.
    pub fn mirror() -> Self {
        let mut api = Api::new(0, ApiConfig::default());
        let own: Vec<(Resource, ObjectKey)> = api
            .resources()
            .flat_map(|kind| {
                let keys = api.store.range(&kind.resource, "").map(|(key, _)| key.clone());
                keys.map(|key| (kind.resource.clone(), key)).collect::<Vec<_>>()
            })
            .collect();
        own.iter().for_each(|(resource, key)| api.store.remove(resource, key));
        api
    }

    /// An object was made or changed elsewhere. Answers the change; `None` if it is known already.
    pub fn mirror_applied(&mut self, resource: &Resource, object: &Tree) -> Option<Write> {
        let key = object::key(object);
        let known = self.store.get(resource, &key).cloned();
        if known.as_ref().is_some_and(|known| {
            object::uid(known) == object::uid(object)
                && object::resource_version(known) >= object::resource_version(object)
        }) {
            return None;
        }
        if *resource == Resource::CUSTOM_RESOURCE_DEFINITIONS {
            self.serve_declared(object);
        }
        let object = known.map_or_else(|| object.clone(), |known| sharing(&known, object));
        self.store.mirror(resource, &key, object);
        self.newest_write()
    }

    /// An object was deleted elsewhere. Answers the change; `None` if it was not known.
    pub fn mirror_deleted(&mut self, resource: &Resource, key: &ObjectKey) -> Option<Write> {
        self.store.get(resource, key)?;
        self.store.remove(resource, key);
        self.newest_write()
    }

    fn newest_write(&self) -> Option<Write> {
        self.store.after(self.version() - 1).ok()?.next().cloned()
    }
}

/// `new` with every part that is as in `old` shared with it, as a write of the store's own shares
/// what it does not change: whoever asks whether a part changed compares places.
fn sharing(old: &Tree, new: &Tree) -> Tree {
    match (old, new) {
        _ if old == new => old.clone(),
        (Tree::Map(old), Tree::Map(new)) => {
            let part = |(key, new): (&Text, &Tree)| {
                let old = old.get(key);
                (key.clone(), old.map_or_else(|| new.clone(), |old| sharing(old, new)))
            };
            Tree::Map(new.iter().map(part).collect())
        }
        _ => new.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubesim_model::{list, map};

    fn pod(rv: &str, phase: &str) -> Tree {
        map! {
            "metadata" => map! { "name" => "a", "uid" => "1", "resourceVersion" => rv },
            "spec" => map! { "containers" => list![map! { "name" => "app" }] },
            "status" => map! { "phase" => phase },
        }
    }

    #[test]
    fn what_did_not_change_is_shared_and_older_states_are_passed_over() {
        let mut api = Api::mirror();
        assert!(api.mirror_applied(&Resource::PODS, &pod("5", "Pending")).is_some());
        let write = api.mirror_applied(&Resource::PODS, &pod("7", "Running")).expect("it is new");
        let (before, after) = (write.before.expect("known"), write.after.expect("there"));
        assert!(before["spec"].is_same(&after["spec"]));
        assert!(!before["status"].is_same(&after["status"]));
        assert_eq!(after["metadata"]["resourceVersion"], "7");
        assert!(api.mirror_applied(&Resource::PODS, &pod("6", "Pending")).is_none());
    }

    #[test]
    fn deletions_are_told_once() {
        let mut api = Api::mirror();
        api.mirror_applied(&Resource::PODS, &pod("5", "Running"));
        let key = ObjectKey::new("", "a");
        assert!(api.mirror_deleted(&Resource::PODS, &key).is_some());
        assert!(api.mirror_deleted(&Resource::PODS, &key).is_none());
    }
}
