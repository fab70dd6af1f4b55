//! Calling webhooks: each errand of a request is one POST over HTTPS, to this machine and nowhere
//! else. What goes wrong is told in the words of Go's HTTP client, which users know.

use std::error::Error as _;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::join_all;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use kubesim::api::{Destination, Errand, Heard, Reply};
use kubesim_http::LARGEST_BODY;
use kubesim_model::Text;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::routes::Routes;
use crate::trust;

/// How many calls there may be at once.
const CALLS: usize = 256;

/// Calls webhooks.
#[derive(Clone)]
pub(crate) struct Courier {
    routes: Arc<Routes>,
    room: Arc<Semaphore>,
}

/// Where a call goes: the name that the certificate must bear, and the addresses to try.
struct Way {
    name: String,
    addresses: Vec<SocketAddr>,
}

impl Courier {
    pub(crate) fn new(routes: Routes) -> Courier {
        Courier { routes: Arc::new(routes), room: Arc::new(Semaphore::new(CALLS)) }
    }

    /// Runs errands side by side and answers what came of each.
    pub(crate) async fn run(&self, errands: Vec<Errand>) -> Vec<(Errand, Heard)> {
        let runs = errands.into_iter().map(|errand| async move {
            let heard = self.heard(&errand).await;
            (errand, heard)
        });
        join_all(runs).await
    }

    async fn heard(&self, errand: &Errand) -> Heard {
        let seconds = errand.timeout.div_ceil(1_000);
        let url = format!("{}?timeout={seconds}s", errand.url);
        let call = async {
            let _place = self.room.acquire().await;
            self.call(errand, &url).await
        };
        let called = timeout(Duration::from_millis(errand.timeout), call).await;
        let called = called.unwrap_or_else(|_| Err(errand.late.to_owned()));
        called.map_err(|why| format!("Post \"{url}\": {why}"))
    }

    async fn call(&self, errand: &Errand, url: &str) -> Heard {
        let way = self.way(&errand.to)?;
        let stream = connect(&way.addresses).await?;
        let stream = trust::connect(stream, &way.name, &errand.authorities).await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // It ends when the answer has been read, or with its sender.
        let connection = tokio::spawn(async move { drop(connection.await) });
        let answer = async {
            let response = sender.send_request(request(errand, url)?).await.map_err(broken)?;
            reply(response).await
        };
        let answer = answer.await;
        connection.abort();
        answer
    }

    /// Where an errand goes.
    fn way(&self, to: &Destination) -> Result<Way, String> {
        let (name, host, port) = match to {
            Destination::Host { name, port } => (name.to_string(), name.to_string(), *port),
            Destination::Service { key, port, leads } => {
                let name = format!("{}.{}.svc", key.name, key.namespace);
                if let Some(to) = self.routes.of(key, *port) {
                    return Ok(Way { name, addresses: vec![to] });
                }
                let (host, port) = leads.clone()?;
                (name, host.to_string(), port)
            }
        };
        let addresses =
            on_this_machine(&host).map(|ip| SocketAddr::new(ip, port)).ok_or_else(|| {
                format!("dial tcp: {host} is not this machine, and nobody else is called")
            });
        Ok(Way { name, addresses: vec![addresses?] })
    }
}

/// Why there is no answer. Who hangs up is not always polite.
fn broken(error: hyper::Error) -> String {
    let source = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    let hung_up = source.is_some_and(|error| {
        matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset)
    });
    match error.is_incomplete_message() || error.is_canceled() || hung_up {
        true => "EOF".to_owned(),
        false => format!("net/http: HTTP/1.x transport connection broken: {error}"),
    }
}

/// The address of a host that is this one.
fn on_this_machine(host: &str) -> Option<IpAddr> {
    match host {
        "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
        host => host.parse().ok().filter(IpAddr::is_loopback),
    }
}

async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, String> {
    let mut last = "dial tcp: there is no address".to_owned();
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                last = format!("dial tcp {address}: connect: connection refused");
            }
            Err(error) => last = format!("dial tcp {address}: {error}"),
        }
    }
    Err(last)
}

fn request(errand: &Errand, url: &str) -> Result<Request<Full<Bytes>>, String> {
    let rest = url.strip_prefix("https://").unwrap_or(url);
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(at);
    let slash = if path.starts_with('/') { "" } else { "/" };
    Request::post(format!("{slash}{path}"))
        .header(HOST, host)
        .header(USER_AGENT, "kube-apiserver-admission")
        .header(ACCEPT, "application/json, */*")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(errand.body.to_string())))
        .map_err(|error| format!("parse \"{url}\": {error}"))
}

/// An answer with its whole body, as long as it is no longer than a request may be.
async fn reply(response: Response<Incoming>) -> Heard {
    let (head, mut body) = response.into_parts();
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = Text::new(kind.unwrap_or_default());
    let mut kept = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| "unexpected EOF".to_owned())?;
        kept.extend_from_slice(&frame.into_data().unwrap_or_default());
        if kept.len() > LARGEST_BODY {
            return Err(format!("the answer is longer than {LARGEST_BODY} bytes"));
        }
    }
    Ok(Reply { code: head.status.as_u16(), kind, body: kept.to_vec() })
}
