//! Custom resources: the types that CustomResourceDefinitions declare.
//!
//! Objects of such types are stored as they come: schemas are neither checked nor used for
//! defaults.

use std::sync::Arc;

use kubesim_model::Text;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;

use super::errors::Cause;
use super::fields::Structural;
use super::registry::{Generation, ScalePaths, Type};

/// The type that a valid definition declares.
pub(super) fn declared(definition: &Tree) -> Option<Type> {
    let spec = &definition["spec"];
    let names = &spec["names"];
    let (plural, group) = (names["plural"].as_str()?, spec["group"].as_str()?);
    let versions = spec["versions"].items();
    let stored = versions.iter().find(|version| version["storage"].is_true())?;
    let others = versions
        .iter()
        .filter(|version| version["served"].is_true() && version["name"] != stored["name"]);
    let has_status = stored["subresources"]["status"].as_map().is_some();
    let scale = scale_paths(&stored["subresources"]["scale"]);
    let mut subresources = Vec::new();
    if scale.is_some() {
        subresources.push(Text::new_static("scale"));
    }
    if has_status {
        subresources.push(Text::new_static("status"));
    }
    Some(Type {
        resource: Resource::new(format!("{plural}.{group}")),
        kind: names["kind"].text(),
        versions: std::iter::once(stored).chain(others).map(|v| v["name"].text()).collect(),
        namespaced: spec["scope"] == "Namespaced",
        custom: true,
        subresources,
        scale,
        generation: Generation::Content,
        structural: Some(Arc::new(Structural::of(&stored["schema"]["openAPIV3Schema"]))),
    })
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

/// Why a definition can't be served.
pub(super) fn problems(definition: &Tree) -> Vec<Cause> {
    let spec = &definition["spec"];
    let mut causes = Vec::new();
    for (field, value) in [
        ("spec.group", &spec["group"]),
        ("spec.names.plural", &spec["names"]["plural"]),
        ("spec.names.kind", &spec["names"]["kind"]),
    ] {
        if value.str().is_empty() {
            causes.push(Cause::required(field, ""));
        }
    }
    let scope = &spec["scope"];
    if *scope != "Namespaced" && *scope != "Cluster" {
        causes.push(Cause::not_supported("spec.scope", scope, &["Cluster", "Namespaced"]));
    }
    let stored = spec["versions"].items().iter().filter(|one| one["storage"].is_true()).count();
    if stored != 1 {
        let detail = "must have exactly one version marked as storage version";
        causes.push(Cause::invalid("spec.versions", &spec["versions"], detail));
    }
    for (at, version) in spec["versions"].items().iter().enumerate() {
        let scale = &version["subresources"]["scale"];
        if version["name"].str().is_empty() {
            causes.push(Cause::required(format!("spec.versions[{at}].name"), ""));
        }
        if !scale.is_null() && scale_paths(scale).is_none() {
            let field = format!("spec.versions[{at}].subresources.scale");
            causes.push(Cause::invalid(field, scale, "paths must begin with a dot"));
        }
    }
    let (plural, group) = (spec["names"]["plural"].str(), spec["group"].str());
    let name = &definition["metadata"]["name"];
    if *name != format!("{plural}.{group}").as_str() {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        causes.push(Cause::invalid("metadata.name", name, detail));
    }
    causes
}
