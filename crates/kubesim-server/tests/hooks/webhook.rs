//! The webhooks that the sequences call: well and badly behaved ones, behind HTTPS on loopback. A
//! path ends with the name of an answer in `fixtures/hooks/answers.yaml`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use kubesim_server::Door;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::arms::HttpReply;

/// An answer of a webhook.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Answer {
    /// The response of a review. Without a uid it has the one that is asked for.
    response: Option<Value>,
    /// The operations of a patch that is put into the response.
    patch: Option<Value>,
    /// What is otherwise in the review.
    review: Value,
    /// A body as it is, instead.
    text: Option<String>,
    /// The status.
    code: Option<u16>,
    /// How the body is called.
    kind: Option<String>,
    /// It says nothing, for so long.
    waits: Option<u64>,
    /// It closes the connection.
    closes: bool,
}

/// Webhooks, and what they were sent.
pub(crate) struct Webhooks {
    port: u16,
    authority: String,
    other: String,
    sent: Arc<Mutex<Vec<Value>>>,
    _runtime: Runtime,
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

impl Webhooks {
    /// Starts them on a port of their own.
    pub(crate) fn start() -> Webhooks {
        let issuer = authority("webhooks");
        let names = ["127.0.0.1", "localhost", "hook.default.svc", "routed.default.svc"];
        let params = CertificateParams::new(names.map(str::to_owned).to_vec()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let door = Door::new(&certificate.pem(), &key.serialize_pem(), None).unwrap();
        let path = crate::corpus().0.join("answers.yaml");
        let text = std::fs::read_to_string(path).unwrap();
        let answers: BTreeMap<String, Answer> = serde_saphyr::from_str(&text).unwrap();
        let (answers, sent) = (Arc::new(answers), Arc::new(Mutex::new(Vec::new())));
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let told = sent.clone();
        runtime.spawn(door.serve(listener, move |_| {
            let (answers, told) = (answers.clone(), told.clone());
            service_fn(move |request| answer(answers.clone(), told.clone(), request))
        }));
        let (authority, other) = (issuer.pem(), self::authority("strangers").pem());
        Webhooks { port, authority, other, sent, _runtime: runtime }
    }

    /// What cases refer to: the port, the certificate of who signed theirs, and that of another.
    pub(crate) fn saved(&self) -> BTreeMap<String, String> {
        let saved = [
            ("port", self.port.to_string()),
            ("ca", STANDARD.encode(&self.authority)),
            ("stranger", STANDARD.encode(&self.other)),
        ];
        saved.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// What they were sent since this was asked last. Those that only check are asked all at once,
    /// so that they stand in the order of their paths.
    pub(crate) fn take(&self) -> Vec<Value> {
        let mut sent = std::mem::take(&mut *self.sent.lock().unwrap());
        let order = |one: &Value| {
            let path = one["path"].as_str().unwrap_or_default().to_owned();
            if path.starts_with("/check") { path } else { String::new() }
        };
        sent.sort_by_key(order);
        sent
    }

    /// An answer in which the port has a name.
    pub(crate) fn without_ports(&self, reply: HttpReply) -> HttpReply {
        let port = self.port.to_string();
        let plain = |text: &str| {
            let text = text.replace(&format!(":{port}"), ":PORT");
            text.replace(&format!("\"port\":{port}"), "\"port\":\"PORT\"")
                .replace(&STANDARD.encode(&self.authority), "CA")
                .replace(&STANDARD.encode(&self.other), "STRANGER")
        };
        let warnings = reply.warnings.iter().map(|text| plain(text)).collect();
        HttpReply { body: plain(&reply.body), warnings, ..reply }
    }
}

async fn answer(
    answers: Arc<BTreeMap<String, Answer>>,
    sent: Arc<Mutex<Vec<Value>>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    let mut review: Value = serde_json::from_slice(&body)?;
    let uid = review["request"]["uid"].clone();
    review["request"].as_object_mut().map(|request| request.remove("uid"));
    sent.lock().unwrap().push(json!({ "path": path, "query": query, "review": review }));
    let name = path.rsplit('/').next().unwrap_or_default();
    let answer = answers.get(name).cloned().unwrap_or_else(|| panic!("no answer {name}"));
    if let Some(seconds) = answer.waits {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
    if answer.closes {
        return Err("closed".into());
    }
    let body = answer.text.clone().unwrap_or_else(|| {
        let mut told = json!({ "apiVersion": review["apiVersion"], "kind": "AdmissionReview" });
        if let Some(mut response) = answer.response.clone() {
            if response["uid"].is_null() {
                response["uid"] = uid;
            }
            if let Some(patch) = &answer.patch {
                response["patch"] = STANDARD.encode(patch.to_string()).into();
                if response["patchType"].is_null() {
                    response["patchType"] = "JSONPatch".into();
                }
            }
            told["response"] = response;
        }
        for (key, value) in answer.review.as_object().into_iter().flatten() {
            told[key] = value.clone();
        }
        told.to_string()
    });
    let kind = answer.kind.as_deref().unwrap_or("application/json");
    let response = Response::builder().status(answer.code.unwrap_or(200));
    let response = response.header("content-type", kind);
    Ok(response.body(Full::new(Bytes::from(body)))?)
}
