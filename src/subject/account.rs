//! The objects that a subject needs in a cluster: a service account with what it may do, and a
//! Deployment of its image.

use kubesim_model::resource::ObjectKey;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map};

use crate::cluster::CONTROL_PLANE;
use crate::suite::ways::{Image, NAMESPACE};

/// The group of RBAC, and what its objects are of.
const RBAC: &str = "rbac.authorization.k8s.io";
const RBAC_VERSION: &str = "rbac.authorization.k8s.io/v1";

/// The role that may do everything (kube-apiserver v1.36).
const EVERYTHING: &str = "cluster-admin";

/// The service account of the subject `name`.
pub(super) fn account(name: &Text) -> ObjectKey {
    ObjectKey::new(NAMESPACE, name.clone())
}

/// The service account of the subject `name`, and its permissions; all without rules.
pub(super) fn account_objects(name: &Text, rules: Option<&[Tree]>) -> Vec<Tree> {
    let own = format!("shakedown:{name}");
    let role = if rules.is_some() { own.as_str() } else { EVERYTHING };
    let mut objects = vec![map! {
        "apiVersion" => "v1", "kind" => "ServiceAccount",
        "metadata" => map! { "name" => name, "namespace" => NAMESPACE },
    }];
    if let Some(rules) = rules {
        objects.push(map! {
            "apiVersion" => RBAC_VERSION, "kind" => "ClusterRole",
            "metadata" => map! { "name" => own.as_str() },
            "rules" => rules.to_vec(),
        });
    }
    objects.push(map! {
        "apiVersion" => RBAC_VERSION, "kind" => "ClusterRoleBinding",
        "metadata" => map! { "name" => own.as_str() },
        "roleRef" => map! { "apiGroup" => RBAC, "kind" => "ClusterRole", "name" => role },
        "subjects" => list![
            map! { "kind" => "ServiceAccount", "name" => name, "namespace" => NAMESPACE }
        ],
    });
    objects
}

/// A Deployment of the image under that account. It runs on the control plane if it can: what
/// happens to the hosts of workloads is not to happen to it by chance.
pub(super) fn deployment(name: &Text, image: &Image) -> Tree {
    let labels = map! { "app.kubernetes.io/name" => name };
    let env = image.env.iter().map(|(name, value)| map! { "name" => name, "value" => value });
    let preferred = map! {
        "weight" => 1,
        "preference" => map! {
            "matchExpressions" => list![map! { "key" => CONTROL_PLANE, "operator" => "Exists" }],
        },
    };
    map! {
        "apiVersion" => "apps/v1", "kind" => "Deployment",
        "metadata" => map! { "name" => name, "namespace" => NAMESPACE },
        "spec" => map! {
            "replicas" => 1,
            "selector" => map! { "matchLabels" => &labels },
            "template" => map! {
                "metadata" => map! { "labels" => &labels },
                "spec" => map! {
                    "serviceAccountName" => name,
                    "tolerations" => list![
                        map! { "key" => CONTROL_PLANE, "operator" => "Exists" }
                    ],
                    "affinity" => map! {
                        "nodeAffinity" => map! {
                            "preferredDuringSchedulingIgnoredDuringExecution" => list![preferred],
                        },
                    },
                    "containers" => list![map! {
                        "name" => "controller",
                        "image" => &image.image.value,
                        "imagePullPolicy" => "IfNotPresent",
                        "args" => image.args.iter().map(Tree::from).collect::<Vec<Tree>>(),
                        "env" => env.collect::<Vec<Tree>>(),
                    }],
                },
            },
        },
    }
}
