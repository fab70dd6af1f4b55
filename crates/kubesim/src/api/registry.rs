//! The types that the API serves: built-in ones, and those that CustomResourceDefinitions add.

use std::collections::BTreeMap;
use std::sync::Arc;

use kubesim_model::Text;
use kubesim_model::request::Status;
use kubesim_model::resource::Resource;

use super::convert::Other;
use super::custom::Definition;
use super::errors;
use super::fields::Structural;

mod rows;

use rows::Row;

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
    /// `spec`, but none before its first change.
    ChangedSpec,
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
    /// Served versions, the one in use first, which is the stored one unless another was asked
    /// for: `v1`.
    pub versions: Vec<Text>,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Whether the type comes from a CustomResourceDefinition.
    pub custom: bool,
    /// Whether objects are only created, to be answered, and not stored: reviews and bindings.
    pub asked: bool,
    /// The subresources that are served, as in `status`.
    pub subresources: Vec<Text>,
    pub(super) scale: Option<ScalePaths>,
    pub(super) generation: Generation,
    /// What the definition of a custom type says of it.
    pub definition: Option<Arc<Definition>>,
    /// How objects of a custom type are taken apart when they are applied.
    pub(super) structural: Option<Arc<Structural>>,
}

/// Whether the API has a built-in type whose objects are stored in namespaces.
pub(crate) fn stores_in_namespaces(resource: &Resource) -> bool {
    rows::STORED.iter().any(|(name, _, namespaced, ..)| *namespaced && resource.as_str() == *name)
}

impl Type {
    /// `group/version` of the version in use; `v1` in the core group.
    pub fn api_version(&self) -> Text {
        self.qualified(self.versions.first().map_or("v1", Text::as_str))
    }

    /// Whether `api_version` is one of the served ones.
    pub fn serves(&self, api_version: &str) -> bool {
        let served = |name: &Text| {
            self.definition.as_ref().is_none_or(|definition| {
                definition.versions.iter().any(|version| version.served && version.name == *name)
            })
        };
        let mut versions = self.versions.iter();
        Other::of(self, api_version).is_some()
            || versions.any(|version| self.qualified(version) == api_version && served(version))
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
        let strict = match (self.resource.group(), self.resource.plural()) {
            ("storage.k8s.io", plural) => {
                !["storageclasses", "volumeattributesclasses"].contains(&plural)
            }
            ("admissionregistration.k8s.io" | "node.k8s.io" | "coordination.k8s.io", _)
            | ("policy" | "apiextensions.k8s.io" | "apiregistration.k8s.io", _) => true,
            _ => false,
        };
        !self.custom && !strict
    }

    /// Whether an update makes an object that is not there (`AllowCreateOnUpdate`, v1.36).
    pub(super) fn is_made_by_update(&self) -> bool {
        let groups = ["rbac.authorization.k8s.io", "coordination.k8s.io", "node.k8s.io"];
        let core = ["endpoints", "services", "events", "limitranges"];
        !self.custom
            && (core.contains(&self.resource.as_str()) || groups.contains(&self.resource.group()))
    }

    /// The type of a question that a subresource is asked, as failures name it.
    pub(super) fn subject(group: &str, kind: &'static str) -> Type {
        Type {
            resource: Resource::new(format!("{}s.{group}", kind.to_lowercase())),
            ..builtin(&("", kind, true, Generation::Never, &[]), true)
        }
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
    /// The same types in other versions than the stored one.
    others: Arc<BTreeMap<(Resource, Text), Arc<Type>>>,
}

impl Registry {
    /// The built-in types.
    pub(super) fn builtin() -> Self {
        let types = rows::STORED.iter().map(|row| builtin(row, false));
        let types = types.chain(rows::SHOWN.iter().map(|row| builtin(row, false)));
        let types = types.chain(rows::ASKED.iter().map(|row| builtin(row, true)));
        let types = types.map(|kind| (kind.resource.clone(), Arc::new(kind)));
        Registry { types: Arc::new(types.collect()), others: Arc::default() }
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

    /// The type of a resource in a version; in the stored one, if none is named.
    ///
    /// # Errors
    /// As [`Registry::find`].
    pub(super) fn in_version(
        &self,
        resource: &Resource,
        version: &Text,
    ) -> Result<Arc<Type>, Status> {
        let stored = self.find(resource)?;
        if version.is_empty() || stored.versions.first() == Some(version) {
            return Ok(stored);
        }
        let other = self.others.get(&(resource.clone(), version.clone()));
        Ok(other.cloned().unwrap_or(stored))
    }

    /// All types in the order of their names.
    pub(super) fn all(&self) -> impl Iterator<Item = &Type> {
        self.types.values().map(AsRef::as_ref)
    }

    /// Serves a custom type, or changes how it is served: a type for each version, the stored one
    /// first. Without any, it is served no more.
    pub(super) fn declare(&mut self, resource: &Resource, versions: Vec<Type>) {
        let multiple = versions.len() > 1 || self.others.keys().any(|(have, _)| have == resource);
        let mut versions = versions.into_iter().map(Arc::new);
        match versions.next() {
            Some(stored) => {
                Arc::make_mut(&mut self.types).insert(resource.clone(), stored);
            }
            None => self.remove(resource),
        }
        if multiple {
            let others = Arc::make_mut(&mut self.others);
            others.retain(|(have, _), _| have != resource);
            for other in versions {
                let version = other.versions.first().cloned().unwrap_or_default();
                others.insert((resource.clone(), version), other);
            }
        }
    }

    /// Serves a type no more.
    pub(super) fn remove(&mut self, resource: &Resource) {
        Arc::make_mut(&mut self.types).remove(resource);
        if self.others.keys().any(|(have, _)| have == resource) {
            Arc::make_mut(&mut self.others).retain(|(have, _), _| have != resource);
        }
    }
}

/// Whether objects of a built-in resource are questions, which are answered and not stored.
pub fn is_asked(resource: &Resource) -> bool {
    rows::ASKED.iter().any(|(name, ..)| resource.as_str() == *name)
}

fn builtin(row: &Row, asked: bool) -> Type {
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
        versions: versions(resource).iter().map(|version| Text::new_static(version)).collect(),
        namespaced,
        custom: false,
        asked,
        subresources: subresources.iter().map(|name| Text::new_static(name)).collect(),
        scale,
        generation,
        definition: None,
        structural: None,
    }
}

/// The versions that a built-in type is served in, the stored one first.
fn versions(resource: &str) -> &'static [&'static str] {
    match resource {
        "horizontalpodautoscalers.autoscaling" => &["v2", "v1"],
        _ => &["v1"],
    }
}
