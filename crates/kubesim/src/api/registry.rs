//! The types that the API serves: built-in ones, and those that CustomResourceDefinitions add.

use std::collections::BTreeMap;
use std::sync::Arc;

use kubesim_model::Text;
use kubesim_model::request::Status;
use kubesim_model::resource::Resource;

use super::errors;
use super::fields::Structural;

/// What a change must touch to raise `metadata.generation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generation {
    /// The type has none.
    Never,
    /// `spec`.
    Spec,
    /// `spec` or the annotations (Deployments, v1.36 `pkg/registry/apps/deployment`).
    SpecAndAnnotations,
    /// Anything but `metadata`, and but `status` where that is a subresource.
    Content,
    /// Anything but `metadata`, or the labels (EndpointSlices, v1.36
    /// `pkg/registry/discovery/endpointslice`).
    ContentAndLabels,
    /// 1, whatever changes.
    First,
}

/// Where the scale subresource finds its numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ScalePaths {
    /// Wanted replicas.
    pub(super) spec: Vec<Text>,
    /// Observed replicas.
    pub(super) status: Vec<Text>,
    /// The selector: a text (custom resources) or a structured one (built-ins).
    pub(super) selector: Vec<Text>,
}

/// A type of object that the API serves.
#[derive(Clone, Debug, PartialEq)]
pub struct Type {
    /// Plural and group.
    pub resource: Resource,
    /// The kind, as in `Deployment`.
    pub kind: Text,
    /// Served versions, the stored one first: `v1`.
    pub versions: Vec<Text>,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Whether the type comes from a CustomResourceDefinition.
    pub custom: bool,
    /// The subresources that are served, as in `status`.
    pub subresources: Vec<Text>,
    pub(super) scale: Option<ScalePaths>,
    pub(super) generation: Generation,
    /// How objects of a custom type are taken apart when they are applied.
    pub(super) structural: Option<Arc<Structural>>,
}

impl Type {
    /// `group/version` of the stored version; `v1` in the core group.
    pub fn api_version(&self) -> Text {
        self.qualified(self.versions.first().map_or("v1", Text::as_str))
    }

    /// Whether `api_version` is one of the served ones.
    pub fn serves(&self, api_version: &str) -> bool {
        self.versions.iter().any(|version| self.qualified(version) == api_version)
    }

    /// Whether `status` can only be written through its subresource.
    pub fn has_status(&self) -> bool {
        self.has_subresource("status")
    }

    /// Whether this subresource is served.
    pub fn has_subresource(&self, name: &str) -> bool {
        self.subresources.iter().any(|have| have == name)
    }

    /// Whether an update may go without a resourceVersion (`AllowUnconditionalUpdate`, v1.36).
    pub(super) fn allows_blind_update(&self) -> bool {
        let strict = [
            &Resource::LEASES,
            &Resource::POD_DISRUPTION_BUDGETS,
            &Resource::CUSTOM_RESOURCE_DEFINITIONS,
        ];
        !self.custom && !strict.contains(&&self.resource)
    }

    /// Whether an update makes an object that is not there (`AllowCreateOnUpdate`, v1.36).
    pub(super) fn is_made_by_update(&self) -> bool {
        let made = ["leases.coordination.k8s.io", "endpoints", "services", "events"];
        let group = self.resource.group();
        !self.custom
            && (made.contains(&self.resource.as_str()) || group == "rbac.authorization.k8s.io")
    }

    fn qualified(&self, version: &str) -> Text {
        match self.resource.group() {
            "" => Text::new(version),
            group => Text::from(format!("{group}/{version}")),
        }
    }
}

/// Served types by resource.
#[derive(Clone)]
pub(super) struct Registry {
    types: Arc<BTreeMap<Resource, Arc<Type>>>,
}

impl Registry {
    /// The built-in types.
    pub(super) fn builtin() -> Self {
        let types = BUILTIN.iter().map(|row| (Resource::new(row.0), Arc::new(builtin(row))));
        Registry { types: Arc::new(types.collect()) }
    }

    /// The type of a resource.
    ///
    /// # Errors
    /// 404 when it is not served.
    pub(super) fn find(&self, resource: &Resource) -> Result<Arc<Type>, Status> {
        self.types
            .get(resource)
            .cloned()
            .ok_or_else(|| errors::no_such_resource(format_args!("get {resource}")))
    }

    /// All types in the order of their names.
    pub(super) fn all(&self) -> impl Iterator<Item = &Type> {
        self.types.values().map(AsRef::as_ref)
    }

    /// Serves a type, or changes how it is served.
    pub(super) fn add(&mut self, kind: Type) {
        Arc::make_mut(&mut self.types).insert(kind.resource.clone(), Arc::new(kind));
    }

    /// Serves a type no more.
    pub(super) fn remove(&mut self, resource: &Resource) {
        Arc::make_mut(&mut self.types).remove(resource);
    }
}

/// Resource, kind, namespaced, generation, subresources.
type Row = (&'static str, &'static str, bool, Generation, &'static [&'static str]);

const STATUS: &[&str] = &["status"];
const SCALED: &[&str] = &["scale", "status"];

/// The built-in types; all are served as `v1`.
const BUILTIN: &[Row] = &[
    ("pods", "Pod", true, Generation::Spec, &["binding", "eviction", "status"]),
    ("nodes", "Node", false, Generation::Never, STATUS),
    ("namespaces", "Namespace", false, Generation::Never, &["finalize", "status"]),
    ("services", "Service", true, Generation::Never, STATUS),
    ("endpoints", "Endpoints", true, Generation::Never, &[]),
    ("configmaps", "ConfigMap", true, Generation::Never, &[]),
    ("secrets", "Secret", true, Generation::Never, &[]),
    ("events", "Event", true, Generation::Never, &[]),
    ("serviceaccounts", "ServiceAccount", true, Generation::Never, &[]),
    ("persistentvolumeclaims", "PersistentVolumeClaim", true, Generation::Never, STATUS),
    ("persistentvolumes", "PersistentVolume", false, Generation::Never, STATUS),
    ("deployments.apps", "Deployment", true, Generation::SpecAndAnnotations, SCALED),
    ("replicasets.apps", "ReplicaSet", true, Generation::Spec, SCALED),
    ("statefulsets.apps", "StatefulSet", true, Generation::Spec, SCALED),
    ("daemonsets.apps", "DaemonSet", true, Generation::Spec, STATUS),
    ("controllerrevisions.apps", "ControllerRevision", true, Generation::Never, &[]),
    ("poddisruptionbudgets.policy", "PodDisruptionBudget", true, Generation::Spec, STATUS),
    ("endpointslices.discovery.k8s.io", "EndpointSlice", true, Generation::ContentAndLabels, &[]),
    ("leases.coordination.k8s.io", "Lease", true, Generation::Never, &[]),
    ("priorityclasses.scheduling.k8s.io", "PriorityClass", false, Generation::First, &[]),
    ("ingresses.networking.k8s.io", "Ingress", true, Generation::Spec, STATUS),
    ("networkpolicies.networking.k8s.io", "NetworkPolicy", true, Generation::Spec, &[]),
    ("roles.rbac.authorization.k8s.io", "Role", true, Generation::Never, &[]),
    ("rolebindings.rbac.authorization.k8s.io", "RoleBinding", true, Generation::Never, &[]),
    ("clusterroles.rbac.authorization.k8s.io", "ClusterRole", false, Generation::Never, &[]),
    (
        "clusterrolebindings.rbac.authorization.k8s.io",
        "ClusterRoleBinding",
        false,
        Generation::Never,
        &[],
    ),
    ("storageclasses.storage.k8s.io", "StorageClass", false, Generation::Never, &[]),
    (
        "customresourcedefinitions.apiextensions.k8s.io",
        "CustomResourceDefinition",
        false,
        Generation::Spec,
        STATUS,
    ),
];

fn builtin(row: &Row) -> Type {
    let (resource, kind, namespaced, generation, subresources) = *row;
    let path = |path: &[&'static str]| path.iter().map(|key| Text::new_static(key)).collect();
    let scale = subresources.contains(&"scale").then(|| ScalePaths {
        spec: path(&["spec", "replicas"]),
        status: path(&["status", "replicas"]),
        selector: path(&["spec", "selector"]),
    });
    Type {
        resource: Resource::new(resource),
        kind: Text::new_static(kind),
        versions: vec![Text::new_static("v1")],
        namespaced,
        custom: false,
        subresources: subresources.iter().map(|name| Text::new_static(name)).collect(),
        scale,
        generation,
        structural: None,
    }
}
