//! Changing objects: what a write may touch, whether it changes anything, and what follows.

use kubesim_model::object;
use kubesim_model::request::{Answer, Request, Status, Verb};
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;

use super::convert::Other;
use super::policies::Subject;
use super::registry::Type;
use super::router::Call;
use super::server::Api;
use super::{custom, defaults, delete, errors, metadata, parts, validate};

impl Api {
    /// Replaces an object, or a part of it through a subresource.
    pub(super) fn update(&mut self, call: &Call<'_>) -> Answer {
        let old = self.store.get(call.resource(), &call.request.key);
        let old = old.map(|old| self.shown_to(call, old)).transpose()?;
        let new = self.received(call, old.as_ref().unwrap_or(&Tree::Null))?;
        check_names(call, &new)?;
        let Some(old) = old else {
            return self.create_by_update(call, new);
        };
        if ["", "0"].contains(&new["metadata"]["resourceVersion"].str())
            && !call.kind.allows_blind_update()
        {
            return Err(errors::needs_version(&call.kind, call.name()));
        }
        if call.kind.custom && call.request.subresource != "scale" {
            custom::check_kind(&call.kind, &call.request.body)?;
        }
        self.replace(call, &old, new)
    }

    /// Makes the object that an update names, for the types of which that is allowed.
    fn create_by_update(&mut self, call: &Call<'_>, object: Tree) -> Answer {
        if !call.kind.is_made_by_update() || !call.request.subresource.is_empty() {
            return Err(errors::not_found(call.resource(), call.name()));
        }
        let mut object = object;
        object.field_mut("metadata").remove(&["resourceVersion"]);
        let request = Request { verb: Verb::Create, ..call.request.clone() };
        self.make(&call.with(&request), object)
    }

    /// Stores `new` for `old` as far as the request may (apiserver v0.36, `registry/rest/update.go`
    /// and `generic/registry/store.go`). A change that changes nothing keeps the version.
    pub(super) fn replace(&mut self, call: &Call<'_>, old: &Tree, new: Tree) -> Answer {
        self.check_identity(call, old, &new)?;
        let kind = &call.kind;
        let part = call.request.subresource.as_str();
        let mut new = self.changed(call, old, new)?;
        self.check_escalation(call, old, &new)?;
        metadata::count_templates(kind, old, &mut new);
        if kind.kind == "Job" && !kind.custom {
            defaults::label_job(&mut new);
        }
        let mut given = None;
        if kind.resource == Resource::CUSTOM_RESOURCE_DEFINITIONS {
            given = Some(self.settle_definition(is_whole(part), &mut new, call.now));
        }
        let is_same = new == *old && self.is_stored_so(call, old)?;
        if !is_same {
            let mut causes = validate::updated(kind, old, given.as_ref().unwrap_or(&new), call);
            if call.other_form() == Some(Other::Event) {
                validate::check_strictly(old, &new, &mut causes);
            }
            call.invalid_if(&causes, call.name())?;
            if is_whole(part) || part == "scale" {
                metadata::raise_generation(kind, old, &mut new);
            }
        }
        if part != "scale" {
            self.approve(call, Subject::update(old, &new))?;
        }
        if is_same {
            return Ok(old.clone());
        }
        if is_whole(part) {
            self.check_amounts(call, old, &new)?;
        }
        if kind.resource == Resource::SERVICES && is_whole(part) {
            self.allocate_addresses(&mut new);
        }
        if delete::is_done(kind, &new) {
            self.erase(kind, &call.request.key, call.now);
            return Ok(new);
        }
        self.put(call, &call.request.key, new)
    }

    /// What a write makes of an object: with what it can't touch as it was, with defaults and
    /// owners, and with what admission makes of that.
    fn changed(&mut self, call: &Call<'_>, old: &Tree, given: Tree) -> Answer {
        let owners = given["metadata"]["managedFields"].clone();
        // Webhooks are shown what came, whether this write can touch it or not.
        let asks = call.request.subresource != "scale" && self.has_changers(call);
        let shown = asks.then(|| given.clone());
        let mut new = given;
        let is_other = shape(call, old, &mut new);
        // Nobody owns what admission sets.
        call.track(self, old, &mut new, &owners)?;
        let built_in = |api: &mut Api, object: &mut Tree| {
            if is_other {
                api.admit_update(call, old, object);
            }
            Ok(())
        };
        let Some(mut shown) = shown else {
            built_in(self, &mut new)?;
            return Ok(new);
        };
        if is_other {
            defaults::fill(&call.kind, &mut shown, old);
        }
        if call.kind.namespaced {
            shown.set(&["metadata", "namespace"], &call.request.key.namespace);
        }
        metadata::set_owners(&mut shown, &new["metadata"]["managedFields"]);
        let mut new = self.admitted(call, Subject::update(old, &shown), built_in)?;
        for field in ["name", "namespace"] {
            let value = &new["metadata"][field];
            if *value != shown["metadata"][field] {
                let field = format!("metadata.{field}");
                let cause = errors::Cause::invalid(field, value, "field is immutable");
                return Err(errors::invalid(&call.kind, call.name(), &[cause]));
            }
        }
        let owners = new["metadata"]["managedFields"].clone();
        shape(call, old, &mut new);
        metadata::set_owners(&mut new, &owners);
        if is_other {
            self.admit_update(call, old, &mut new);
        }
        Ok(new)
    }

    /// Holds a change against limits and quotas, as far as it may use more.
    fn check_amounts(&mut self, call: &Call<'_>, old: &Tree, new: &Tree) -> Result<(), Status> {
        if call.request.subresource == "resize" {
            self.check_limits(call, new)?;
        }
        let charged = [Resource::PODS, Resource::SERVICES, Resource::PERSISTENT_VOLUME_CLAIMS];
        if charged.contains(call.resource()) { self.charge(call, old, new) } else { Ok(()) }
    }

    /// Whether an object is stored as the version in use shows it: else writing it unchanged brings
    /// it to the stored version and schema.
    fn is_stored_so(&self, call: &Call<'_>, shown: &Tree) -> Result<bool, Status> {
        if call.kind.definition.is_none() {
            return Ok(true);
        }
        let stored = self.converter(call.outside).stored(&call.kind, shown.clone())?;
        Ok(self.store.get(call.resource(), &call.request.key) == Some(&stored))
    }

    fn check_identity(&self, call: &Call<'_>, old: &Tree, new: &Tree) -> Result<(), Status> {
        let (resource, name) = (call.resource(), call.name());
        let (have, wanted) = (object::uid(old), object::uid(new));
        if !wanted.is_empty() && wanted != have {
            let why = format!(
                "Precondition failed: UID in precondition: {wanted}, UID in object meta: {have}"
            );
            return Err(errors::conflict(resource, name, why));
        }
        let (have, read) =
            (&old["metadata"]["resourceVersion"], &new["metadata"]["resourceVersion"]);
        if read.str().parse::<u64>().is_err() && !read.str().is_empty() {
            let text = read.str();
            return Err(errors::failed(format!("parsing \"{text}\": invalid syntax")));
        }
        if !["", "0"].contains(&read.str()) && read != have {
            return Err(errors::modified(resource, name));
        }
        let (have, given) =
            (&old["metadata"]["deletionTimestamp"], &new["metadata"]["deletionTimestamp"]);
        if call.request.subresource.is_empty() && !given.is_null() && given != have {
            let field = "metadata.deletionTimestamp";
            let cause = errors::Cause::invalid(field, given, "field is immutable");
            return Err(errors::invalid(&call.kind, name, &[cause]));
        }
        Ok(())
    }
}

/// Whether a write to this part of an object may change its spec, as one to the whole of it does.
fn is_whole(part: &str) -> bool {
    matches!(part, "" | "ephemeralcontainers" | "resize")
}

/// Gives a changed object back what this write can't touch, and defaults. Answers whether anything
/// but metadata was changed by a write to the whole of it.
fn shape(call: &Call<'_>, old: &Tree, new: &mut Tree) -> bool {
    let (kind, part) = (&call.kind, call.request.subresource.as_str());
    keep_the_rest(call, old, new);
    metadata::restore_owned(old, new);
    if kind.resource == Resource::NAMESPACES {
        metadata::label_namespace(new);
    }
    new.set(&["apiVersion"], &old["apiVersion"]);
    new.set(&["kind"], &old["kind"]);
    if part == "status" && !content_is_same(old, new) {
        defaults::complete_status(kind, new);
    }
    let is_other = is_whole(part) && !content_is_same(old, new);
    if is_other {
        defaults::fill(kind, new, old);
    }
    is_other
}

/// Gives back to a changed object what a write to this part of it does not touch.
fn keep_the_rest(call: &Call<'_>, old: &Tree, new: &mut Tree) {
    let kind = &call.kind;
    match call.request.subresource.as_str() {
        "" => keep_status(kind, old, new),
        "status" => keep_all_but_status(kind, old, new),
        "finalize" => keep_all_but_finalizers(old, new),
        "ephemeralcontainers" => parts::keep_all_but_ephemeral(old, new),
        "resize" => parts::keep_all_but_resources(old, new),
        _ => {}
    }
    if kind.resource.group() == "certificates.k8s.io" {
        parts::keep_request(old, new, &call.request.subresource, call.now);
    }
}

/// The object must be named as the URL names it.
fn check_names(call: &Call<'_>, new: &Tree) -> Result<(), Status> {
    let name = object::name(new);
    if name.is_empty() {
        let name = call.name();
        return Err(errors::bad_request(format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        )));
    }
    if name != call.name() {
        return Err(errors::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            call.name()
        )));
    }
    let namespace = object::namespace(new);
    if !namespace.is_empty() && namespace != call.request.key.namespace {
        return Err(errors::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

/// Whether all but metadata is shared, so that neither defaults nor admission can matter.
fn content_is_same(old: &Tree, new: &Tree) -> bool {
    new.fields().count() == old.fields().count()
        && new.fields().all(|(key, value)| key == "metadata" || value.is_same(&old[key.as_str()]))
}

fn keep(old: &Tree, new: &mut Tree, path: &[&str]) {
    match old.at(path) {
        Tree::Null => {
            new.remove(path);
        }
        value => new.set(path, value),
    }
}

fn keep_status(kind: &Type, old: &Tree, new: &mut Tree) {
    if kind.resource == Resource::NAMESPACES {
        keep(old, new, &["spec", "finalizers"]);
    }
    if kind.has_status() {
        keep(old, new, &["status"]);
    }
}

/// A write to `status` changes `status`; what else it may change depends on the type: metadata of
/// built-in objects but for the labels of Deployments and the owners of pods, nothing of custom
/// ones.
fn keep_all_but_status(kind: &Type, old: &Tree, new: &mut Tree) {
    let (status, meta) = (new["status"].clone(), new["metadata"].clone());
    *new = old.clone();
    match status {
        Tree::Null => {
            new.remove(&["status"]);
        }
        status => new.set(&["status"], status),
    }
    if kind.custom {
        return;
    }
    new.set(&["metadata"], meta);
    if kind.resource == Resource::DEPLOYMENTS {
        keep(old, new, &["metadata", "labels"]);
    }
    if kind.resource == Resource::PODS {
        keep(old, new, &["metadata", "ownerReferences"]);
        if new["status"]["qosClass"].is_null() {
            keep(old, new, &["status", "qosClass"]);
        }
    }
}

/// A write to `finalize` of a namespace changes `spec.finalizers` only.
fn keep_all_but_finalizers(old: &Tree, new: &mut Tree) {
    let finalizers = new["spec"]["finalizers"].clone();
    *new = old.clone();
    match finalizers.items() {
        [] => {
            new.remove(&["spec", "finalizers"]);
        }
        _ => new.set(&["spec", "finalizers"], finalizers),
    }
}
