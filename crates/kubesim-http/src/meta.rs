//! What a server says of itself: version, health, which resources it serves and what they are.

use http::header::{self, HeaderValue};
use kubesim::api::Api;
use kubesim_model::request::Status;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{list, map};

use crate::reply::{Reply, json, status};
use crate::{discovery, openapi, openapi_v2};

/// What is answered, as a text, to a path that leads nowhere.
pub(crate) const NO_PAGE: &str = "404 page not found";

/// A question about the server: its path, and what the client accepts.
#[derive(Clone, Debug, PartialEq)]
pub struct Meta {
    path: String,
    accept: String,
}

impl Meta {
    /// The question that a path asks.
    pub fn new(path: &str, accept: &str) -> Self {
        Meta { path: path.to_owned(), accept: accept.to_owned() }
    }

    /// Answers it.
    pub fn answer(&self, api: &Api) -> Reply {
        let parts: Vec<&str> = self.path.split('/').filter(|part| !part.is_empty()).collect();
        let body = match parts.as_slice() {
            [] => Some(paths(api)),
            ["version"] => Some(version()),
            ["healthz" | "livez" | "readyz"] | ["healthz" | "livez" | "readyz", "ping"] => {
                return text(200, "ok");
            }
            ["api" | "apis"] => return self.everything(api, parts == ["api"]),
            ["apis", group] => discovery::group(api, group),
            ["api", version] => discovery::resources(api, "", version),
            ["apis", group, version] => discovery::resources(api, group, version),
            ["openapi", "v2"] => return openapi_v2::document(api, &self.accept),
            ["openapi", "v3"] => Some(openapi::index(api)),
            ["openapi", "v3", "api", version] => openapi::document(api, "", version),
            ["openapi", "v3", "apis", group, version] => openapi::document(api, group, version),
            _ => None,
        };
        let lost = || match parts.as_slice() {
            ["api", _] => lost(api, ""),
            ["apis", group, _] => lost(api, group),
            _ => no_page(),
        };
        body.map_or_else(|| status(&lost()), |body| json(200, &body))
    }

    fn everything(&self, api: &Api, core: bool) -> Reply {
        let Some(version) = discovery::aggregated_version(&self.accept) else {
            let all = if core { discovery::core_versions() } else { discovery::group_list(api) };
            return json(200, &all);
        };
        let mut reply = json(200, &discovery::aggregated(api, core, version));
        let kind =
            format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
        if let Ok(kind) = HeaderValue::from_str(&kind) {
            reply.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        reply
    }
}

/// Refuses a resource in a version in which it is not served.
///
/// # Errors
/// 404: without a Status where nothing built-in of the group is served.
pub fn serves(api: &Api, resource: &Resource, version: &str) -> Result<(), Status> {
    let mut kinds = api.resources();
    if kinds.any(|kind| kind.resource == *resource && kind.serves(version)) {
        return Ok(());
    }
    Err(lost(api, resource.group()))
}

/// 404 for what a group has not; of one that has only custom types nobody knows more than that.
fn lost(api: &Api, group: &str) -> Status {
    if !api.resources().any(|kind| kind.resource.group() == group && !kind.custom) {
        return no_page();
    }
    let text = "the server could not find the requested resource";
    let mut status = Status::new(404, "NotFound", text);
    status.details = Tree::map();
    status
}

/// 404 without a Status.
pub(crate) fn no_page() -> Status {
    Status::new(404, "", NO_PAGE)
}

/// A text.
pub(crate) fn text(code: u16, body: &'static str) -> Reply {
    let mut reply = json(code, &Tree::Null);
    *reply.body_mut() = body.into();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    reply.headers_mut().insert(header::CONTENT_TYPE, plain);
    reply
}

fn version() -> Tree {
    map! {
        "major" => "1", "minor" => "36", "emulationMajor" => "1", "emulationMinor" => "36",
        "minCompatibilityMajor" => "1", "minCompatibilityMinor" => "35",
        "gitVersion" => "v1.36.3+kubesim", "gitCommit" => "", "gitTreeState" => "clean",
        "buildDate" => "2026-01-01T00:00:00Z", "goVersion" => "", "compiler" => "rustc",
        "platform" => "linux/amd64",
    }
}

/// The paths that there are.
fn paths(api: &Api) -> Tree {
    let mut paths: Vec<String> = [
        "/healthz",
        "/livez",
        "/openapi/v2",
        "/openapi/v3",
        "/readyz",
        "/version",
        "/api",
        "/apis",
    ]
    .map(str::to_owned)
    .to_vec();
    for (group, versions) in discovery::groups(api) {
        if !group.is_empty() {
            paths.push(format!("/apis/{group}"));
        }
        let root = if group.is_empty() { "/api" } else { "/apis" };
        let qualified = versions.iter().map(|version| discovery::qualified(group, version));
        paths.extend(qualified.map(|version| format!("{root}/{version}")));
    }
    paths.sort();
    let paths: Vec<Tree> = paths.into_iter().map(Tree::from).collect();
    map! { "paths" => if paths.is_empty() { list![] } else { paths.into() } }
}
