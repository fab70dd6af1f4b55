//! ControllerRevisions: the templates that a StatefulSet or DaemonSet had, numbered.
//!
//! Modelled on kube-controller-manager v1.36, `pkg/controller/history`. What is stored is the patch
//! that restores the template.

use kubesim_model::object;
use kubesim_model::request::{Answer, Request, Verb};
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map};

use super::template::hash_of;

/// How a revision comes to be the one of the present template.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::controllers) enum Wanted {
    /// It is the latest already.
    Latest(Tree),
    /// An earlier one fits: it gets a new number (a rollback).
    Renumbered(Tree),
    /// None fits: this one is to be made.
    New(Tree),
}

/// The number of a revision.
pub(in crate::controllers) fn number(revision: &Tree) -> i64 {
    revision["revision"].as_i64().unwrap_or(0)
}

/// Sorts by number, then age, then name.
pub(in crate::controllers) fn sort(revisions: &mut [Tree]) {
    revisions.sort_by_cached_key(|revision| {
        let metadata = &revision["metadata"];
        (number(revision), metadata["creationTimestamp"].text(), metadata["name"].text())
    });
}

/// The revision that `owner`'s template should have, among its `sorted` revisions. New ones are
/// labelled with their hash under `hash_label`.
pub(in crate::controllers) fn wanted(
    owner: &Tree,
    sorted: &[Tree],
    collisions: i64,
    hash_label: &str,
) -> Wanted {
    let next = sorted.last().map_or(0, number).saturating_add(1);
    let data = data_of(owner);
    let Some(fitting) = sorted.iter().rfind(|revision| revision["data"] == data) else {
        return Wanted::New(make(owner, data, next, collisions, hash_label));
    };
    if sorted.last().is_some_and(|last| last["data"] == data) {
        return Wanted::Latest(sorted.last().cloned().unwrap_or_default());
    }
    let mut renumbered = fitting.clone();
    renumbered.set(&["revision"], next);
    Wanted::Renumbered(renumbered)
}

/// The pod template that a revision stores; the owner's own if it stores none.
pub(in crate::controllers) fn template(owner: &Tree, revision: &Tree) -> Tree {
    let mut template = revision.at(&["data", "spec", "template"]).clone();
    if template.is_null() {
        return owner["spec"]["template"].clone();
    }
    template.remove(&["$patch"]);
    template
}

/// The oldest of the `sorted` revisions that are not `live`, as many as are beyond the limit.
pub(in crate::controllers) fn superfluous(
    owner: &Tree,
    sorted: &[Tree],
    live: impl Fn(&Tree) -> bool,
) -> Vec<Request> {
    let limit = owner["spec"]["revisionHistoryLimit"].as_i64().unwrap_or(10);
    let Ok(limit) = usize::try_from(limit) else { return Vec::new() };
    let dead: Vec<&Tree> = sorted.iter().filter(|revision| !live(revision)).collect();
    let excess = dead.len().saturating_sub(limit);
    let delete =
        |revision: &&Tree| Request::delete(Resource::CONTROLLER_REVISIONS, object::key(revision));
    dead.iter().take(excess).map(delete).collect()
}

/// What the answer of a request for the wanted revision means.
pub(in crate::controllers) enum Settled {
    /// This is the revision.
    Is(Tree),
    /// This is to be asked next.
    Ask(Box<Request>),
    /// Another revision has that name: the next one is made with one more collision.
    Collision,
    /// It failed.
    Failed,
}

/// Takes the answer of the create or update of a revision, or of the read that follows when its
/// name is taken.
pub(in crate::controllers) fn settle(owner: &Tree, request: &Request, answer: &Answer) -> Settled {
    match (request.verb, answer) {
        (Verb::Get, Ok(there)) if there["data"] == data_of(owner) => Settled::Is(there.clone()),
        (Verb::Get, Ok(_)) => Settled::Collision,
        (_, Ok(revision)) => Settled::Is(revision.clone()),
        (Verb::Create, Err(failure)) if failure.is_already_exists() => {
            Settled::Ask(Box::new(Request::get(request.resource.clone(), request.key.clone())))
        }
        (_, Err(_)) => Settled::Failed,
    }
}

fn data_of(owner: &Tree) -> Tree {
    let mut template = owner["spec"]["template"].clone();
    template.set(&["$patch"], "replace");
    map! { "spec" => map! { "template" => template } }
}

fn make(owner: &Tree, data: Tree, number: i64, collisions: i64, hash_label: &str) -> Tree {
    let hash: Text = hash_of(&data, collisions);
    let mut labels = owner["spec"]["template"]["metadata"]["labels"].clone();
    labels.set(&[hash_label], &hash);
    let metadata = map! {
        "name" => format!("{}-{hash}", object::name(owner)),
        "namespace" => object::namespace(owner),
        "labels" => labels,
        "ownerReferences" => list![object::controller_reference(owner)],
    };
    map! {
        "apiVersion" => "apps/v1", "kind" => "ControllerRevision",
        "metadata" => metadata, "data" => data, "revision" => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(image: &str) -> Tree {
        let template = map! { "spec" => map! { "image" => image } };
        map! { "metadata" => map! { "name" => "web" }, "spec" => map! { "template" => template } }
    }

    fn made(wanted: Wanted) -> Tree {
        match wanted {
            Wanted::New(revision) | Wanted::Latest(revision) | Wanted::Renumbered(revision) => {
                revision
            }
        }
    }

    #[test]
    fn a_template_that_comes_back_gets_its_old_revision_with_a_new_number() {
        let first = made(wanted(&owner("a"), &[], 0, "hash"));
        let second = made(wanted(&owner("b"), std::slice::from_ref(&first), 0, "hash"));
        assert_eq!((number(&first), number(&second)), (1, 2));
        let both = [first.clone(), second.clone()];
        assert_eq!(wanted(&owner("b"), &both, 0, "hash"), Wanted::Latest(second));
        let Wanted::Renumbered(back) = wanted(&owner("a"), &both, 0, "hash") else {
            panic!("not renumbered");
        };
        assert_eq!((number(&back), object::name(&back)), (3, object::name(&first)));
        assert_eq!(template(&owner("b"), &first), owner("a")["spec"]["template"]);
    }

    #[test]
    fn only_dead_revisions_beyond_the_limit_go_oldest_first() {
        let mut owner = owner("a");
        owner.set(&["spec", "revisionHistoryLimit"], 1);
        let revision = |name: &str, number: i64| {
            map! { "metadata" => map! { "name" => name }, "revision" => number }
        };
        let all = ["a", "b", "c", "d"].map(|name| revision(name, 1));
        let gone = superfluous(&owner, &all, |revision| object::name(revision) == "a");
        let names: Vec<&str> = gone.iter().map(|request| request.key.name.as_str()).collect();
        assert_eq!(names, ["b", "c"]);
    }
}
