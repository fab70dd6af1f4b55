//! What a controller has asked for and not yet seen in its cache.
//!
//! Modelled on kube-controller-manager v1.36, `pkg/controller/controller_utils.go`
//! (`UIDTrackingControllerExpectations`).

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::Millis;
use kubesim_model::cache::Change;
use kubesim_model::object;
use kubesim_model::resource::ObjectKey;
use kubesim_model::tree::Tree;

/// After this time the cache is believed, whatever was expected (`ExpectationsTimeout`).
pub(in crate::controllers) const TIME_OUT: Millis = 300_000;

/// Creations and deletions that are awaited, by the object that they are for.
#[derive(Clone, Default)]
pub(in crate::controllers) struct Expectations(BTreeMap<ObjectKey, Expected>);

#[derive(Clone, Default)]
struct Expected {
    creations: i64,
    deletions: BTreeSet<ObjectKey>,
    since: Millis,
}

impl Expectations {
    /// From now on these are awaited for `owner`, and nothing else.
    pub(in crate::controllers) fn expect(
        &mut self,
        owner: &ObjectKey,
        creations: usize,
        deletions: impl IntoIterator<Item = ObjectKey>,
        now: Millis,
    ) {
        let creations = i64::try_from(creations).unwrap_or(i64::MAX);
        let deletions = deletions.into_iter().collect();
        self.0.insert(owner.clone(), Expected { creations, deletions, since: now });
    }

    /// A creation was seen, or will never be.
    pub(in crate::controllers) fn created(&mut self, owner: &ObjectKey) {
        if let Some(expected) = self.0.get_mut(owner) {
            expected.creations -= 1;
        }
    }

    /// The deletion of `pod` was seen, or will never be.
    pub(in crate::controllers) fn deleted(&mut self, owner: &ObjectKey, pod: &ObjectKey) {
        if let Some(expected) = self.0.get_mut(owner) {
            expected.deletions.remove(pod);
        }
    }

    /// Takes in what became of a pod: a new one was expected, and so was one that now terminates.
    pub(in crate::controllers) fn saw(
        &mut self,
        change: &Change,
        owner_of: impl Fn(&Tree) -> Option<ObjectKey>,
    ) {
        let (old, new) = (change.old.as_ref(), change.new.as_ref());
        let Some(pod) = new.or(old) else { return };
        let goes = new.is_none_or(object::is_terminating);
        match owner_of(pod) {
            Some(owner) if goes => self.deleted(&owner, &object::key(pod)),
            Some(owner) if old.is_none() => self.created(&owner),
            _ => {}
        }
    }

    /// Whether `owner` may be acted on: all was seen, or the time is out.
    pub(in crate::controllers) fn are_met(&self, owner: &ObjectKey, now: Millis) -> bool {
        self.0.get(owner).is_none_or(|expected| {
            (expected.creations <= 0 && expected.deletions.is_empty())
                || now > expected.since + TIME_OUT
        })
    }

    /// Awaits nothing for `owner` any more.
    pub(in crate::controllers) fn forget(&mut self, owner: &ObjectKey) {
        self.0.remove(owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectations_are_met_when_all_was_seen_or_after_five_minutes() {
        let (owner, pod) = (ObjectKey::new("n", "rs"), ObjectKey::new("n", "p"));
        let mut expectations = Expectations::default();
        assert!(expectations.are_met(&owner, 0));
        expectations.expect(&owner, 2, [], 1_000);
        expectations.created(&owner);
        assert!(!expectations.are_met(&owner, 301_000));
        assert!(expectations.are_met(&owner, 301_001));
        expectations.created(&owner);
        assert!(expectations.are_met(&owner, 1_000));
        expectations.expect(&owner, 0, [pod.clone()], 0);
        expectations.deleted(&owner, &ObjectKey::new("n", "other"));
        assert!(!expectations.are_met(&owner, 0));
        expectations.deleted(&owner, &pod);
        assert!(expectations.are_met(&owner, 0));
    }
}
