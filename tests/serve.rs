//! `shakedown serve` as programs see it: over sockets, with TLS, well and badly behaved.

#![expect(clippy::unwrap_used, reason = "a test may panic, also in what it is made of")]

#[expect(dead_code, unreachable_pub, reason = "the module is shared between tests")]
mod served;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use http::Request;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod, ServiceAccount};
use kube::api::{Api, DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::{Value, json};
use served::{Served, scratch};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

async fn config(served: &Served) -> kube::Config {
    let kubeconfig = Kubeconfig::read_from(&served.kubeconfig).unwrap();
    kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap()
}

async fn client(served: &Served) -> kube::Client {
    kube::Client::try_from(config(served).await).unwrap()
}

fn web(replicas: i32) -> Deployment {
    serde_json::from_value(json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [
                    {"name": "app", "image": "registry.k8s.io/e2e-test-images/agnhost:2.60"},
                ]},
            },
        },
    }))
    .unwrap()
}

/// Waits until so many pods are ready, as a controller sees it.
async fn ready(pods: &Api<Pod>, count: usize) {
    let mut stream = Box::pin(watcher(pods.clone(), watcher::Config::default()).applied_objects());
    let mut ready = std::collections::BTreeSet::new();
    while ready.len() < count {
        let pod = tokio::time::timeout(Duration::from_secs(60), stream.next()).await;
        let pod = pod.expect("in time").unwrap().unwrap();
        let conditions = pod.status.and_then(|status| status.conditions).unwrap_or_default();
        if conditions.iter().any(|one| one.type_ == "Ready" && one.status == "True") {
            ready.insert(pod.metadata.name.unwrap());
        }
    }
}

#[test]
fn a_kube_rs_client_works_over_sockets_and_what_it_did_can_be_judged() {
    let history = scratch("history.jsonl");
    let path = history.to_str().unwrap();
    let served = Served::start(&["--nodes", "2", "--speed", "5", "--record", path]);
    block_on(async {
        let client = client(&served).await;
        let nodes: Api<Node> = Api::all(client.clone());
        while nodes.list(&ListParams::default()).await.unwrap().items.len() < 2 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
        deployments.create(&PostParams::default(), &web(3)).await.unwrap();
        let pods: Api<Pod> = Api::default_namespaced(client.clone());
        ready(&pods, 3).await;
        let scale = json!({"spec": {"replicas": 1}});
        let (how, patch) = (PatchParams::default(), Patch::Merge(&scale));
        let scaled = deployments.patch_scale("web", &how, &patch).await.unwrap();
        assert_eq!(scaled.spec.unwrap().replicas, Some(1));
        let name = pods.list(&ListParams::default()).await.unwrap().items.remove(0);
        let name = name.metadata.name.unwrap();
        let log = pods.logs(&name, &LogParams::default()).await.unwrap();
        assert!(log.contains("simulated container of registry.k8s.io"), "{log}");
        let lost = pods.logs("nobody", &LogParams::default()).await.unwrap_err();
        assert!(matches!(lost, kube::Error::Api(status) if status.reason == "NotFound"));
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "kube-system");
        assert!(maps.get("kube-root-ca.crt").await.unwrap().data.is_some());
        let accounts: Api<ServiceAccount> = Api::default_namespaced(client.clone());
        accounts.get("default").await.unwrap();
        deployments.delete("web", &DeleteParams::default()).await.unwrap();
        let left = watcher(pods.clone(), watcher::Config::default()).try_take_while(|_| {
            let pods = pods.clone();
            async move {
                let left = pods.list(&ListParams::default()).await;
                Ok(left.map_or(true, |left| !left.items.is_empty()))
            }
        });
        let left = left.try_collect::<Vec<_>>();
        tokio::time::timeout(Duration::from_secs(60), left).await.expect("in time").unwrap();
    });
    let kubeconfig = served.kubeconfig.clone();
    let (code, said) = served.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("events"), "{said}");
    assert!(!kubeconfig.exists());
    let check = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shakedown"));
        command.args(["check", path]).args(more).output().unwrap()
    };
    let alone = check(&[]);
    let errors = String::from_utf8_lossy(&alone.stderr).into_owned();
    assert!(alone.status.code() == Some(2) && errors.contains("--scenario"), "{errors}");
    let judged = check(&["--scenario", "examples/interrupted-release.yaml", "--format", "json"]);
    let report: Value = serde_json::from_slice(&judged.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&judged.stderr)));
    assert!(report["trials"][0]["verdict"].is_string(), "{report}");
}

#[test]
fn what_was_kept_goes_on_later() {
    let kept = scratch("snapshot");
    let path = kept.to_str().unwrap();
    let served = Served::start(&["--nodes", "1", "--speed", "5", "--snapshot", path]);
    let uid = block_on(async {
        let client = client(&served).await;
        let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
        let made = deployments.create(&PostParams::default(), &web(2)).await.unwrap();
        ready(&Api::default_namespaced(client), 2).await;
        made.metadata.uid
    });
    let (code, said) = served.end();
    assert_eq!(code, Some(0), "{said}");
    let served = Served::start(&["--nodes", "1", "--speed", "5", "--restore", path]);
    block_on(async {
        let client = client(&served).await;
        let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
        assert_eq!(deployments.get("web").await.unwrap().metadata.uid, uid);
        ready(&Api::default_namespaced(client), 2).await;
    });
    let broken = scratch("no-snapshot");
    std::fs::write(&broken, "{}").unwrap();
    let refused = Command::new(env!("CARGO_BIN_EXE_shakedown"))
        .args(["serve", "--restore", broken.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(3));
}

#[test]
fn what_can_not_be_served_is_said() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let there = scratch("kubeconfig-of-another-cluster");
    std::fs::write(&there, "apiVersion: v1").unwrap();
    for (arguments, code, why) in [
        (&["--port", &port][..], 5, "can't be used"),
        (&["--controllers", "kubelt"], 2, "`kubelt`"),
        (&["--speed", "0"], 2, "0 times"),
        (&["--kubeconfig", there.to_str().unwrap()], 5, "can't be written"),
        (&["--record", "/nowhere/history.jsonl"], 5, "can't be written"),
        (&["--restore", "/nowhere/snapshot"], 3, "can't be restored"),
    ] {
        let serve = Command::new(env!("CARGO_BIN_EXE_shakedown"));
        let mut serve = serve;
        let output = serve.arg("serve").args(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        assert!(errors.contains(why), "{arguments:?}: {errors}");
    }
    assert_eq!(std::fs::read_to_string(&there).unwrap(), "apiVersion: v1");
}

/// A connection with TLS, without credentials.
fn connect(served: &Served) -> StreamOwned<ClientConnection, TcpStream> {
    let config = block_on(config(served));
    let mut roots = RootCertStore::empty();
    for certificate in config.root_cert.unwrap() {
        roots.add(certificate.into()).unwrap();
    }
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::new(tls), name).unwrap();
    let stream = TcpStream::connect(("127.0.0.1", served.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    StreamOwned::new(session, stream)
}

/// What comes back for bytes that are sent as they are, until the connection ends.
fn raw(served: &Served, bytes: &[u8]) -> String {
    let mut stream = connect(served);
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // A connection that is cut off is an answer too.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn nobody_comes_in_without_credentials() {
    let served = Served::start(&["--nodes", "0", "--controllers", "none"]);
    let get = |path: &str, header: &str| {
        raw(
            &served,
            format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}\r\n")
                .as_bytes(),
        )
    };
    for path in ["/api", "/apis", "/api/v1/pods", "/nowhere", "/openapi/v3"] {
        let answer = get(path, "");
        assert!(answer.starts_with("HTTP/1.1 401"), "{path}: {answer}");
        assert!(answer.contains(r#""reason":"Unauthorized""#), "{path}: {answer}");
    }
    for path in ["/healthz", "/livez", "/readyz", "/version"] {
        assert!(get(path, "").starts_with("HTTP/1.1 200"), "{path}");
        let wrong = get(path, "authorization: Bearer nobody\r\n");
        assert!(wrong.starts_with("HTTP/1.1 401"), "{path}: {wrong}");
    }
    assert!(get("/api", "authorization: Basic YTpi\r\n").starts_with("HTTP/1.1 401"));
}

#[test]
fn bad_input_is_refused_and_hinders_nobody() {
    let served = Served::start(&["--nodes", "0", "--controllers", "none"]);
    // No TLS, half a handshake, half a request.
    let mut plain = TcpStream::connect(("127.0.0.1", served.port())).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "nothing is served without TLS");
    let mut half = TcpStream::connect(("127.0.0.1", served.port())).unwrap();
    half.write_all(&[22, 3, 1, 2]).unwrap();
    let mut begun = connect(&served);
    begun.write_all(b"POST /api/v1/namespaces HTTP/1.1\r\nhost: x\r\ncontent-le").unwrap();
    assert!(raw(&served, b"\x00\xff\xfe garbage\r\n\r\n").starts_with("HTTP/1.1 400"));
    let endless = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(1 << 20));
    let refused = raw(&served, endless.as_bytes());
    assert!(refused.is_empty() || refused.starts_with("HTTP/1.1 4"), "{refused}");
    let crowd: Vec<TcpStream> =
        (0..500).map(|_| TcpStream::connect(("127.0.0.1", served.port())).unwrap()).collect();
    block_on(async {
        let client = client(&served).await;
        let deep = "[".repeat(100_000);
        let maps = "/api/v1/namespaces/default/configmaps";
        for (body, kind, code) in [
            (b"{".to_vec(), "application/json", 400),
            (b"\xff\xfe".to_vec(), "application/json", 400),
            (deep.into_bytes(), "application/json", 400),
            (b"[]".to_vec(), "application/json", 400),
            (b"{}".to_vec(), "text/html", 415),
            (vec![b' '; 4 << 20], "application/json", 413),
        ] {
            let request = Request::post(maps).header("content-type", kind).body(body).unwrap();
            let error = client.request::<Value>(request).await.unwrap_err();
            let kube::Error::Api(status) = error else { panic!("{kind}: {error}") };
            assert_eq!(status.code, code, "{kind}: {status:?}");
        }
        for (path, code) in [
            ("/nowhere", 404),
            ("/apis/nobody/v1/things", 404),
            ("/api/v1/namespaces/default/pods?labelSelector=%21%21", 400),
            ("/api/v1/namespaces/default/pods?fieldSelector=spec.nowhere%3D1", 400),
            ("/api/v1/namespaces/default/pods?limit=many", 400),
            ("/api/v1/namespaces/default/pods?continue=%ff", 400),
        ] {
            let error = client.request::<Value>(Request::get(path).body(vec![]).unwrap()).await;
            let kube::Error::Api(status) = error.unwrap_err() else { panic!("{path}") };
            assert_eq!(status.code, code, "{path}: {status:?}");
        }
        let maps: Api<ConfigMap> = Api::default_namespaced(client);
        assert!(maps.list(&ListParams::default()).await.is_ok());
    });
    drop((half, begun, crowd));
}
