//! The pods that a Job makes.

use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map, object};

use super::pods::{FAILURES, FINALIZER, IGNORED, INDEX, failures};
use super::policy;
use super::spec::{back_off_limit_per_index, is_indexed};
use crate::controllers::owned::template::pod_of;

/// The variable that tells a container its index.
const VARIABLE: &str = "JOB_COMPLETION_INDEX";
/// What names that are generated may begin with (apiserver v0.36, `MaxGeneratedNameLength`).
const LONGEST: usize = 58;

/// The pod that all pods of the Job are like.
pub(super) fn pod(job: &Tree) -> Tree {
    let mut pod = pod_of(job, &job["spec"]["template"]);
    let finalizers = pod.at_mut(&["metadata", "finalizers"]).items_mut();
    if !finalizers.iter().any(|have| have == FINALIZER) {
        finalizers.push(FINALIZER.into());
    }
    if is_indexed(job) {
        for containers in ["initContainers", "containers"] {
            if pod["spec"][containers].items().is_empty() {
                continue;
            }
            for container in pod.at_mut(&["spec", containers]).items_mut() {
                tell_index(container);
            }
        }
    }
    pod
}

fn tell_index(container: &mut Tree) {
    if container["env"].items().iter().any(|variable| variable["name"] == VARIABLE) {
        return;
    }
    let path = format!("metadata.labels['{INDEX}']");
    let from = map! { "fieldRef" => map! { "fieldPath" => path } };
    let variable = map! { "name" => VARIABLE, "valueFrom" => from };
    container.field_mut("env").items_mut().push(variable);
}

/// The same for one index, in the place of a pod that failed if there was one.
pub(super) fn for_index(job: &Tree, pod: &Tree, index: i64, replaced: Option<&Tree>) -> Tree {
    let (mut pod, name) = (pod.clone(), object::name(job));
    let suffix = format!("-{index}-");
    let mut prefix = format!("{name}{suffix}");
    if prefix.len() > LONGEST {
        prefix = format!("{}{suffix}", &prefix[..LONGEST - suffix.len()]);
    }
    pod.set(&["metadata", "generateName"], prefix);
    pod.set(&["spec", "hostname"], format!("{name}-{index}"));
    let mut note = |kind: &str, key: &str, number: i64| {
        pod.set(&["metadata", kind, key], Text::from(number.to_string()));
    };
    note("annotations", INDEX, index);
    note("labels", INDEX, index);
    if back_off_limit_per_index(job).is_some() {
        let (counted, ignored) = failures_before(job, replaced);
        note("annotations", FAILURES, counted);
        if ignored > 0 {
            note("annotations", IGNORED, ignored);
        }
    }
    pod
}

/// How often the index has failed, in ways that count and in ways that are ignored.
fn failures_before(job: &Tree, replaced: Option<&Tree>) -> (i64, i64) {
    let Some(pod) = replaced else { return (0, 0) };
    let (counted, all) = failures(pod);
    let counts = policy::failure(job, pod).counts;
    (counted + i64::from(counts), all - counted + i64::from(!counts))
}

/// The patch that lets a pod go.
pub(super) fn let_go() -> Tree {
    map! { "metadata" => map! { "$deleteFromPrimitiveList/finalizers" => list![FINALIZER] } }
}
