//! Speaking to a real API server: requests of the simulation as HTTP, and answers back.

use std::fmt::Write as _;

use http::{Method, header};
use http_body_util::BodyExt as _;
use kube::client::Body;
use kubesim::api::Type;
use kubesim_model::request::{Answer, Request, Status, Verb};
use kubesim_model::resource::ObjectKey;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, map};

use super::scope::Scope;
use crate::cluster::ClusterError;

/// How often, and after what time each, a request to a type that is not served is tried again.
const SERVED_WITHIN: u32 = 50;
const SERVED_AGAIN: std::time::Duration = std::time::Duration::from_millis(200);

/// Who sends a request: the user that it is sent for, and a user agent.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    /// `None` for the administrator himself.
    pub(super) user: Option<Text>,
    pub(super) user_agent: Text,
    /// By what name the audit log is to know the request; a random one if it is empty.
    pub(super) id: Text,
}

impl Sender {
    /// The administrator, for the harness itself.
    pub(super) fn administrator(user_agent: &'static str) -> Sender {
        Sender { user: None, user_agent: Text::new_static(user_agent), id: Text::default() }
    }
}

/// A connection as an administrator, who may send requests for others.
#[derive(Clone)]
pub(in crate::cluster) struct Api {
    client: kube::Client,
    config: kube::Config,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) scope: Scope,
}

impl Api {
    /// A connection that is made like this; the administrator's.
    pub(in crate::cluster) fn new(
        mut config: kube::Config,
        runtime: tokio::runtime::Handle,
    ) -> Result<Api, ClusterError> {
        config.default_retry = false;
        let client = client(config.clone(), &runtime)?;
        Ok(Api { client, config, runtime, scope: Scope::default() })
    }

    /// The same, for a trial that sees and may touch no more than this.
    pub(in crate::cluster) fn within(mut self, scope: Scope) -> Api {
        self.scope = scope;
        self
    }

    /// A client of its own, of a user who may do everything; with `through`, of whomever that is
    /// for.
    pub(super) fn client_of(
        &self,
        through: Option<kube::Config>,
        user: &str,
        agent: &str,
    ) -> Result<kube::Client, ClusterError> {
        let mut config = through.unwrap_or_else(|| {
            let mut config = self.config.clone();
            config.auth_info.impersonate = Some(user.to_owned());
            config.auth_info.impersonate_groups = Some(vec![ADMINISTRATORS.to_owned()]);
            config
        });
        if let Ok(agent) = http::HeaderValue::from_str(agent) {
            config.headers.push((header::USER_AGENT, agent));
        }
        client(config, &self.runtime)
    }

    /// The administrator's client.
    pub(super) fn administrator(&self) -> kube::Client {
        self.client.clone()
    }

    /// A client of nobody: its requests have to say themselves who sends them.
    pub(super) fn nobody(&self) -> Result<kube::Client, ClusterError> {
        let mut config = self.config.clone();
        config.auth_info = Default::default();
        client(config, &self.runtime)
    }

    /// Whether the server says that it is ready.
    pub(in crate::cluster) fn is_ready(&self) -> bool {
        let request = http::Request::get("/readyz").body(Body::empty());
        let Ok(request) = request else { return false };
        let answer = self.runtime.block_on(self.client.send(request));
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Sends a request about an object of this type; `then` gets the answer, on another thread.
    pub(super) fn send(
        &self,
        kind: &Type,
        request: &Request,
        sender: &Sender,
        then: impl FnOnce(Answer) + Send + 'static,
    ) {
        let (api, kind) = (self.clone(), kind.clone());
        let (request, sender) = (self.scope.asked(&kind, request), sender.clone());
        self.runtime.spawn(async move { then(api.asked(&kind, request, &sender).await) });
    }

    /// The answer to a request about an object of this type.
    pub(super) async fn ask(&self, kind: &Type, request: &Request, sender: &Sender) -> Answer {
        self.asked(kind, self.scope.asked(kind, request), sender).await
    }

    async fn asked(
        &self,
        kind: &Type,
        request: Result<Request, Status>,
        sender: &Sender,
    ) -> Answer {
        let answer = self.answer(call(kind, &request?, sender)).await?;
        Ok(self.scope.answered(kind, answer))
    }

    /// The body of a watch, frame by frame.
    ///
    /// # Errors
    /// The server refuses it, or does not answer.
    pub(super) async fn open(&self, request: http::Request<Body>) -> Result<Body, Status> {
        let response = self.client.send(request).await.map_err(|error| lost(&error))?;
        match response.status().is_success() {
            true => Ok(response.into_body()),
            false => Err(failure(response).await),
        }
    }

    /// The answer to a request. A type that was declared a moment ago may not be served yet.
    async fn answer(&self, request: Result<http::Request<Body>, Status>) -> Answer {
        let (head, body) = request?.into_parts();
        let body = body.collect_bytes().await.map_err(|error| lost(&error))?;
        let mut tries = SERVED_WITHIN;
        loop {
            let again = http::Request::from_parts(head.clone(), Body::from(body.to_vec()));
            match answered(&self.client, again).await {
                Err(status) if status.code == 404 && status.reason.is_empty() && tries > 0 => {
                    tries -= 1;
                    tokio::time::sleep(SERVED_AGAIN).await;
                }
                answer => return answer,
            }
        }
    }
}

/// The group that may do everything.
pub(super) const ADMINISTRATORS: &str = "system:masters";

fn client(
    config: kube::Config,
    runtime: &tokio::runtime::Handle,
) -> Result<kube::Client, ClusterError> {
    let _inside = runtime.enter();
    let failed = |error| ClusterError::Environment(format!("no client: {error}"));
    kube::Client::try_from(config).map_err(failed)
}

async fn answered(client: &kube::Client, request: http::Request<Body>) -> Answer {
    let response = client.send(request).await.map_err(|error| lost(&error))?;
    if !response.status().is_success() {
        return Err(failure(response).await);
    }
    let body = response.into_body().collect().await.map_err(|error| lost(&error))?.to_bytes();
    serde_json::from_slice(&body).map_err(|error| lost(&error))
}

/// No answer came, or none that can be understood.
fn lost(error: &dyn std::fmt::Display) -> Status {
    Status { message: error.to_string(), ..Status::connection_lost() }
}

async fn failure(response: http::Response<Body>) -> Status {
    let code = response.status().as_u16();
    let body = response.into_body().collect().await.map(|body| body.to_bytes());
    let body = body.unwrap_or_default();
    let Ok(status) = serde_json::from_slice::<Tree>(&body) else {
        return Status::new(code, "", String::from_utf8_lossy(&body).into_owned());
    };
    Status {
        code,
        reason: status["reason"].text(),
        message: status["message"].str().to_owned(),
        details: status["details"].clone(),
        continue_token: status["metadata"]["continue"].text(),
    }
}

/// The HTTP request that asks for `request`, of objects of this type.
fn call(kind: &Type, request: &Request, sender: &Sender) -> Result<http::Request<Body>, Status> {
    let mut path = path(kind, request);
    let separator = |path: &String| if path.contains('?') { '&' } else { '?' };
    for (name, value) in query(request) {
        let (next, value) = (separator(&path), encoded(&value));
        let _ = write!(path, "{next}{name}={value}");
    }
    let (method, media) = method(request.verb);
    let mut http = http::Request::builder().method(method).uri(path);
    http = http.header(header::ACCEPT, "application/json");
    for (name, value) in headers(sender) {
        http = http.header(name, value);
    }
    let body = match request.body.is_null() {
        true => Body::empty(),
        false => {
            http = http.header(header::CONTENT_TYPE, media);
            Body::from(request.body.to_string().into_bytes())
        }
    };
    http.body(body).map_err(|error| Status::new(400, "BadRequest", error.to_string()))
}

/// The path of a list or watch of this type.
pub(super) fn collection(kind: &Type, namespace: &str) -> String {
    let version = kind.api_version();
    let root = if version.contains('/') { "apis" } else { "api" };
    let mut path = format!("/{root}/{version}");
    if kind.namespaced && !namespace.is_empty() {
        path.push_str(&format!("/namespaces/{}", encoded(namespace)));
    }
    path.push('/');
    path.push_str(kind.resource.plural());
    path
}

/// The path of an object of this type.
pub(super) fn object_path(kind: &Type, key: &ObjectKey) -> String {
    format!("{}/{}", collection(kind, &key.namespace), encoded(&key.name))
}

fn path(kind: &Type, request: &Request) -> String {
    let mut path = collection(kind, &request.key.namespace);
    let is_new = request.verb == Verb::Create && request.subresource.is_empty();
    if !request.key.name.is_empty() && !is_new {
        path.push('/');
        path.push_str(&encoded(&request.key.name));
    }
    if !request.subresource.is_empty() {
        path.push('/');
        path.push_str(&request.subresource);
    }
    path
}

fn query(request: &Request) -> Vec<(&'static str, String)> {
    let list = &request.list;
    let mut query = vec![
        ("labelSelector", list.label_selector.to_string()),
        ("fieldSelector", list.field_selector.to_string()),
        ("continue", list.continue_token.to_string()),
        ("resourceVersion", list.resource_version.to_string()),
        ("resourceVersionMatch", list.resource_version_match.to_string()),
        ("fieldManager", request.field_manager.to_string()),
        ("force", request.force.map_or_else(String::new, |force| force.to_string())),
    ];
    query.retain(|(_, value)| !value.is_empty());
    if list.limit > 0 {
        query.push(("limit", list.limit.to_string()));
    }
    if request.dry_run {
        query.push(("dryRun", "All".to_owned()));
    }
    if request.strict {
        query.push(("fieldValidation", "Strict".to_owned()));
    }
    query
}

fn method(verb: Verb) -> (Method, &'static str) {
    match verb {
        Verb::Get | Verb::List => (Method::GET, "application/json"),
        Verb::Create => (Method::POST, "application/json"),
        Verb::Update => (Method::PUT, "application/json"),
        Verb::JsonPatch => (Method::PATCH, "application/json-patch+json"),
        Verb::MergePatch => (Method::PATCH, "application/merge-patch+json"),
        Verb::StrategicPatch => (Method::PATCH, "application/strategic-merge-patch+json"),
        Verb::Apply => (Method::PATCH, "application/apply-patch+yaml"),
        Verb::Delete | Verb::DeleteCollection => (Method::DELETE, "application/json"),
    }
}

/// Whom a request is sent for. Nodes may do what nodes may; in the simulation everybody else may do
/// everything.
fn headers(sender: &Sender) -> Vec<(&'static str, String)> {
    let mut headers = vec![("user-agent", sender.user_agent.to_string())];
    if !sender.id.is_empty() {
        headers.push(("audit-id", sender.id.to_string()));
    }
    if let Some(user) = &sender.user {
        let is_node = user.starts_with("system:node:");
        let group = if is_node { "system:nodes" } else { ADMINISTRATORS };
        headers.push(("impersonate-user", user.to_string()));
        headers.push(("impersonate-group", group.to_owned()));
        headers.push(("impersonate-group", "system:authenticated".to_owned()));
    }
    headers
}

fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// An item of a list with what lists leave out: its type.
pub(super) fn with_type(kind: &Type, mut item: Tree) -> Tree {
    if item["kind"].is_null() {
        let head = map! { "apiVersion" => kind.api_version(), "kind" => &kind.kind };
        head.fields().for_each(|(name, value)| item.set(&[name.as_str()], value));
    }
    item
}
