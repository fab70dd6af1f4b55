//! URL paths: which resource, object and subresource they name.

use kubesim_model::Text;
use kubesim_model::resource::{ObjectKey, Resource};

/// What a path names.
#[derive(Clone, Debug, PartialEq)]
pub enum Path {
    /// A resource, an object or a subresource, and the `group/version` it is asked for in.
    Objects {
        /// `v1`, `apps/v1`.
        version: String,
        /// The resource.
        resource: Resource,
        /// The namespace, empty for all and for what has none, and the name, empty for all.
        key: ObjectKey,
        /// `status`, …; empty for the object itself.
        subresource: Text,
    },
    /// Something about the server; the path as it is.
    Server,
}

/// Reads a path; `None` for one that no API server has.
pub fn read(path: &str) -> Option<Path> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (group, version, rest) = match parts.as_slice() {
        [] | ["version" | "api" | "apis"] => return Some(Path::Server),
        ["healthz" | "livez" | "readyz" | "openapi", ..] => return Some(Path::Server),
        ["api", _] | ["apis", _] | ["apis", _, _] => return Some(Path::Server),
        ["api", version, rest @ ..] => ("", (*version).to_owned(), rest),
        ["apis", group, version, rest @ ..] => (*group, format!("{group}/{version}"), rest),
        _ => return None,
    };
    let (namespace, rest) = match rest {
        // `namespaces/NAME` and its two subresources are about the namespace itself.
        ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => ("", rest),
        ["namespaces", namespace, inside @ ..] => (*namespace, inside),
        _ => ("", rest),
    };
    let (plural, name, subresource) = match rest {
        [plural] => (plural, "", ""),
        [plural, name] => (plural, *name, ""),
        [plural, name, subresource] => (plural, *name, *subresource),
        _ => return None,
    };
    let resource = match group {
        "" => Resource::new(*plural),
        group => Resource::new(format!("{plural}.{group}")),
    };
    let key = ObjectKey::new(namespace, name);
    Some(Path::Objects { version, resource, key, subresource: Text::new(subresource) })
}
