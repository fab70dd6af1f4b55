//! The proxy between a client and a server that answers what it is told to.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::poll_fn;
use http::{HeaderMap, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api as Objects, ListParams, PostParams, WatchEvent, WatchParams};
use kubesim_model::request::Verb;
use kubesim_model::resource::Resource;
use kubesim_model::{Millis, Text};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::super::api::Api;
use super::super::folder::Folder;
use super::super::ground::Component;
use super::super::kubeconfig::{Credentials, Endpoint};
use super::super::runtime::Runtime;
use super::Proxy;
use super::gate::{Guest, Happened, Who};
use crate::cluster::{Lever, RequestEffect, RequestSelector, WatchEffect};

const POD: &str = r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"default","resourceVersion":"7"}}"#;
const PODS: &str =
    r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":[]}"#;

/// An API server: what it was asked, and the events that its watches are to tell.
struct Server {
    runtime: Runtime,
    api: Api,
    proxy: Proxy,
    asked: Arc<Mutex<Vec<(String, HeaderMap)>>>,
    events: UnboundedSender<&'static str>,
}

type Sent = Arc<tokio::sync::Mutex<UnboundedReceiver<&'static str>>>;

async fn answer(request: Request<Incoming>, sent: Sent) -> UnsyncBoxBody<Bytes, Infallible> {
    let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
    if is_watch {
        let mut sent = sent.lock_owned().await;
        let lines = poll_fn(move |context| sent.poll_recv(context));
        let lines = lines.map(|line| Ok(Frame::data(Bytes::from(format!("{line}\n")))));
        return StreamBody::new(lines).boxed_unsync();
    }
    let named = request.uri().path().ends_with("/pods/a") || request.method() == http::Method::POST;
    Full::new(Bytes::from(if named { POD } else { PODS })).boxed_unsync()
}

impl Server {
    fn start() -> Server {
        let runtime = Runtime::new().expect("a runtime");
        let bound = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = bound.local_addr().expect("an address");
        bound.set_nonblocking(true).expect("a socket of tokio's");
        let (asked, (events, sent)) = (Arc::new(Mutex::new(Vec::new())), unbounded_channel());
        let (kept, sent) = (asked.clone(), Arc::new(tokio::sync::Mutex::new(sent)));
        runtime.handle().spawn(async move {
            let listener = tokio::net::TcpListener::from_std(bound).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, sent) = (kept.clone(), sent.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let line = format!("{} {}", request.method(), request.uri());
                    kept.lock().expect("no panic").push((line, request.headers().clone()));
                    let sent = sent.clone();
                    async move { Ok::<_, Infallible>(Response::new(answer(request, sent).await)) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        let config = kube::Config::new(format!("http://{address}").parse().expect("an address"));
        let api = Api::new(config, runtime.handle().clone()).expect("a client");
        let proxy = Proxy::start(&api, "here").expect("a proxy");
        Server { runtime, api, proxy, asked, events }
    }

    fn admit(&self, name: &str) -> String {
        let groups = vec!["system:masters".into()];
        let who = Who::Actor(name.into(), 3);
        self.proxy.admit(Guest { who, user: Text::new(name), groups }).expect("a token")
    }

    /// A port that leads to a socket of the proxy.
    fn by_another_door(&self) -> Endpoint {
        let folder = Folder::new().expect("a folder");
        let socket = folder.path().join("proxy.sock");
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]);
        let made = made.expect("a certificate");
        let pair = (&*made.cert.pem(), &*made.signing_key.serialize_pem());
        self.proxy.open_door(&self.api, &socket, pair).expect("a socket");
        let bound = TcpListener::bind(("127.0.0.1", 0));
        let listener = self.runtime.block_on(bound).expect("a port");
        let address = listener.local_addr().expect("an address");
        self.runtime.handle().spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut inner = UnixStream::connect(folder.path().join("proxy.sock")).await?;
                tokio::spawn(async move { copy_bidirectional(&mut stream, &mut inner).await });
            }
            Ok::<_, std::io::Error>(())
        });
        Endpoint { server: format!("https://{address}"), authority: pair.0.as_bytes().to_vec() }
    }

    fn client(&self, name: &str) -> kube::Client {
        let _inside = self.runtime.handle().enter();
        let config = self.proxy.config_of(self.admit(name)).expect("an address");
        kube::Client::try_from(config).expect("a client")
    }

    fn pods(&self, name: &str) -> Objects<Pod> {
        Objects::namespaced(self.client(name), "default")
    }

    fn rule(&self, requests: RequestSelector, effect: RequestEffect) {
        let (rule, actor) = ("fault-1".into(), "mine".into());
        let lever = Lever::RequestRule { rule, actor, requests, effect };
        assert!(self.proxy.pull(&lever, None).is_some());
    }

    /// What somebody was told: name and version, and whether as an answer.
    fn told(&self) -> Vec<(Text, u64, bool)> {
        let told = |happened| match happened {
            Happened::Told { who: Who::Actor(name, 3), key, rv, answer, .. } if name == "mine" => {
                Some((key.name, rv, answer))
            }
            _ => None,
        };
        self.proxy.take().into_iter().filter_map(told).collect()
    }
}

fn event(rv: Millis) -> &'static str {
    match rv {
        11 => {
            r#"{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"b","namespace":"default","resourceVersion":"11"}}}"#
        }
        _ => {
            r#"{"type":"DELETED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"b","namespace":"default","resourceVersion":"12"}}}"#
        }
    }
}

#[test]
fn requests_are_passed_on_for_their_user_and_what_they_told_is_known() {
    let server = Server::start();
    let pods = server.pods("mine");
    let (one, all) = server.runtime.block_on(async {
        (pods.get("a").await.expect("a pod"), pods.list(&ListParams::default()).await)
    });
    assert_eq!(one.metadata.name.as_deref(), Some("a"));
    assert!(all.is_ok_and(|all| all.items.is_empty()));
    assert_eq!(server.told(), [("a".into(), 7, true), ("".into(), 9, false)]);
    let asked = server.asked.lock().expect("no panic").clone();
    let (line, headers) = &asked[0];
    assert_eq!(line, "GET /api/v1/namespaces/default/pods/a");
    assert_eq!(headers["impersonate-user"], "mine");
    assert_eq!(headers["audit-id"], "here-000000000001");
    assert!(!headers.contains_key("authorization"));
}

#[test]
fn strangers_are_not_let_in() {
    let server = Server::start();
    server.admit("mine");
    let config = server.proxy.config_of("guessed".to_owned()).expect("an address");
    let _inside = server.runtime.handle().enter();
    let client = kube::Client::try_from(config).expect("a client");
    let pods: Objects<Pod> = Objects::default_namespaced(client);
    let error = server.runtime.block_on(pods.get("a")).expect_err("nobody knows him");
    assert!(matches!(&error, kube::Error::Api(status) if status.code == 401), "{error}");
    assert!(server.asked.lock().expect("no panic").is_empty());
}

#[test]
fn requests_are_refused_and_answers_are_lost() {
    let server = Server::start();
    let writes = RequestSelector { writes: true, times: 1, ..RequestSelector::default() };
    let effect = RequestEffect::Refuse { code: 503, reason: "ServiceUnavailable".into() };
    server.rule(writes.clone(), effect);
    let (pods, pod, options) = (server.pods("mine"), Pod::default(), PostParams::default());
    let create = || pods.create(&options, &pod);
    let error = server.runtime.block_on(create()).expect_err("it is refused");
    assert!(matches!(&error, kube::Error::Api(status) if status.code == 503), "{error}");
    assert!(server.asked.lock().expect("no panic").is_empty());
    let refused = server.proxy.take().into_iter().any(|happened| {
        matches!(happened, Happened::Refused { request, status, .. }
            if request.verb == Verb::Create && status.code == 503)
    });
    assert!(refused);
    server.proxy.forget("fault-1");
    server.rule(writes, RequestEffect::LoseResponse);
    let error = server.runtime.block_on(create()).expect_err("its answer is lost");
    assert!(!matches!(&error, kube::Error::Api(_)), "{error}");
    assert_eq!(server.asked.lock().expect("no panic").len(), 1);
    let marked = server.proxy.take().into_iter();
    let marked = marked.filter(|one| matches!(one, Happened::Passed { injected: true, .. }));
    assert_eq!(marked.count(), 1);
    // Once is enough.
    assert!(server.runtime.block_on(create()).is_ok());
}

#[test]
fn a_process_that_is_to_end_gets_no_answer() {
    let server = Server::start();
    server.rule(RequestSelector::default(), RequestEffect::CrashBefore);
    let pods = server.pods("mine");
    let waited = server
        .runtime
        .block_on(async { tokio::time::timeout(Duration::from_millis(300), pods.get("a")).await });
    assert!(waited.is_err());
    let ends = |one: &Happened| matches!(one, Happened::Ends { who } if who.name() == "mine");
    assert!(server.proxy.take().iter().any(ends));
    assert!(server.asked.lock().expect("no panic").is_empty());
}

#[test]
fn watches_are_held_and_let_go() {
    let server = Server::start();
    let hold = |effect| Lever::WatchRule {
        rule: "fault-1".into(),
        actor: "mine".into(),
        resource: Some(Resource::PODS),
        effect,
    };
    let pods = server.pods("mine");
    server.runtime.block_on(async {
        let events = pods.watch(&WatchParams::default(), "9").await.expect("a watch");
        let mut events = events.boxed();
        server.events.send(event(11)).expect("a watch");
        assert!(matches!(events.next().await, Some(Ok(WatchEvent::Added(_)))));
        assert!(server.proxy.pull(&hold(WatchEffect::Hold), None).is_some());
        server.events.send(event(12)).expect("a watch");
        let held = tokio::time::timeout(Duration::from_millis(300), events.next()).await;
        assert!(held.is_err(), "{held:?}");
        assert_eq!(server.told(), [("b".into(), 11, false)]);
        server.proxy.forget("fault-1");
        assert!(matches!(events.next().await, Some(Ok(WatchEvent::Deleted(_)))));
        assert_eq!(server.told(), [("b".into(), 12, false)]);
    });
}

#[test]
fn watches_break_and_expire() {
    let server = Server::start();
    let drop = |expired| Lever::DropWatches { actor: "mine".into(), resource: None, expired };
    let pods = server.pods("mine");
    let nothing = server.proxy.pull(&drop(false), None);
    assert!(nothing.is_some_and(|done| done.is_err()), "there is no watch yet");
    server.runtime.block_on(async {
        for expired in [false, true] {
            let events = pods.watch(&WatchParams::default(), "9").await.expect("a watch");
            let mut events = events.boxed();
            server.events.send(event(11)).expect("a watch");
            assert!(matches!(events.next().await, Some(Ok(WatchEvent::Added(_)))));
            assert!(server.proxy.pull(&drop(expired), None).is_some_and(|done| done.is_ok()));
            match events.next().await {
                Some(Ok(WatchEvent::Error(status))) => assert!(expired && status.code == 410),
                end => assert!(!expired && end.is_none(), "{end:?}"),
            }
        }
    });
}

#[test]
fn faults_of_one_part_of_a_program_concern_the_watches_that_its_parts_share() {
    let server = Server::start();
    let actor = Text::new_static("deployment-controller");
    let (rule, effect) = ("fault-1".into(), WatchEffect::Hold);
    let lever = Lever::WatchRule { rule, actor, resource: None, effect };
    let touched = server.proxy.pull(&lever, Some(Component::ControllerManager));
    let touched = touched.expect("a lever of watches").expect("it needs no open one");
    assert_eq!(touched.actors, ["deployment-controller"]);
    let token = server.proxy.admit_component(Component::ControllerManager).expect("a token");
    let config = server.by_another_door().kubeconfig(&Credentials::Token(&token));
    let config = kube::config::Kubeconfig::from_yaml(&config).expect("a kubeconfig");
    server.runtime.block_on(async {
        let options = kube::config::KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(config, &options).await.expect("usable");
        let client = kube::Client::try_from(config).expect("a client");
        let pods: Objects<Pod> = Objects::all(client);
        let events = pods.watch(&WatchParams::default(), "9").await.expect("a watch");
        let mut events = events.boxed();
        server.events.send(event(11)).expect("a watch");
        let held = tokio::time::timeout(Duration::from_millis(300), events.next()).await;
        assert!(held.is_err(), "{held:?}");
        server.proxy.forget("fault-1");
        assert!(matches!(events.next().await, Some(Ok(WatchEvent::Added(_)))));
    });
    let asked = server.asked.lock().expect("no panic").clone();
    assert_eq!(asked[0].1["impersonate-user"], "system:kube-controller-manager");
}
