//! What decisions need to know of one pod, and how a pod is made.

use kubesim_model::stream::Stream;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, list, map, object};

use super::inplace::{self, Stage};
use super::spec::{Policy, Spec};
use super::{IN_PLACE_READY, INSTANCE_LABEL, REVISION_LABEL, SPECIFIED_DELETE_LABEL};

/// An active pod and what follows from its state.
#[derive(Clone)]
pub(super) struct PodFacts<'a> {
    pub(super) tree: &'a Tree,
    /// The revision that its containers have, by its label.
    pub(super) revision: &'a str,
    /// The revision that it has or is on the way to.
    pub(super) target: Text,
    /// Where its in-place update stands.
    pub(super) stage: Stage,
    pub(super) ready: bool,
    /// Ready for long enough, and not taken out of service by an in-place update (IP-13).
    pub(super) available: bool,
    /// Its deletion was asked for (CS-20).
    pub(super) specified: bool,
}

impl<'a> PodFacts<'a> {
    /// Looks at `pod` at `now`.
    pub(super) fn of(pod: &'a Tree, spec: &Spec, now: Millis) -> PodFacts<'a> {
        let stage = inplace::stage(pod);
        let revision = object::label(pod, REVISION_LABEL);
        let ready = object::is_ready(pod) && stage == Stage::None;
        let target = match &stage {
            Stage::Grace { revision, .. } => revision.clone(),
            _ => Text::new(revision),
        };
        PodFacts {
            tree: pod,
            revision,
            target,
            ready,
            available: ready && object::is_available(pod, spec.min_ready_seconds, now),
            specified: object::label(pod, SPECIFIED_DELETE_LABEL) == "true"
                || spec.pods_to_delete.contains(object::name(pod)),
            stage,
        }
    }

    /// When a pod that is ready now becomes available, if the time is all it lacks.
    pub(super) fn available_in(&self, spec: &Spec, now: Millis) -> Option<Millis> {
        if !self.ready || self.available {
            return None;
        }
        let since = object::condition(self.tree, "Ready")?["lastTransitionTime"].str();
        let at = object::parse_time(since)? + 1000 * spec.min_ready_seconds as Millis;
        at.checked_sub(now)
    }
}

/// A new pod of `set` from `template`, named with a suffix from `names`.
pub(super) fn make(
    set: &Tree,
    template: &Tree,
    revision: &str,
    spec: &Spec,
    names: &mut Stream,
) -> Tree {
    let id = instance_id(names);
    let mut pod = map! {
        "apiVersion" => "v1", "kind" => "Pod",
        "metadata" => map! {
            "name" => format!("{}-{id}", object::name(set)),
            "namespace" => object::namespace(set),
            "ownerReferences" => vec![object::controller_reference(set)],
        },
        "spec" => &template["spec"],
    };
    for field in ["labels", "annotations", "finalizers"] {
        let value = &template["metadata"][field];
        if !value.is_null() {
            pod.set(&["metadata", field], value);
        }
    }
    pod.set(&["metadata", "labels", REVISION_LABEL], revision);
    pod.set(&["metadata", "labels", INSTANCE_LABEL], id);
    if spec.policy != Policy::Recreate && !inplace::has_gate(&pod) {
        let gates = pod.at_mut(&["spec", "readinessGates"]).items_mut();
        gates.extend_from_slice(list![map! { "conditionType" => IN_PLACE_READY }].items());
    }
    pod
}

/// Five characters of the alphabet that Kubernetes uses for generated names.
fn instance_id(names: &mut Stream) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    (0..5).map(|_| char::from(ALPHABET[names.index(ALPHABET.len())])).collect()
}
