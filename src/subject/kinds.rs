//! Which resource a kind is served as: the built-in kinds, and those of the subject.

use kubesim_model::Text;
use kubesim_model::resource::Resource;
use thiserror::Error;

use super::workload::{resource_of, workload_resource};
use crate::suite::Subject;

/// A kind of which the resource is not known.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the kind `{0}` is not known; give its apiVersion")]
pub struct UnknownKind(pub Text);

/// The kinds that a trial knows.
#[derive(Clone, Copy)]
pub struct Kinds<'a> {
    subject: &'a Subject,
}

/// Built-in kinds: kind, resource, whether it lies in a namespace (Kubernetes v1.36).
const BUILT_IN: &[(&str, &str, bool)] = &[
    ("Pod", "pods", true),
    ("Node", "nodes", false),
    ("Namespace", "namespaces", false),
    ("Service", "services", true),
    ("ConfigMap", "configmaps", true),
    ("Secret", "secrets", true),
    ("Event", "events", true),
    ("ServiceAccount", "serviceaccounts", true),
    ("PersistentVolumeClaim", "persistentvolumeclaims", true),
    ("Deployment", "deployments.apps", true),
    ("ReplicaSet", "replicasets.apps", true),
    ("StatefulSet", "statefulsets.apps", true),
    ("DaemonSet", "daemonsets.apps", true),
    ("ControllerRevision", "controllerrevisions.apps", true),
    ("PodDisruptionBudget", "poddisruptionbudgets.policy", true),
    ("EndpointSlice", "endpointslices.discovery.k8s.io", true),
    ("Lease", "leases.coordination.k8s.io", true),
    ("PriorityClass", "priorityclasses.scheduling.k8s.io", false),
    ("CustomResourceDefinition", "customresourcedefinitions.apiextensions.k8s.io", false),
];

/// The kind by which steps mean the subject's own workload.
const WORKLOAD: &str = "Workload";

impl<'a> Kinds<'a> {
    /// The built-in kinds and those of this subject.
    pub fn of(subject: &'a Subject) -> Self {
        Kinds { subject }
    }

    /// The resource of a kind. A kind that is neither built in nor the subject's is served under
    /// the regular English plural of its name.
    ///
    /// # Errors
    /// Such a kind without an apiVersion.
    pub fn resource(&self, kind: &str, api_version: Option<&str>) -> Result<Resource, UnknownKind> {
        let group_fits = |group: &str| {
            api_version.is_none_or(|given| given.split_once('/').map_or("", |(g, _)| g) == group)
        };
        let own = workload_resource(self.subject);
        if kind == WORKLOAD
            || (kind == self.subject.workload.kind.as_str() && group_fits(own.group()))
        {
            return Ok(own);
        }
        let known = BUILT_IN.iter().find(|(name, _, _)| *name == kind);
        if let Some((_, text, _)) = known {
            let resource = Resource::new(*text);
            if group_fits(resource.group()) {
                return Ok(resource);
            }
        }
        match api_version {
            Some(api_version) => Ok(resource_of(api_version, &plural(kind))),
            None => Err(UnknownKind(Text::new(kind))),
        }
    }

    /// Whether objects of this kind lie in a namespace. Kinds that are not built in do.
    pub fn is_namespaced(kind: &str) -> bool {
        BUILT_IN.iter().find(|(name, _, _)| *name == kind).is_none_or(|(_, _, inside)| *inside)
    }
}

/// The plural of a kind, as most CustomResourceDefinitions form it.
fn plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    match kind.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if kind.ends_with(['s', 'x']) || kind.ends_with("ch") => format!("{kind}es"),
        _ => format!("{kind}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_are_regular() {
        assert_eq!(plural("SidecarSet"), "sidecarsets");
        assert_eq!(plural("Policy"), "policies");
        assert_eq!(plural("Gateway"), "gateways");
        assert_eq!(plural("Ingress"), "ingresses");
    }
}
