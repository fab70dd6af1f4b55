//! Following a real API server: the store holds what that one tells, and answers nothing itself but
//! lists and watches.

use kubesim_model::object;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;

use super::server::Api;
use super::window::Write;
use super::{ApiConfig, custom};

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
        let known = self.store.get(resource, &key);
        if known.is_some_and(|known| {
            object::uid(known) == object::uid(object)
                && object::resource_version(known) >= object::resource_version(object)
        }) {
            return None;
        }
        if *resource == Resource::CUSTOM_RESOURCE_DEFINITIONS
            && let Some(declared) = custom::declared(object)
        {
            self.types.add(declared);
        }
        self.store.mirror(resource, &key, object.clone());
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
