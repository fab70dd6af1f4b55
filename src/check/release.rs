//! Releases that are to be made in place, and the pods that live through them. Shared by the
//! invariants about in-place updates.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, object};

use crate::history::{
    Body, Change, Event, FaultEvent, FaultPhase, FaultState, HostFact, RequestEvent,
};

use super::observe::{ObserveError, Scene};
use super::pods::pod_changes;

/// A release that is to be made in place.
#[derive(Clone, Debug, Default)]
pub(super) struct Release {
    /// The event that began it.
    pub(super) n: u64,
    /// The workload.
    pub(super) workload: ObjectKey,
    /// The containers whose wanted image changes, with the new one.
    pub(super) changed: BTreeMap<Text, Text>,
    /// The pods that lived when it began and are still to be kept, by uid.
    pub(super) kept: BTreeSet<Text>,
    /// All pods that lived when it began, by uid.
    pub(super) lived: BTreeSet<Text>,
}

/// Follows releases, and what happens to pods for reasons of their own.
#[derive(Clone, Debug, Default)]
pub(super) struct Releases {
    by_workload: BTreeMap<ObjectKey, Release>,
    /// The faults in force: their nodes and pods.
    faults: BTreeMap<Text, (Vec<Text>, Vec<Text>)>,
    /// Pods upon which a fault was, by uid, and when it was last.
    touched: BTreeMap<Text, Millis>,
    /// Pods of which a probe failed, by namespace and name, and when one did last.
    probed: BTreeMap<Text, Millis>,
    /// Containers, by name, that were seen to end by themselves.
    ending: BTreeSet<Text>,
    /// Pods that the subject took away without a reason, by uid, and the event.
    taken: BTreeMap<Text, u64>,
}

/// For how long after its end a fault may still be felt in a pod that says that it is ready: until
/// the kubelet has looked at all its containers anew (v1.36: resync every minute, and half of that
/// for jitter). A pod that is not ready again feels it for longer.
const AFTERMATH: Millis = 90_000;

/// The subject took a pod away that a release is to keep.
pub(super) struct Taken<'e> {
    /// The write.
    pub(super) change: &'e Change,
    /// The event that began the release.
    pub(super) release: u64,
}

impl Releases {
    /// Takes the next event in and answers which pods the subject took away without a reason.
    pub(super) fn event<'e>(
        &mut self,
        event: &'e Event,
        scene: &Scene<'_>,
    ) -> Result<Vec<Taken<'e>>, ObserveError> {
        match &event.body {
            Body::Fault(fault) => self.fault(fault, scene),
            Body::Note(note) if note.reason == "Unhealthy" => {
                // A failed readiness probe takes nothing down.
                let kinds = ["Liveness", "Startup"];
                if kinds.iter().any(|kind| note.message.starts_with(kind)) {
                    self.probed.insert(note.about.clone(), event.t);
                }
            }
            Body::Host(host) => {
                if let HostFact::ContainerExited { container, .. } = &host.fact {
                    let pod = scene.view.objects.by_uid(&container.pod_uid);
                    let lives = pod.is_some_and(|(_, _, pod)| object::is_active(pod));
                    let is_quiet = self.living(&container.pod_uid).is_none()
                        && !self.is_excused(&container.pod_uid, &container.pod);
                    if lives && is_quiet {
                        self.ending.insert(container.name.clone());
                    }
                }
            }
            Body::Request(request) => {
                let taken = self.taken(event, request, scene)?;
                for change in &request.changes {
                    if change.resource == *scene.subject.resource() {
                        self.begin(event, change, scene)?;
                    }
                }
                self.settle(event, scene)?;
                return Ok(taken);
            }
            _ => {}
        }
        Ok(Vec::new())
    }

    /// The release that is to keep this pod.
    pub(super) fn keeping(&self, uid: &str) -> Option<&Release> {
        self.by_workload.values().find(|release| release.kept.contains(uid))
    }

    /// The release at whose beginning this pod lived.
    pub(super) fn living(&self, uid: &str) -> Option<&Release> {
        self.by_workload.values().find(|release| release.lived.contains(uid))
    }

    /// Whether something happened to the pod for reasons of its own: a fault, or a failed probe.
    pub(super) fn is_excused(&self, uid: &str, pod: &ObjectKey) -> bool {
        self.touched.contains_key(uid)
            || self.probed.contains_key(&Text::from(format!("pods {pod}")))
    }

    /// Whether a container that ended so was stopped by its kubelet: with the exit code of SIGTERM
    /// or SIGKILL, or 0, as servers end when they are asked to. Not one that was seen to end by
    /// itself.
    pub(super) fn is_stop(&self, name: &str, exit_code: i32, reason: &str) -> bool {
        matches!(exit_code, 0 | 137 | 143) && reason != "OOMKilled" && !self.ending.contains(name)
    }

    /// The event at which the subject took the pod away without a reason.
    pub(super) fn taken_at(&self, uid: &str) -> Option<u64> {
        self.taken.get(uid).copied()
    }

    fn fault(&mut self, fault: &FaultEvent, scene: &Scene<'_>) {
        match fault.phase {
            FaultPhase::Injected | FaultPhase::Bit => {
                if let Some(FaultState { event, .. }) = scene.view.faults.get(&fault.fault) {
                    let targets = (event.nodes.clone(), event.pods.clone());
                    self.faults.insert(fault.fault.clone(), targets);
                }
                self.touch(scene);
            }
            FaultPhase::Healed | FaultPhase::Missed => {
                self.touch(scene);
                self.faults.remove(&fault.fault);
            }
            FaultPhase::Armed => {}
        }
    }

    /// Notes the pods upon which faults are now.
    fn touch(&mut self, scene: &Scene<'_>) {
        for (_, pod) in scene.view.objects.all(&Resource::PODS) {
            let (node, uid) = (pod["spec"]["nodeName"].str(), object::uid(pod));
            let is_upon = |(nodes, pods): &(Vec<Text>, Vec<Text>)| {
                nodes.iter().any(|have| have == node) || pods.iter().any(|have| have == uid)
            };
            if self.faults.values().any(is_upon) {
                self.touched.insert(Text::new(uid), scene.view.now);
            }
        }
    }

    /// What happened to pods before a release, and is over, excuses nothing in it.
    fn forget(&mut self, scene: &Scene<'_>) {
        let now = scene.view.now;
        let objects = &scene.view.objects;
        let is_felt = |pod: &Tree, since: Millis| {
            !object::is_ready(pod) || now.saturating_sub(since) < AFTERMATH
        };
        self.touched.retain(|uid, t| objects.by_uid(uid).is_some_and(|(.., pod)| is_felt(pod, *t)));
        let pods = objects.all(&Resource::PODS).map(|(key, pod)| (format!("pods {key}"), pod));
        let pods: BTreeMap<String, &Tree> = pods.collect();
        self.probed.retain(|about, t| pods.get(about.as_str()).is_some_and(|pod| is_felt(pod, *t)));
    }

    fn begin(
        &mut self,
        event: &Event,
        change: &Change,
        scene: &Scene<'_>,
    ) -> Result<(), ObserveError> {
        let (Some(before), Some(after)) = (&change.before, &change.after) else {
            self.by_workload.remove(&change.key);
            return Ok(());
        };
        if before["spec"].is_same(&after["spec"]) && before["data"].is_same(&after["data"]) {
            return Ok(());
        }
        let (old, new) = (images(before, scene)?, images(after, scene)?);
        if old == new {
            return Ok(());
        }
        if !scene.in_placeable(before, after)? {
            self.by_workload.remove(&change.key);
            return Ok(());
        }
        self.forget(scene);
        self.touch(scene);
        // What an overtaken release changes is still to be changed in the pods that it did not
        // reach.
        let overtaken =
            self.by_workload.get(&change.key).filter(|earlier| !earlier.kept.is_empty());
        let changed = new.into_iter().filter(|(name, image)| {
            old.get(name).is_some_and(|old| old != image)
                || overtaken.is_some_and(|earlier| earlier.changed.contains_key(name))
        });
        let pods = scene.pods(after)?.into_iter();
        let kept: BTreeSet<Text> = pods
            .filter(|(_, pod)| object::is_active(pod))
            .map(|(_, pod)| Text::new(object::uid(pod)))
            .collect();
        let release = Release {
            n: event.n,
            workload: change.key.clone(),
            changed: changed.collect(),
            lived: kept.clone(),
            kept,
        };
        self.by_workload.insert(change.key.clone(), release);
        Ok(())
    }

    /// A pod that runs the wanted images and is ready has lived through its release.
    fn settle(&mut self, event: &Event, scene: &Scene<'_>) -> Result<(), ObserveError> {
        for change in pod_changes(event) {
            let state = change.after.as_ref().or(change.before.as_ref());
            let uid = state.map(object::uid).unwrap_or_default();
            let release = self.by_workload.values_mut().find(|r| r.kept.contains(uid));
            let Some(release) = release else { continue };
            let Some(pod) = change.after.as_ref().filter(|pod| object::is_active(pod)) else {
                release.kept.remove(uid);
                continue;
            };
            let has = |(name, image): (&Text, &Text)| {
                let containers = pod["spec"]["containers"].items();
                containers
                    .iter()
                    .any(|c| c["name"] == name.as_str() && c["image"] == image.as_str())
            };
            if object::is_ready(pod) && release.changed.iter().all(has) && runs(pod, release, scene)
            {
                release.kept.remove(uid);
            }
        }
        Ok(())
    }

    fn taken<'e>(
        &mut self,
        event: &'e Event,
        request: &RequestEvent,
        scene: &Scene<'_>,
    ) -> Result<Vec<Taken<'e>>, ObserveError> {
        let mut taken = Vec::new();
        if !scene.is_subject(&request.actor) {
            return Ok(taken);
        }
        for change in pod_changes(event) {
            let Some(pod) = change.before.as_ref().filter(|pod| object::is_active(pod)) else {
                continue;
            };
            let goes = change.after.as_ref().is_none_or(object::is_terminating);
            let uid = object::uid(pod);
            let Some(release) = self.keeping(uid).filter(|_| goes) else { continue };
            if self.is_explained(pod, release, scene)? {
                continue;
            }
            taken.push(Taken { change, release: release.n });
            self.taken.insert(Text::new(uid), event.n);
        }
        Ok(taken)
    }

    /// Whether scale-in, a wish for this pod, or the pod's own failure explains its deletion.
    fn is_explained(
        &self,
        pod: &Tree,
        release: &Release,
        scene: &Scene<'_>,
    ) -> Result<bool, ObserveError> {
        let Some(workload) = scene.view.objects.get(scene.subject.resource(), &release.workload)
        else {
            return Ok(true);
        };
        if object::is_terminating(workload) {
            return Ok(true);
        }
        let named = workload["spec"]["scaleStrategy"]["podsToDelete"].items();
        let name = object::name(pod);
        let is_wished = !object::label(pod, "apps.kruise.io/specified-delete").is_empty()
            || named.iter().any(|have| *have == name);
        let lived: i64 = scene
            .pods(workload)?
            .iter()
            .filter(|(_, pod)| object::is_active(pod))
            .filter(|(_, pod)| release.lived.contains(object::uid(pod)))
            .count() as i64
            + 1;
        let is_scale_in = scene.replicas(workload)?.is_some_and(|replicas| lived > replicas);
        let is_doomed = object::has_condition(pod, "DisruptionTarget")
            || scene.view.node_fault(pod["spec"]["nodeName"].str()).is_some();
        Ok(is_wished
            || is_scale_in
            || is_doomed
            || self.is_excused(object::uid(pod), &object::key(pod)))
    }
}

/// Whether host truth has the wanted images in all changed containers of a pod; true without it.
fn runs(pod: &Tree, release: &Release, scene: &Scene<'_>) -> bool {
    let uid = object::uid(pod);
    let mine = scene.view.hosts.running().filter(|running| running.container.pod_uid == uid);
    mine.into_iter().all(|running| {
        release.changed.get(&running.container.name).is_none_or(|i| *i == running.container.image)
    })
}

/// The wanted image of each container: what the subject says, or else what the template has.
fn images(workload: &Tree, scene: &Scene<'_>) -> Result<BTreeMap<Text, Text>, ObserveError> {
    if let Some(wanted) = scene.wanted(workload)? {
        return Ok(wanted.fields().map(|(name, image)| (name.clone(), image.text())).collect());
    }
    let containers = workload.at(&["spec", "template", "spec", "containers"]).items();
    Ok(containers.iter().map(|c| (c["name"].text(), c["image"].text())).collect())
}
