//! Passing on one request and its answer.

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, TRANSFER_ENCODING,
    UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Version};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use kube::client::Body;
use kubesim::world::RequestEffect;
use kubesim_model::request::{Status, Verb};
use kubesim_model::{Text, map};
use thiserror::Error;

use super::super::cluster::now;
use super::asked::{Asked, asked, text_of};
use super::gate::{Gate, Guest, Happened, Who};
use super::stream::Watch;
use super::told;

/// The largest body of a request (kube-apiserver v1.36 allows 3 MiB), and of an answer that is no
/// stream.
const LARGEST_REQUEST: usize = 4 << 20;
const LARGEST_ANSWER: usize = 256 << 20;

/// By what the audit log knows a request (apiserver v0.36).
const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");

/// What a client gets.
pub(super) type Answer = UnsyncBoxBody<Bytes, Lost>;

/// The connection breaks: a fault wants it so, or the API server did not answer.
#[derive(Clone, Copy, Debug, Error)]
#[error("the connection broke")]
pub(super) struct Lost;

/// How the API server is reached.
#[derive(Clone)]
pub(super) struct Server {
    /// As somebody who may send requests for others.
    pub(super) administrator: kube::Client,
    /// As nobody: a request says itself who sends it.
    pub(super) nobody: kube::Client,
}

/// Answers a request, or breaks its connection.
pub(super) async fn pass(
    gate: Gate,
    server: Server,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Lost> {
    let (head, body) = request.into_parts();
    let token = text_of(&head.headers, AUTHORIZATION).strip_prefix("Bearer ").unwrap_or_default();
    let Some((who, guest)) = gate.known(token) else {
        return Ok(refusal(&Status::new(401, "Unauthorized", "Unauthorized")));
    };
    if head.headers.contains_key(UPGRADE) {
        let text = "connections that change their protocol are not passed on by the chaos proxy";
        return Ok(refusal(&Status::new(400, "BadRequest", text)));
    }
    let Ok(body) = Limited::new(body, LARGEST_REQUEST).collect().await else {
        let text = "Request entity too large: limit is 3145728";
        return Ok(refusal(&Status::new(413, "RequestEntityTooLarge", text)));
    };
    let (asked, breaks) = (asked(&head), gate.breaks());
    let passing = Passing { gate, server, who, guest, asked, breaks };
    passing.pass(head, body.to_bytes()).await
}

struct Passing {
    gate: Gate,
    server: Server,
    who: Who,
    guest: Option<Guest>,
    asked: Option<Asked>,
    /// How many times watches were broken before.
    breaks: usize,
}

impl Passing {
    async fn pass(self, mut head: Parts, body: Bytes) -> Result<Response<Answer>, Lost> {
        let Some(asked) = self.asked.clone() else {
            return whole(self.send(head, body).await?).await;
        };
        let (effect, id) = self.gate.meet(&self.who, &asked.request);
        if let Some(status) = effect.as_ref().and_then(|effect| effect.refusal(&asked.request)) {
            let (who, request) = (self.who.clone(), Box::new(asked.request));
            let refused = Happened::Refused { who, request, status: status.clone(), at: now() };
            self.gate.happens(refused);
            return Ok(refusal(&status));
        }
        match &effect {
            Some(RequestEffect::CrashBefore) => return self.end().await,
            Some(RequestEffect::Delay(more)) => {
                tokio::time::sleep(std::time::Duration::from_millis(*more)).await;
            }
            _ => {}
        }
        if let Ok(id) = HeaderValue::from_str(&id) {
            head.headers.insert(AUDIT_ID, id);
        }
        let (who, injected) = (self.who.clone(), effect.is_some());
        // The log does not tell of watches.
        if !asked.is_watch {
            self.gate.happens(Happened::Passed { id, who, injected });
        }
        let answer = self.send(head, body).await?;
        match effect {
            Some(RequestEffect::CrashAfter) => return self.end().await,
            // It is carried out when its answer has begun.
            Some(RequestEffect::LoseResponse) => return Err(Lost),
            _ => {}
        }
        self.back(asked, answer).await
    }

    /// Sends it to the API server, for whom it comes from.
    async fn send(&self, mut head: Parts, body: Bytes) -> Result<Response<Body>, Lost> {
        let headers = &mut head.headers;
        // What is compressed or in another form can't be read on the way.
        headers.remove(ACCEPT_ENCODING);
        headers.remove(HOST);
        let accepted = in_json(text_of(headers, ACCEPT));
        if let Ok(accepted) = HeaderValue::from_str(&accepted) {
            headers.insert(ACCEPT, accepted);
        }
        let client = match &self.guest {
            Some(guest) => {
                headers.remove(AUTHORIZATION);
                impersonate(headers, guest);
                &self.server.administrator
            }
            None => &self.server.nobody,
        };
        // Where it came in, and in which version of the protocol, ends here.
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = path.parse().map_err(|_| Lost)?;
        head.version = Version::HTTP_11;
        let request = Request::from_parts(head, Body::from(body));
        let mut answer = client.send(request).await.map_err(|_| Lost)?;
        for name in [CONNECTION, TRANSFER_ENCODING] {
            answer.headers_mut().remove(name);
        }
        *answer.version_mut() = Version::default();
        Ok(answer)
    }

    /// The answer on its way back.
    async fn back(self, asked: Asked, answer: Response<Body>) -> Result<Response<Answer>, Lost> {
        let is_good = answer.status().is_success();
        if asked.is_watch && is_good {
            let (head, body) = answer.into_parts();
            let watch = Watch::new(self.gate, self.who, asked, self.breaks);
            return Ok(Response::from_parts(head, watch.body(body)));
        }
        // Logs are followed, and what lies behind a proxy is not the API's.
        if ["log", "proxy"].contains(&asked.request.subresource.as_str()) {
            let (head, body) = answer.into_parts();
            return Ok(Response::from_parts(head, body.map_err(|_| Lost).boxed_unsync()));
        }
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, LARGEST_ANSWER).collect().await.map_err(|_| Lost)?.to_bytes();
        if is_good {
            self.tell(&asked, &body);
        }
        Ok(Response::from_parts(head, full(body)))
    }

    fn tell(&self, asked: &Asked, body: &[u8]) {
        let Asked { request, is_selective, is_partial, .. } = asked;
        let is_list = request.verb == Verb::List;
        // Some objects are not all, and metadata says little of what an object is.
        if *is_partial || (is_list && *is_selective) {
            return;
        }
        let Some((mut key, rv)) = told::in_answer(body) else { return };
        if is_list {
            key = request.key.clone();
        } else if key.name.is_empty() {
            return;
        }
        let (who, resource) = (self.who.clone(), request.resource.clone());
        let (answer, at) = (!is_list, now());
        self.gate.happens(Happened::Told { who, resource, key, rv, answer, at });
    }

    /// Has the process ended that asked; it gets no answer any more. If the trial ends before, only
    /// its connection breaks.
    async fn end(self) -> Result<Response<Answer>, Lost> {
        let over = self.gate.is_over();
        self.gate.happens(Happened::Ends { who: self.who });
        over.await;
        Err(Lost)
    }
}

async fn whole(answer: Response<Body>) -> Result<Response<Answer>, Lost> {
    let (head, body) = answer.into_parts();
    Ok(Response::from_parts(head, body.map_err(|_| Lost).boxed_unsync()))
}

fn impersonate(headers: &mut HeaderMap, guest: &Guest) {
    let all = headers.keys().filter(|name| name.as_str().starts_with("impersonate-"));
    let all: Vec<HeaderName> = all.cloned().collect();
    for name in all {
        headers.remove(name);
    }
    if let Ok(user) = HeaderValue::from_str(&guest.user) {
        headers.insert("impersonate-user", user);
    }
    for group in &guest.groups {
        if let Ok(group) = HeaderValue::from_str(group) {
            headers.append("impersonate-group", group);
        }
    }
}

/// What a client accepts, with JSON for every other encoding.
fn in_json(accepted: &str) -> String {
    if accepted.is_empty() {
        return "application/json".to_owned();
    }
    let form = |part: &str| match part.trim().split_once(';') {
        _ if !is_encoding(part) => part.trim().to_owned(),
        Some((_, parameters)) => format!("application/json;{parameters}"),
        None => "application/json".to_owned(),
    };
    accepted.split(',').map(form).collect::<Vec<_>>().join(",")
}

fn is_encoding(part: &str) -> bool {
    ["application/vnd.kubernetes.protobuf", "application/cbor"]
        .iter()
        .any(|encoding| part.trim().starts_with(encoding))
}

fn refusal(status: &Status) -> Response<Answer> {
    let body = map! {
        "kind" => "Status",
        "apiVersion" => "v1",
        "metadata" => map! {},
        "status" => "Failure",
        "message" => status.message.clone(),
        "reason" => Text::clone(&status.reason),
        "code" => i64::from(status.code),
    };
    let mut response = Response::new(full(body.to_string().into()));
    let code = http::StatusCode::from_u16(status.code);
    *response.status_mut() = code.unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn full(body: Bytes) -> Answer {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_is_asked_for_in_json() {
        let partial = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io";
        for (accepted, want) in [
            ("", "application/json"),
            ("application/json", "application/json"),
            (
                "application/vnd.kubernetes.protobuf,application/json",
                "application/json,application/json",
            ),
            (partial, "application/json;as=PartialObjectMetadata;g=meta.k8s.io"),
            ("application/json;as=Table, */*", "application/json;as=Table,*/*"),
        ] {
            assert_eq!(in_json(accepted), want);
        }
    }

    #[test]
    fn nobody_is_sent_for_somebody_whom_he_names_himself() {
        let mut headers = HeaderMap::new();
        headers.insert("impersonate-user", HeaderValue::from_static("admin"));
        headers.insert("impersonate-extra-scopes", HeaderValue::from_static("all"));
        let who = Who::Actor("mine".into(), 1);
        let groups = vec!["a".into(), "b".into()];
        impersonate(&mut headers, &Guest { who, user: "mine".into(), groups });
        assert_eq!(headers["impersonate-user"], "mine");
        assert_eq!(headers.get_all("impersonate-group").iter().count(), 2);
        assert!(!headers.contains_key("impersonate-extra-scopes"));
    }
}
