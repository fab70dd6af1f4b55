//! Which objects belong to an owner; taking orphans in and letting go what no longer matches.
//!
//! Modelled on kube-controller-manager v1.36, `pkg/controller/controller_ref_manager.go`.

use kubesim_model::cache::Cache;
use kubesim_model::object::{self, uid};
use kubesim_model::request::{Answer, Request, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{list, map, selector};

use super::batches::Batches;

/// The objects that concern an owner.
#[derive(Clone, Default)]
pub(in crate::controllers) struct Claims {
    /// Those that are its own, the ones to adopt included.
    pub mine: Vec<Tree>,
    adopt: Vec<Tree>,
    release: Vec<Tree>,
    finalizer: Option<&'static str>,
}

/// Whether an owner selects an object with these labels. A ReplicationController names the labels
/// themselves, where others have a `LabelSelector`.
pub(in crate::controllers) fn selects(owner: &Tree, labels: &Tree) -> bool {
    let wanted = &owner["spec"]["selector"];
    if owner["kind"] == "ReplicationController" {
        return wanted.fields().all(|(key, value)| labels[key.as_str()] == *value);
    }
    selector::selects(wanted, labels)
}

/// Sorts `objects` of the owner's namespace by `spec.selector`: own ones that match stay, own ones
/// that don't are let go, orphans that match are taken in. An owner that is being deleted neither
/// takes nor lets go.
pub(in crate::controllers) fn claims<'a>(
    owner: &Tree,
    objects: impl IntoIterator<Item = &'a Tree>,
) -> Claims {
    let own = uid(owner);
    let owner_goes = object::is_terminating(owner);
    let mut claims = Claims::default();
    for object in objects {
        let controller = object::controller_uid(object);
        if !controller.is_empty() && controller != own {
            continue;
        }
        let matches = selects(owner, &object["metadata"]["labels"]);
        match (controller, matches) {
            (have, true) if !have.is_empty() => claims.mine.push(object.clone()),
            (have, false) if !have.is_empty() && !owner_goes => {
                claims.release.push(object.clone());
            }
            ("", true) if !owner_goes && !object::is_terminating(object) => {
                claims.mine.push(object.clone());
                claims.adopt.push(object.clone());
            }
            _ => {}
        }
    }
    claims
}

impl Claims {
    /// With a finalizer that what is taken in gets, and what is let go loses.
    pub(in crate::controllers) fn with_finalizer(mut self, finalizer: &'static str) -> Self {
        self.finalizer = Some(finalizer);
        self
    }

    /// The requests that make it so: before anything is adopted, the owner is read afresh.
    pub(in crate::controllers) fn requests(
        &self,
        resource: &Resource,
        owner_resource: &Resource,
        owner: &Tree,
    ) -> Batches {
        let patch = |object: &Tree, reference: Tree, finalizers: &str| {
            let references = list![reference];
            let mut metadata = map! { "uid" => uid(object), "ownerReferences" => references };
            if let Some(finalizer) = self.finalizer {
                metadata.set(&[finalizers], list![finalizer]);
            }
            let patch = map! { "metadata" => metadata };
            Request::strategic_patch(resource.clone(), object::key(object), patch)
        };
        let adopted = self
            .adopt
            .iter()
            .map(|object| patch(object, object::controller_reference(owner), "finalizers"));
        let released = self.release.iter().map(|object| {
            let reference = map! { "$patch" => "delete", "uid" => uid(owner) };
            patch(object, reference, "$deleteFromPrimitiveList/finalizers")
        });
        let check = match self.adopt.is_empty() {
            true => Vec::new(),
            false => vec![Request::get(owner_resource.clone(), object::key(owner))],
        };
        Batches::at_once(check).then(adopted.chain(released).collect())
    }
}

/// The owner of `kind` that controls an object, if it is the one that is known by that name.
pub(in crate::controllers) fn owner_of(
    object: &Tree,
    resource: &Resource,
    kind: &str,
    cache: &Cache,
) -> Option<ObjectKey> {
    let reference = object::controller(object).filter(|reference| reference["kind"] == kind)?;
    let key = ObjectKey::new(object::namespace(object), reference["name"].text());
    let owner = cache.get(resource, &key)?;
    (uid(owner) == reference["uid"].str()).then_some(key)
}

/// The owners that a changed object concerns: the one that controls it, or all that would take the
/// orphan in.
pub(in crate::controllers) fn concerned(
    object: &Tree,
    resource: &Resource,
    kind: &str,
    cache: &Cache,
    enqueue: &mut dyn FnMut(ObjectKey),
) {
    if object::controller(object).is_some() {
        return owner_of(object, resource, kind, cache).into_iter().for_each(enqueue);
    }
    let labels = &object["metadata"]["labels"];
    cache
        .in_namespace(resource, object::namespace(object))
        .filter(|owner| selects(owner, labels))
        .for_each(|owner| enqueue(object::key(owner)));
}

/// Whether the answer to one of [`Claims::requests`] lets the sync go on. What is gone needs no
/// adoption and no release.
pub(in crate::controllers) fn went_well(owner: &Tree, request: &Request, answer: &Answer) -> bool {
    match answer {
        Ok(fresh) if request.verb == Verb::Get => {
            uid(fresh) == uid(owner) && !object::is_terminating(fresh)
        }
        Ok(_) => true,
        Err(status) => {
            let releases = !request.body["metadata"]["ownerReferences"][0]["$patch"].is_null();
            request.verb != Verb::Get && (status.is_not_found() || (releases && status.code == 422))
        }
    }
}
