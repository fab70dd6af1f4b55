//! What discovery tells of built-in types beyond the registry: short names, categories, and which
//! verbs they have (kube-apiserver v1.36).

use kubesim::api::{Api, Type};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list};

/// By resource: short names, and categories, both separated by commas.
const NAMES: &[(&str, &str, &str)] = &[
    ("apiservices.apiregistration.k8s.io", "", "api-extensions"),
    ("certificatesigningrequests.certificates.k8s.io", "csr", ""),
    ("componentstatuses", "cs", ""),
    ("configmaps", "cm", ""),
    ("cronjobs.batch", "cj", "all"),
    ("customresourcedefinitions.apiextensions.k8s.io", "crd,crds", "api-extensions"),
    ("daemonsets.apps", "ds", "all"),
    ("deployments.apps", "deploy", "all"),
    ("endpoints", "ep", ""),
    ("events", "ev", ""),
    ("events.events.k8s.io", "ev", ""),
    ("horizontalpodautoscalers.autoscaling", "hpa", "all"),
    ("ingresses.networking.k8s.io", "ing", ""),
    ("ipaddresses.networking.k8s.io", "ip", ""),
    ("jobs.batch", "", "all"),
    ("limitranges", "limits", ""),
    ("mutatingadmissionpolicies.admissionregistration.k8s.io", "", "api-extensions"),
    ("mutatingadmissionpolicybindings.admissionregistration.k8s.io", "", "api-extensions"),
    ("mutatingwebhookconfigurations.admissionregistration.k8s.io", "", "api-extensions"),
    ("namespaces", "ns", ""),
    ("networkpolicies.networking.k8s.io", "netpol", ""),
    ("nodes", "no", ""),
    ("persistentvolumeclaims", "pvc", ""),
    ("persistentvolumes", "pv", ""),
    ("poddisruptionbudgets.policy", "pdb", ""),
    ("pods", "po", "all"),
    ("priorityclasses.scheduling.k8s.io", "pc", ""),
    ("replicasets.apps", "rs", "all"),
    ("replicationcontrollers", "rc", "all"),
    ("resourcequotas", "quota", ""),
    ("serviceaccounts", "sa", ""),
    ("services", "svc", "all"),
    ("statefulsets.apps", "sts", "all"),
    ("storageclasses.storage.k8s.io", "sc", ""),
    ("validatingadmissionpolicies.admissionregistration.k8s.io", "", "api-extensions"),
    ("validatingadmissionpolicybindings.admissionregistration.k8s.io", "", "api-extensions"),
    ("validatingwebhookconfigurations.admissionregistration.k8s.io", "", "api-extensions"),
    ("volumeattributesclasses.storage.k8s.io", "vac", ""),
];

/// Groups in the order in which discovery tells of them; others come after, by name.
const GROUPS: &[&str] = &[
    "",
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
];

/// The names of a type.
pub(crate) struct Names {
    /// The singular, as in `deployment`.
    pub(crate) singular: Text,
    /// As in `deploy`.
    pub(crate) short: Tree,
    /// As in `all`.
    pub(crate) categories: Tree,
}

impl Names {
    /// Of a type that `api` serves.
    pub(crate) fn of(api: &Api, kind: &Type) -> Names {
        let singular = Text::from(kind.kind.to_lowercase());
        if !kind.custom {
            let known = NAMES.iter().find(|(name, ..)| *name == kind.resource.as_str());
            let (short, categories) = known.map_or(("", ""), |(_, short, all)| (short, all));
            return Names { singular, short: words(short), categories: words(categories) };
        }
        let key = ObjectKey::new("", kind.resource.as_str());
        let definition = api.get(&Resource::CUSTOM_RESOURCE_DEFINITIONS, &key);
        let names = definition.map(|found| found["spec"]["names"].clone()).unwrap_or_default();
        let own = names["singular"].text();
        let singular = if own.is_empty() { singular } else { own };
        let (short, categories) = (names["shortNames"].clone(), names["categories"].clone());
        Names { singular, short, categories }
    }
}

fn words(text: &str) -> Tree {
    let words: Vec<Tree> = text.split(',').filter(|one| !one.is_empty()).map(Tree::from).collect();
    if words.is_empty() { Tree::Null } else { words.into() }
}

/// The verbs of a type.
pub(crate) fn verbs(kind: &Type) -> Tree {
    let plural = kind.resource.plural();
    if kind.asked {
        return list!["create"];
    }
    if plural == "componentstatuses" && !kind.custom {
        return list!["get", "list"];
    }
    let all = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
    let have = all.iter().filter(|verb| kind.resource != Resource::NAMESPACES || **verb != all[2]);
    have.map(|verb| Tree::from(*verb)).collect::<Vec<_>>().into()
}

/// The subresources of a type: name, what they take or give (group, version and kind, where they
/// are not the type itself), and verbs.
pub(crate) fn subresources(kind: &Type) -> Vec<(&str, Option<[&'static str; 3]>, Tree)> {
    let mut names: Vec<&str> = kind.subresources.iter().map(Text::as_str).collect();
    if kind.resource == Resource::PODS && !names.contains(&"log") {
        names.push("log");
    }
    names.sort_unstable();
    names.into_iter().map(|name| subresource(kind, name)).collect()
}

fn subresource<'a>(kind: &Type, name: &'a str) -> (&'a str, Option<[&'static str; 3]>, Tree) {
    let (shown, verbs) = match name {
        "binding" => (Some(["", "", "Binding"]), list!["create"]),
        "eviction" => (Some(["policy", "v1", "Eviction"]), list!["create"]),
        "token" => (Some(["authentication.k8s.io", "v1", "TokenRequest"]), list!["create"]),
        "scale" => (Some(["autoscaling", "v1", "Scale"]), list!["get", "patch", "update"]),
        "finalize" if !kind.custom => (None, list!["update"]),
        "log" => (None, list!["get"]),
        _ => (None, list!["get", "patch", "update"]),
    };
    (name, shown, verbs)
}

/// Where a group stands among others.
pub(crate) fn rank(group: &str) -> usize {
    GROUPS.iter().position(|have| *have == group).unwrap_or(GROUPS.len())
}

/// Where a version stands among others of its group: stable ones before beta and alpha, and newer
/// ones first (apimachinery v0.36, `version.CompareKubeAwareVersionStrings`).
pub(crate) fn version_rank(version: &str) -> (u8, std::cmp::Reverse<(u32, u32)>) {
    let strange = (3, std::cmp::Reverse((0, 0)));
    let Some(rest) = version.strip_prefix('v') else { return strange };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (major, rest) = rest.split_at(end);
    let Ok(major) = major.parse() else { return strange };
    let (stage, minor) = match (rest.strip_prefix("beta"), rest.strip_prefix("alpha")) {
        (Some(minor), _) => (1, minor),
        (_, Some(minor)) => (2, minor),
        _ if rest.is_empty() => (0, "0"),
        _ => return strange,
    };
    minor.parse().map_or(strange, |minor| (stage, std::cmp::Reverse((major, minor))))
}
