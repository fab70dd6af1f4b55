//! What an HTTP request asks an API server for.

use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, header};
use kubesim_http::{Path, read_path};
use kubesim_model::request::{Request, Verb};

/// What a request asks for, as far as faults and records need it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    /// Without its body. A watch is the list that it begins with.
    pub(super) request: Request,
    /// Whether it opens a watch.
    pub(super) is_watch: bool,
    /// Whether it asks for some objects only, or for a later page of them.
    pub(super) is_selective: bool,
    /// Whether it asks for the objects' metadata only, or for a table.
    pub(super) is_partial: bool,
}

/// What a request asks for; `None` if it is not about objects.
pub(super) fn asked(head: &Parts) -> Option<Asked> {
    let Some(Path::Objects { resource, key, subresource, .. }) = read_path(head.uri.path()) else {
        return None;
    };
    let query = head.uri.query().unwrap_or_default();
    let has = |name: &str| query.split('&').any(|part| value_of(part, name).is_some());
    let is_watch =
        query.split('&').any(|part| matches!(value_of(part, "watch"), Some("true" | "1")));
    let named = !key.name.is_empty();
    let verb = match (&head.method, named) {
        (&Method::GET, true) => Verb::Get,
        (&Method::GET, false) => Verb::List,
        (&Method::POST, _) => Verb::Create,
        (&Method::PUT, _) => Verb::Update,
        (&Method::PATCH, _) => patch(&head.headers),
        (&Method::DELETE, true) => Verb::Delete,
        (&Method::DELETE, false) => Verb::DeleteCollection,
        _ => return None,
    };
    let request = Request { subresource, ..Request::new(verb, resource, key) };
    let selects = ["labelSelector", "fieldSelector", "continue"];
    Some(Asked {
        request,
        is_watch: is_watch && verb == Verb::List,
        is_selective: selects.into_iter().any(has),
        is_partial: text_of(&head.headers, header::ACCEPT).contains("as="),
    })
}

/// The value of a part of a query, if it is of this name and says anything.
fn value_of<'a>(part: &'a str, name: &str) -> Option<&'a str> {
    part.strip_prefix(name)?.strip_prefix('=').filter(|value| !value.is_empty())
}

fn patch(headers: &HeaderMap) -> Verb {
    match text_of(headers, header::CONTENT_TYPE).split(';').next() {
        Some("application/json-patch+json") => Verb::JsonPatch,
        Some("application/strategic-merge-patch+json") => Verb::StrategicPatch,
        Some("application/apply-patch+yaml") => Verb::Apply,
        _ => Verb::MergePatch,
    }
}

/// The text of a header; empty if it has none.
pub(super) fn text_of(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubesim_model::resource::{ObjectKey, Resource};

    fn of(method: &str, uri: &str, headers: &[(&str, &str)]) -> Option<Asked> {
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        asked(&request.body(()).expect("a request").into_parts().0)
    }

    #[test]
    fn requests_are_read_from_method_and_path() {
        let patch = [("content-type", "application/strategic-merge-patch+json")];
        let uri = "/apis/apps/v1/namespaces/default/deployments/web/status";
        let asked = of("PATCH", uri, &patch).expect("it is about an object");
        assert_eq!(asked.request.verb, Verb::StrategicPatch);
        assert_eq!(asked.request.resource, Resource::new("deployments.apps"));
        assert_eq!(asked.request.key, ObjectKey::new("default", "web"));
        assert_eq!(asked.request.subresource, "status");
        assert!(!asked.is_watch && !asked.is_selective && !asked.is_partial);
    }

    #[test]
    fn watches_selections_and_partial_objects_are_known() {
        let accept = [("accept", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")];
        let watch = of("GET", "/api/v1/pods?watch=true&labelSelector=", &accept).expect("a watch");
        assert!(watch.is_watch && watch.is_partial && !watch.is_selective);
        let some = of("GET", "/api/v1/pods?labelSelector=app%3Dweb", &[]).expect("a list");
        assert!(some.is_selective && !some.is_watch);
        assert_eq!(of("GET", "/openapi/v3", &[]), None);
        assert_eq!(of("GET", "/api/v1", &[]), None);
    }
}
