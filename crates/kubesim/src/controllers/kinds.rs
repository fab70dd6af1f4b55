//! From the kind in an owner reference to the resource that holds it.

use kubesim_model::Text;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;

/// Kinds without a namespace that own other objects.
const CLUSTER_SCOPED: [&str; 5] =
    ["Node", "Namespace", "PersistentVolume", "ClusterRole", "CustomResourceDefinition"];

/// Resources with a namespace that no simulated controller looks after.
pub(super) const OTHERS: [&str; 12] = [
    "csistoragecapacities.storage.k8s.io",
    "endpoints",
    "horizontalpodautoscalers.autoscaling",
    "ingresses.networking.k8s.io",
    "leases.coordination.k8s.io",
    "limitranges",
    "networkpolicies.networking.k8s.io",
    "podtemplates",
    "resourceclaims.resource.k8s.io",
    "resourceclaimtemplates.resource.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "roles.rbac.authorization.k8s.io",
];

/// Resource and key of an owner, named from within `namespace`. The plural is guessed from the
/// kind as apimachinery v0.36 does (`UnsafeGuessKindToResource`).
pub(super) fn owner(reference: &Tree, namespace: &str) -> (Resource, ObjectKey) {
    let kind = reference["kind"].str();
    let namespace = if CLUSTER_SCOPED.contains(&kind) { "" } else { namespace };
    let key = ObjectKey::new(namespace, reference["name"].text());
    (resource(reference["apiVersion"].str(), kind), key)
}

/// The resource that a CustomResourceDefinition defines.
pub(super) fn defined(definition: &Tree) -> Resource {
    let spec = &definition["spec"];
    let (plural, group) = (spec["names"]["plural"].str(), spec["group"].str());
    Resource::new(Text::from(format!("{plural}.{group}")))
}

fn resource(api_version: &str, kind: &str) -> Resource {
    let singular = kind.to_lowercase();
    let plural = if singular.ends_with("endpoints") {
        singular
    } else if singular.ends_with('s') {
        singular + "es"
    } else if let Some(stem) = singular.strip_suffix('y') {
        format!("{stem}ies")
    } else {
        singular + "s"
    };
    match api_version.split_once('/') {
        Some((group, _)) => Resource::new(Text::from(format!("{plural}.{group}"))),
        None => Resource::new(Text::from(plural)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_are_guessed_as_kubernetes_does() {
        assert_eq!(resource("apps/v1", "ReplicaSet"), Resource::REPLICA_SETS);
        assert_eq!(resource("v1", "Pod"), Resource::PODS);
        assert_eq!(resource("apps.kruise.io/v1alpha1", "CloneSet"), Resource::CLONE_SETS);
        assert_eq!(resource("networking.k8s.io/v1", "Ingress").plural(), "ingresses");
        assert_eq!(resource("networking.k8s.io/v1", "NetworkPolicy").plural(), "networkpolicies");
    }
}
