//! The ReplicaSets of a Deployment: which is the new one, and what is noted on them.
//!
//! Modelled on kube-controller-manager v1.36, `deployment/util/deployment_util.go` and `sync.go`.

use kubesim_model::object;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map};

use super::control::Bug;
use super::limits::Limits;
use super::scaling::size;
use crate::controllers::owned::template::hash_of;

/// The annotation that numbers the templates of a Deployment.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAX: &str = "deployment.kubernetes.io/max-replicas";
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const ROLLBACK: &str = "deprecated.deployment.rollback.to";
const HASH: &str = "pod-template-hash";
/// Longer histories lose their oldest revisions (`maxRevHistoryLengthInChars`).
const LONGEST_HISTORY: usize = 2000;

/// The set that has the Deployment's template, the oldest if there are several.
pub(super) fn find_new<'a>(
    deployment: &Tree,
    sets: &'a [Tree],
    bug: Option<Bug>,
) -> Option<&'a Tree> {
    let template = &deployment["spec"]["template"];
    let matching = |set: &&Tree| same_template(&set["spec"]["template"], template);
    let found = sets.iter().filter(matching).min_by_key(|set| by_creation(set))?;
    match bug {
        Some(Bug::IgnoresRollbackTemplate) => sets.iter().max_by_key(|set| revision(set)),
        _ => Some(found),
    }
}

/// The sets that are not the new one, oldest first.
pub(super) fn old_sets<'a>(sets: &'a [Tree], new: Option<&Tree>) -> Vec<&'a Tree> {
    let is_old = |set: &&Tree| new.is_none_or(|new| object::uid(new) != object::uid(set));
    let mut old: Vec<&Tree> = sets.iter().filter(is_old).collect();
    old.sort_by_key(|set| by_creation(set));
    old
}

/// Creation time, then name.
pub(super) fn by_creation(set: &Tree) -> (Text, Text) {
    (set["metadata"]["creationTimestamp"].text(), set["metadata"]["name"].text())
}

/// Whether two templates differ in nothing but the hash label.
pub(super) fn same_template(a: &Tree, b: &Tree) -> bool {
    a.equals_but_for(&["metadata"], b)
        && a["metadata"].equals_but_for(&["labels"], &b["metadata"])
        && own_labels(a).eq(own_labels(b))
}

fn own_labels(template: &Tree) -> impl Iterator<Item = (&Text, &Tree)> {
    template["metadata"]["labels"].fields().filter(|(key, _)| *key != HASH)
}

/// The revision of a set or of a Deployment, 0 if none was noted.
pub(super) fn revision(object: &Tree) -> i64 {
    object::annotation(object, REVISION).parse().unwrap_or(0)
}

/// The desired number of pods of the Deployment when the set was last scaled.
pub(super) fn noted_desired(set: &Tree) -> Option<i64> {
    noted(set, DESIRED)
}

/// The greatest number of pods of the Deployment when the set was last scaled.
pub(super) fn noted_max(set: &Tree) -> Option<i64> {
    noted(set, MAX)
}

/// A noted number of pods; what can't be one counts as not noted.
fn noted(set: &Tree, annotation: &str) -> Option<i64> {
    let number = object::annotation(set, annotation).parse::<i32>().ok();
    number.filter(|number| *number >= 0).map(i64::from)
}

/// `set` with the size `replicas` and the Deployment's bounds noted; `None` if nothing changes.
pub(super) fn scaled(set: &Tree, replicas: i64, limits: &Limits) -> Option<Tree> {
    let mut new = set.clone();
    new.set(&["spec", "replicas"], replicas);
    note_bounds(&mut new, limits);
    (new != *set).then_some(new)
}

/// The existing new set with the annotations, revision and minReadySeconds that it should have;
/// `None` if it has them.
pub(super) fn refreshed(deployment: &Tree, set: &Tree, old: &[&Tree]) -> Option<Tree> {
    let mut new = set.clone();
    note_revision(&mut new, deployment, next_revision(old));
    let seconds = |object: &Tree| object["spec"]["minReadySeconds"].as_i64().unwrap_or(0);
    if seconds(deployment) != seconds(set) {
        new.set(&["spec", "minReadySeconds"], seconds(deployment));
    } else if !has_readable_revision(set) {
        // As upstream: what was copied before is not written for its own sake then.
        return None;
    }
    (new != *set).then_some(new)
}

/// Whether the revision of a set is a number, or none was noted.
fn has_readable_revision(set: &Tree) -> bool {
    let noted = object::annotation(set, REVISION);
    noted.is_empty() || noted.parse::<i64>().is_ok()
}

/// The new set of a Deployment that has none for its template.
pub(super) fn make_new(deployment: &Tree, old: &[&Tree], limits: &Limits) -> Tree {
    let collisions = deployment["status"]["collisionCount"].as_i64().unwrap_or(0);
    let hash = hash_of(&deployment["spec"]["template"], collisions);
    let mut template = deployment["spec"]["template"].clone();
    template.set(&["metadata", "labels", HASH], &hash);
    let mut selector = deployment["spec"]["selector"].clone();
    selector.set(&["matchLabels", HASH], &hash);
    let metadata = map! {
        "name" => format!("{}-{hash}", object::name(deployment)),
        "namespace" => object::namespace(deployment),
        "labels" => &template["metadata"]["labels"],
        "ownerReferences" => list![object::controller_reference(deployment)],
    };
    let mut spec = map! { "replicas" => 0, "selector" => selector, "template" => template };
    let min_ready = &deployment["spec"]["minReadySeconds"];
    if !min_ready.is_null() {
        spec.set(&["minReadySeconds"], min_ready);
    }
    let mut set = map! {
        "apiVersion" => "apps/v1", "kind" => "ReplicaSet", "metadata" => metadata, "spec" => spec,
    };
    note_revision(&mut set, deployment, next_revision(old));
    let total = old.iter().map(|set| size(set)).sum();
    set.set(&["spec", "replicas"], super::scaling::new_size(deployment, limits, 0, total));
    note_bounds(&mut set, limits);
    set
}

/// One more than the greatest revision of the old sets.
pub(super) fn next_revision(old: &[&Tree]) -> i64 {
    old.iter().map(|set| revision(set)).max().unwrap_or(0).saturating_add(1)
}

fn note_bounds(set: &mut Tree, limits: &Limits) {
    set.set(&["metadata", "annotations", DESIRED], limits.replicas.to_string());
    set.set(&["metadata", "annotations", MAX], limits.most().to_string());
}

/// Copies the Deployment's annotations and raises the set's revision to `next`.
fn note_revision(set: &mut Tree, deployment: &Tree, next: i64) {
    for (name, value) in deployment["metadata"]["annotations"].fields() {
        let own = [APPLIED, REVISION, REVISION_HISTORY, DESIRED, MAX, ROLLBACK];
        if !own.contains(&name.as_str()) {
            set.set(&["metadata", "annotations", name.as_str()], value);
        }
    }
    let before = object::annotation(set, REVISION).to_owned();
    if revision(set) >= next || !has_readable_revision(set) {
        return;
    }
    set.set(&["metadata", "annotations", REVISION], next.to_string());
    if !before.is_empty() {
        let history = object::annotation(set, REVISION_HISTORY);
        let mut all: Vec<&str> = history.split(',').filter(|past| !past.is_empty()).collect();
        all.push(&before);
        let length = |all: &[&str]| all.iter().map(|past| past.len() + 1).sum::<usize>();
        while length(&all) > LONGEST_HISTORY {
            all.remove(0);
        }
        let history = all.join(",");
        set.set(&["metadata", "annotations", REVISION_HISTORY], history);
    }
}
