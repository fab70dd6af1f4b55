//! Whether the cache has caught up with the controller's own writes.
//!
//! Modelled on `StaleControllerConsistency…` (KEP-5647), on by default from v1.36: an object is
//! not synced while the cache has not reached the newest version that the controller wrote for it.

use std::collections::BTreeMap;

use kubesim_model::Millis;
use kubesim_model::cache::Change;
use kubesim_model::object;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;

use super::expectations::TIME_OUT;

/// Whether a controller waits for its own writes, as it does from Kubernetes v1.36 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StaleReads {
    /// A sync on a cache that lacks the controller's own writes is put off (v1.36).
    #[default]
    Refused,
    /// The cache is believed (before v1.36).
    Allowed,
}

/// The versions that a controller wrote, and those that it has seen.
#[derive(Clone, Default)]
pub(in crate::controllers) struct OwnWrites {
    stale_reads: StaleReads,
    seen: BTreeMap<Resource, u64>,
    written: BTreeMap<ObjectKey, BTreeMap<Resource, (u64, Millis)>>,
}

impl OwnWrites {
    pub(in crate::controllers) fn new(stale_reads: StaleReads) -> Self {
        OwnWrites { stale_reads, ..OwnWrites::default() }
    }

    /// The cache took a change in.
    pub(in crate::controllers) fn saw(&mut self, change: &Change) {
        let object = change.new.as_ref().or(change.old.as_ref());
        let version = object.map_or(0, object::resource_version);
        if self.seen.get(&change.resource).is_none_or(|seen| *seen < version) {
            self.seen.insert(change.resource.clone(), version);
        }
    }

    /// A create or an update for `owner` was answered with `object`.
    pub(in crate::controllers) fn wrote(
        &mut self,
        owner: &ObjectKey,
        resource: &Resource,
        object: &Tree,
        now: Millis,
    ) {
        let version = object::resource_version(object);
        if self.stale_reads == StaleReads::Refused && version > 0 {
            let written = self.written.entry(owner.clone()).or_default();
            let newest = written.get(resource).map_or(version, |(have, _)| version.max(*have));
            written.insert(resource.clone(), (newest, now));
        }
    }

    /// Whether all that was written for `owner` was seen. What never shows (the object went, and
    /// its events with it, before a re-list) is waited for as long as for an expectation.
    pub(in crate::controllers) fn are_seen(&self, owner: &ObjectKey, now: Millis) -> bool {
        let Some(written) = self.written.get(owner) else { return true };
        written.iter().all(|(resource, (version, since))| {
            self.seen.get(resource).is_some_and(|seen| seen >= version) || now > since + TIME_OUT
        })
    }

    /// Awaits nothing for `owner` any more.
    pub(in crate::controllers) fn forget(&mut self, owner: &ObjectKey) {
        self.written.remove(owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubesim_model::map;

    fn pod(version: &str) -> Tree {
        map! { "metadata" => map! { "resourceVersion" => version } }
    }

    fn seen(version: &str) -> Change {
        Change { resource: Resource::PODS, old: None, new: Some(pod(version)) }
    }

    #[test]
    fn an_owner_waits_until_its_newest_write_was_seen() {
        let owner = ObjectKey::new("n", "rs");
        let mut writes = OwnWrites::new(StaleReads::Refused);
        writes.wrote(&owner, &Resource::PODS, &pod("7"), 0);
        writes.wrote(&owner, &Resource::PODS, &pod("5"), 0);
        writes.saw(&seen("6"));
        assert!(!writes.are_seen(&owner, 0));
        assert!(writes.are_seen(&ObjectKey::new("n", "other"), 0));
        writes.saw(&seen("9"));
        assert!(writes.are_seen(&owner, 0));
    }

    #[test]
    fn before_version_1_36_nothing_is_waited_for() {
        let owner = ObjectKey::new("n", "rs");
        let mut writes = OwnWrites::new(StaleReads::Allowed);
        writes.wrote(&owner, &Resource::PODS, &pod("7"), 0);
        assert!(writes.are_seen(&owner, 0));
    }
}
