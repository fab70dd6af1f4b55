//! A CloneSet's status, counted from the pods that were seen (CS-33, CS-34).

use std::collections::BTreeSet;

use kubesim_model::tree::Tree;
use kubesim_model::{Text, map, object};

use super::Bug;
use super::census::Census;
use super::decide::{Action, View};
use super::pods::PodFacts;
use super::revision::Revisions;
use super::spec::Spec;

/// The write of the status, if it changed.
pub(super) fn plan(
    view: &View<'_>,
    spec: &Spec,
    revisions: &Revisions<'_>,
    census: &Census<'_>,
) -> Option<Action> {
    let pods = &census.pods;
    let count =
        |wanted: &dyn Fn(&PodFacts<'_>) -> bool| pods.iter().filter(|pod| wanted(pod)).count();
    let is_new = |pod: &PodFacts<'_>| pod.revision == revisions.update;
    let updated = count(&is_new);
    let done = updated == pods.len() && updated == spec.replicas;
    let mut status = map! {
        "observedGeneration" => object::generation(view.set),
        "replicas" => pods.len(),
        "readyReplicas" => count(&|pod| pod.ready),
        "availableReplicas" => count(&|pod| pod.available),
        "updatedReplicas" => updated,
        "updatedReadyReplicas" => count(&|pod| is_new(pod) && pod.ready),
        "updatedAvailableReplicas" => count(&|pod| is_new(pod) && pod.available),
        "expectedUpdatedReplicas" => spec.updated_wanted(),
        "updateRevision" => &revisions.update,
        "currentRevision" => if done { &revisions.update } else { &revisions.current },
        "labelSelector" => selector_text(&view.set["spec"]["selector"]),
    };
    match view.bug {
        Some(Bug::HotLoop) => {
            status.set(&["lastReconcileTime"], object::timestamp(view.now));
        }
        Some(Bug::ReportsWishes) => status.set(&["readyReplicas"], spec.replicas),
        _ => {}
    }
    let old = &view.set["status"];
    let changed = status.fields().any(|(field, value)| old.get(field) != Some(value))
        || view.bug == Some(Bug::RewritesStatus);
    let patch = map! { "status" => status };
    changed.then(|| Action::UpdateStatus { key: object::key(view.set), patch })
}

/// Takes names of vanished pods out of `scaleStrategy.podsToDelete` (CS-20).
pub(super) fn prune_names(view: &View<'_>) -> Option<Action> {
    let names = view.set["spec"]["scaleStrategy"]["podsToDelete"].items();
    let present: BTreeSet<&str> = view.pods.iter().map(|pod| object::name(pod)).collect();
    let left: Vec<Tree> =
        names.iter().filter(|name| present.contains(name.str())).cloned().collect();
    let patch = map! {
        "metadata" => map! { "resourceVersion" => &view.set["metadata"]["resourceVersion"] },
        "spec" => map! { "scaleStrategy" => map! { "podsToDelete" => &Tree::from(left.clone()) } },
    };
    (left.len() < names.len()).then(|| Action::PruneNames { key: object::key(view.set), patch })
}

/// A label selector in its text form, for the scale subresource.
fn selector_text(selector: &Tree) -> Text {
    let labels = selector["matchLabels"].fields();
    let labels = labels.map(|(key, value)| format!("{key}={}", value.str()));
    let expressions = selector["matchExpressions"].items().iter().map(|expression| {
        let key = expression["key"].str();
        let values: Vec<&str> = expression["values"].items().iter().map(Tree::str).collect();
        match expression["operator"].str() {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        }
    });
    Text::from(labels.chain(expressions).collect::<Vec<_>>().join(","))
}
