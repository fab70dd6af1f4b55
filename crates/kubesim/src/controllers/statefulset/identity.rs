//! The identity of a StatefulSet's pods: ordinal, name, labels and claims.
//!
//! Modelled on kube-controller-manager v1.36, `stateful_set_utils.go`.

use kubesim_model::object;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, map};

use crate::controllers::owned::template::pod_of;

/// The label of a pod that names its revision.
pub(super) const REVISION: &str = "controller-revision-hash";
const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
const POD_INDEX: &str = "apps.kubernetes.io/pod-index";

/// The ordinal in a pod's name, if the name is one of this set's.
pub(super) fn ordinal(set: &Tree, pod: &Tree) -> Option<i64> {
    let digits = object::name(pod).strip_prefix(object::name(set))?.strip_prefix('-')?;
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse::<i32>().ok().filter(|_| all_digits).map(i64::from)
}

/// `spec.ordinals.start`, or 0.
pub(super) fn start(set: &Tree) -> i64 {
    set["spec"]["ordinals"]["start"].as_i64().unwrap_or(0).max(0)
}

/// The name of the pod with this ordinal.
pub(super) fn name(set: &Tree, ordinal: i64) -> Text {
    Text::from(format!("{}-{ordinal}", object::name(set)))
}

/// The pod with this ordinal, of this template and revision.
pub(super) fn pod(set: &Tree, template: &Tree, revision: &str, ordinal: i64) -> Tree {
    let mut pod = pod_of(set, template);
    let name = name(set, ordinal);
    pod.remove(&["metadata", "generateName"]);
    pod.set(&["metadata", "name"], &name);
    pod.set(&["metadata", "labels", REVISION], revision);
    pod.set(&["spec", "hostname"], &name);
    if !set["spec"]["serviceName"].str().is_empty() {
        pod.set(&["spec", "subdomain"], &set["spec"]["serviceName"]);
    }
    let claims: Vec<(Text, Text)> = claim_names(set, ordinal).collect();
    if !claims.is_empty() {
        let volumes = pod.at_mut(&["spec", "volumes"]).items_mut();
        volumes.retain(|volume| claims.iter().all(|(have, _)| volume["name"] != have.as_str()));
        volumes.extend(claims.iter().map(|(volume, claim)| {
            map! { "name" => volume, "persistentVolumeClaim" => map! { "claimName" => claim } }
        }));
    }
    labelled(&pod, ordinal).unwrap_or(pod)
}

/// The pod with the labels of its identity; `None` if it has them.
pub(super) fn labelled(pod: &Tree, ordinal: i64) -> Option<Tree> {
    let mut new = pod.clone();
    new.set(&["metadata", "labels", POD_NAME], object::name(pod));
    new.set(&["metadata", "labels", POD_INDEX], ordinal.to_string());
    (new != *pod).then_some(new)
}

/// The claims of the pod with this ordinal.
pub(super) fn claims(set: &Tree, ordinal: i64) -> Vec<Tree> {
    let templates = set["spec"]["volumeClaimTemplates"].items();
    let of = |(template, (_, name)): (&Tree, (Text, Text))| {
        let mut claim = template.clone();
        claim.set(&["apiVersion"], "v1");
        claim.set(&["kind"], "PersistentVolumeClaim");
        claim.set(&["metadata", "name"], name);
        claim.set(&["metadata", "namespace"], object::namespace(set));
        for (key, value) in set["spec"]["selector"]["matchLabels"].fields() {
            claim.set(&["metadata", "labels", key.as_str()], value);
        }
        claim
    };
    templates.iter().zip(claim_names(set, ordinal)).map(of).collect()
}

/// The volume and claim names of the pod with this ordinal, in the order of the templates.
fn claim_names(set: &Tree, ordinal: i64) -> impl Iterator<Item = (Text, Text)> {
    set["spec"]["volumeClaimTemplates"].items().iter().map(move |template| {
        let volume = Text::new(object::name(template));
        let claim = Text::from(format!("{volume}-{}", name(set, ordinal)));
        (volume, claim)
    })
}
