//! Pods that no Job counts any more, and that lose their finalizers for nothing.
//!
//! Their keys are in the queue of the Jobs, marked: a pod by its name, or all pods that a Job
//! selected when it ended or went.

use kubesim_model::cache::Cache;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, object, selector};

use super::pods::is_tracked;
use super::spec::{is_finished, is_managed_elsewhere};

/// Marks the name of a pod.
const POD: &str = "pod/";
/// Marks the name of a Job whose pods are meant.
const ALL_OF: &str = "all-of/";

/// The key of a pod.
pub(super) fn of_pod(pod: &Tree) -> ObjectKey {
    marked(POD, pod)
}

/// The key of the pods that a Job selects.
pub(super) fn of_job(job: &Tree) -> ObjectKey {
    marked(ALL_OF, job)
}

fn marked(mark: &str, object: &Tree) -> ObjectKey {
    let name = Text::from(format!("{mark}{}", object::name(object)));
    ObjectKey::new(object["metadata"]["namespace"].text(), name)
}

/// Whether a key means such pods, and not a Job.
pub(super) fn is_meant(key: &ObjectKey) -> bool {
    key.name.contains('/')
}

/// The pods that a key means and that are to be let go; `selector` is that of the Job.
pub(super) fn to_let_go(key: &ObjectKey, selector: Option<&Tree>, cache: &Cache) -> Vec<ObjectKey> {
    let pods = Resource::PODS;
    let meant: Vec<&Tree> = match key.name.strip_prefix(POD) {
        Some(name) => {
            let key = ObjectKey::new(key.namespace.clone(), name);
            cache.get(&pods, &key).into_iter().collect()
        }
        None => {
            let selects = |pod: &&Tree| {
                let labels = &pod["metadata"]["labels"];
                selector.is_some_and(|selector| selector::selects(selector, labels))
            };
            cache.in_namespace(&pods, &key.namespace).filter(selects).collect()
        }
    };
    let free = meant.into_iter().filter(|pod| is_tracked(pod) && !is_counted(pod, cache));
    free.map(object::key).collect()
}

/// Whether the pod has an owner that counts it, or that is no Job.
fn is_counted(pod: &Tree, cache: &Cache) -> bool {
    let Some(owner) = object::controller(pod) else { return false };
    if owner["kind"] != "Job" || owner["apiVersion"] != "batch/v1" {
        return true;
    }
    let key = ObjectKey::new(object::namespace(pod), owner["name"].text());
    let job = cache.get(&Resource::JOBS, &key);
    let job = job.filter(|job| job["metadata"]["uid"] == owner["uid"]);
    job.is_some_and(|job| is_managed_elsewhere(job) || !is_finished(job))
}
