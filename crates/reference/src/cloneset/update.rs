//! Brings pods to the update revision within the budgets, and finishes in-place updates in work.

use std::collections::BTreeSet;

use kubesim_model::{Millis, Text, object};

use super::Bug;
use super::census::{self, Census};
use super::decide::{Action, View};
use super::inplace::{self, Change, Stage};
use super::order;
use super::pods::PodFacts;
use super::revision::Revisions;
use super::scale::delete_pod;
use super::spec::{Policy, Spec};

/// Actions, and in how many milliseconds to look again.
pub(super) type Steps = (Vec<Action>, Option<Millis>);

/// Starts the update of as many pods as partition and budgets allow (CS-3, CS-8, CS-9).
/// Answers also the names of the pods that it took on.
pub(super) fn start<'a>(
    view: &View<'_>,
    spec: &Spec,
    revisions: &Revisions<'_>,
    census: &Census<'a>,
) -> (Vec<Action>, BTreeSet<&'a str>) {
    let mut candidates = census.pods.clone();
    candidates.retain(|pod| pod.target != revisions.update && !pod.specified);
    order::for_update(&mut candidates);
    let mut down = census.may_go_down(spec);
    let mut new = census.may_try_new(spec);
    let (mut actions, mut taken) = (Vec::new(), BTreeSet::new());
    for pod in candidates.iter().take(census.to_update) {
        if new == 0 {
            break;
        }
        if pod.available && down == 0 {
            continue;
        }
        let change = census::change(pod, spec, revisions);
        if change.is_none() && spec.policy == Policy::InPlaceOnly {
            let name = object::name(pod.tree);
            actions.push(Action::Report {
                reason: "InPlaceUpdateImpossible",
                message: format!("pod {name} can't be updated in place, and InPlaceOnly is set"),
            });
            continue;
        }
        new -= 1;
        down -= usize::from(pod.available);
        taken.insert(object::name(pod.tree));
        actions.push(match change {
            Some(change) => begin(view, spec, revisions, pod, change),
            None => delete_pod(pod.tree),
        });
    }
    (actions, taken)
}

/// The next write of a pod that is not yet on the way to the update revision.
fn begin(
    view: &View<'_>,
    spec: &Spec,
    revisions: &Revisions<'_>,
    pod: &PodFacts<'_>,
    change: Change,
) -> Action {
    let (tree, key) = (pod.tree, object::key(pod.tree));
    let gated = inplace::has_gate(tree);
    match pod.stage {
        Stage::None if gated => {
            let patch = inplace::service_patch(tree, false, view.now);
            Action::StartInPlace { key, patch }
        }
        Stage::None | Stage::Held if spec.grace > 0 => {
            let until = view.now + spec.grace;
            let patch = inplace::grace_patch(tree, &revisions.update, until);
            Action::ParkInPlace { key, patch }
        }
        // Parked for a revision that nobody wants any more.
        Stage::Grace { .. } => Action::ParkInPlace { key, patch: inplace::cancel_patch(tree) },
        _ => change_images(view, revisions, pod, change),
    }
}

fn change_images(
    view: &View<'_>,
    revisions: &Revisions<'_>,
    pod: &PodFacts<'_>,
    change: Change,
) -> Action {
    let change = match view.bug {
        Some(Bug::RestartsBystanders) => change.with_bystanders(pod.tree),
        _ => change,
    };
    let patch = inplace::change_patch(pod.tree, &change, &revisions.update, view.now);
    Action::ChangeInPlace {
        key: object::key(pod.tree),
        uid: Text::new(object::uid(pod.tree)),
        patch,
    }
}

/// Goes on with in-place updates in work and puts pods into service whose work is done.
///
/// `taken` are the pods that [`start`] took on. `starting` says that it could not take any yet:
/// then old pods that were taken out of service wait for it.
pub(super) fn refresh(
    view: &View<'_>,
    spec: &Spec,
    revisions: &Revisions<'_>,
    census: &Census<'_>,
    taken: &BTreeSet<&str>,
    starting: bool,
) -> Steps {
    let (mut actions, mut again): Steps = (Vec::new(), None);
    for pod in &census.pods {
        let is_new = pod.target == revisions.update;
        if taken.contains(object::name(pod.tree)) || forgotten(view, pod) {
            continue;
        }
        let key = object::key(pod.tree);
        match &pod.stage {
            Stage::Grace { until, .. } if is_new && *until > view.now => {
                let wait = until - view.now;
                again = Some(again.map_or(wait, |have: Millis| have.min(wait)));
            }
            Stage::Grace { .. } => {
                let change = is_new.then(|| census::change(pod, spec, revisions)).flatten();
                actions.push(match change {
                    Some(change) => change_images(view, revisions, pod, change),
                    None => Action::ParkInPlace { key, patch: inplace::cancel_patch(pod.tree) },
                });
            }
            Stage::Held if is_new || !starting => {
                let patch = inplace::service_patch(pod.tree, true, view.now);
                actions.push(Action::FinishInPlace { key, patch });
            }
            Stage::Waiting if view.bug == Some(Bug::MarksInPlaceDoneEarly) => {
                let patch = inplace::service_patch(pod.tree, true, view.now);
                actions.push(Action::FinishInPlace { key, patch });
            }
            _ => {}
        }
    }
    (actions, again)
}

/// The bug `loses-pod-on-crash`: an update that this incarnation did not start is nobody's.
fn forgotten(view: &View<'_>, pod: &PodFacts<'_>) -> bool {
    view.bug == Some(Bug::LosesPodOnCrash)
        && inplace::was_updated(pod.tree)
        && !view.started.contains(object::uid(pod.tree))
}
