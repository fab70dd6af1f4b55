//! How a write changes who owns what (structured-merge-diff v6, `merge/update.go`, and
//! apimachinery v0.36, `util/managedfields/internal`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use kubesim_model::Text;
use kubesim_model::request::{Answer, Status};
use kubesim_model::tree::Tree;

use super::check::problems;
use super::compare::{Changes, changes};
use super::members::members;
use super::merge::merge;
use super::owners::{Conflict, Owned, Owner, Owners};
use super::prune::removed;
use super::schema::Typed;
use super::set::Set;
use super::versions::Versions;
use crate::api::errors;

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
    /// The other versions of the type, if they name fields otherwise.
    pub(super) versions: Option<Versions<'c>>,
}

/// What an apply makes.
pub(super) struct Applied {
    /// The object.
    pub(super) object: Tree,
    /// Its owners.
    pub(super) owners: Owners,
}

/// What a change did, as each version names it.
pub(super) struct ByVersion {
    /// In the version of the request.
    pub(super) own: Changes,
    /// In those that name it otherwise.
    pub(super) others: BTreeMap<Text, Changes>,
}

impl ByVersion {
    /// In the version that somebody has used.
    pub(super) fn of(&self, owned: &Owned) -> &Changes {
        self.others.get(&owned.version).unwrap_or(&self.own)
    }
}

/// Why nothing is applied.
pub(super) enum Refusal {
    /// Others own these fields.
    Conflicts(Vec<Conflict>),
    /// A version can't be converted.
    Failed(Status),
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Refusal {
        Refusal::Failed(status)
    }
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
    ///
    /// # Errors
    /// One of the two can't be shown in the version of an owner.
    pub(super) fn updated(&self, owners: Owners, old: &Tree, new: &Tree) -> Result<Owners, Status> {
        let changes = self.between(&owners, old, new)?;
        let mut owners = owners;
        owners.yield_to(&changes, None);
        let taken = changes.own.set.difference(nobodys());
        if !taken.is_empty() {
            let owner = Owner::updater(self.manager, self.version, self.subresource);
            let owned = owners.0.entry(owner).or_default();
            owned.fields = taken.union(&owned.fields);
            owned.version = Text::new(self.version);
            owned.time = Some(self.time.clone());
        }
        owners.merge_oldest();
        Ok(owners)
    }

    /// Applies `config` to `live`.
    ///
    /// # Errors
    /// The fields that others own and that would get another value, unless `force`; or that an
    /// object can't be shown in the version of an owner.
    pub(super) fn applied(
        &self,
        owners: Owners,
        live: &Tree,
        config: &Tree,
        force: bool,
    ) -> Result<Applied, Refusal> {
        let mut owners = owners;
        let own = Owner::applier(self.manager, self.subresource);
        let before = owners.0.remove(&own).unwrap_or_default();
        let owned = Owned {
            version: Text::new(self.version),
            fields: members(config, self.kind).without(&self.kept),
            time: before.time.clone(),
        };
        owners.0.insert(own.clone(), owned);
        let merged = merge(live, config, self.kind);
        let object = self.without_given_up(merged, &owners, &before)?;
        let changes = self.between(&owners, live, &object)?;
        let conflicts = owners.conflicts(&changes, &own);
        if !force && !conflicts.is_empty() {
            return Err(Refusal::Conflicts(conflicts));
        }
        owners.yield_to(&changes, Some(&own));
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

    /// What changed, in the version of the request and in those that owners have used.
    fn between(&self, owners: &Owners, old: &Tree, new: &Tree) -> Result<ByVersion, Status> {
        let failed = |what: &str, why: Status| {
            errors::failed(format!("failed to convert {what} object: {}", why.message))
        };
        let mut others = BTreeMap::new();
        let versions = self.versions_of(owners);
        if !versions.is_empty() && !problems(new, self.kind).is_empty() {
            return Err(errors::failed("the object is not of its type"));
        }
        for version in versions {
            // What there was is converted first of all.
            let old = self.shown(old, &version)?;
            let new = self.shown(new, &version).map_err(|why| failed("new", why))?;
            let changes = changes(&old, &new, self.schema(&version)).without(&self.kept);
            others.insert(version, changes);
        }
        Ok(ByVersion { own: changes(old, new, self.kind).without(&self.kept), others })
    }

    /// `merged` without what its manager applied last time and nobody wants any more: fields that
    /// it does not apply now and that no other manager owns.
    fn without_given_up(&self, merged: Tree, owners: &Owners, last: &Owned) -> Answer {
        if last.fields.is_empty() {
            return Ok(merged);
        }
        let first = match &self.versions {
            Some(_) => last.version.as_str(),
            None => self.version,
        };
        let failed = |why: Status| {
            let why = why.message;
            errors::failed(format!(
                "failed to convert merged object to last applied version: {why}"
            ))
        };
        let all = |object: &Tree, kind| members(object, kind).with_structs(Some(kind));
        let kind = self.schema(first);
        let merged = self.shown(&merged, first).map_err(failed)?;
        let last = last.fields.with_structs(Some(kind));
        let mut pruned = removed(&merged, &last, kind);
        // What others own comes back, with all that holds it …
        let mut whole = merged.clone();
        let others = self.versions_of(owners);
        let others = others.iter().map(Text::as_str).chain([self.version]);
        for version in [first].into_iter().chain(others.filter(|version| *version != first)) {
            let kind = self.schema(version);
            (whole, pruned) = (self.shown(&whole, version)?, self.shown(&pruned, version)?);
            let wanted = owners.fields_in(self.versions.is_some().then_some(version));
            let wanted = wanted.with_structs(Some(kind)).union(&all(&pruned, kind));
            pruned = removed(&whole, &all(&whole, kind).difference(&wanted), kind);
        }
        pruned = self.shown(&pruned, first)?;
        // … and so does what never was this manager's.
        let given_up = all(&merged, kind).difference(&all(&pruned, kind)).intersection(&last);
        self.shown(&removed(&merged, &given_up, kind), self.version)
    }

    /// The versions that owners have used, but for that of the request.
    fn versions_of(&self, owners: &Owners) -> BTreeSet<Text> {
        let owners = owners.0.values().filter(|_| self.versions.is_some());
        let others = owners.filter(|owned| owned.version != self.version);
        others.map(|owned| owned.version.clone()).collect()
    }

    /// How values of a version are taken apart.
    pub(super) fn schema(&self, version: &str) -> Typed<'_> {
        let versions = self.versions.as_ref();
        versions.and_then(|versions| versions.schema(version)).unwrap_or(self.kind)
    }

    /// An object in a version.
    fn shown(&self, object: &Tree, version: &str) -> Answer {
        match &self.versions {
            Some(versions) => versions.convert(object, version),
            None => Ok(object.clone()),
        }
    }
}
