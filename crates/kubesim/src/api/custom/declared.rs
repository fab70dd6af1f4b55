//! The types that definitions declare: one for each served version, which share what was compiled.

use std::sync::Arc;

use kubesim_model::request::Status;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, object};

use super::columns::Column;
use super::schema::Schema;
use crate::api::errors;
use crate::api::fields::Structural;
use crate::api::registry::{Generation, ScalePaths, Type};

/// What a CustomResourceDefinition says of its type, beyond what every [`Type`] has.
#[derive(Debug)]
pub struct Definition {
    /// The singular of the resource's name.
    pub singular: Text,
    /// The kind of lists, as in `WidgetList`.
    pub list_kind: Text,
    /// Short names for command lines.
    pub short_names: Vec<Text>,
    /// The groups of resources that it belongs to, as in `all`.
    pub categories: Vec<Text>,
    /// All versions in the order of the definition.
    pub versions: Vec<Version>,
    /// How objects get from one version to another.
    pub conversion: Conversion,
    /// Whether the definition is being deleted, so that nothing new is made.
    pub(in crate::api) is_ending: bool,
    /// Objects of older resourceVersions were stored under other schemas.
    since: u64,
    /// The `spec` of the definition.
    source: Tree,
}

/// A version of a custom type.
#[derive(Debug)]
pub struct Version {
    /// `v1`.
    pub name: Text,
    /// Whether it can be asked for.
    pub served: bool,
    /// Whether objects are stored in it.
    pub storage: bool,
    /// What is said to those who use it, if it is deprecated.
    pub deprecated: Option<Text>,
    /// What objects look like.
    pub schema: Arc<Schema>,
    /// The columns of tables, besides the name.
    pub columns: Vec<Column>,
    /// The fields that lists and watches can be narrowed by: `spec.color`.
    pub selectable: Vec<Text>,
    has_status: bool,
    scale: Option<ScalePaths>,
}

/// How objects get from one version to another.
#[derive(Clone, Debug, PartialEq)]
pub enum Conversion {
    /// Only `apiVersion` changes.
    None,
    /// A webhook is asked; its `webhook` configuration. The core can't call anyone: whoever drives
    /// it has to, and where nobody does, requests that need it are refused.
    Webhook(Tree),
}

impl PartialEq for Definition {
    fn eq(&self, other: &Self) -> bool {
        self.since == other.since
            && self.is_ending == other.is_ending
            && self.source == other.source
    }
}

/// The types that a definition declares, the one of the stored version first; none while its names
/// are not accepted. `rv` is the version of the definition, `old` what was declared before it.
pub(in crate::api) fn declare(definition: &Tree, old: Option<&Type>, rv: u64) -> Vec<Type> {
    if !object::has_condition(definition, "NamesAccepted")
        && !object::has_condition(definition, "Established")
    {
        return Vec::new();
    }
    let old = old.and_then(|old| old.definition.as_ref());
    let is_ending = object::has_condition(definition, "Terminating");
    let spec = &definition["spec"];
    let names = &definition["status"]["acceptedNames"];
    let same = old.filter(|old| old.source == *spec);
    let shared = match same {
        Some(old) if old.is_ending == is_ending => old.clone(),
        _ => {
            let since = same.map_or(if old.is_some() { rv } else { 0 }, |old| old.since);
            let texts = |field: &str| names[field].items().iter().map(Tree::text).collect();
            Arc::new(Definition {
                singular: names["singular"].text(),
                list_kind: names["listKind"].text(),
                short_names: texts("shortNames"),
                categories: texts("categories"),
                versions: versions(spec, same),
                conversion: match spec["conversion"]["strategy"].str() {
                    "Webhook" => Conversion::Webhook(spec["conversion"]["webhook"].clone()),
                    _ => Conversion::None,
                },
                is_ending,
                since,
                source: spec.clone(),
            })
        }
    };
    let mut order: Vec<&Version> = shared.versions.iter().collect();
    order.sort_by_key(|version| !version.storage);
    let in_use = order.iter().filter(|version| version.storage || version.served);
    in_use.map(|version| declared(&shared, version, &order, spec)).collect()
}

fn declared(
    definition: &Arc<Definition>,
    version: &Version,
    order: &[&Version],
    spec: &Tree,
) -> Type {
    let (plural, group) = (spec["names"]["plural"].str(), spec["group"].str());
    let others =
        order.iter().filter(|other| (other.served || other.storage) && other.name != version.name);
    let mut subresources = Vec::new();
    if version.scale.is_some() {
        subresources.push(Text::new_static("scale"));
    }
    if version.has_status {
        subresources.push(Text::new_static("status"));
    }
    let source = spec["versions"].items().iter().find(|one| one["name"] == *version.name);
    let schema = source.map_or(&Tree::Null, |one| &one["schema"]["openAPIV3Schema"]);
    let structural = Arc::new(Structural::of(schema));
    Type {
        resource: Resource::new(format!("{plural}.{group}")),
        kind: spec["names"]["kind"].text(),
        versions: std::iter::once(&version.name)
            .chain(others.map(|other| &other.name))
            .cloned()
            .collect(),
        namespaced: spec["scope"] == "Namespaced",
        custom: true,
        asked: false,
        subresources,
        scale: version.scale.clone(),
        generation: Generation::Content,
        structural: Some(structural),
        definition: Some(definition.clone()),
    }
}

fn versions(spec: &Tree, same: Option<&Arc<Definition>>) -> Vec<Version> {
    let kept = |at: usize| same.and_then(|same| same.versions.get(at)).map(|v| v.schema.clone());
    let mut compiled: Vec<(Tree, Arc<Schema>)> = Vec::new();
    let versions = spec["versions"].items().iter().enumerate();
    versions
        .map(|(at, version)| {
            let source = &version["schema"]["openAPIV3Schema"];
            // Versions often have one and the same schema.
            let schema = kept(at)
                .or_else(|| {
                    compiled.iter().find(|(have, _)| have == source).map(|(_, s)| s.clone())
                })
                .unwrap_or_else(|| Arc::new(Schema::of_resource(source)));
            compiled.push((source.clone(), schema.clone()));
            let fields = version["selectableFields"].items().iter();
            Version {
                name: version["name"].text(),
                served: version["served"].is_true(),
                storage: version["storage"].is_true(),
                deprecated: version["deprecated"].is_true().then(|| deprecation(spec, version)),
                schema,
                columns: version["additionalPrinterColumns"]
                    .items()
                    .iter()
                    .map(Column::read)
                    .collect(),
                selectable: fields
                    .map(|field| Text::new(field["jsonPath"].str().trim_start_matches('.')))
                    .collect(),
                has_status: version["subresources"]["status"].as_map().is_some(),
                scale: scale_paths(&version["subresources"]["scale"]),
            }
        })
        .collect()
}

/// What is said of a deprecated version, unless its definition says it (v0.36, `apiserver`
/// `defaultDeprecationWarning`).
fn deprecation(spec: &Tree, version: &Tree) -> Text {
    if let Some(text) = version["deprecationWarning"].as_str() {
        return Text::new(text);
    }
    let (group, kind, name) =
        (spec["group"].str(), spec["names"]["kind"].str(), version["name"].str());
    let mut text = format!("{group}/{name} {kind} is deprecated");
    let newer = spec["versions"]
        .items()
        .iter()
        .filter(|other| other["served"].is_true() && !other["deprecated"].is_true())
        .map(|other| other["name"].str())
        .filter(|other| rank(other) > rank(name))
        .max_by_key(|other| rank(other));
    if let Some(newer) = newer {
        text += &format!("; use {group}/{newer} {kind}");
    }
    Text::from(text)
}

/// The order of versions: `v2` before `v1` before `v2beta1` before `v1alpha1` before all others,
/// which are ordered by their texts backwards (apimachinery v0.36, `pkg/version`).
pub(super) fn rank(version: &str) -> (u8, u64, u64, std::cmp::Reverse<&str>) {
    let other = (0, 0, 0, std::cmp::Reverse(version));
    let Some(rest) = version.strip_prefix('v') else { return other };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let Ok(major) = rest[..end].parse() else { return other };
    let stage = |name: &str| rest[end..].strip_prefix(name).and_then(|minor| minor.parse().ok());
    let same = std::cmp::Reverse("");
    match (&rest[end..], stage("beta"), stage("alpha")) {
        ("", ..) => (3, major, 0, same),
        (_, Some(minor), _) => (2, major, minor, same),
        (_, _, Some(minor)) => (1, major, minor, same),
        _ => other,
    }
}

fn scale_paths(scale: &Tree) -> Option<ScalePaths> {
    let path = |field: &str| -> Option<Vec<Text>> {
        let text = scale[field].as_str()?.strip_prefix('.')?;
        Some(text.split('.').map(Text::new).collect())
    };
    Some(ScalePaths {
        spec: path("specReplicasPath")?,
        status: path("statusReplicasPath")?,
        selector: path("labelSelectorPath").unwrap_or_default(),
    })
}

impl Type {
    /// What the definition of a custom type says of the version in use; `None` for built-in types.
    pub fn version(&self) -> Option<&Version> {
        let definition = self.definition.as_ref()?;
        let name = self.versions.first()?;
        definition.versions.iter().find(|version| version.name == *name)
    }

    /// The schema of a custom type in the version in use.
    pub fn schema(&self) -> Option<&Schema> {
        self.version().map(|version| version.schema.as_ref())
    }

    /// Whether a stored object is what the version in use shows.
    pub(in crate::api) fn is_shown_as_stored(&self, stored: &Tree) -> bool {
        let Some(definition) = &self.definition else { return true };
        let since = definition.since;
        self.is_version_of(stored) && (since == 0 || object::resource_version(stored) > since)
    }

    /// Whether an object of a custom type is in the version in use.
    pub(in crate::api) fn is_version_of(&self, object: &Tree) -> bool {
        let have = name_in(object["apiVersion"].str());
        self.versions.first().is_some_and(|version| version == have)
    }

    /// An object as it is read from the store, with all that its version's schema makes of it.
    ///
    /// # Errors
    /// 500 when defaults make it too large.
    pub(in crate::api) fn read(&self, stored: Tree) -> Result<Tree, Status> {
        let mut read = stored;
        let definition = self.definition.as_ref();
        let version = definition.and_then(|have| have.version_of(read["apiVersion"].str()));
        if let Some(version) = version {
            fit(&mut read, version)?;
        }
        Ok(read)
    }
}

/// Gives a whole object the form that a version's schema wants.
fn fit(object: &mut Tree, version: &Version) -> Result<(), Status> {
    version.schema.prune(object, &Tree::Null);
    version.schema.drop_nulls(object, &Tree::Null);
    match version.schema.fill(object, &Tree::Null) {
        true => Ok(()),
        false => Err(errors::failed("the defaults of the object's schema make it too large")),
    }
}

/// The version in `group/version`.
fn name_in(api_version: &str) -> &str {
    api_version.rsplit_once('/').map_or(api_version, |(_, version)| version)
}

impl Definition {
    fn version_of(&self, api_version: &str) -> Option<&Version> {
        let name = name_in(api_version);
        self.versions.iter().find(|version| version.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::rank;

    #[test]
    fn newer_and_more_stable_versions_come_first() {
        let order = ["foo1", "foo10", "v10alpha1", "v11beta2", "v1", "v2", "v10"];
        let mut sorted = order;
        sorted.sort_by_key(|version| rank(version));
        assert_eq!(sorted, ["foo10", "foo1", "v10alpha1", "v11beta2", "v1", "v2", "v10"]);
    }
}
