//! OpenAPI v3: what the types are made of, a document for each group and version, made of the same
//! tables that the server reads objects by. kubectl validates, explains and applies by it.

use kubesim::api::{Api, Type};
use kubesim_model::map;
use kubesim_model::tree::Tree;

use crate::discovery::{groups, qualified, served};
use crate::schemas::{self, Document};

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
        for (path, operations) in operations(kind, group, version) {
            paths.set(&[&path], operations);
        }
        schemas::add(&mut schemas, Document::V3, api, kind, (group, version));
    }
    if paths.as_map().is_none_or(|paths| paths.is_empty()) {
        return None;
    }
    Some(map! {
        "openapi" => "3.0.0", "info" => map! { "title" => "Kubernetes", "version" => "v1.36.3" },
        "paths" => paths, "components" => map! { "schemas" => schemas },
    })
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
            "x-kubernetes-group-version-kind" => schemas::named(kind, group, version),
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
