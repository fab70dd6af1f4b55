//! Requests of the model sent over a `kube::Client`, and their answers.

use http::{Method, header};
use kube::Client;
use kubesim_model::request::{Answer, Request, Status, Verb};
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, map};

/// Sends a request. A connection that breaks, or an answer that can't be read, has code 0.
pub(crate) async fn send(client: &Client, request: &Request) -> Answer {
    let (method, media) = match request.verb {
        Verb::Get | Verb::List => (Method::GET, "application/json"),
        Verb::Create => (Method::POST, "application/json"),
        Verb::Update => (Method::PUT, "application/json"),
        Verb::JsonPatch => (Method::PATCH, "application/json-patch+json"),
        Verb::MergePatch => (Method::PATCH, "application/merge-patch+json"),
        Verb::StrategicPatch => (Method::PATCH, "application/strategic-merge-patch+json"),
        Verb::Apply => (Method::PATCH, "application/apply-patch+yaml"),
        Verb::Delete | Verb::DeleteCollection => (Method::DELETE, "application/json"),
    };
    let body = match request.body.is_null() {
        true => Vec::new(),
        false => request.body.to_string().into_bytes(),
    };
    let built = http::Request::builder()
        .method(method)
        .uri(url(request))
        .header(header::CONTENT_TYPE, media)
        .header(header::ACCEPT, "application/json")
        .body(body);
    let built = built.map_err(|error| Status::new(400, "BadRequest", error.to_string()))?;
    match client.request::<Tree>(built).await {
        Ok(tree) => Ok(tree),
        Err(kube::Error::Api(status)) => Err(failure(&status)),
        Err(error) => Err(Status { message: error.to_string(), ..Status::connection_lost() }),
    }
}

fn failure(status: &kube::core::Status) -> Status {
    let details = match &status.details {
        Some(details) => map! { "retryAfterSeconds" => details.retry_after_seconds },
        None => Tree::Null,
    };
    Status {
        code: status.code,
        reason: Text::from(status.reason.as_str()),
        message: status.message.clone(),
        details,
        continue_token: Text::default(),
    }
}

/// The URL's path.
fn url(request: &Request) -> String {
    let (resource, key) = (&request.resource, &request.key);
    let mut url = match resource.group() {
        "" => "/api/v1".to_owned(),
        group => format!("/apis/{group}/{}", version(resource)),
    };
    let mut add = |part: &str| {
        if !part.is_empty() {
            url.push('/');
            url.push_str(part);
        }
    };
    if !key.namespace.is_empty() {
        add("namespaces");
        add(&key.namespace);
    }
    add(resource.plural());
    // A new object's name stands in its body.
    if request.verb != Verb::Create || !request.subresource.is_empty() {
        add(&key.name);
    }
    add(&request.subresource);
    url
}

/// The version of the API that a resource is used in.
pub(crate) fn version(resource: &Resource) -> &'static str {
    if *resource == Resource::CLONE_SETS { "v1beta1" } else { "v1" }
}
