//! What a server says of itself: version, health, and which resources it serves.

use std::collections::BTreeMap;

use http::header;
use kubesim::api::{Api, Type};
use kubesim_model::request::Status;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map};

use crate::reply::{Reply, json, status};

/// A question about the server: its path.
#[derive(Clone, Debug, PartialEq)]
pub struct Meta(String);

impl Meta {
    /// The question that a path asks.
    pub fn new(path: &str) -> Self {
        Meta(path.to_owned())
    }

    /// Answers it.
    pub fn answer(&self, api: &Api) -> Reply {
        let parts: Vec<&str> = self.0.split('/').filter(|part| !part.is_empty()).collect();
        let body = match parts.as_slice() {
            ["version"] => Some(version()),
            ["healthz" | "livez" | "readyz"] => return healthy(),
            ["api"] => Some(map! {
                "kind" => "APIVersions", "versions" => list!["v1"],
                "serverAddressByClientCIDRs" => list![],
            }),
            ["apis"] => Some(groups(api)),
            ["apis", group] => group_of(api, group),
            ["api", version] => resources(api, "", version),
            ["apis", group, version] => resources(api, group, version),
            _ => None,
        };
        let unknown = || Status::new(404, "NotFound", "the server could not find this");
        body.map_or_else(|| status(&unknown()), |body| json(200, &body))
    }
}

/// Refuses a version in which a type is not served. An unknown type is left to the server.
pub fn serves(api: &Api, resource: &Resource, version: &str) -> Result<(), Status> {
    match api.resources().find(|kind| kind.resource == *resource) {
        Some(kind) if !kind.serves(version) => Err(Status::new(
            404,
            "NotFound",
            format!("{resource} is not served in {version}, but in {}", kind.api_version()),
        )),
        _ => Ok(()),
    }
}

fn healthy() -> Reply {
    let mut reply = Reply::new("ok".into());
    let plain = header::HeaderValue::from_static("text/plain");
    reply.headers_mut().insert(header::CONTENT_TYPE, plain);
    reply
}

fn version() -> Tree {
    map! {
        "major" => "1", "minor" => "36", "gitVersion" => "v1.36.2+kubesim", "gitCommit" => "",
        "gitTreeState" => "clean", "buildDate" => "2026-01-01T00:00:00Z", "goVersion" => "",
        "compiler" => "rustc", "platform" => "linux/amd64",
    }
}

fn groups(api: &Api) -> Tree {
    let mut versions: BTreeMap<&str, Vec<Text>> = BTreeMap::new();
    for kind in api.resources().filter(|kind| !kind.resource.group().is_empty()) {
        let known = versions.entry(kind.resource.group()).or_default();
        for version in &kind.versions {
            if !known.contains(version) {
                known.push(version.clone());
            }
        }
    }
    let groups = versions.iter().map(|(group, versions)| api_group(group, versions));
    let groups: Vec<Tree> = groups.collect();
    map! { "kind" => "APIGroupList", "apiVersion" => "v1", "groups" => groups }
}

fn group_of(api: &Api, group: &str) -> Option<Tree> {
    let all = groups(api);
    let mut found = all["groups"].items().iter().find(|have| have["name"] == group)?.clone();
    found.set(&["kind"], "APIGroup");
    found.set(&["apiVersion"], "v1");
    Some(found)
}

fn api_group(group: &str, versions: &[Text]) -> Tree {
    let versions: Vec<Tree> = versions
        .iter()
        .map(|version| {
            map! { "groupVersion" => format!("{group}/{version}"), "version" => version }
        })
        .collect();
    map! {
        "name" => group, "preferredVersion" => versions.first().cloned(), "versions" => versions,
    }
}

fn resources(api: &Api, group: &str, version: &str) -> Option<Tree> {
    let name = match group {
        "" => version.to_owned(),
        group => format!("{group}/{version}"),
    };
    let of_group = |kind: &&Type| kind.resource.group() == group && kind.serves(&name);
    let resources: Vec<Tree> = api.resources().filter(of_group).flat_map(rows).collect();
    if resources.is_empty() {
        return None;
    }
    Some(map! {
        "kind" => "APIResourceList", "apiVersion" => "v1", "groupVersion" => name,
        "resources" => resources,
    })
}

/// A resource and its subresources, as legacy discovery lists them.
fn rows(kind: &Type) -> Vec<Tree> {
    let row = |name: String, kind_name: &str, verbs: Tree| {
        map! {
            "name" => name, "singularName" => "", "namespaced" => kind.namespaced,
            "kind" => kind_name, "verbs" => verbs,
        }
    };
    let verbs = match kind.asked {
        true => list!["create"],
        false => {
            list!["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch",]
        }
    };
    let plural = kind.resource.plural();
    let mut rows = vec![row(plural.to_owned(), &kind.kind, verbs)];
    for subresource in &kind.subresources {
        let (shown, verbs) = match subresource.as_str() {
            "eviction" => ("Eviction", list!["create"]),
            "binding" => ("Binding", list!["create"]),
            "token" => ("TokenRequest", list!["create"]),
            "scale" => ("Scale", list!["get", "patch", "update"]),
            _ => (kind.kind.as_str(), list!["get", "patch", "update"]),
        };
        rows.push(row(format!("{plural}/{subresource}"), shown, verbs));
    }
    rows
}
