//! How a write changes who owns what (structured-merge-diff v6, `merge/update.go`, and
//! apimachinery v0.36, `util/managedfields/internal`).

use std::sync::OnceLock;

use kubesim_model::Text;
use kubesim_model::tree::Tree;

use super::compare::{Changes, changes};
use super::members::members;
use super::merge::merge;
use super::owners::{Conflict, Owned, Owner, Owners};
use super::prune::removed;
use super::schema::Typed;
use super::set::Set;

/// A write and who does it.
#[derive(Clone)]
pub(super) struct Change<'c> {
    /// The type of the object.
    pub(super) kind: Typed<'c>,
    /// The version of the API that is used: `apps/v1`.
    pub(super) version: &'c str,
    /// Who writes.
    pub(super) manager: &'c str,
    /// Through which subresource; empty for the object itself.
    pub(super) subresource: &'c str,
    /// What this way of writing can't change.
    pub(super) kept: Set,
    /// Now.
    pub(super) time: Text,
}

/// What an apply makes.
pub(super) struct Applied {
    /// The object.
    pub(super) object: Tree,
    /// Its owners.
    pub(super) owners: Owners,
}

/// Nobody owns who an object is, and what the server says of it.
fn nobodys() -> &'static Set {
    static NOBODYS: OnceLock<Set> = OnceLock::new();
    NOBODYS.get_or_init(|| {
        Set::of_fields(&[
            "apiVersion",
            "kind",
            "metadata",
            "metadata.name",
            "metadata.namespace",
            "metadata.creationTimestamp",
            "metadata.selfLink",
            "metadata.uid",
            "metadata.clusterName",
            "metadata.generation",
            "metadata.managedFields",
            "metadata.resourceVersion",
        ])
    })
}

impl Change<'_> {
    /// The owners after `old` became `new` by another write than an apply.
    pub(super) fn updated(&self, owners: Owners, old: &Tree, new: &Tree) -> Owners {
        let changes = self.between(old, new);
        let mut owners = owners;
        owners.yield_to(&changes.set, &changes.removed, None);
        let taken = changes.set.difference(nobodys());
        if !taken.is_empty() {
            let owner = Owner::updater(self.manager, self.version, self.subresource);
            let owned = owners.0.entry(owner).or_default();
            owned.fields = taken.union(&owned.fields);
            owned.version = Text::new(self.version);
            owned.time = Some(self.time.clone());
        }
        owners.merge_oldest();
        owners
    }

    /// Applies `config` to `live`.
    ///
    /// # Errors
    /// The fields that others own and that would get another value, unless `force`.
    pub(super) fn applied(
        &self,
        owners: Owners,
        live: &Tree,
        config: &Tree,
        force: bool,
    ) -> Result<Applied, Vec<Conflict>> {
        let mut owners = owners;
        let own = Owner::applier(self.manager, self.subresource);
        let before = owners.0.remove(&own).unwrap_or_default();
        let owned = Owned {
            version: Text::new(self.version),
            fields: members(config, self.kind).without(&self.kept),
            time: before.time,
        };
        owners.0.insert(own.clone(), owned);
        let merged = merge(live, config, self.kind);
        let object = self.without_given_up(merged, &owners, &before.fields);
        let changes = self.between(live, &object);
        let conflicts = owners.conflicts(&changes.set, &own);
        if !force && !conflicts.is_empty() {
            return Err(conflicts);
        }
        owners.yield_to(&changes.set, &changes.removed, Some(&own));
        if let Some(owned) = owners.0.get_mut(&own) {
            owned.fields = owned.fields.difference(nobodys());
            // Who only agrees with what is there gets no time.
            if object != *live {
                owned.time = Some(self.time.clone());
            }
        }
        owners.0.retain(|_, owned| !owned.fields.is_empty());
        Ok(Applied { object, owners })
    }

    fn between(&self, old: &Tree, new: &Tree) -> Changes {
        changes(old, new, self.kind).without(&self.kept)
    }

    /// `merged` without what its manager applied last time and nobody wants any more: fields that
    /// it does not apply now and that no other manager owns.
    fn without_given_up(&self, merged: Tree, owners: &Owners, last: &Set) -> Tree {
        if last.is_empty() {
            return merged;
        }
        let all = |object: &Tree| members(object, self.kind).with_structs(Some(self.kind));
        let last = last.with_structs(Some(self.kind));
        let wanted = owners.all_fields().with_structs(Some(self.kind));
        let merged_all = all(&merged);
        let pruned = removed(&merged, &last, self.kind);
        // What others own comes back, with all that holds it …
        let unwanted = merged_all.difference(&all(&pruned).union(&wanted));
        let pruned = removed(&merged, &unwanted, self.kind);
        // … and so does what never was this manager's.
        let given_up = merged_all.difference(&all(&pruned)).intersection(&last);
        removed(&merged, &given_up, self.kind)
    }
}
