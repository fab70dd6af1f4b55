//! When somebody takes down an available pod: how many are unavailable then, in truth and by what
//! the actor could know. Shared by the invariants that limit disruption.
//!
//! Pods that a workload never had do not count as lost: of a workload that was just scaled up, the
//! pods that never were available yet are no disruption.
//!
//! A write that only tells that a pod is down, as kubelets and the node controller do, took nothing
//! down; nor are pods disrupted that go for a taint, for a lost node or for a pod of higher
//! priority, which ask no limit, or with their workload.
//!
//! A subject may act through other objects: a Deployment lowers a ReplicaSet, whose controller
//! deletes pods. Then the decision is the lowering, judged on what its actor could know then, and
//! the deletion is judged on whether it chose pods that were down already.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, object};

use crate::history::{Body, Change, Event, RequestEvent};

use super::lag::{SLACK, is_another_wish, is_told};
use super::observe::{ObserveError, Scene};
use super::pods::{InPlace, changed_images, gates_hold, min_ready, pod_changes};

/// An available pod of a workload was taken down by a request.
pub(super) struct Takedown<'e> {
    /// The write.
    pub(super) change: &'e Change,
    /// The pod before.
    pub(super) pod: &'e Tree,
    /// The workload that it belonged to.
    pub(super) workload: Tree,
}

/// The counts by which a takedown is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count {
    /// How many pods should be available.
    pub(super) expected: i64,
    /// How many are.
    pub(super) available: i64,
}

impl Count {
    /// How many are missing.
    pub(super) fn unavailable(self) -> i64 {
        (self.expected - self.available).max(0)
    }
}

/// How a takedown past the limit came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guilt {
    /// Its actor could know; the events that prove it beside the takedown.
    Known(Option<u64>),
    /// Nobody could know.
    Stale,
    /// It can't be told without deliveries.
    Undecided,
}

/// Follows workloads and what is decided about them.
#[derive(Clone, Debug, Default)]
pub(super) struct Disruption {
    in_place: InPlace,
    /// By uid of a workload: the most pods of it that were available at once since it was last
    /// scaled.
    reached: BTreeMap<Text, i64>,
    /// By uid: the workloads of which `reached` is that of now, for nothing but single pods without
    /// a change of their availability was written since it was counted.
    settled: BTreeSet<Text>,
    /// By uid of the object between: the last time it was lowered, and whether wrongly.
    lowered: BTreeMap<Text, (u64, bool)>,
    /// By uid of a workload and by actor: when he last changed how many pods are available or are
    /// wanted, for histories without deliveries.
    moved: BTreeMap<Text, BTreeMap<Text, Millis>>,
}

/// Whether counts are past a limit.
pub(super) type IsPast<'a> = &'a dyn Fn(Count, &Tree) -> Result<bool, ObserveError>;

impl Disruption {
    /// Takes the next event in and answers whom it took down. What is decided about objects between
    /// workload and pods is judged by `is_past`.
    pub(super) fn event<'e>(
        &mut self,
        event: &'e Event,
        is_past: IsPast<'_>,
        scene: &Scene<'_>,
    ) -> Result<Vec<Takedown<'e>>, ObserveError> {
        let Body::Request(request) = &event.body else { return Ok(Vec::new()) };
        let mut takedowns = Vec::new();
        if !changes_one_pod(request) {
            self.settled.clear();
        }
        let was = self.in_place.clone_if(pod_changes(event).next().is_some());
        self.in_place.take(event);
        for change in pod_changes(event) {
            let state = change.after.as_ref().or(change.before.as_ref());
            let Some(workload) = state.map(|pod| scene.workload_of(pod)).transpose()?.flatten()
            else {
                continue;
            };
            let ready = min_ready(workload);
            let up = |pod: &Option<Tree>, in_place: &InPlace| {
                pod.as_ref()
                    .is_some_and(|pod| in_place.is_available(pod, ready, scene.view.object_time()))
            };
            let (before, after) = (up(&change.before, &was), up(&change.after, &self.in_place));
            if let (true, false, Some(pod)) = (before, after, &change.before)
                && !is_leaving(workload, scene)
                && is_decided(pod, change.after.as_ref())
            {
                takedowns.push(Takedown { change, pod, workload: workload.clone() });
            }
            if before != after {
                let moved = self.moved.entry(Text::new(object::uid(workload))).or_default();
                moved.insert(request.actor.clone(), event.t);
            }
            // Pods that have to be ready for a while become available with time alone, so that
            // this may be the first event since.
            let is_settled = before == after && ready == 0 && !scene.subject.observes("owns");
            if !is_settled || !self.settled.contains(object::uid(workload)) {
                self.reach(workload, i64::from(before && !after), scene)?;
            }
        }
        for change in &request.changes {
            if change.resource == *scene.subject.resource() && is_another_wish(change) {
                let state = change.after.as_ref().or(change.before.as_ref());
                let uid = Text::new(state.map(object::uid).unwrap_or_default());
                self.moved.entry(uid).or_default().insert(request.actor.clone(), event.t);
                self.settled.clear();
            }
            self.lower(event, request, change, is_past, scene)?;
        }
        Ok(takedowns)
    }

    /// Notes how many pods are available, and so many more were until now.
    fn reach(
        &mut self,
        workload: &Tree,
        until_now: i64,
        scene: &Scene<'_>,
    ) -> Result<(), ObserveError> {
        let uid = Text::new(object::uid(workload));
        let replicas = scene.replicas(workload)?.unwrap_or(i64::MAX);
        let available = self.available(workload, scene)? + until_now;
        self.settled.insert(uid.clone());
        let reached = self.reached.entry(uid).or_default();
        *reached = (*reached).max(available).min(replicas);
        Ok(())
    }

    fn available(&self, workload: &Tree, scene: &Scene<'_>) -> Result<i64, ObserveError> {
        let ready = min_ready(workload);
        let pods = scene.pods(workload)?;
        let now = scene.view.object_time();
        Ok(count(pods.iter().filter(|(_, pod)| self.in_place.is_available(pod, ready, now))))
    }

    /// The counts as they really are after the event.
    pub(super) fn truth(&self, workload: &Tree, scene: &Scene<'_>) -> Result<Count, ObserveError> {
        let expected = self.expected(workload, scene)?;
        Ok(Count { expected, available: self.available(workload, scene)? })
    }

    fn expected(&self, workload: &Tree, scene: &Scene<'_>) -> Result<i64, ObserveError> {
        let reached = self.reached.get(object::uid(workload)).copied().unwrap_or(0);
        Ok(scene.replicas(workload)?.map_or(reached, |replicas| replicas.min(reached)))
    }

    /// The counts as a role could know them after the event, for a state of the workload that it
    /// may have acted upon.
    fn known(&self, role: &str, workload: &Tree, scene: &Scene<'_>) -> Result<Count, ObserveError> {
        let (ready, now) = (min_ready(workload), scene.view.object_time());
        let mut available = 0;
        for pod in known_pods(role, scene) {
            if self.may_be_up(pod, ready, now, scene) && scene.owns(workload, pod)? {
                available += 1;
            }
        }
        Ok(Count { expected: self.expected(workload, scene)?, available })
    }

    /// Whether a pod counts as available in this state or in a later one. What is certain to be
    /// known may be worse than what the actor was told a moment ago and acts upon.
    fn may_be_up(&self, pod: &Tree, ready: i64, now: Millis, scene: &Scene<'_>) -> bool {
        any_since(pod, scene, |pod| self.in_place.is_available(pod, ready, now))
    }

    /// Whether the actor of a takedown that is past the limit could know.
    pub(super) fn guilt(
        &self,
        takedown: &Takedown<'_>,
        request: &RequestEvent,
        is_past: IsPast<'_>,
        scene: &Scene<'_>,
    ) -> Result<Guilt, ObserveError> {
        let workload = &takedown.workload;
        if request.subresource == "eviction" && !scene.is_subject(&request.actor) {
            // Who evicts asks; it is not for him to know.
            return Ok(Guilt::Known(None));
        }
        if !is_told(&request.actor, scene) {
            let moved = self.moved.get(object::uid(workload)).into_iter().flatten();
            let mut others = moved.filter(|(by, _)| **by != request.actor);
            let lag = others.any(|(_, t)| scene.view.now.saturating_sub(*t) < SLACK);
            return Ok(if lag { Guilt::Undecided } else { Guilt::Known(None) });
        }
        let owner = object::controller_uid(takedown.pod);
        if owner != object::uid(workload)
            && let Some((resource, key, set)) = scene.view.objects.by_uid(owner)
            && request.subresource.is_empty()
        {
            if let Some((n, true)) = self.lowered.get(owner) {
                return Ok(Guilt::Known(Some(*n)));
            }
            let set = state_known(&request.actor, resource, key, scene).unwrap_or(set);
            let chose_wrongly = self.chose_wrongly(&request.actor, set, scene);
            return Ok(if chose_wrongly { Guilt::Known(None) } else { Guilt::Stale });
        }
        for workload in known_workloads(&request.actor, workload, scene) {
            if !is_past(self.known(&request.actor, workload, scene)?, workload)? {
                return Ok(Guilt::Stale);
            }
        }
        Ok(Guilt::Known(None))
    }

    /// Whether a ReplicaSet's controller spared pods that it could know to be down. It may know
    /// more than is certain, for it may have acted on what it was told a moment ago: a pod that
    /// is up by now was not spared wrongly, and a size that is lower by now takes the others
    /// next.
    fn chose_wrongly(&self, role: &str, set: &Tree, scene: &Scene<'_>) -> bool {
        let objects = &scene.view.objects;
        let size = |set: &Tree| set["spec"]["replicas"].as_i64().unwrap_or(1);
        let newer = objects.by_uid(object::uid(set)).map(|(resource, key, _)| {
            objects.since(resource, key, object::resource_version(set)).flatten().map(size)
        });
        let wanted = newer.into_iter().flatten().min().unwrap_or(size(set));
        let mine =
            |pod: &&Tree| object::controller_uid(pod) == object::uid(set) && object::is_active(pod);
        let active: Vec<&Tree> = known_pods(role, scene).filter(mine).collect();
        let is_up = |pod: &Tree| {
            objects.by_uid(object::uid(pod)).is_none() || any_since(pod, scene, object::is_ready)
        };
        let down = count(active.iter().filter(|pod| !is_up(pod)));
        down > (count(active.iter()) - wanted).max(0)
    }

    /// Judges the lowering of an object between workload and pods.
    fn lower(
        &mut self,
        event: &Event,
        request: &RequestEvent,
        change: &Change,
        is_past: IsPast<'_>,
        scene: &Scene<'_>,
    ) -> Result<(), ObserveError> {
        let (Some(before), Some(after)) = (&change.before, &change.after) else { return Ok(()) };
        let replicas = |object: &Tree| object["spec"]["replicas"].as_i64();
        let (Some(old), Some(new)) = (replicas(before), replicas(after)) else { return Ok(()) };
        let objects = &scene.view.objects;
        let Some((_, _, workload)) = objects.by_uid(object::controller_uid(after)) else {
            return Ok(());
        };
        let is_between = objects.get(scene.subject.resource(), &object::key(workload));
        if new >= old || !is_between.is_some_and(|have| have.is_same(workload)) {
            return Ok(());
        }
        let role = &request.actor;
        let mut is_wrong = true;
        for workload in known_workloads(role, workload, scene) {
            let available = self.available_by_sizes(role, workload, &change.resource, scene);
            let known = Count { expected: self.expected(workload, scene)?, available };
            is_wrong &= is_past(known, workload)?;
        }
        self.lowered.insert(Text::new(object::uid(after)), (event.n, is_wrong));
        Ok(())
    }

    /// How many pods a role could count on that decides by the sizes of the objects between.
    fn available_by_sizes(
        &self,
        role: &str,
        workload: &Tree,
        between: &Resource,
        scene: &Scene<'_>,
    ) -> i64 {
        let (ready, now) = (min_ready(workload), scene.view.object_time());
        let mut available = 0;
        for (key, newest) in scene.view.objects.controlled(object::uid(workload), between) {
            let set = state_known(role, between, key, scene).unwrap_or(newest);
            let up = count(known_pods(role, scene).filter(|pod| {
                object::controller_uid(pod) == object::uid(set)
                    && self.may_be_up(pod, ready, now, scene)
            }));
            // What it reads may be the status, which follows the pods with a delay of its own.
            let said = |set: &Tree| set["status"]["availableReplicas"].as_i64().unwrap_or(0);
            let said = said(set).max(said(newest));
            available += up.max(said).min(set["spec"]["replicas"].as_i64().unwrap_or(0));
        }
        available
    }
}

impl InPlace {
    /// A copy if it is needed, else nothing.
    fn clone_if(&self, is_needed: bool) -> InPlace {
        if is_needed { self.clone() } else { InPlace::default() }
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> i64 {
    i64::try_from(items.count()).unwrap_or(i64::MAX)
}

/// Whether a workload is being deleted, itself or with its namespace: its pods go along.
fn is_leaving(workload: &Tree, scene: &Scene<'_>) -> bool {
    let key = ObjectKey::new("", object::namespace(workload));
    let namespace = scene.view.objects.get(&Resource::NAMESPACES, &key);
    object::is_terminating(workload) || namespace.is_some_and(object::is_terminating)
}

/// Whether the write that left a pod in this state took it down, by deleting it or changing it.
fn is_decided(before: &Tree, after: Option<&Tree>) -> bool {
    let Some(after) = after.filter(|pod| !object::is_terminating(pod)) else {
        return !is_involuntary(after.unwrap_or(before));
    };
    !changed_images(before, after).is_empty() || (gates_hold(before) && !gates_hold(after))
}

/// Whether a pod goes for a reason that asks no limit (`DisruptionTarget`, Kubernetes v1.36).
fn is_involuntary(pod: &Tree) -> bool {
    let target = object::condition(pod, "DisruptionTarget");
    target.filter(|target| target["status"] == "True").is_some_and(|target| {
        matches!(
            target["reason"].str(),
            "DeletionByTaintManager"
                | "DeletionByPodGC"
                | "PreemptionByScheduler"
                | "TerminationByKubelet"
        )
    })
}

/// Whether something is true of a pod in this state or in a later one. A role may have acted upon
/// any state since the one that it is certain to know.
pub(super) fn any_since(pod: &Tree, scene: &Scene<'_>, is: impl Fn(&Tree) -> bool) -> bool {
    let (key, rv) = (object::key(pod), object::resource_version(pod));
    is(pod)
        || scene
            .view
            .objects
            .since(&Resource::PODS, &key, rv)
            .flatten()
            .any(|later| object::uid(later) == object::uid(pod) && is(later))
}

/// The states of the workload that a role may have acted upon: the one that it is certain to know
/// and all later ones; as it is if the role does not look at workloads.
pub(super) fn known_states<'a>(role: &str, workload: &'a Tree, scene: &Scene<'a>) -> Vec<&'a Tree> {
    let (resource, key) = (scene.subject.resource(), object::key(workload));
    let rv = scene.view.known.newest(role, resource, &key);
    if rv == 0 {
        return vec![workload];
    }
    let same = |state: &&Tree| object::uid(state) == object::uid(workload);
    let states = scene.view.objects.since(resource, &key, rv).flatten().filter(same);
    let states: Vec<&Tree> = states.collect();
    if states.is_empty() { vec![workload] } else { states }
}

/// Those of them that differ in what limits depend on.
pub(super) fn known_workloads<'a>(
    role: &str,
    workload: &'a Tree,
    scene: &Scene<'a>,
) -> Vec<&'a Tree> {
    let mut states = known_states(role, workload, scene);
    // Most writes change only the status, and no limit with it.
    let same = |a: &&Tree, b: &&Tree| {
        a["spec"].is_same(&b["spec"])
            && a["data"].is_same(&b["data"])
            && scene.replicas(a) == scene.replicas(b)
    };
    states.dedup_by(|a, b| same(a, b));
    states
}

/// Whether a request changed nothing that decides which pods a workload has, but for one pod that
/// keeps its owners.
fn changes_one_pod(request: &RequestEvent) -> bool {
    let of_pods = request.changes.iter().filter(|change| change.resource == Resource::PODS);
    of_pods.count() <= 1
        && request.changes.iter().all(|change| match (&change.before, &change.after) {
            (Some(before), Some(after)) => {
                let owners = |object: &Tree| object["metadata"]["ownerReferences"].clone();
                object::uid(before) == object::uid(after) && owners(before) == owners(after)
            }
            _ => change.resource == Resource::PODS,
        })
}

/// The newest state of an object that the role could know.
pub(super) fn state_known<'a>(
    role: &str,
    resource: &Resource,
    key: &ObjectKey,
    scene: &Scene<'a>,
) -> Option<&'a Tree> {
    let rv = scene.view.known.newest(role, resource, key);
    scene.view.objects.at(resource, key, rv)
}

/// The pods as the role could know them.
pub(super) fn known_pods<'a>(
    role: &'a str,
    scene: &Scene<'a>,
) -> impl Iterator<Item = &'a Tree> + use<'a> {
    let view = scene.view;
    view.objects.ever(&Resource::PODS).filter_map(move |key| {
        let rv = view.known.newest(role, &Resource::PODS, key);
        view.objects.at(&Resource::PODS, key, rv)
    })
}
