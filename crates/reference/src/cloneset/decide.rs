//! The decisions of the CloneSet controller as a pure function, for whatever frame runs it.

use std::collections::BTreeSet;

use kubesim_model::request::Request;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, object};

use super::Bug;
use super::census::Census;
use super::pods::PodFacts;
use super::revision::{self, Revisions};
use super::spec::Spec;
use super::{scale, status, update};

/// What a decision is made from. All of it may be stale; nothing else is looked at.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// The CloneSet.
    pub set: &'a Tree,
    /// The pods that it controls, ended and terminating ones included.
    pub pods: Vec<&'a Tree>,
    /// The ControllerRevisions that it controls.
    pub revisions: Vec<&'a Tree>,
    /// The time.
    pub now: Millis,
    /// Random bits for the names of new pods; other ones each time.
    pub entropy: u64,
    /// The planted bug.
    pub bug: Option<Bug>,
    /// The uids of pods that this incarnation began to update; only a planted bug looks at them.
    pub started: &'a BTreeSet<Text>,
}

/// What shall be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The writes, in no order.
    pub actions: Vec<Action>,
    /// In how many milliseconds to decide again even if nothing changes.
    pub again: Option<Millis>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the fields are what the variants need")]
pub enum Action {
    /// Makes a ControllerRevision.
    CreateRevision(Tree),
    /// Makes an old ControllerRevision the newest.
    BumpRevision { key: ObjectKey, patch: Tree },
    /// Deletes a ControllerRevision past the history limit.
    DeleteRevision { key: ObjectKey },
    /// Makes a pod.
    CreatePod(Tree),
    /// Deletes exactly this pod.
    DeletePod { key: ObjectKey, uid: Text },
    /// Takes a pod out of service before its in-place update.
    StartInPlace { key: ObjectKey, patch: Tree },
    /// Parks a change in a pod for the grace period, or gives a parked one up.
    ParkInPlace { key: ObjectKey, patch: Tree },
    /// Changes images, metadata and the revision label of a pod.
    ChangeInPlace { key: ObjectKey, uid: Text, patch: Tree },
    /// Puts a pod back into service.
    FinishInPlace { key: ObjectKey, patch: Tree },
    /// Takes vanished names out of `scaleStrategy.podsToDelete`.
    PruneNames { key: ObjectKey, patch: Tree },
    /// Writes the status.
    UpdateStatus { key: ObjectKey, patch: Tree },
    /// Tells people, by an Event about the CloneSet.
    Report { reason: &'static str, message: String },
}

impl Action {
    /// The request that does it; `None` for a report.
    pub fn request(&self) -> Option<Request> {
        let pod_patch = |key: &ObjectKey, patch: &Tree| {
            Request::strategic_patch(Resource::PODS, key.clone(), patch.clone())
        };
        let set_patch = |key: &ObjectKey, patch: &Tree| {
            Request::merge_patch(Resource::CLONE_SETS, key.clone(), patch.clone())
        };
        Some(match self {
            Action::CreateRevision(object) => Request::create(revision::RESOURCE, object.clone()),
            Action::BumpRevision { key, patch } => {
                Request::merge_patch(revision::RESOURCE, key.clone(), patch.clone())
            }
            Action::DeleteRevision { key } => Request::delete(revision::RESOURCE, key.clone()),
            Action::CreatePod(pod) => Request::create(Resource::PODS, pod.clone()),
            Action::DeletePod { key, uid } => {
                Request::delete(Resource::PODS, key.clone()).with_uid(uid)
            }
            Action::StartInPlace { key, patch } | Action::FinishInPlace { key, patch } => {
                pod_patch(key, patch).with_subresource("status")
            }
            Action::ParkInPlace { key, patch } | Action::ChangeInPlace { key, patch, .. } => {
                pod_patch(key, patch)
            }
            Action::PruneNames { key, patch } => set_patch(key, patch),
            Action::UpdateStatus { key, patch } => set_patch(key, patch).with_subresource("status"),
            Action::Report { .. } => return None,
        })
    }
}

/// Decides. Scaling goes before updating (a plan that creates or deletes for scale starts no
/// update); in-place updates in work go on in any case.
pub fn decide(view: &View<'_>) -> Plan {
    if object::is_terminating(view.set) {
        return Plan::default();
    }
    let spec = match Spec::read(view.set, view.bug) {
        Ok(spec) => spec,
        Err(error) => {
            let report = Action::Report { reason: "InvalidSpec", message: error.to_string() };
            return Plan { actions: vec![report], again: None };
        }
    };
    let mut revisions = match Revisions::find(view) {
        Ok(revisions) => revisions,
        Err(first) => return Plan { actions: vec![first], again: None },
    };
    let lingers = |pod: &Tree| view.bug == Some(Bug::CountsTerminating) && object::is_ready(pod);
    let active = view.pods.iter().filter(|pod| object::is_active(pod) || lingers(pod));
    let pods: Vec<_> = active.map(|pod| PodFacts::of(pod, &spec, view.now)).collect();
    if view.bug == Some(Bug::RevisionFlaps)
        && pods.iter().any(|pod| pod.revision == revisions.update && !pod.ready)
    {
        revisions.fall_back();
    }
    let census = Census::take(pods, &spec, &revisions, view.bug);
    let mut actions = scale::plan(view, &spec, &revisions, &census);
    let leaving = deleted_by(&actions);
    let (mut taken, mut starting) = (BTreeSet::new(), false);
    if !actions.is_empty() {
        starting = !spec.paused && census.to_update > 0;
    } else if !spec.paused {
        let (started, names) = update::start(view, &spec, &revisions, &census);
        actions.extend(started);
        taken = names;
    }
    taken.extend(leaving.iter().map(|key| key.name.as_str()));
    let (steps, again) = update::refresh(view, &spec, &revisions, &census, &taken, starting);
    actions.extend(steps);
    actions.extend(status::plan(view, &spec, &revisions, &census));
    actions.extend(status::prune_names(view));
    let in_use = view.pods.iter().map(|pod| object::label(pod, super::REVISION_LABEL)).collect();
    actions.extend(revisions.surplus(&in_use, spec.history_limit));
    Plan { actions, again: soonest(again, &census, &spec, view) }
}

fn deleted_by(actions: &[Action]) -> Vec<ObjectKey> {
    let deleted = actions.iter().filter_map(|action| match action {
        Action::DeletePod { key, .. } => Some(key.clone()),
        _ => None,
    });
    deleted.collect()
}

/// The next moment at which time alone changes something.
fn soonest(
    again: Option<Millis>,
    census: &Census<'_>,
    spec: &Spec,
    view: &View<'_>,
) -> Option<Millis> {
    let available = census.pods.iter().filter_map(|pod| pod.available_in(spec, view.now));
    let is_hot = matches!(view.bug, Some(Bug::HotLoop | Bug::RewritesStatus));
    let hot = is_hot.then_some(1000);
    available.chain(again).chain(hot).min()
}
