//! The in-place update of one pod: what can change in place, and the stages in which it changes.
//!
//! All that is known of an update in work stands in the pod itself, so a controller that crashed
//! goes on where it stopped: first the condition `InPlaceUpdateReady` becomes False, then the
//! change waits in an annotation for the grace period, then the images and the revision label
//! change in one write, and when the kubelet reports the new containers the condition becomes True
//! (IP-4).

use std::collections::BTreeMap;

use kubesim_model::tree::{Map, Tree};
use kubesim_model::{Millis, Text, map, object};

use super::{GRACE_ANNOTATION, IN_PLACE_READY, REVISION_LABEL, STATE_ANNOTATION};

const STARTED: &str = "StartInPlaceUpdate";

/// Where a pod's in-place update stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stage {
    /// No update in work, and the pod is in service.
    None,
    /// Out of service with nothing to wait for: new, just taken out, or ready to go back.
    Held,
    /// Out of service, and the change to `revision` waits until `until`.
    Grace {
        /// What it will change to.
        revision: Text,
        /// The end of the grace period.
        until: Millis,
    },
    /// The images were changed, the kubelet has not finished yet.
    Waiting,
}

/// What differs between two templates, if all of it can change in place (IP-1).
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Change {
    images: BTreeMap<Text, Text>,
    /// The merge patch of labels and annotations.
    metadata: BTreeMap<Text, Tree>,
}

impl Change {
    /// The change from `old` to `new`, or `None` if something else than images, labels and
    /// annotations differs.
    pub(super) fn between(old: &Tree, new: &Tree) -> Option<Change> {
        let (mut spec, wanted) = (old["spec"].clone(), new["spec"]["containers"].items());
        let mut images = BTreeMap::new();
        if spec["containers"].items().len() != wanted.len() {
            return None;
        }
        for (have, want) in spec.field_mut("containers").items_mut().iter_mut().zip(wanted) {
            if have["name"] == want["name"] && have["image"] != want["image"] {
                images.insert(want["name"].text(), want["image"].text());
                have.set(&["image"], &want["image"]);
            }
        }
        if spec != new["spec"] {
            return None;
        }
        let mut metadata = BTreeMap::new();
        for field in ["labels", "annotations"] {
            let patch = changed_keys(&old["metadata"][field], &new["metadata"][field]);
            if !patch.is_empty() {
                metadata.insert(Text::new_static(field), Tree::Map(patch));
            }
        }
        Some(Change { images, metadata })
    }

    /// The bug `restarts-bystanders`: writes the images of the other containers anew, in a
    /// different spelling, which the kubelet takes for a change.
    pub(super) fn with_bystanders(mut self, pod: &Tree) -> Change {
        for container in pod["spec"]["containers"].items() {
            let image = container["image"].str();
            let spelled = match image.split_once('/') {
                Some((host, path)) if host.contains('.') && !host.contains(':') => {
                    format!("{host}:443/{path}")
                }
                _ => format!("docker.io/{image}"),
            };
            self.images.entry(container["name"].text()).or_insert_with(|| Text::from(spelled));
        }
        self
    }
}

/// The merge patch from one flat map to another.
fn changed_keys(old: &Tree, new: &Tree) -> Map {
    let gone = old.fields().filter(|(key, _)| new.get(key).is_none());
    let gone = gone.map(|(key, _)| (key.clone(), Tree::Null));
    let set = new.fields().filter(|(key, value)| old.get(key) != Some(value));
    gone.chain(set.map(|(key, value)| (key.clone(), value.clone()))).collect()
}

/// Whether the pod is kept out of service while `InPlaceUpdateReady` is not True.
pub(super) fn has_gate(pod: &Tree) -> bool {
    let gates = pod["spec"]["readinessGates"].items();
    gates.iter().any(|gate| gate["conditionType"] == IN_PLACE_READY)
}

/// Reads the stage from the pod.
pub(super) fn stage(pod: &Tree) -> Stage {
    if let Some(grace) = parse(object::annotation(pod, GRACE_ANNOTATION)) {
        let until = grace["until"].as_i64().and_then(|at| Millis::try_from(at).ok()).unwrap_or(0);
        return Stage::Grace { revision: grace["revision"].text(), until };
    }
    let state = parse(object::annotation(pod, STATE_ANNOTATION));
    let current = state.filter(|state| state["revision"] == object::label(pod, REVISION_LABEL));
    if !has_gate(pod) || !object::has_condition(pod, IN_PLACE_READY) {
        if current.is_some_and(|state| !is_complete(pod, &state)) {
            return Stage::Waiting;
        }
        return if has_gate(pod) { Stage::Held } else { Stage::None };
    }
    Stage::None
}

/// Whether an in-place update was ever written into this pod.
pub(super) fn was_updated(pod: &Tree) -> bool {
    [STATE_ANNOTATION, GRACE_ANNOTATION].iter().any(|key| !object::annotation(pod, key).is_empty())
}

fn parse(annotation: &str) -> Option<Tree> {
    serde_json::from_str::<Tree>(annotation).ok().filter(|tree| tree.as_map().is_some())
}

/// Whether the kubelet has seen the newest spec and runs every changed container with its image.
///
/// A changed imageID alone does not prove it: after a second change midway (IP-9) a late status may
/// show the image of the first. So the reported image must be the wanted one too; with an equal
/// digest under a new tag that is all that can change (IP-6).
fn is_complete(pod: &Tree, state: &Tree) -> bool {
    let observed = pod["status"]["observedGeneration"].as_i64();
    if observed.is_some_and(|observed| observed < object::generation(pod)) {
        return false;
    }
    state["lastContainerStatuses"].fields().all(|(name, last)| {
        let status = by_name(&pod["status"]["containerStatuses"], name);
        let wanted = by_name(&pod["spec"]["containers"], name)["image"].str();
        let (now, before) = (status["image"].str(), last["image"].str());
        let new_id = status["imageID"] != last["imageID"];
        !status["state"]["running"].is_null()
            && same_image(now, wanted)
            && (new_id || !same_image(now, before) || same_image(before, wanted))
    })
}

fn by_name<'a>(list: &'a Tree, name: &str) -> &'a Tree {
    const NULL: &Tree = &Tree::Null;
    list.items().iter().find(|item| item["name"] == name).unwrap_or(NULL)
}

/// Whether two references name the same image: runtimes write out the defaults of short ones.
fn same_image(a: &str, b: &str) -> bool {
    fn spelled_out(image: &str) -> (&str, &str) {
        let image = image.strip_prefix("docker.io/").unwrap_or(image);
        let image = image.strip_prefix("library/").unwrap_or(image);
        match image.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (image, "latest"),
        }
    }
    spelled_out(a) == spelled_out(b)
}

/// The status patch that takes the pod out of service (IP-4, first step) or puts it back.
pub(super) fn service_patch(pod: &Tree, in_service: bool, now: Millis) -> Tree {
    let mut conditions = vec![map! {
        "type" => IN_PLACE_READY, "status" => if in_service { "True" } else { "False" },
        "reason" => (!in_service).then_some(STARTED),
        "lastTransitionTime" => object::timestamp(now),
    }];
    if !in_service && object::is_ready(pod) {
        conditions.push(map! {
            "type" => "Ready", "status" => "False", "reason" => STARTED,
            "lastTransitionTime" => object::timestamp(now),
        });
    }
    map! { "metadata" => guard(pod), "status" => map! { "conditions" => conditions } }
}

/// The patch that parks a change for the grace period.
pub(super) fn grace_patch(pod: &Tree, revision: &str, until: Millis) -> Tree {
    let grace = map! { "revision" => revision, "until" => until };
    let mut metadata = guard(pod);
    metadata.set(&["annotations", GRACE_ANNOTATION], grace.to_string());
    map! { "metadata" => metadata }
}

/// The patch that gives a parked change up (IP-10).
pub(super) fn cancel_patch(pod: &Tree) -> Tree {
    let mut metadata = guard(pod);
    metadata.set(&["annotations", GRACE_ANNOTATION], Tree::Null);
    map! { "metadata" => metadata }
}

/// The patch that changes images, metadata and the revision label in one write.
pub(super) fn change_patch(pod: &Tree, change: &Change, revision: &str, now: Millis) -> Tree {
    let statuses = &pod["status"]["containerStatuses"];
    let last = |name: &Text| {
        let status = by_name(statuses, name);
        let last = map! { "imageID" => status["imageID"].str(), "image" => status["image"].str() };
        (name.clone(), last)
    };
    let state = map! {
        "revision" => revision, "updateTimestamp" => object::timestamp(now),
        "lastContainerStatuses" => change.images.keys().map(last).collect::<Map>(),
    };
    let mut metadata = guard(pod);
    for (field, patch) in &change.metadata {
        metadata.set(&[field], patch);
    }
    metadata.set(&["labels", REVISION_LABEL], revision);
    metadata.set(&["annotations", STATE_ANNOTATION], state.to_string());
    if !object::annotation(pod, GRACE_ANNOTATION).is_empty() {
        metadata.set(&["annotations", GRACE_ANNOTATION], Tree::Null);
    }
    let container = |(name, image): (&Text, &Text)| map! { "name" => name, "image" => image };
    let containers: Vec<Tree> = change.images.iter().map(container).collect();
    let mut patch = map! { "metadata" => metadata };
    if !containers.is_empty() {
        patch.set(&["spec", "containers"], containers);
    }
    patch
}

/// Makes a patch fail with a conflict if the pod changed since it was seen (IP-14).
fn guard(pod: &Tree) -> Tree {
    map! {
        "uid" => object::uid(pod),
        "resourceVersion" => &pod["metadata"]["resourceVersion"],
    }
}
