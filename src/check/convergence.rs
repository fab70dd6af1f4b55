//! When a cluster counts as converged. Runner and judge share this one definition.
//!
//! Converged: no open step and no transient fault; the subject's desired state unchanged; its
//! `matches` holds over the live pods; and all this stays true for `hold` without a write to spec,
//! labels or non-heartbeat status of the workloads, their revisions, pods, budgets or slices.
//! Leases, nodes and Events never count. Pods that terminate on a node with a lasting fault count
//! as gone.

use std::collections::BTreeMap;

use kubesim_model::object;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

use crate::history::{Body, Change, Event};

use super::observe::{ObserveError, Scene};

/// Follows a history and knows when it has converged.
#[derive(Clone, Debug)]
pub struct Convergence {
    hold: Millis,
    quiet_since: Millis,
    quiet_n: u64,
    disturbed: (Millis, u64),
    desired: BTreeMap<ObjectKey, Tree>,
    is_stale: bool,
    state: State,
}

/// How far a cluster is from converged.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// The desired state is met; only time is missing.
    Matches,
    /// It is not, for this reason.
    Not(String),
    /// An observation failed.
    Undecided(String),
}

impl Convergence {
    /// Nothing has happened yet; `hold` in milliseconds.
    pub fn new(hold: Millis) -> Convergence {
        Convergence {
            hold,
            quiet_since: 0,
            quiet_n: 0,
            disturbed: (0, 0),
            desired: BTreeMap::new(),
            is_stale: true,
            state: State::Not("nothing has happened yet".into()),
        }
    }

    /// Takes the next event in; the scene is the one after it.
    pub fn event(&mut self, event: &Event, scene: &Scene<'_>) {
        let disturbs = match &event.body {
            Body::Step(step) => step.name != "converge",
            Body::Fault(_) => true,
            // Expressions see neither leases nor Events; the rest of time is made of them.
            Body::Request(request) if request.changes.iter().all(is_unseen) => return,
            Body::Request(request) => {
                let counts = request.changes.iter().any(|change| counts(change, scene));
                if counts {
                    (self.quiet_since, self.quiet_n) = (event.t, event.n);
                }
                counts && self.desired_changed(request.changes.as_slice(), scene)
            }
            _ => return,
        };
        self.is_stale = true;
        if disturbs {
            self.disturbed = (event.t, event.n);
            (self.quiet_since, self.quiet_n) = (event.t, event.n);
        }
    }

    /// Notes the desired states and answers whether one changed.
    fn desired_changed(&mut self, changes: &[Change], scene: &Scene<'_>) -> bool {
        let mut changed = false;
        for change in changes.iter().filter(|change| change.resource == *scene.subject.resource()) {
            let new = change.after.as_ref().and_then(|workload| scene.desired(workload).ok());
            changed |= self.desired.get(&change.key) != new.as_ref();
            match new {
                Some(new) => drop(self.desired.insert(change.key.clone(), new)),
                None => drop(self.desired.remove(&change.key)),
            }
        }
        changed
    }

    /// The time and event of the last disturbance: the end of a step, the change of a fault or of
    /// the desired state. The time that convergence takes is counted from here.
    pub fn disturbed(&self) -> (Millis, u64) {
        self.disturbed
    }

    /// Since when nothing that counts was written, in milliseconds, and the last event that did.
    pub fn quiet_since(&self) -> (Millis, u64) {
        (self.quiet_since, self.quiet_n)
    }

    /// How far it is at this point.
    pub fn state(&mut self, scene: &Scene<'_>) -> &State {
        if self.is_stale {
            self.is_stale = false;
            self.state = judge(scene).unwrap_or_else(|error| State::Undecided(error.to_string()));
        }
        &self.state
    }

    /// Whether it is converged at `now`, which is not before the last event.
    pub fn is_reached(&mut self, now: Millis, scene: &Scene<'_>) -> bool {
        now.saturating_sub(self.quiet_since) >= self.hold && *self.state(scene) == State::Matches
    }

    /// The earliest time at which it can be converged if nothing more happens.
    pub fn earliest(&self) -> Millis {
        self.quiet_since.saturating_add(self.hold)
    }
}

fn judge(scene: &Scene<'_>) -> Result<State, ObserveError> {
    let view = scene.view;
    let open = |path: &Text| {
        let inner = |(other, step): (&Text, &crate::history::StepEvent)| {
            step.name == "converge" && other.starts_with(path.as_str())
        };
        !view.steps.iter().any(inner)
    };
    if let Some(step) = view.steps.values().find(|step| open(&step.step)) {
        return Ok(State::Not(format!("the step {} ({}) is not over", step.step, step.name)));
    }
    if let Some(fault) = view.faults.values().find(|fault| !fault.event.lasting) {
        return Ok(State::Not(format!("the transient fault {} is in force", fault.event.name)));
    }
    let workloads = scene.workloads()?;
    if workloads.is_empty() {
        return Ok(State::Undecided(format!("there is no {}", scene.subject.resource())));
    }
    for workload in workloads {
        let key = object::key(workload);
        match scene.matches(workload)? {
            Some(true) => {}
            Some(false) => {
                let live = scene.live_pods(workload)?.len();
                let text = format!("{key} does not match its desired state ({live} live pods)");
                return Ok(State::Not(text));
            }
            None => {
                return Ok(State::Undecided("the subject does not say when it `matches`".into()));
            }
        }
    }
    Ok(State::Matches)
}

/// Whether no expression can see what was written.
fn is_unseen(change: &Change) -> bool {
    [Resource::LEASES, Resource::EVENTS].contains(&change.resource)
}

/// Whether a write restarts the `hold`.
fn counts(change: &Change, scene: &Scene<'_>) -> bool {
    if !concerns(change, scene) {
        return false;
    }
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => !are_alike(before, after),
        _ => true,
    }
}

fn concerns(change: &Change, scene: &Scene<'_>) -> bool {
    let resource = &change.resource;
    if [Resource::LEASES, Resource::NODES, Resource::EVENTS].contains(resource) {
        return false;
    }
    if resource == scene.subject.resource()
        || *resource == Resource::POD_DISRUPTION_BUDGETS
        || *resource == Resource::ENDPOINT_SLICES
    {
        return true;
    }
    let Some(object) = change.after.as_ref().or(change.before.as_ref()) else { return false };
    if *resource == Resource::PODS {
        let states = [&change.before, &change.after];
        return states.into_iter().flatten().any(|pod| !scene.is_gone(pod));
    }
    // A revision: whatever a workload controls.
    let owners = scene.view.objects.owners(object);
    owners.iter().any(|uid| {
        let owner = scene.view.objects.by_uid(uid);
        owner.is_some_and(|(resource, _, _)| resource == scene.subject.resource())
    })
}

/// Whether two states differ in nothing that counts. Objects without spec and status count whole,
/// but for their metadata.
fn are_alike(before: &Tree, after: &Tree) -> bool {
    let same = |field: &str| before["metadata"][field] == after["metadata"][field];
    before.equals_but_for(&["metadata", "status"], after)
        && ["labels", "deletionTimestamp", "uid"].into_iter().all(same)
        && are_statuses_alike(&before["status"], &after["status"])
}

fn are_statuses_alike(before: &Tree, after: &Tree) -> bool {
    const HEARTBEATS: &[&str] = &["lastHeartbeatTime", "lastProbeTime"];
    let (old, new) = (before["conditions"].items(), after["conditions"].items());
    let mut both = old.iter().zip(new);
    before == after
        || before.equals_but_for(&["conditions"], after)
            && old.len() == new.len()
            && !old.is_empty()
            && both.all(|(old, new)| old.equals_but_for(HEARTBEATS, new))
}
