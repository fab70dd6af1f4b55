//! Which part of an object a write to a subresource changes (v1.36, the strategies of
//! `pkg/registry/core/pod` and `pkg/registry/certificates`).

use kubesim_model::tree::Tree;
use kubesim_model::{Millis, object};

use super::router::Call;

/// Who asks for a certificate is whoever sends the request, whatever it says.
pub(super) fn sign(call: &Call<'_>, request: &mut Tree) {
    for field in ["username", "uid", "groups", "extra"] {
        request.remove(&["spec", field]);
    }
    let user = &call.who.user;
    request.set(&["spec", "username"], &user.name);
    user.describe(request.field_mut("spec"));
}

const DECIDED: [&str; 2] = ["Approved", "Denied"];

/// A write to `ephemeralcontainers` of a pod changes those.
pub(super) fn keep_all_but_ephemeral(old: &Tree, new: &mut Tree) {
    let added = new["spec"]["ephemeralContainers"].clone();
    keep_all_but_metadata(old, new);
    match added.items() {
        [] => drop(new.remove(&["spec", "ephemeralContainers"])),
        _ => new.set(&["spec", "ephemeralContainers"], added),
    }
}

/// A write to `resize` of a pod changes what its containers may use. Other containers than there
/// are stay, so that they are refused.
pub(super) fn keep_all_but_resources(old: &Tree, new: &mut Tree) {
    let given = new["spec"].clone();
    keep_all_but_metadata(old, new);
    new.set(&["metadata"], &old["metadata"]);
    for list in ["containers", "initContainers"] {
        let (had, have) = (old["spec"][list].items(), given[list].items());
        let names = |items: &[Tree]| -> Vec<Tree> {
            items.iter().map(|container| container["name"].clone()).collect()
        };
        if names(had) != names(have) {
            new.set(&["spec", list], &given[list]);
            continue;
        }
        for (at, container) in have.iter().enumerate() {
            let kept = &mut new.at_mut(&["spec", list]).items_mut()[at];
            for field in ["resources", "resizePolicy"] {
                match &container[field] {
                    Tree::Null => drop(kept.remove(&[field])),
                    value => kept.set(&[field], value),
                }
            }
        }
    }
    match &given["resources"] {
        Tree::Null => drop(new.remove(&["spec", "resources"])),
        value => new.set(&["spec", "resources"], value),
    }
}

fn keep_all_but_metadata(old: &Tree, new: &mut Tree) {
    let metadata = new["metadata"].clone();
    *new = old.clone();
    new.set(&["metadata"], metadata);
}

/// A request for a certificate never changes: what is decided about it does.
pub(super) fn keep_request(old: &Tree, new: &mut Tree, subresource: &str, now: Millis) {
    let status = new["status"].clone();
    keep_all_but_metadata(old, new);
    match subresource {
        "status" => {
            new.set(&["status"], status);
            keep_decisions(old, new);
        }
        "approval" => match &status["conditions"] {
            Tree::Null => drop(new.remove(&["status", "conditions"])),
            conditions => new.set(&["status", "conditions"], conditions),
        },
        _ => return,
    }
    if new["status"]["conditions"].items().is_empty() {
        return;
    }
    for condition in new.at_mut(&["status", "conditions"]).items_mut() {
        if condition["lastUpdateTime"].is_null() {
            condition.set(&["lastUpdateTime"], object::timestamp(now));
        }
        if condition["lastTransitionTime"].is_null() {
            let had = old["status"]["conditions"].items().iter().find(|had| {
                ["type", "status"].iter().all(|field| had[*field] == condition[*field])
            });
            let since = had.map_or(Tree::Null, |had| had["lastTransitionTime"].clone());
            let since = if since.is_null() { object::timestamp(now).into() } else { since };
            condition.set(&["lastTransitionTime"], since);
        }
    }
}

/// Through `status` decisions are neither made nor changed; who adds or removes one is refused.
fn keep_decisions(old: &Tree, new: &mut Tree) {
    for kind in DECIDED {
        let of = |request: &Tree| -> Vec<usize> {
            let conditions = request["status"]["conditions"].items().iter().enumerate();
            conditions.filter(|(_, one)| one["type"] == kind).map(|(at, _)| at).collect()
        };
        let (had, have) = (of(old), of(new));
        if had.len() == have.len() {
            for (from, to) in had.into_iter().zip(have) {
                let kept = old["status"]["conditions"][from].clone();
                new.at_mut(&["status", "conditions"]).items_mut()[to] = kept;
            }
        }
    }
}
