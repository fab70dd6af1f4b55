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
use kubesim_model::patch::json_patch;
use kubesim_model::tree::Tree;
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
    /// Where a value stands in each version of the objects that are converted.
    converts: Option<Vec<BTreeMap<String, String>>>,
    /// The operations of a patch of each converted object.
    each: Vec<Value>,
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
    /// so that they stand in the order of their paths; conversions may be asked for at any time and
    /// again, so that they stand behind all others, once each.
    pub(crate) fn take(&self) -> Vec<Value> {
        let mut sent = std::mem::take(&mut *self.sent.lock().unwrap());
        let order = |one: &Value| {
            let path = one["path"].as_str().unwrap_or_default().to_owned();
            match path.split('/').nth(1) {
                Some("check") => path,
                Some("convert") => format!("{path} {}", without_chance(one.clone())),
                _ => String::new(),
            }
        };
        sent.sort_by_cached_key(order);
        let is_asked_again = |one: &Value| one["path"].as_str().is_some_and(is_conversion);
        sent.dedup_by(|one, other| one == other && is_asked_again(one));
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

fn is_conversion(path: &str) -> bool {
    path.starts_with("/convert/")
}

/// A review without what is drawn or read from a clock.
fn without_chance(review: Value) -> Value {
    match review {
        Value::Object(fields) => {
            let by_chance = ["uid", "creationTimestamp", "time", "resourceVersion"];
            let fields = fields.into_iter().filter(|(key, _)| !by_chance.contains(&key.as_str()));
            fields.map(|(key, value)| (key, without_chance(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(without_chance).collect(),
        other => other,
    }
}

/// An object in another version.
fn converted(
    object: &Value,
    wanted: &str,
    moves: &[BTreeMap<String, String>],
    each: &[Value],
) -> Value {
    let version = |text: &str| text.rsplit('/').next().unwrap_or_default().to_owned();
    let from = version(object["apiVersion"].as_str().unwrap_or_default());
    let mut made = object.clone();
    made["apiVersion"] = wanted.into();
    for places in moves {
        let (Some(from), Some(to)) = (places.get(&from), places.get(&version(wanted))) else {
            continue;
        };
        let (holder, name) = from.rsplit_once('/').unwrap();
        let fields = made.pointer_mut(holder).and_then(Value::as_object_mut);
        if let Some(value) = fields.and_then(|fields| fields.remove(name)) {
            let (holder, name) = to.rsplit_once('/').unwrap();
            made.pointer_mut(holder).unwrap()[name] = value;
        }
    }
    let tree = |value: &Value| serde_json::from_value::<Tree>(value.clone()).unwrap();
    let patched = json_patch(&tree(&made), &tree(&json!(each)));
    serde_json::to_value(patched.unwrap()).unwrap()
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
        let mut told = json!({ "apiVersion": review["apiVersion"], "kind": review["kind"] });
        let mut response = answer.response.clone();
        if let Some(moves) = &answer.converts {
            let wanted = review["request"]["desiredAPIVersion"].as_str().unwrap_or_default();
            let objects = review["request"]["objects"].as_array().cloned().unwrap_or_default();
            let objects =
                objects.iter().map(|object| converted(object, wanted, moves, &answer.each));
            let mut made = json!({
                "convertedObjects": objects.collect::<Vec<_>>(), "result": {"status": "Success"},
            });
            for (key, value) in response.iter().flat_map(Value::as_object).flatten() {
                made[key] = value.clone();
            }
            response = Some(made);
        }
        if let Some(mut response) = response {
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
