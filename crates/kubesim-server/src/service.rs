//! One request: who sends it, what it asks for, and the answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, USER_AGENT, WARNING};
use http::request::Parts;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use kubesim::api::{Access, Api, Attempt, User};
use kubesim::world::Asked;
use kubesim_http::{Call, Form, LARGEST_BODY, Reply, View, Watching, serves};
use kubesim_model::Text;
use kubesim_model::request::{Remarks, Request as Wish, Status, Verb};
use kubesim_model::resource::Resource;
use tokio::time::timeout;

use crate::admittance::{bearer, shows_token};
use crate::audit::{self, AUDIT_ID};
use crate::courier::Courier;
use crate::hub::{Gone, Hub};
use crate::impersonation;
use crate::logs::Wanted;
use crate::stage::Stage;
use crate::stream::Streaming;
use crate::translation::Translator;
use crate::{Admittance, Caller};

/// How long a request may take to come (apiserver v0.36, `--request-timeout`).
const COMES_WITHIN: Duration = Duration::from_secs(60);

/// How long it may take to carry a request out (apiserver v0.36, `requestTimeoutUpperBound`).
const ENDS_WITHIN: Duration = Duration::from_secs(34);

/// What is answered to anybody (RBAC role `system:public-info-viewer`, v1.36).
const PUBLIC: [&str; 5] = ["/healthz", "/livez", "/readyz", "/version", "/version/"];

/// How much of a body that is too large is read.
const DRAINED: usize = 32 << 20;

/// What a client gets. A body that fails breaks the connection.
pub(crate) type Answer = UnsyncBoxBody<Bytes, Gone>;

/// What serves all connections.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) hub: Hub,
    pub(crate) admittance: Admittance,
    /// Whether roles say who may do what; else whoever is known may do everything.
    pub(crate) authorizes: bool,
    pub(crate) courier: Courier,
}

impl Service {
    /// Answers a request.
    pub(crate) async fn answer(
        self,
        caller: Caller,
        request: Request<Incoming>,
    ) -> Result<Response<Answer>, Gone> {
        let (head, body) = request.into_parts();
        let name = audit::name(&head.headers);
        let mut response = match self.carry_out(caller, name.clone(), head, body).await {
            Ok(answer) => answer,
            Err(Refused::With(status)) => refusal(&status),
            Err(Refused::Gone(Gone)) => {
                let text = "the simulated cluster failed over this request";
                refusal(&Status::new(500, "InternalError", text))
            }
        };
        let fresh = HeaderValue::from_static("no-cache, private");
        response.headers_mut().insert(CACHE_CONTROL, fresh);
        response.headers_mut().insert(AUDIT_ID, audit::value(&name));
        Ok(response)
    }

    async fn carry_out(
        self,
        caller: Caller,
        name: Text,
        head: Parts,
        body: Incoming,
    ) -> Result<Response<Answer>, Refused> {
        let user = self.admitted(&caller, &head).await?;
        let body = received(body).await?;
        let agent = head.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        let who = (user, agent.unwrap_or_default().to_owned());
        match kubesim_http::read(&head, &body)? {
            Call::Request { request, .. } if is_log(&request) => {
                self.log(*request, head.uri.query().unwrap_or_default()).await
            }
            Call::Request { version, form, request } => {
                let verb = request.verb;
                let asked =
                    timeout(ENDS_WITHIN, self.ask(who, name, (version, form), *request)).await;
                let late = "Timeout: request did not complete within requested timeout - context \
                            deadline exceeded";
                let (view, (answer, remarks)) =
                    asked.unwrap_or_else(|_| Err(Status::new(504, "Timeout", late).into()))?;
                let reply = kubesim_http::answer(verb, &view, &answer, &remarks);
                Ok(whole(reply.ok_or(Gone)?))
            }
            Call::Watch { version, form, watching } => {
                self.watch(who, version, form, *watching).await
            }
            Call::Meta(meta) => {
                Ok(whole(self.hub.on(move |stage| meta.answer(stage.world.api())).await?))
            }
        }
    }

    /// Has a request carried out, and the webhooks called that it needs.
    async fn ask(
        &self,
        who: (Arc<User>, String),
        name: Text,
        (version, form): (String, Form),
        request: Wish,
    ) -> Result<(View, (kubesim_model::request::Answer, Remarks)), Refused> {
        let asking = Arc::new((who, name, version, request));
        let mut attempt = Attempt::default();
        loop {
            let asking = asking.clone();
            let asked = self.hub.on(move |stage| {
                let ((user, agent), name, version, request) = &*asking;
                let (api, now) = (stage.world.api(), stage.now());
                serves(api, &request.resource, version)?;
                let view = View::of(api, &request.resource, version, form, now);
                let asked = stage.attempt((user, agent), name, request, &mut attempt);
                Ok::<_, Status>((view, asked, attempt))
            });
            let (view, asked, tried) = asked.await??;
            attempt = tried;
            match asked.ok_or(Gone)? {
                Asked::Answered(answer, remarks) => return Ok((view, (answer, remarks))),
                Asked::Waits(errands) => {
                    for (errand, heard) in self.courier.run(errands).await {
                        attempt.hear(&errand, heard);
                    }
                }
            }
        }
    }

    /// Who sends a request, or in whose name it comes, if he may do what it wants.
    async fn admitted(&self, caller: &Caller, head: &Parts) -> Result<Arc<User>, Refused> {
        let user = match self.admittance.of(caller, head) {
            Some(user) => user,
            None => self.reviewed(head).await?,
        };
        let (access, wanted) = (kubesim_http::access(head), impersonation::wanted(&head.headers)?);
        if wanted.is_none() && (!self.authorizes || user.is_in(User::MASTERS)) {
            return Ok(user);
        }
        let asked = move |stage: &mut Stage| permitted(stage.world.api(), user, wanted, &access);
        Ok(self.hub.on(asked).await??)
    }

    /// Who shows a token that the API has handed out, or nothing at all. Where everybody may do
    /// everything, nobody who is not known is let in, but to what monitors ask.
    async fn reviewed(&self, head: &Parts) -> Result<Arc<User>, Refused> {
        let unknown = || Status::new(401, "Unauthorized", "Unauthorized");
        if !shows_token(head) {
            let is_open = self.authorizes || PUBLIC.contains(&head.uri.path());
            return Ok(is_open.then(|| Arc::new(User::anonymous())).ok_or_else(unknown)?);
        }
        let token = bearer(head).filter(|token| token.matches('.').count() == 2);
        let user = match token.map(str::to_owned) {
            Some(token) => self.hub.on(move |stage| stage.review(&token)).await?,
            None => None,
        };
        Ok(user.map(Arc::new).ok_or_else(unknown)?)
    }

    /// Answers with a log.
    async fn log(self, request: Wish, query: &str) -> Result<Response<Answer>, Refused> {
        let wanted = Wanted::read(&request.key, query);
        let asked = wanted.clone();
        let log = self.hub.on(move |stage| asked.log(stage.pod(&request.key))).await??;
        let mut response = Response::new(wanted.into_body(self.hub, log));
        let plain = HeaderValue::from_static("text/plain");
        response.headers_mut().insert(CONTENT_TYPE, plain);
        Ok(response)
    }

    async fn watch(
        self,
        (user, agent): (Arc<User>, String),
        version: String,
        form: kubesim_http::Form,
        watching: Watching,
    ) -> Result<Response<Answer>, Refused> {
        let spec = watching.spec.clone();
        let (bookmarks, initial_events) = (watching.bookmarks, watching.initial_events);
        let lasts = watching.timeout_seconds;
        let opened = self.hub.on(move |stage| {
            let (api, now) = (stage.world.api(), stage.now());
            let resource = &watching.spec.resource;
            serves(api, resource, &version)?;
            let view = View::of(api, resource, &version, form, now);
            let client = stage.client(&user.name, &agent);
            let (world, name) = (&mut stage.world, client.clone());
            let (id, events, selection) =
                stage.watchers.open(world, client, &watching, view.clone())?;
            let lasts = lasts.unwrap_or_else(|| stage.watch_time());
            Ok::<_, Status>((id, events, (name, selection, view), lasts))
        });
        let (id, events, (client, selection, view), lasts) = opened.await??;
        let (warning, resource) = (view.warning(), spec.resource.clone());
        let (hub, courier, selection) = (self.hub.clone(), self.courier, selection.of_shown());
        let watch = Streaming {
            translator: Translator { hub, courier, client, spec, selection, view: view.clone() },
            hub: self.hub,
            resource,
            id,
            events,
            view,
            bookmarks,
            initial_events,
            nothing_said: true,
            is_over: false,
        };
        let mut response = Response::new(watch.into_body(Duration::from_secs(lasts)));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        if let Some(warning) = warning {
            response.headers_mut().insert(WARNING, warning);
        }
        Ok(response)
    }
}

/// Who may do this: a user, or the one in whose name it is asked for.
fn permitted(
    api: &Api,
    user: Arc<User>,
    wanted: Option<User>,
    access: &Access,
) -> Result<Arc<User>, Status> {
    let user = match wanted {
        Some(wanted) => Arc::new(impersonation::impersonated(api, &user, &wanted, access)?),
        None => user,
    };
    api.permit(&user, access)?;
    Ok(user)
}

/// Whether a request is for a container's log.
fn is_log(request: &Wish) -> bool {
    request.resource == Resource::PODS && request.subresource == "log" && request.verb == Verb::Get
}

/// Why a request gets no answer of its own.
enum Refused {
    With(Status),
    Gone(Gone),
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        Refused::With(status)
    }
}

impl From<Gone> for Refused {
    fn from(gone: Gone) -> Self {
        Refused::Gone(gone)
    }
}

/// The whole body of a request. Of one that is too large more is read than is kept, so that its
/// client gets to see the answer.
async fn received(mut body: Incoming) -> Result<Bytes, Status> {
    let whole = async {
        let (mut kept, mut length) = (BytesMut::new(), 0);
        while let Some(frame) = body.frame().await {
            let cut_off = |_| Status::new(400, "BadRequest", "the body of the request is cut off");
            let data = frame.map_err(cut_off)?.into_data().unwrap_or_default();
            length += data.len();
            if length <= LARGEST_BODY {
                kept.extend_from_slice(&data);
            } else if length > DRAINED {
                break;
            }
        }
        if length > LARGEST_BODY {
            let text = "Request entity too large: limit is 3145728";
            return Err(Status::new(413, "RequestEntityTooLarge", text));
        }
        Ok(kept.freeze())
    };
    let late = || Status::new(408, "Timeout", "the body of the request did not come in time");
    timeout(COMES_WITHIN, whole).await.unwrap_or_else(|_| Err(late()))
}

fn refusal(status: &Status) -> Response<Answer> {
    whole(kubesim_http::status(status))
}

fn whole(reply: Reply) -> Response<Answer> {
    reply.map(|bytes| Full::new(bytes).map_err(|never| match never {}).boxed_unsync())
}
