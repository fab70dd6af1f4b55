//! Who changed what lately: in histories without deliveries, nobody can tell whether an actor knew
//! of it when it decided.

use std::collections::BTreeMap;

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, object};

use super::observe::Scene;
use crate::history::{Body, Change, Event};

/// Without deliveries, a change younger than this may not have been known, in milliseconds.
pub(super) const SLACK: Millis = 5_000;

/// When each actor last made, ended or began to end a pod, or changed what a workload wants.
#[derive(Clone, Debug, Default)]
pub(super) struct Lag {
    by: BTreeMap<Text, Millis>,
}

impl Lag {
    /// Takes the next event in.
    pub(super) fn take(&mut self, event: &Event, scene: &Scene<'_>) {
        let Body::Request(request) = &event.body else { return };
        if request.changes.iter().any(|change| matters(change, scene)) {
            self.by.insert(request.actor.clone(), event.t);
        }
    }

    /// Whether what this actor knew can't be told: no delivery to it was recorded, and somebody
    /// else changed something a moment ago. With deliveries, what it knew is known.
    pub(super) fn hides(&self, actor: &str, scene: &Scene<'_>) -> bool {
        let mut others = self.by.iter().filter(|(by, _)| by.as_str() != actor);
        !is_told(actor, scene) && others.any(|(_, t)| scene.view.now.saturating_sub(*t) < SLACK)
    }
}

/// Whether it was recorded what this actor was told.
pub(super) fn is_told(actor: &str, scene: &Scene<'_>) -> bool {
    scene.view.has_deliveries && scene.view.known.is_told(actor)
}

fn matters(change: &Change, scene: &Scene<'_>) -> bool {
    if change.resource == Resource::PODS {
        let active = |pod: &Option<Tree>| pod.as_ref().is_some_and(object::is_active);
        return active(&change.before) != active(&change.after);
    }
    change.resource == *scene.subject.resource() && is_another_wish(change)
}

/// Whether a write changed what an object wants.
pub(super) fn is_another_wish(change: &Change) -> bool {
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => {
            !before["spec"].is_same(&after["spec"]) || !before["data"].is_same(&after["data"])
        }
        _ => true,
    }
}
