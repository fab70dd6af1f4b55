//! Finding a subject's workloads and their pods among the objects of a trial.

use kubesim_model::object;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;

use crate::history::View;
use crate::suite::Subject;
use crate::suite::cel::Bindings;

/// The resource of the subject's workload: `clonesets.apps.kruise.io`.
pub fn workload_resource(subject: &Subject) -> Resource {
    resource_of(&subject.workload.api_version, &subject.workload.resource)
}

/// The resource named by an apiVersion and a plural.
pub fn resource_of(api_version: &str, plural: &str) -> Resource {
    match api_version.split_once('/') {
        Some((group, _)) => Resource::new(format!("{plural}.{group}")),
        None => Resource::new(plural),
    }
}

/// The subject's workload of this name.
pub fn workload<'a>(subject: &Subject, view: &'a View, name: &str) -> Option<&'a Tree> {
    let resource = workload_resource(subject);
    let mut all = view.objects.all(&resource);
    all.find(|(key, _)| key.name == name).map(|(_, object)| object)
}

/// The pods of a workload, by name: those of which the subject's file says so, else those that the
/// workload controls, itself or through others.
pub fn pods_of<'a>(
    subject: &Subject,
    view: &'a View,
    workload: &'a Tree,
) -> Vec<(&'a ObjectKey, &'a Tree)> {
    let Some(owns) = subject.observe.get("owns") else {
        let uid = object::uid(workload);
        return view.objects.descendants(uid, &Resource::PODS);
    };
    let mut bindings = Bindings::new().with("object", workload).with("objects", Tree::map());
    let pods = view.objects.all(&Resource::PODS);
    let here = pods.filter(|(key, _)| key.namespace == object::namespace(workload));
    here.filter(|(_, pod)| {
        bindings.set("pod", *pod);
        owns.holds(&bindings).unwrap_or(false)
    })
    .collect()
}
