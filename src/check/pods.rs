//! When a pod counts as available, also while a container of it is being changed in place and
//! nothing has said so yet.

use std::collections::BTreeMap;

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, object};

use crate::history::{Body, Change, Event};

/// The containers that were told to run another image and still are the old ones.
#[derive(Clone, Debug, Default)]
pub(super) struct InPlace {
    changes: BTreeMap<Text, BTreeMap<Text, Pending>>,
}

#[derive(Clone, Debug)]
struct Pending {
    /// The versions of the pod in which the container is to be replaced: from this one on.
    rv: u64,
    /// Until that one, if its own image was asked for again before anybody acted.
    until: u64,
    old_id: Text,
    old_image: Text,
}

impl InPlace {
    /// Takes the next event in.
    pub(super) fn take(&mut self, event: &Event) {
        for change in pod_changes(event) {
            match (&change.before, &change.after) {
                (Some(before), Some(after)) => self.compare(before, after, change.rv),
                (Some(before), None) => drop(self.changes.remove(object::uid(before))),
                _ => {}
            }
        }
    }

    fn compare(&mut self, before: &Tree, after: &Tree, rv: u64) {
        for (name, image) in changed_images(before, after) {
            let old_id = container_id(before, &name);
            if old_id.is_empty() {
                continue;
            }
            let changes = self.changes.entry(Text::new(object::uid(after))).or_default();
            let open = |pending: &&mut Pending| pending.old_id == old_id && pending.until == STAYS;
            match changes.get_mut(&name).filter(open) {
                // The kubelet compares what runs with what is wanted (v1.36, `HashContainer`), so
                // nothing is left to do.
                Some(pending) if pending.old_image == image => pending.until = rv,
                Some(_) => {}
                None => {
                    let old_image = image_of(before, &name);
                    let pending = Pending { rv, until: STAYS, old_id, old_image };
                    changes.insert(name, pending);
                }
            }
        }
    }

    /// Whether a state of a pod has a container that is to be replaced.
    pub(super) fn is_changing(&self, pod: &Tree) -> bool {
        let Some(changes) = self.changes.get(object::uid(pod)) else { return false };
        let rv = object::resource_version(pod);
        changes.iter().any(|(name, pending)| {
            (pending.rv..pending.until).contains(&rv) && container_id(pod, name) == pending.old_id
        })
    }

    /// Whether a state of a pod counts as available.
    pub(super) fn is_available(&self, pod: &Tree, min_ready_seconds: i64, now: Millis) -> bool {
        object::is_active(pod)
            && object::is_available(pod, min_ready_seconds, now)
            && gates_hold(pod)
            && !self.is_changing(pod)
    }
}

/// [`Pending::until`] while nobody asked for the old image again.
const STAYS: u64 = u64::MAX;

/// Whether all readiness gates of a pod are true. Who takes one away has taken the pod down, though
/// it is the kubelet that says so in `Ready` a moment later.
pub(super) fn gates_hold(pod: &Tree) -> bool {
    let mut gates = pod["spec"]["readinessGates"].items().iter();
    gates.all(|gate| object::has_condition(pod, gate["conditionType"].str()))
}

/// What a request changed of pods.
pub(super) fn pod_changes(event: &Event) -> impl Iterator<Item = &Change> {
    let changes = match &event.body {
        Body::Request(request) => request.changes.as_slice(),
        _ => &[],
    };
    changes.iter().filter(|change| change.resource == Resource::PODS)
}

/// The containers of which the image in the spec changed, with the new image.
pub(super) fn changed_images(before: &Tree, after: &Tree) -> Vec<(Text, Text)> {
    let old = &before["spec"]["containers"];
    let new = &after["spec"]["containers"];
    if old.is_same(new) {
        return Vec::new();
    }
    let image = |name: &Tree| old.items().iter().find(|c| c["name"] == *name).map(|c| &c["image"]);
    new.items()
        .iter()
        .filter(|c| image(&c["name"]).is_some_and(|image| *image != c["image"]))
        .map(|c| (c["name"].text(), c["image"].text()))
        .collect()
}

fn image_of(pod: &Tree, name: &str) -> Text {
    let containers = pod["spec"]["containers"].items();
    let container = containers.iter().find(|container| container["name"] == name);
    container.map(|container| container["image"].text()).unwrap_or_default()
}

/// `status.containerStatuses[name].containerID`, or the empty text.
pub(super) fn container_id(pod: &Tree, name: &str) -> Text {
    let statuses = pod["status"]["containerStatuses"].items();
    let status = statuses.iter().find(|status| status["name"] == name);
    status.map(|status| status["containerID"].text()).unwrap_or_default()
}

/// `spec.minReadySeconds` of a workload.
pub(super) fn min_ready(workload: &Tree) -> i64 {
    workload["spec"]["minReadySeconds"].as_i64().unwrap_or(0)
}
