//! Who owns which fields of an object, as `metadata.managedFields` tells it (apimachinery v0.36,
//! `util/managedfields`).

use std::collections::BTreeMap;
use std::fmt;

use kubesim_model::Text;
use kubesim_model::object;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, map};

use super::change::ByVersion;
use super::compare::Changes;
use super::set::{Path, Set};

/// So many managers that update are kept apart; of more, the oldest are one.
const MOST_UPDATERS: usize = 10;
/// Whose the fields of managers are that are not kept apart any more.
const ANCIENT: &str = "ancient-changes";

/// A way in which somebody comes to own fields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner {
    /// The name of the manager.
    pub(super) manager: Text,
    /// How it writes.
    pub(super) operation: Operation,
    /// The version of the API that was used; empty for those that apply.
    pub(super) version: Text,
    /// The subresource that was used, or empty.
    pub(super) subresource: Text,
}

/// How a manager writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    /// By server-side apply.
    Apply,
    /// In any other way.
    Update,
}

/// What is owned.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Owned {
    /// The version in which the fields have these names.
    pub(super) version: Text,
    pub(super) fields: Set,
    /// When that last changed; nothing where the server keeps no time.
    pub(super) time: Option<Text>,
}

/// All owners of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Owners(pub(super) BTreeMap<Owner, Owned>);

/// A field that an apply would take from somebody.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Conflict {
    pub(super) owner: Owner,
    pub(super) path: Path,
}

impl Owner {
    /// Who applies.
    pub(super) fn applier(manager: &str, subresource: &str) -> Owner {
        Owner {
            manager: Text::new(if manager.is_empty() { "unknown" } else { manager }),
            operation: Operation::Apply,
            version: Text::default(),
            subresource: Text::new(subresource),
        }
    }

    /// Who writes in another way.
    pub(super) fn updater(manager: &str, version: &str, subresource: &str) -> Owner {
        let (operation, version) = (Operation::Update, Text::new(version));
        Owner { operation, version, ..Owner::applier(manager, subresource) }
    }
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        }
    }
}

impl fmt::Display for Owner {
    /// As conflicts name it.
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}", Tree::from(&self.manager))?;
        if !self.subresource.is_empty() {
            write!(to, " with subresource \"{}\"", self.subresource)?;
        }
        match self.operation {
            Operation::Apply => Ok(()),
            Operation::Update => write!(to, " using {}", self.version),
        }
    }
}

impl Owners {
    /// Reads `managedFields`.
    ///
    /// # Errors
    /// A text about the first entry that can't be read.
    pub(super) fn read(entries: &Tree) -> Result<Owners, String> {
        let mut owners = Owners::default();
        for (at, entry) in entries.items().iter().enumerate() {
            let operation = match entry["operation"].str() {
                "Apply" => Operation::Apply,
                "Update" => Operation::Update,
                _ => return Err("operation must be `Apply` or `Update`".to_owned()),
            };
            let version = entry["apiVersion"].text();
            if version.is_empty() {
                return Err("apiVersion must not be empty".to_owned());
            }
            match entry["fieldsType"].str() {
                "FieldsV1" => {}
                "" => return Err(format!("missing fieldsType in managed fields entry {at}")),
                other => {
                    return Err(format!(
                        "invalid fieldsType \"{other}\" in managed fields entry {at}"
                    ));
                }
            }
            let owner = Owner {
                manager: entry["manager"].text(),
                operation,
                version: match operation {
                    Operation::Apply => Text::default(),
                    Operation::Update => version.clone(),
                },
                subresource: entry["subresource"].text(),
            };
            let fields = Set::read(&entry["fieldsV1"])?;
            let time = entry["time"].as_str().map(Text::new);
            owners.0.insert(owner, Owned { version, fields, time });
        }
        Ok(owners)
    }

    /// The form of `managedFields`; `Null` if nobody owns anything.
    pub(super) fn to_tree(&self) -> Tree {
        if self.0.is_empty() {
            return Tree::Null;
        }
        let mut entries: Vec<(&Owner, &Owned)> = self.0.iter().collect();
        entries.sort_by_key(|(owner, owned)| {
            let key = (owner.operation, owned.seconds(), &owner.manager);
            (key, &owned.version, &owner.subresource)
        });
        let entries = entries.into_iter().map(|(owner, owned)| {
            let mut entry = map! {
                "operation" => owner.operation.name(), "apiVersion" => &owned.version,
                "fieldsType" => "FieldsV1", "fieldsV1" => owned.fields.to_tree(),
            };
            let time = owned.time.clone().unwrap_or_default();
            for (key, value) in
                [("manager", &owner.manager), ("subresource", &owner.subresource), ("time", &time)]
            {
                if !value.is_empty() {
                    entry.set(&[key], value);
                }
            }
            entry
        });
        entries.collect::<Vec<Tree>>().into()
    }

    /// Takes what changed from all but `own`, and forgets those who own nothing any more.
    pub(super) fn yield_to(&mut self, changes: &ByVersion, own: Option<&Owner>) {
        for (_, owned) in self.0.iter_mut().filter(|(owner, _)| Some(*owner) != own) {
            let Changes { set, removed } = changes.of(owned);
            owned.fields = owned.fields.difference(set).difference(removed);
        }
        self.0.retain(|_, owned| !owned.fields.is_empty());
    }

    /// What `own` would take from others by changing these fields.
    pub(super) fn conflicts(&self, changes: &ByVersion, own: &Owner) -> Vec<Conflict> {
        let others = self.0.iter().filter(|(owner, _)| *owner != own);
        let conflicts = others.flat_map(|(owner, owned)| {
            let changed = &changes.of(owned).set;
            let paths = owned.fields.intersection(changed).paths().into_iter();
            paths.map(|path| Conflict { owner: owner.clone(), path })
        });
        conflicts.collect()
    }

    /// All fields that anybody owns who used this version, or any.
    pub(super) fn fields_in(&self, version: Option<&str>) -> Set {
        let owners = self.0.values();
        let used = owners.filter(|owned| version.is_none_or(|version| owned.version == version));
        used.fold(Set::default(), |all, owned| all.union(&owned.fields))
    }

    /// Makes the oldest of too many updaters one, for each version.
    pub(super) fn merge_oldest(&mut self) {
        let updaters = self.0.iter().filter(|(owner, _)| owner.operation == Operation::Update);
        let mut updaters: Vec<(u64, Owner)> =
            updaters.map(|(owner, owned)| (owned.seconds(), owner.clone())).collect();
        updaters.sort();
        let mut count = updaters.len();
        let mut firsts: BTreeMap<Text, Owner> = BTreeMap::new();
        for (_, owner) in updaters {
            if count <= MOST_UPDATERS {
                return;
            }
            let Some(version) = self.0.get(&owner).map(|owned| owned.version.clone()) else {
                continue;
            };
            let Some(first) = firsts.get(&version) else {
                firsts.insert(version, owner);
                continue;
            };
            let bucket = Owner::updater(ANCIENT, &version, "");
            if !self.0.contains_key(&bucket)
                && let Some(owned) = self.0.remove(first)
            {
                self.0.insert(bucket.clone(), owned);
            }
            if let Some(newer) = self.0.remove(&owner)
                && let Some(owned) = self.0.get_mut(&bucket)
            {
                owned.fields = std::mem::take(&mut owned.fields).union(&newer.fields);
                owned.time = newer.time;
            }
            count -= 1;
        }
    }
}

impl Owned {
    /// The time in whole seconds, by which owners are ordered.
    fn seconds(&self) -> Millis {
        self.time.as_ref().and_then(|time| object::parse_time(time)).unwrap_or(0) / 1000
    }
}
