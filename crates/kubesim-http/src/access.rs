//! What a request wants to do, as authorizers are told before anybody looks at its body (apiserver
//! v0.36, `endpoints/request/requestinfo.go`).

use http::Method;
use http::request::Parts;
use kubesim::api::Access;
use kubesim_model::Text;

use crate::query::flag;

/// The subresources of namespaces, which are no resources in them.
const OF_NAMESPACES: [&str; 2] = ["status", "finalize"];

/// What a request wants to do.
pub fn access(head: &Parts) -> Access {
    let path = head.uri.path();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (group, rest) = match parts.as_slice() {
        ["api", _, rest @ ..] if !rest.is_empty() => ("", rest),
        ["apis", group, _, rest @ ..] if !rest.is_empty() => (*group, rest),
        _ => {
            let verb = Text::from(head.method.as_str().to_lowercase());
            return Access { verb, path: Some(Text::new(path)), ..Access::default() };
        }
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, inside, ..] if !OF_NAMESPACES.contains(inside) => {
            (*namespace, &rest[2..])
        }
        ["namespaces", namespace, ..] => (*namespace, rest),
        _ => ("", rest),
    };
    let part = |at: usize| Text::new(rest.get(at).copied().unwrap_or_default());
    let (resource, mut name, subresource) = (part(0), part(1), part(2));
    let verb = verb(head, name.is_empty());
    if ["list", "watch"].contains(&verb) && name.is_empty() {
        name = selected_name(head);
    }
    Access {
        verb: Text::new_static(verb),
        group: Text::new(group),
        resource,
        subresource,
        namespace: Text::new(namespace),
        name,
        path: None,
    }
}

fn verb(head: &Parts, is_collection: bool) -> &'static str {
    match (&head.method, is_collection) {
        (&Method::GET | &Method::HEAD, true)
            if option(head, "watch").is_some_and(|it| flag(&it)) =>
        {
            "watch"
        }
        (&Method::GET | &Method::HEAD, true) => "list",
        (&Method::GET | &Method::HEAD, false) => "get",
        (&Method::POST, _) => "create",
        (&Method::PUT, _) => "update",
        (&Method::PATCH, _) => "patch",
        (&Method::DELETE, true) => "deletecollection",
        (&Method::DELETE, false) => "delete",
        _ => "",
    }
}

/// The one name that a list or a watch may find.
fn selected_name(head: &Parts) -> Text {
    let selector = option(head, "fieldSelector").unwrap_or_default();
    let mut names = selector.split(',').filter_map(|term| {
        let (field, value) = term.split_once('=')?;
        (field == "metadata.name").then(|| value.trim_start_matches('='))
    });
    Text::new(names.next().unwrap_or_default())
}

fn option(head: &Parts, name: &str) -> Option<String> {
    let query = head.uri.query().unwrap_or_default();
    let mut all = form_urlencoded::parse(query.as_bytes());
    all.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn told(method: &str, uri: &str) -> String {
        let (head, ()) = Request::builder().method(method).uri(uri).body(()).unwrap().into_parts();
        let access = access(&head);
        let Access { verb, group, resource, subresource, namespace, name, path } = &access;
        match path {
            Some(path) => format!("{verb} {path}"),
            None => format!("{verb} {group}|{resource}|{subresource}|{namespace}|{name}"),
        }
    }

    #[test]
    fn what_a_request_wants_stands_in_its_method_and_its_url() {
        for (method, uri, wanted) in [
            ("GET", "/version", "get /version"),
            ("GET", "/apis/apps/v1", "get /apis/apps/v1"),
            ("GET", "/api/v1", "get /api/v1"),
            ("GET", "/api/v1/pods", "list |pods|||"),
            ("GET", "/api/v1/namespaces/n/pods?watch=true", "watch |pods||n|"),
            ("GET", "/api/v1/namespaces/n/pods?watch=0", "list |pods||n|"),
            ("GET", "/api/v1/pods?fieldSelector=metadata.name%3Da", "list |pods|||a"),
            ("GET", "/api/v1/namespaces/n/pods/a/log", "get |pods|log|n|a"),
            ("GET", "/api/v1/namespaces/n", "get |namespaces||n|n"),
            ("PUT", "/api/v1/namespaces/n/finalize", "update |namespaces|finalize|n|n"),
            ("GET", "/api/v1/namespaces", "list |namespaces|||"),
            ("POST", "/apis/apps/v1/namespaces/n/deployments", "create apps|deployments||n|"),
            ("PATCH", "/apis/apps/v1/namespaces/n/deployments/a", "patch apps|deployments||n|a"),
            ("DELETE", "/api/v1/nodes", "deletecollection |nodes|||"),
            ("DELETE", "/api/v1/nodes/a", "delete |nodes|||a"),
            ("POST", "/nonsense", "post /nonsense"),
        ] {
            assert_eq!(told(method, uri), wanted, "{method} {uri}");
        }
    }
}
