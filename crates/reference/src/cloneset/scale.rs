//! Creates and deletes pods so that there are as many as wanted, of the wanted revisions.

use kubesim_model::stream::Stream;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, object};

use super::Bug;
use super::census::Census;
use super::decide::{Action, View};
use super::pods::{self, PodFacts};
use super::revision::Revisions;
use super::spec::Spec;
use super::{order, spec};

/// The most pods created by one plan; the next follows when these were seen.
const BURST: usize = 500;

/// What brings the number of pods closer to `census.expected`.
pub(super) fn plan(
    view: &View<'_>,
    spec: &Spec,
    revisions: &Revisions<'_>,
    census: &Census<'_>,
) -> Vec<Action> {
    let creations = create(view, spec, revisions, census);
    if !creations.is_empty() {
        return creations;
    }
    delete(view, spec, revisions, census)
}

fn create(
    view: &View<'_>,
    spec: &Spec,
    revisions: &Revisions<'_>,
    census: &Census<'_>,
) -> Vec<Action> {
    let missing = census.expected.saturating_sub(census.pods.len()).min(BURST);
    // CS-17
    let allowed = spec.scale_max_unavailable.map_or(missing, |limit| {
        let down = census.pods.iter().filter(|pod| !pod.available).count();
        limit.saturating_sub(down)
    });
    let count = missing.min(allowed);
    // CS-5: the old revision first, up to its quota.
    let old = spec.partition.saturating_sub(census.old).min(count);
    let mut names = Stream::new(view.entropy, "names of new pods");
    let mut make = |template: &Tree, revision: &Text| {
        Action::CreatePod(pods::make(view.set, template, revision, spec, &mut names))
    };
    (0..count)
        .map(|at| match at < old {
            true => make(revisions.current_template, &revisions.current),
            false => make(revisions.update_template(), &revisions.update),
        })
        .collect()
}

fn delete(
    view: &View<'_>,
    spec: &Spec,
    revisions: &Revisions<'_>,
    census: &Census<'_>,
) -> Vec<Action> {
    let mut candidates = census.pods.clone();
    order::for_deletion(&mut candidates);
    if view.bug == Some(Bug::DeletesHealthyFirst) {
        candidates.reverse();
    }
    let surplus = census.pods.len().saturating_sub(census.expected);
    let victims = victims(&candidates, surplus, spec, revisions, census);
    let mut budget = census.may_go_down(spec);
    let mut actions = Vec::new();
    for pod in victims {
        // CS-18: who is not available goes at once.
        if pod.available && budget == 0 {
            continue;
        }
        budget -= usize::from(pod.available);
        actions.push(delete_pod(pod.tree));
    }
    actions
}

/// The specified pods, then as many more as there are too many: from the revision that has more
/// than its share first (CS-6, CS-20).
fn victims<'p, 'a>(
    candidates: &'p [PodFacts<'a>],
    surplus: usize,
    spec: &spec::Spec,
    revisions: &Revisions<'_>,
    census: &Census<'_>,
) -> Vec<&'p PodFacts<'a>> {
    let (specified, others): (Vec<_>, Vec<_>) = candidates.iter().partition(|pod| pod.specified);
    let more = surplus.saturating_sub(specified.len());
    let is_new = |pod: &&PodFacts<'_>| pod.target == revisions.update;
    let (new, old): (Vec<_>, Vec<_>) = others.into_iter().partition(is_new);
    let old_excess = census.old.saturating_sub(spec.partition).min(more);
    let new_excess = census.updated.saturating_sub(spec.updated_wanted());
    let from_new = new_excess.min(more - old_excess);
    // Neither has too many and yet there are too many: cannot be, but then the old go.
    let from_old = (more - from_new).min(old.len());
    specified
        .into_iter()
        .chain(old.into_iter().take(from_old))
        .chain(new.into_iter().take(from_new))
        .collect()
}

/// The deletion of exactly this pod.
pub(super) fn delete_pod(pod: &Tree) -> Action {
    Action::DeletePod { key: object::key(pod), uid: Text::new(object::uid(pod)) }
}
