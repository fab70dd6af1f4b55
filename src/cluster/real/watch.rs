//! Following one resource of a real API server: a list, then every change.

use std::time::Duration;

use http_body_util::BodyExt as _;
use kube::client::Body;
use kubesim::api::Type;
use kubesim::world::Mirrored;
use kubesim_model::Text;
use kubesim_model::object;
use kubesim_model::request::{Request, Status};
use kubesim_model::tree::Tree;

use super::api::{Api, Sender, collection, with_type};

/// How the harness itself is called.
pub(super) const AGENT: &str = "shakedown";

/// How long to wait before a list or watch that failed is tried again.
const AGAIN: Duration = Duration::from_millis(200);

/// What following a resource tells.
#[derive(Debug)]
pub(super) enum Told {
    /// What there is, or what changed.
    Of(Mirrored),
    /// The history window has passed: what came and went meanwhile was not seen.
    Missed,
}

/// Follows all objects of a type until `tell` says that nobody listens any more.
pub(super) async fn follow(api: Api, kind: Type, tell: impl Fn(Told) -> bool + Send) {
    let mut is_first = true;
    loop {
        let Ok((items, mut version)) = list(&api, &kind).await else {
            // A custom type may not be served yet.
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        if !is_first && !tell(Told::Missed) {
            return;
        }
        is_first = false;
        if !tell(Told::Of(Mirrored::Listed(items))) {
            return;
        }
        loop {
            match stream(&api, &kind, &mut version, &tell).await {
                End::Nobody => return,
                End::Expired => break,
                End::Closed => tokio::time::sleep(AGAIN).await,
            }
        }
    }
}

/// How a stream ended.
enum End {
    /// It can be resumed.
    Closed,
    /// It can't: 410.
    Expired,
    /// Nobody listens.
    Nobody,
}

async fn list(api: &Api, kind: &Type) -> Result<(Vec<Tree>, String), Status> {
    let request = Request::list(kind.resource.clone(), Text::default());
    let list = api.ask(kind, &request, &harness()).await?;
    let version = list["metadata"]["resourceVersion"].str().to_owned();
    let items = list["items"].items().iter().cloned().map(without_managers);
    let items = items.map(|item| with_type(kind, item));
    Ok((items.collect(), version))
}

/// An object without the record of who owns which field: nothing is judged by it, and it is larger
/// than the rest.
fn without_managers(mut object: Tree) -> Tree {
    object.remove(&["metadata", "managedFields"]);
    object
}

fn harness() -> Sender {
    Sender::administrator(AGENT)
}

async fn stream(
    api: &Api,
    kind: &Type,
    version: &mut String,
    tell: &(impl Fn(Told) -> bool + Send),
) -> End {
    let path = collection(kind, api.scope.only_namespace());
    let path = format!("{path}?watch=true&allowWatchBookmarks=true&resourceVersion={version}");
    let request = http::Request::get(path).header("user-agent", AGENT).body(Body::empty());
    let Ok(request) = request else { return End::Closed };
    let mut body = match api.open(request).await {
        Ok(body) => body,
        Err(status) if status.code == 410 => return End::Expired,
        Err(_) => return End::Closed,
    };
    let mut line = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else { continue };
        for byte in data {
            if byte != b'\n' {
                line.push(byte);
                continue;
            }
            let event: Tree = serde_json::from_slice(&line).unwrap_or_default();
            line.clear();
            let object = without_managers(event["object"].clone());
            match event["type"].str() {
                "ERROR" if object["code"].as_i64() == Some(410) => return End::Expired,
                "ERROR" | "" => return End::Closed,
                _ => *version = object::resource_version(&object).to_string(),
            }
            let kind_of_event = event["type"].str();
            let Some(object) = api.scope.told(kind, object) else { continue };
            let mirrored = match kind_of_event {
                "BOOKMARK" => continue,
                "DELETED" => Mirrored::Deleted(object),
                _ => Mirrored::Applied(object),
            };
            if !tell(Told::Of(mirrored)) {
                return End::Nobody;
            }
        }
    }
    End::Closed
}
