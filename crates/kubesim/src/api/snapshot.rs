//! Everything that is stored, to be kept and to go on with later, as from a backup of etcd: objects
//! with their uids and versions, but no history, so that watches begin anew.

use kubesim_model::Millis;
use kubesim_model::resource::Resource;
use kubesim_model::stream::Stream;
use kubesim_model::tree::Tree;

use super::server::{Api, ApiConfig};
use super::store::Store;

/// What an API server held at one version.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The version.
    pub version: u64,
    /// The time of the world.
    pub time: Millis,
    /// How many cluster addresses were handed out to Services.
    pub addresses: u32,
    /// The objects, each with its resource.
    pub objects: Vec<(Resource, Tree)>,
}

impl Api {
    /// What is stored now, at the time `time`.
    pub fn snapshot(&self, time: Millis) -> Snapshot {
        let objects = self.resources().flat_map(|kind| {
            let of_kind = self.store.range(&kind.resource, "");
            of_kind.map(|(_, object)| (kind.resource.clone(), object.clone()))
        });
        let (version, addresses) = (self.version(), self.addresses);
        Snapshot { version, time, addresses, objects: objects.collect() }
    }

    /// A server that goes on with what was kept. Names and uids are drawn as never before.
    pub fn restored(seed: u64, config: ApiConfig, kept: &Snapshot) -> Api {
        let mut api = Api::starting_at(seed, config.clone(), kept.time);
        let newest =
            kept.objects.iter().map(|(_, object)| kubesim_model::object::resource_version(object));
        let newest = newest.max().unwrap_or(0).max(kept.version);
        let count = kept.objects.len() as u64;
        api.store = Store::starting_at(config.window, newest.saturating_sub(count));
        api.addresses = kept.addresses;
        api.names = Stream::new(seed, &format!("api/names/{newest}"));
        api.uids = Stream::new(seed, &format!("api/uids/{newest}"));
        // Definitions first: without them custom objects are of no type.
        let is_definition =
            |(resource, _): &&(Resource, Tree)| *resource == Resource::CUSTOM_RESOURCE_DEFINITIONS;
        let others = kept.objects.iter().filter(|one| !is_definition(one));
        for (resource, object) in kept.objects.iter().filter(is_definition).chain(others) {
            api.mirror_applied(resource, object);
        }
        if config.authorization.is_some() {
            api.bootstrap_policy(kept.time);
        }
        api.compact(api.version());
        api
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Identity;
    use kubesim_model::actor::WatchSpec;
    use kubesim_model::map;
    use kubesim_model::request::Request;

    #[test]
    fn what_was_kept_goes_on_with_its_versions_and_without_its_history() {
        let mut api = Api::new(1, ApiConfig::default());
        let named = |name: &str| {
            let metadata = map! { "name" => name, "namespace" => "default" };
            Request::create(Resource::CONFIG_MAPS, map! { "metadata" => metadata })
        };
        let who = Identity::default();
        for name in ["a", "b", "c"] {
            api.handle(5, &who, &named(name)).answer.unwrap();
        }
        let key = kubesim_model::resource::ObjectKey::new("default", "b");
        api.handle(6, &who, &Request::delete(Resource::CONFIG_MAPS, key)).answer.unwrap();
        let kept = api.snapshot(7);
        let mut again = Api::restored(1, ApiConfig::default(), &kept);
        assert_eq!(again.snapshot(7), kept);
        assert_eq!(again.version(), api.version());
        let seen = again.changes_since(kept.version - 1, &Resource::CONFIG_MAPS).map(|_| ());
        assert_eq!(seen.unwrap_err().code, 410);
        let made = again.handle(8, &who, &named("d")).answer.unwrap();
        assert!(kubesim_model::object::resource_version(&made) > kept.version);
        let spec = WatchSpec::all(Resource::CONFIG_MAPS);
        let uids: Vec<_> = again.list(&spec).unwrap().0;
        let uids: std::collections::BTreeSet<_> =
            uids.iter().map(|object| kubesim_model::object::uid(object).to_owned()).collect();
        assert_eq!(uids.len(), 3);
    }
}
