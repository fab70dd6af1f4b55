//! The CustomResourceDefinition of CloneSets.

use kubesim_model::tree::Tree;
use kubesim_model::{list, map};

/// `clonesets.apps.kruise.io` in version v1beta1 with the subresources `status` and `scale`.
///
/// Fields have the names of v1alpha1. The schema keeps unknown fields: what the controller doesn't
/// support it refuses itself, with an Event.
pub fn crd() -> Tree {
    let open = map! { "type" => "object", "x-kubernetes-preserve-unknown-fields" => true };
    map! {
        "apiVersion" => "apiextensions.k8s.io/v1", "kind" => "CustomResourceDefinition",
        "metadata" => map! { "name" => "clonesets.apps.kruise.io" },
        "spec" => map! {
            "group" => "apps.kruise.io", "scope" => "Namespaced",
            "names" => map! {
                "plural" => "clonesets", "singular" => "cloneset", "kind" => "CloneSet",
                "listKind" => "CloneSetList", "shortNames" => list!["clone"],
            },
            "versions" => list![map! {
                "name" => "v1beta1", "served" => true, "storage" => true,
                "schema" => map! { "openAPIV3Schema" => map! {
                    "type" => "object",
                    "properties" => map! { "spec" => &open, "status" => &open },
                } },
                "subresources" => map! {
                    "status" => map! {},
                    "scale" => map! {
                        "specReplicasPath" => ".spec.replicas",
                        "statusReplicasPath" => ".status.replicas",
                        "labelSelectorPath" => ".status.labelSelector",
                    },
                },
            }],
        },
    }
}
