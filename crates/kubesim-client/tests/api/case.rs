//! The files of `fixtures/api/cases`: themes, their cases, and the requests of a case.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

/// A file: cases about one part of the API.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Theme {
    /// What the file is about.
    pub(crate) about: String,
    /// Whether the texts of causes are compared, too.
    #[serde(default)]
    pub(crate) texts: bool,
    /// Whether it is compared who owns which fields (`metadata.managedFields`).
    #[serde(default)]
    pub(crate) owners: bool,
    /// Objects that bodies are made from.
    #[serde(default)]
    pub(crate) objects: BTreeMap<String, Value>,
    /// The cases; each begins with a namespace of its own.
    pub(crate) cases: Vec<Case>,
}

/// A sequence of requests.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// Its name, which is its namespace's too.
    pub(crate) name: String,
    /// Requests that must succeed and whose answers are not compared.
    #[serde(default)]
    pub(crate) given: Vec<Step>,
    /// Requests whose answers are compared.
    pub(crate) steps: Vec<Step>,
}

/// A request. Exactly one of the verbs names its path.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Step {
    get: Option<String>,
    post: Option<String>,
    put: Option<String>,
    delete: Option<String>,
    /// A JSON patch.
    json: Option<String>,
    /// A JSON merge patch.
    merge: Option<String>,
    /// A strategic merge patch.
    strategic: Option<String>,
    /// A watch, which the server ends by `timeoutSeconds`.
    watch: Option<String>,
    /// A server-side apply.
    apply: Option<String>,
    /// The object of the theme that `body` is merged into.
    #[serde(rename = "use")]
    base: Option<String>,
    body: Value,
    /// The form of the answer: `table`, `metadata`, or what the header `Accept` says.
    accept: Option<String>,
    /// The body as Kubernetes' protobuf, in base64, instead of `body`.
    protobuf: Option<String>,
    /// A body as it is, instead.
    text: Option<String>,
    /// What later requests refer to as `${name}`: dotted paths into the answer.
    pub(crate) save: BTreeMap<String, String>,
    /// The token that it shows instead of the usual one; none if it is empty.
    #[serde(rename = "as")]
    token: Option<String>,
    /// Headers besides.
    headers: BTreeMap<String, String>,
    /// Requests while the watch is open.
    #[serde(rename = "while")]
    pub(crate) meanwhile: Vec<Step>,
}

/// A request as it is sent.
#[derive(Clone, Debug)]
pub(crate) struct HttpRequest {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) content_type: &'static str,
    /// Empty if nothing is said.
    pub(crate) accept: String,
    pub(crate) body: Vec<u8>,
    /// The token that it shows instead of the usual one; none if it is empty.
    pub(crate) token: Option<String>,
    /// Headers besides.
    pub(crate) headers: BTreeMap<String, String>,
}

impl HttpRequest {
    /// A request that sends JSON.
    pub(crate) fn new(method: &'static str, path: String, body: Vec<u8>) -> HttpRequest {
        HttpRequest {
            method,
            path,
            content_type: "application/json",
            accept: String::new(),
            body,
            token: None,
            headers: BTreeMap::new(),
        }
    }
}

impl Theme {
    /// Reads a file.
    pub(crate) fn read(text: &str) -> Result<Theme, String> {
        serde_saphyr::from_str(text).map_err(|error| error.to_string())
    }
}

impl Step {
    /// Whether this is a watch.
    pub(crate) fn is_watch(&self) -> bool {
        self.watch.is_some()
    }

    /// The request, with what was saved before filled in.
    pub(crate) fn request(&self, theme: &Theme, saved: &BTreeMap<String, String>) -> HttpRequest {
        let verbs = [
            ("GET", "", &self.get),
            ("GET", "", &self.watch),
            ("POST", "application/json", &self.post),
            ("PUT", "application/json", &self.put),
            ("DELETE", "application/json", &self.delete),
            ("PATCH", "application/json-patch+json", &self.json),
            ("PATCH", "application/merge-patch+json", &self.merge),
            ("PATCH", "application/strategic-merge-patch+json", &self.strategic),
            ("PATCH", "application/apply-patch+yaml", &self.apply),
        ];
        let mut named = verbs.into_iter().filter_map(|(method, content_type, path)| {
            path.as_ref().map(|path| (method, content_type, path))
        });
        let (method, content_type, path) = named.next().expect("a step has a verb");
        assert!(named.next().is_none(), "the step for {path} has two verbs");
        let mut body = self.body.clone();
        if let Some(base) = &self.base {
            let mut object = theme.objects.get(base).expect("`use` names an object").clone();
            merge(&mut object, &body);
            body = object;
        }
        let body = match &self.text {
            Some(text) => fill(text, saved),
            None if body.is_null() => String::new(),
            None => fill(&body.to_string(), saved),
        };
        let path = fill(&absolute(path), saved);
        let accept = match self.accept.as_deref().unwrap_or_default() {
            "table" => "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
            "metadata" => "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
            other => other,
        };
        let (content_type, body) = match &self.protobuf {
            Some(text) => {
                let body = STANDARD.decode(text).expect("`protobuf` is base64");
                ("application/vnd.kubernetes.protobuf", body)
            }
            None => (content_type, body.into_bytes()),
        };
        HttpRequest {
            content_type,
            accept: accept.to_owned(),
            token: self.token.as_ref().map(|token| fill(token, saved)),
            headers: self.headers.clone(),
            ..HttpRequest::new(method, path, body)
        }
    }
}

/// `pods/a?limit=1` stands for the path in the namespace of the case.
fn absolute(path: &str) -> String {
    const GROUPS: &[(&str, &[&str])] = &[
        ("/apis/batch/v1", &["jobs", "cronjobs"]),
        ("/apis/autoscaling/v2", &["horizontalpodautoscalers"]),
        ("/apis/events.k8s.io/v1", &["newevents"]),
        ("/apis/apps/v1", &["deployments", "replicasets", "statefulsets", "daemonsets"]),
        ("/apis/apps/v1", &["controllerrevisions"]),
        ("/apis/policy/v1", &["poddisruptionbudgets"]),
        ("/apis/coordination.k8s.io/v1", &["leases"]),
        ("/apis/discovery.k8s.io/v1", &["endpointslices"]),
        ("/apis/rbac.authorization.k8s.io/v1", &["roles", "rolebindings"]),
    ];
    if path.starts_with('/') {
        return path.to_owned();
    }
    let plural = path.split(['/', '?']).next().unwrap_or_default();
    let group = GROUPS.iter().find(|(_, plurals)| plurals.contains(&plural));
    let group = group.map_or("/api/v1", |(group, _)| group);
    format!("{group}/namespaces/${{ns}}/{path}")
}

/// Merges as a JSON merge patch does, but keeps nulls, which a case may want to send.
fn merge(object: &mut Value, change: &Value) {
    match (object, change) {
        (_, Value::Null) => {}
        (Value::Object(object), Value::Object(change)) => {
            for (key, value) in change {
                match object.get_mut(key) {
                    Some(have) if value.is_object() && have.is_object() => merge(have, value),
                    _ => {
                        object.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (object, change) => *object = change.clone(),
    }
}

fn fill(text: &str, saved: &BTreeMap<String, String>) -> String {
    let mut text = text.to_owned();
    for (name, value) in saved {
        text = text.replace(&format!("${{{name}}}"), value);
    }
    assert!(!text.contains("${"), "not everything was saved: {text}");
    text
}

impl Step {
    /// What every case begins with: its namespace, with the service account that pods need where
    /// the admission plugin ServiceAccount runs. No token is mounted, for tokens vary.
    pub(crate) fn namespace() -> [Step; 2] {
        let body = |text: &str| serde_json::from_str(text).expect("it is JSON");
        [
            Step {
                post: Some("/api/v1/namespaces".to_owned()),
                body: body(r#"{"metadata":{"name":"${ns}"}}"#),
                ..Step::default()
            },
            Step {
                post: Some("/api/v1/namespaces/${ns}/serviceaccounts".to_owned()),
                body: body(
                    r#"{"metadata":{"name":"default"},"automountServiceAccountToken":false}"#,
                ),
                ..Step::default()
            },
        ]
    }
}
