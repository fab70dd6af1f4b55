//! OpenAPI v3: what the types are made of, a document for each group and version, made of the same
//! tables that the server reads objects by. kubectl validates, explains and applies by it.

use kubesim::api::{Api, Type, type_schemas};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{list, map};

use crate::discovery::{groups, qualified, served};

/// The list of all documents.
pub(crate) fn index(api: &Api) -> Tree {
    let mut paths = Tree::map();
    for (group, versions) in groups(api) {
        for version in versions {
            let root = if group.is_empty() { "api" } else { "apis" };
            let name = format!("{root}/{}", qualified(group, &version));
            // Clients keep a document as long as its hash is the same.
            let hash = document(api, group, &version).map_or(0, |document| document.digest());
            let url = format!("/openapi/v3/{name}?hash={hash:016X}");
            paths.set(&[&name], map! { "serverRelativeURL" => url });
        }
    }
    map! { "paths" => paths }
}

/// The document of a group and version, if it is served.
pub(crate) fn document(api: &Api, group: &str, version: &str) -> Option<Tree> {
    let (mut paths, mut schemas) = (Tree::map(), Tree::map());
    for kind in served(api, group, version) {
        let named = named(kind, group, version);
        for (path, operations) in operations(kind, group, version) {
            paths.set(&[&path], operations);
        }
        let mut schema = match kind.custom {
            true => custom_schema(api, kind, version),
            false => {
                let mut known =
                    type_schemas(&kind.kind, &|name| schema_name(group, version, kind, name));
                let own = known.remove(&schema_name(group, version, kind, &kind.kind));
                for (name, schema) in known {
                    schemas.set(&[&name], schema);
                }
                own.unwrap_or_else(|| map! { "type" => "object" })
            }
        };
        schema.set(&["x-kubernetes-group-version-kind"], list![named]);
        schemas.set(&[&schema_name(group, version, kind, &kind.kind)], schema);
    }
    if paths.as_map().is_none_or(|paths| paths.is_empty()) {
        return None;
    }
    Some(map! {
        "openapi" => "3.0.0", "info" => map! { "title" => "Kubernetes", "version" => "v1.36.3" },
        "paths" => paths, "components" => map! { "schemas" => schemas },
    })
}

fn named(kind: &Type, group: &str, version: &str) -> Tree {
    map! { "group" => group, "version" => version, "kind" => kind.kind.clone() }
}

/// How a type is called among schemas. The last part is what people see.
fn schema_name(group: &str, version: &str, kind: &Type, name: &str) -> String {
    const META: [&str; 5] = [
        "ObjectMeta",
        "OwnerReference",
        "ManagedFieldsEntry",
        "LabelSelector",
        "LabelSelectorRequirement",
    ];
    if META.contains(&name) {
        return format!("io.k8s.apimachinery.pkg.apis.meta.v1.{name}");
    }
    if kind.custom {
        let reversed: Vec<&str> = group.rsplit('.').collect();
        return format!("{}.{version}.{name}", reversed.join("."));
    }
    if name != kind.kind {
        return format!("io.k8s.api.core.v1.{name}");
    }
    let short = group.split('.').next().filter(|short| !short.is_empty()).unwrap_or("core");
    format!("io.k8s.api.{short}.{version}.{name}")
}

/// The schema that a definition gives a version, with the fields that every object has.
fn custom_schema(api: &Api, kind: &Type, version: &str) -> Tree {
    let key = ObjectKey::new("", kind.resource.as_str());
    let definition = api.get(&Resource::CUSTOM_RESOURCE_DEFINITIONS, &key);
    let versions = definition.map(|found| found["spec"]["versions"].items()).unwrap_or_default();
    let found = versions.iter().find(|one| one["name"] == version);
    let mut schema = found.map(|one| one["schema"]["openAPIV3Schema"].clone()).unwrap_or_default();
    if schema.as_map().is_none() {
        schema = map! { "type" => "object", "x-kubernetes-preserve-unknown-fields" => true };
    }
    for field in ["apiVersion", "kind"] {
        schema.set(&["properties", field], map! { "type" => "string" });
    }
    schema.set(&["properties", "metadata"], map! { "type" => "object" });
    schema
}

/// The paths of a type with what can be done there, as far as clients look for it.
fn operations(kind: &Type, group: &str, version: &str) -> Vec<(String, Tree)> {
    let root = if group.is_empty() { "/api" } else { "/apis" };
    let namespace = if kind.namespaced { "/namespaces/{namespace}" } else { "" };
    let plural = kind.resource.plural();
    let base = format!("{root}/{}{namespace}/{plural}", qualified(group, version));
    let parameter = |name: &str, shape: &str| {
        map! {
            "name" => name, "in" => "query", "schema" => map! { "type" => shape, "uniqueItems" => true },
        }
    };
    let operation = |action: &str, names: &[(&str, &str)]| {
        let parameters = names.iter().map(|(name, shape)| parameter(name, shape));
        map! {
            "x-kubernetes-action" => action, "parameters" => parameters.collect::<Vec<_>>(),
            "x-kubernetes-group-version-kind" => named(kind, group, version),
            "responses" => map! { "200" => map! { "description" => "OK" } },
        }
    };
    let write = [("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string")];
    let patch = [&write[..], &[("force", "boolean")]].concat();
    let list = [
        ("labelSelector", "string"),
        ("fieldSelector", "string"),
        ("limit", "integer"),
        ("continue", "string"),
        ("watch", "boolean"),
    ];
    vec![
        (
            base.clone(),
            map! { "get" => operation("list", &list), "post" => operation("post", &write) },
        ),
        (
            format!("{base}/{{name}}"),
            map! {
                "get" => operation("get", &[]), "put" => operation("put", &write),
                "patch" => operation("patch", &patch), "delete" => operation("delete", &write[..1]),
            },
        ),
    ]
}
