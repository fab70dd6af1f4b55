//! The tower service under a program's `kube::Client`: one for each incarnation, so that what
//! outlives a crash finds its connection gone.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use kube::client::Body;
use kube::client::retry::RetryPolicy;
use kubesim::world::RawEvent;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use tower::BoxError;
use tower::retry::Retry;

use crate::body::Streaming;
use crate::hub::{Ask, Hub, Life, Opened};
use kubesim_http::{Call, Form, Reply, Watching};

/// How long the server takes to answer what needs no object: there and back again.
const ROUND_TRIP: Duration = Duration::from_millis(4);
/// How long a connection that is gone takes to fail: else whoever retries at once would go on
/// within one moment for ever.
const LOST_AFTER: Duration = Duration::from_secs(1);

/// The body of a response.
pub(crate) type ResponseBody = UnsyncBoxBody<Bytes, std::io::Error>;

/// No answer came: what was asked for may have been carried out, or not.
#[derive(Clone, Copy, Debug, Error)]
#[error("the connection to the simulated API server was lost before an answer came")]
pub(crate) struct Lost;

/// A program's connection to the API server.
#[derive(Clone)]
pub(crate) struct Connection {
    hub: Hub,
    life: Life,
}

/// The client of an incarnation, with the retries of 429, 503 and 504 that kube-rs puts into every
/// client made of a `Config` (kube-client 5.0.0, `src/client/builder.rs`).
pub(crate) fn client(hub: Hub, life: Life) -> kube::Client {
    let service = Retry::new(RetryPolicy::server_retry(), Connection { hub, life });
    kube::Client::new(service, "default")
}

impl tower::Service<Request<Body>> for Connection {
    type Response = Response<ResponseBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().serve(request))
    }
}

impl Connection {
    async fn serve(self, request: Request<Body>) -> Result<Response<ResponseBody>, BoxError> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let life = self.life;
        match kubesim_http::read(&head, &body) {
            Ok(Call::Request { version, form, request }) => {
                let verb = request.verb;
                let (answer, comes) = oneshot::channel();
                self.hub.ask(Ask::Request { life, version, form, request, answer });
                let (answer, remarks, view) = self.wait(comes).await?;
                let reply = kubesim_http::answer(verb, &view, &answer, &remarks);
                Ok(reply.map(whole).ok_or(Lost)?)
            }
            Ok(Call::Watch { version, form, watching }) => {
                self.watch(version, form, *watching).await
            }
            Ok(Call::Meta(meta)) => {
                let (answer, comes) = oneshot::channel();
                self.hub.ask(Ask::Meta { life, meta, answer });
                let reply = self.wait(comes).await?;
                sleep(ROUND_TRIP).await;
                Ok(whole(reply))
            }
            Err(status) => {
                sleep(ROUND_TRIP).await;
                Ok(whole(kubesim_http::status(&status)))
            }
        }
    }

    async fn watch(
        self,
        version: String,
        form: Form,
        watching: Watching,
    ) -> Result<Response<ResponseBody>, BoxError> {
        let (opened, opens) = oneshot::channel();
        let (events, mut come) = mpsc::unbounded_channel();
        let (spec, from) = (watching.spec.clone(), watching.from);
        self.hub.ask(Ask::Watch { life: self.life, version, form, spec, from, opened, events });
        let opened: Opened = self.wait(opens).await?;
        match come.recv().await {
            Some(RawEvent::Opened) => {
                let warning = opened.view.warning();
                let stream = Streaming::new(self.hub, self.life, watching, opened, come);
                let mut response = Response::new(stream.into_body());
                let json = header::HeaderValue::from_static("application/json");
                response.headers_mut().insert(header::CONTENT_TYPE, json);
                if let Some(warning) = warning {
                    response.headers_mut().insert(header::WARNING, warning);
                }
                Ok(response)
            }
            Some(RawEvent::Refused(status)) if status.code != 0 => {
                Ok(whole(kubesim_http::status(&status)))
            }
            _ => Err(Lost.into()),
        }
    }

    /// Waits for an answer. When nobody will give it, the connection fails after a while.
    async fn wait<T>(&self, answer: oneshot::Receiver<T>) -> Result<T, Lost> {
        match answer.await {
            Ok(answer) => Ok(answer),
            Err(_) => {
                sleep(LOST_AFTER).await;
                Err(Lost)
            }
        }
    }
}

fn whole(reply: Reply) -> Response<ResponseBody> {
    reply.map(|bytes| Full::new(bytes).map_err(|never| match never {}).boxed_unsync())
}
