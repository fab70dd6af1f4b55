//! What a DaemonSet reports.
//!
//! Modelled on kube-controller-manager v1.36, `updateDaemonSetStatus`.

use kubesim_model::object;
use kubesim_model::tree::Tree;

use super::nodes::{self, Place};
use super::plan::View;
use crate::controllers::owned::status::{count, counts};

/// The status; the generation counts as observed only if this sync was free to act on it.
pub(super) fn status_of(view: &View<'_>, acted: bool, collisions: i64) -> Tree {
    let by_node = view.by_node();
    let (mut desired, mut current, mut misplaced) = (0, 0, 0);
    let (mut ready, mut available, mut updated) = (0, 0, 0);
    for node in view.nodes {
        let pod = by_node.get(object::name(node)).and_then(|pods| pods.first());
        if nodes::place(view.set, node) != Place::Wanted {
            misplaced += i64::from(pod.is_some());
            continue;
        }
        desired += 1;
        if let Some(pod) = pod {
            current += 1;
            ready += i64::from(object::is_ready(pod));
            available += i64::from(view.is_available(pod));
            updated += i64::from(view.is_new(pod));
        }
    }
    let generation =
        if acted { object::generation(view.set) } else { count(view.set, "observedGeneration") };
    let mut status = counts(&[
        ("observedGeneration", generation),
        ("updatedNumberScheduled", updated),
        ("numberAvailable", available),
        ("numberUnavailable", desired - available),
        ("collisionCount", collisions),
    ]);
    status.set(&["desiredNumberScheduled"], desired);
    status.set(&["currentNumberScheduled"], current);
    status.set(&["numberMisscheduled"], misplaced);
    status.set(&["numberReady"], ready);
    if !view.set["status"]["conditions"].is_null() {
        status.set(&["conditions"], &view.set["status"]["conditions"]);
    }
    status
}
