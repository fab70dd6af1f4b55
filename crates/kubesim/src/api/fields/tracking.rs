//! Where the server keeps track of owners: at creations, at changes, at applies, and of scales.

use kubesim_model::request::Status;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map, object};

use super::change::{Applied, Change, Refusal};
use super::check::problems;
use super::last_applied;
use super::options::is_printable;
use super::owners::{Conflict, Owners};
use super::schema::{Schema, Typed};
use super::step::Step;
use super::versions::Versions;
use super::{reset, scale};
use crate::api::metadata::set_owners;
use crate::api::router::Call;
use crate::api::server::Api;
use crate::api::{errors, typed};

/// Who owns what is there before anybody applies.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";
/// The longest name of a manager, in bytes.
pub(in crate::api) const LONGEST_MANAGER: usize = 128;

/// An object that an apply has made, with its owners in the form of `managedFields`.
pub(in crate::api) struct Made {
    pub(in crate::api) object: Tree,
    pub(in crate::api) owners: Tree,
}

/// An empty list of owners means the same as a list with one that says nothing: that they are to be
/// forgotten. The types have no empty lists, so that it is kept in the other form.
pub(in crate::api) fn name_resets(object: &mut Tree) {
    if matches!(&object["metadata"]["managedFields"], Tree::List(owners) if owners.is_empty()) {
        object.set(&["metadata", "managedFields"], list![map! {}]);
    }
}

/// Whether a `managedFields` makes sense.
///
/// # Errors
/// Why not.
pub(in crate::api) fn check_owners(owners: &Tree) -> Result<(), String> {
    Owners::read(owners).map(drop)
}

fn is_reset(given: &Tree) -> bool {
    matches!(given.items(), [only] if only.fields().next().is_none())
}

impl<'a> Call<'a> {
    /// The name of whoever writes: what the request says, else the first part of the user agent.
    fn manager(&self) -> Text {
        let said = &self.request.field_manager;
        if !said.is_empty() {
            return said.clone();
        }
        let agent = self.who.user_agent.split('/').next().unwrap_or_default();
        let mut name = String::new();
        for letter in agent.chars().filter(|letter| is_printable(*letter)) {
            if name.len() + letter.len_utf8() > LONGEST_MANAGER {
                break;
            }
            name.push(letter);
        }
        Text::from(name)
    }

    pub(super) fn schema(&self) -> Typed<'_> {
        match &self.kind.structural {
            Some(structural) => structural.root(),
            None => Schema::builtin(&self.kind.kind),
        }
    }

    /// The write as a change of owners. `manager` and `version` are kept outside of it.
    fn change<'c>(&'c self, api: &'c Api, manager: &'c str, version: &'c str) -> Change<'c> {
        let versions = Versions::of(&self.kind, api.converter(self.outside));
        Change { versions, ..self.change_of_one(manager, version) }
    }

    /// The same of an object that everybody uses in one version.
    fn change_of_one<'c>(&'c self, manager: &'c str, version: &'c str) -> Change<'c> {
        Change {
            versions: None,
            kind: self.schema(),
            version,
            manager,
            subresource: &self.request.subresource,
            kept: reset::kept(&self.kind, &self.request.subresource),
            time: object::timestamp(self.now),
        }
    }

    /// The owners that an object names, but for those who used a version that is not served. The
    /// schema of a custom type may have changed since.
    fn owners_of(&self, object: &Tree, change: &Change<'_>) -> Result<Owners, String> {
        let mut owners = Owners::read(&object["metadata"]["managedFields"])?;
        owners.0.retain(|_, owned| self.kind.serves(&owned.version));
        if self.kind.custom {
            for owned in owners.0.values_mut() {
                owned.fields = owned.fields.as_in(change.schema(&owned.version));
            }
        }
        Ok(owners)
    }

    /// An object of the type with nothing in it.
    fn empty(&self) -> Tree {
        let mut empty = map! { "apiVersion" => self.kind.api_version(), "kind" => &self.kind.kind };
        if !self.kind.custom {
            // What is always written is there. An empty object is of the right shape.
            let _ = typed::decode(&self.kind.kind, &mut empty, &Tree::Null);
        }
        empty
    }

    /// Sets the owners of a new object, as it came and with its defaults.
    ///
    /// # Errors
    /// A webhook has to be asked first.
    pub(in crate::api) fn track_new(
        &self,
        api: &Api,
        object: &mut Tree,
        given: &Tree,
    ) -> Result<(), Status> {
        if let Some(owners) = &self.owners {
            set_owners(object, owners);
            return Ok(());
        }
        let given = Owners::read(given).unwrap_or_default();
        if api.config.tracks_from_creation || !given.0.is_empty() {
            let (manager, version) = (self.manager(), self.kind.api_version());
            let change = self.change(api, &manager, &version);
            let owners = change.updated(given, &self.empty(), object);
            set_owners(object, &self.known(owners)?.to_tree());
        }
        Ok(())
    }

    /// Owners that were worked out; of what can't be converted nothing is tracked.
    fn known(&self, owners: Result<Owners, Status>) -> Result<Owners, Status> {
        match owners {
            Err(why) if self.outside.waits() => Err(why),
            owners => Ok(owners.unwrap_or_default()),
        }
    }

    /// Sets the owners of a changed object, if its owners are tracked. `given` are those that the
    /// request wants it to have.
    ///
    /// # Errors
    /// A webhook has to be asked first.
    pub(in crate::api) fn track(
        &self,
        api: &Api,
        old: &Tree,
        new: &mut Tree,
        given: &Tree,
    ) -> Result<(), Status> {
        let have = &old["metadata"]["managedFields"];
        if let Some(owners) = &self.owners {
            set_owners(new, owners);
        } else if have.is_null() && given.is_null() {
            return Ok(());
        } else {
            let (manager, version) = (self.manager(), self.kind.api_version());
            let change = self.change(api, &manager, &version);
            let owners = self.owners_before(old, given, &change);
            new.remove(&["metadata", "managedFields"]);
            if !owners.0.is_empty() {
                let owners = change.updated(owners, old, new);
                set_owners(new, &self.known(owners)?.to_tree());
            }
        }
        keep_times(old, new);
        Ok(())
    }

    /// The owners before a write: those that the request gives, unless it gives none, or writes
    /// through a subresource.
    fn owners_before(&self, old: &Tree, given: &Tree, change: &Change<'_>) -> Owners {
        let live = || self.owners_of(old, change).unwrap_or_default();
        if !self.request.subresource.is_empty() {
            return live();
        }
        if is_reset(given) {
            return Owners::default();
        }
        match Owners::read(given) {
            Ok(owners) if !owners.0.is_empty() => owners,
            _ => live(),
        }
    }

    /// What the request's configuration makes of `live`; of nothing, if there is none.
    ///
    /// # Errors
    /// 400 for a configuration of another type, 500 for one that does not fit the type, 409 for
    /// fields that others own.
    pub(in crate::api) fn apply_to(&self, api: &Api, live: Option<&Tree>) -> Result<Made, Status> {
        let config = &self.request.body;
        check_config(config, &self.kind.api_version(), &self.kind.kind)?;
        let (manager, version) = (self.manager(), self.kind.api_version());
        let change = self.change(api, &manager, &version);
        check_type(config, change.kind)?;
        let mut owners = Owners::default();
        let mut before = self.empty();
        if let Some(live) = live {
            owners = self
                .owners_of(live, &change)
                .map_err(|why| errors::failed(format!("failed to decode managed fields: {why}")))?;
            let mut live = live.clone();
            // Webhooks that convert it are shown its owners.
            if change.versions.is_none() {
                live.remove(&["metadata", "managedFields"]);
            }
            if owners.0.is_empty() {
                let first = Change { manager: BEFORE_FIRST_APPLY, ..change.clone() };
                owners = first.updated(owners, &before, &live)?;
            }
            before = live;
        }
        let applied = carry_out(&change, owners, &before, config, self.force())?;
        let mut object = applied.object;
        if manager == last_applied::KUBECTL {
            last_applied::remember(&mut object, config);
        }
        Ok(Made { object, owners: applied.owners.to_tree() })
    }

    fn force(&self) -> bool {
        self.request.force == Some(true)
    }

    /// The owners of the object after its `Scale` went from `old` to `new`; nothing if they are not
    /// tracked.
    pub(in crate::api) fn scaled(&self, parent: &Tree, old: &Tree, new: &Tree) -> Option<Tree> {
        let have = &parent["metadata"]["managedFields"];
        if have.is_null() {
            return None;
        }
        // The real server can't convert a `Scale` by a webhook, and lets it be.
        if self.kind.asks_to_convert() {
            return Some(have.clone());
        }
        let (manager, path) = (self.manager(), self.replicas()?);
        let change = self.scale_change(&manager);
        let owners = self.owners_of(parent, &change).unwrap_or_default();
        let scaled = change.updated(scale::to_scale(&owners, &path), old, new);
        let scaled = scaled.unwrap_or_default();
        let owners = scale::to_parent(owners, scaled, &path, &self.kind.api_version());
        Some(owners.to_tree())
    }

    /// Applies the request's configuration to the `Scale` of an object.
    ///
    /// # Errors
    /// As [`Call::apply_to`].
    pub(in crate::api) fn apply_scale(&self, parent: &Tree, live: &Tree) -> Result<Made, Status> {
        let config = &self.request.body;
        check_config(config, scale::VERSION, "Scale")?;
        let manager = self.manager();
        let change = self.scale_change(&manager);
        check_type(config, change.kind)?;
        let owners = self.owners_of(parent, &change).unwrap_or_default();
        let path = self.replicas().unwrap_or_default();
        let before = scale::to_scale(&owners, &path);
        let applied = carry_out(&change, before, live, config, self.force())?;
        if self.kind.custom {
            // The real server takes the `Scale` for an object of the custom type.
            return Err(errors::failed(
                "failed to convert new object to proper version: request to convert CR to an \
                 invalid group/version: autoscaling/v1",
            ));
        }
        let owners = scale::to_parent(owners, applied.owners, &path, &self.kind.api_version());
        Ok(Made { object: applied.object, owners: owners.to_tree() })
    }

    fn scale_change<'c>(&'c self, manager: &'c str) -> Change<'c> {
        let kind = Schema::builtin("Scale");
        Change { kind, kept: Default::default(), ..self.change_of_one(manager, scale::VERSION) }
    }

    fn replicas(&self) -> Option<Vec<Step>> {
        let paths = self.kind.scale.as_ref()?;
        Some(paths.spec.iter().map(|name| Step::field(name)).collect())
    }
}

/// A write that changes nothing but when owners came to own what they own changes nothing.
fn keep_times(old: &Tree, new: &mut Tree) {
    let entries = |object: &Tree| {
        let entries = object["metadata"]["managedFields"].items().iter().cloned();
        entries
            .map(|mut entry| {
                entry.remove(&["time"]);
                entry
            })
            .collect::<Vec<Tree>>()
    };
    let others = |object: &Tree| {
        let mut object = object.clone();
        object.remove(&["metadata", "managedFields"]);
        object
    };
    if entries(old) == entries(new) && others(old) == others(new) {
        set_owners(new, &old["metadata"]["managedFields"]);
    }
}

/// Refuses configurations of another type, and those that say who owns what.
fn check_config(config: &Tree, version: &str, kind: &str) -> Result<(), Status> {
    if config["apiVersion"] != version || config["kind"] != kind {
        let (have, kind) = (config["apiVersion"].str(), config["kind"].str());
        let (group, version) = have.rsplit_once('/').unwrap_or(("", have));
        let text = format!("invalid object type: {group}/{version}, Kind={kind}");
        return Err(errors::bad_request(text));
    }
    if !config["metadata"]["managedFields"].is_null() {
        return Err(errors::bad_request("metadata.managedFields must be nil"));
    }
    Ok(())
}

/// Refuses configurations that do not fit the type.
fn check_type(config: &Tree, kind: Typed<'_>) -> Result<(), Status> {
    let problems = problems(config, kind);
    let text = match problems.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        many => format!("errors:\n  {}", many.join("\n  ")),
    };
    let metadata = &config["metadata"];
    let version = config["apiVersion"].str();
    let (group, version) = version.rsplit_once('/').unwrap_or(("", version));
    Err(errors::failed(format!(
        "failed to create typed patch object ({}/{}; {group}/{version}, Kind={}): {text}",
        metadata["namespace"].str(),
        metadata["name"].str(),
        config["kind"].str(),
    )))
}

/// Applies; kubectl may take what it applied on the client's side.
fn carry_out(
    change: &Change<'_>,
    owners: Owners,
    live: &Tree,
    config: &Tree,
    force: bool,
) -> Result<Applied, Status> {
    let told = |refusal: Refusal| match refusal {
        Refusal::Conflicts(conflicts) => refused(conflicts),
        Refusal::Failed(status) => status,
    };
    match change.applied(owners.clone(), live, config, force) {
        Err(Refusal::Conflicts(conflicts)) if change.manager == last_applied::KUBECTL => {
            match last_applied::unexplained(change, live, conflicts) {
                left if left.is_empty() => change.applied(owners, live, config, true).map_err(told),
                left => Err(refused(left)),
            }
        }
        applied => applied.map_err(told),
    }
}

/// 409, with a cause for each field.
fn refused(conflicts: Vec<Conflict>) -> Status {
    let text = match conflicts.as_slice() {
        [one] => {
            format!("Apply failed with 1 conflict: conflict with {}: {}", one.owner, one.path)
        }
        many => {
            let mut text = format!("Apply failed with {} conflicts: ", many.len());
            for (at, conflict) in many.iter().enumerate() {
                if at == 0 || many[at - 1].owner != conflict.owner {
                    let line = if at == 0 { "" } else { "\n" };
                    text += &format!("{line}conflicts with {}:", conflict.owner);
                }
                text += &format!("\n- {}", conflict.path);
            }
            text
        }
    };
    let causes = conflicts
        .iter()
        .map(|conflict| (conflict.path.to_string(), format!("conflict with {}", conflict.owner)));
    errors::apply_conflict(text, causes.collect())
}
