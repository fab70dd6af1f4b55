//! Changing objects: what a write may touch, whether it changes anything, and what follows.

use kubesim_model::object;
use kubesim_model::request::{Answer, Status};
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;

use super::registry::Type;
use super::router::Call;
use super::server::Api;
use super::{defaults, delete, errors, metadata, shape, validate};

impl Api {
    /// Replaces an object, or a part of it through a subresource.
    pub(super) fn update(&mut self, call: &Call<'_>) -> Answer {
        let mut new = self.received(call)?;
        let old = self.current(call)?.clone();
        let name = object::name(&new);
        if !name.is_empty() && name != call.name() {
            return Err(errors::bad_request(format!(
                "the name of the object ({name}) does not match the name on the URL ({})",
                call.name()
            )));
        }
        if new["metadata"]["resourceVersion"].str().is_empty() && !call.kind.allows_blind_update() {
            let detail = "must be specified for an update";
            let cause = errors::Cause::invalid("metadata.resourceVersion", &Tree::Int(0), detail);
            return Err(errors::invalid(&call.kind, call.name(), &[cause]));
        }
        if !call.kind.custom {
            metadata::drop_nulls(&mut new, &old);
        }
        self.replace(call, &old, new)
    }

    /// Stores `new` for `old` as far as the request may (apiserver v0.36, `registry/rest/update.go`
    /// and `generic/registry/store.go`). A change that changes nothing keeps the version.
    pub(super) fn replace(&mut self, call: &Call<'_>, old: &Tree, new: Tree) -> Answer {
        let mut new = new;
        self.check_identity(call, old, &new)?;
        let kind = &call.kind;
        match call.request.subresource.as_str() {
            "" => keep_status(kind, old, &mut new),
            "status" => keep_all_but_status(kind, old, &mut new),
            "finalize" => keep_all_but_finalizers(old, &mut new),
            _ => {}
        }
        metadata::restore_owned(old, &mut new);
        new.set(&["apiVersion"], &old["apiVersion"]);
        new.set(&["kind"], &old["kind"]);
        if call.request.subresource.is_empty() && !content_is_same(old, &new) {
            shape::check(kind, &new)?;
            self.admit_update(call, old, &mut new);
            defaults::fill(kind, &mut new, old);
        }
        if new == *old {
            return Ok(old.clone());
        }
        let causes = validate::updated(kind, old, &new, &call.request.subresource);
        call.invalid_if(&causes, call.name())?;
        if matches!(call.request.subresource.as_str(), "" | "scale") {
            metadata::raise_generation(kind, old, &mut new);
        }
        if delete::is_done(kind, &new) {
            self.erase(kind, &call.request.key);
            return Ok(new);
        }
        Ok(self.commit(kind, &call.request.key, new))
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
        if !read.is_null() && !read.str().is_empty() && read != have {
            return Err(errors::modified(resource, name));
        }
        Ok(())
    }
}

/// Whether all but metadata is shared, so that neither defaults nor admission can matter.
fn content_is_same(old: &Tree, new: &Tree) -> bool {
    new.fields().all(|(key, value)| key == "metadata" || value.is_same(&old[key.as_str()]))
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
