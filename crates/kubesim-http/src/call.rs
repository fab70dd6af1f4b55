//! A whole HTTP request: what it asks for, or the Status that refuses it at the edge.

use http::{HeaderMap, Method, header, request::Parts};
use kubesim::api::{connection, is_asked, stored_as};
use kubesim_model::actor::WatchSpec;
use kubesim_model::request::{Request, Status, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, object};

use crate::config;
use crate::meta::no_page;
use crate::path::{self, Path};
use crate::protobuf;
use crate::query::{self, Query};
use crate::repeated;
use crate::{Form, Meta};

/// The largest body (kube-apiserver v1.36 limits requests to 3 MiB).
pub const LARGEST_BODY: usize = 3 << 20;

/// Bodies as Go clients send them.
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// How long a watch may last, in seconds: a year, which nobody outlasts.
const LONGEST_WATCH: u64 = 365 * 24 * 3_600;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// Something of objects.
    Request {
        /// The `group/version` of the URL.
        version: String,
        /// How objects are to be shown.
        form: Form,
        /// What is asked for.
        request: Box<Request>,
    },
    /// A watch.
    Watch {
        /// The `group/version` of the URL.
        version: String,
        /// How objects are to be shown.
        form: Form,
        /// What is watched.
        watching: Box<Watching>,
    },
    /// Something about the server.
    Meta(Meta),
}

/// A watch and its options.
#[derive(Clone, Debug, PartialEq)]
pub struct Watching {
    /// Which objects.
    pub spec: WatchSpec,
    /// The version to begin after; 0 for what there is first.
    pub from: u64,
    /// Whether the client takes bookmarks.
    pub bookmarks: bool,
    /// Whether a bookmark ends the initial events.
    pub initial_events: bool,
    /// After how many seconds the client wants it to end.
    pub timeout_seconds: Option<u64>,
}

/// Reads a request.
///
/// # Errors
/// The Status that Kubernetes would answer, or one that names what is not simulated.
pub fn read(head: &Parts, body: &[u8]) -> Result<Call, Status> {
    let text = head.uri.path();
    let accept = text_of(&head.headers, header::ACCEPT);
    let (version, resource, key, subresource) = match path::read(text).ok_or_else(no_page)? {
        Path::Objects { version, resource, key, subresource } => {
            (version, resource, key, subresource)
        }
        Path::Server if head.method == Method::GET => {
            return Ok(Call::Meta(Meta::new(text, accept)));
        }
        Path::Server => return Err(not_allowed()),
    };
    let (resource, spoken) = stored_as(resource, &version);
    let query = query::read(head.uri.query().unwrap_or_default())?;
    let include = Some(query.include.as_str()).filter(|_| !is_asked(&resource));
    let form = Form::accepted(accept, include)?;
    query.check(&head.method)?;
    if connection(&resource, &subresource).is_some() {
        let request = Request::new(Verb::Create, resource, key);
        let body = query::connection(head.uri.query().unwrap_or_default());
        let request = Box::new(Request { subresource, body, ..request });
        return Ok(Call::Request { version, form, request });
    }
    // One object is not watched (v1.36): it is answered.
    if query.watch && head.method == Method::GET && subresource.is_empty() && key.name.is_empty() {
        let watching = Box::new(watching(resource, spoken.clone(), &key, query)?);
        return Ok(Call::Watch { version, form, watching });
    }
    let verb = verb(head, &key, !subresource.is_empty())?;
    if verb == Verb::Get {
        version_of(&query)?;
    }
    let mut request = Request::new(verb, resource, key);
    request.subresource = subresource;
    request.version = spoken;
    request.body = read_body(&head.headers, body, verb)?;
    if !query.is_lenient() {
        request.repeated = repeated_in(&head.headers, body, verb);
    }
    if matches!(verb, Verb::Delete | Verb::DeleteCollection) {
        query.delete.fields().for_each(|(key, value)| request.body.set(&[key.as_str()], value));
    }
    request.dry_run = query.is_dry_run() || query::dry_run_in(&request.body);
    request.strict = query.is_strict();
    request.lenient = query.is_lenient();
    request.field_manager = query.field_manager;
    request.force = query.force.filter(|_| verb.is_patch());
    request.list = query.list;
    if verb == Verb::Create {
        name_created(&mut request)?;
    }
    Ok(Call::Request { version, form, request: Box::new(request) })
}

fn verb(head: &Parts, key: &ObjectKey, below: bool) -> Result<Verb, Status> {
    let named = !key.name.is_empty();
    Ok(match (head.method.clone(), named) {
        (Method::GET, true) => Verb::Get,
        (Method::GET, false) => Verb::List,
        // Only subresources are made below a name.
        (Method::POST, named) if named == below => Verb::Create,
        (Method::PUT, true) => Verb::Update,
        (Method::DELETE, true) => Verb::Delete,
        (Method::DELETE, false) => Verb::DeleteCollection,
        (Method::PATCH, true) => return patch(&head.headers),
        _ => return Err(not_allowed()),
    })
}

fn patch(headers: &HeaderMap) -> Result<Verb, Status> {
    match media_type(headers) {
        "application/json-patch+json" => Ok(Verb::JsonPatch),
        "application/merge-patch+json" => Ok(Verb::MergePatch),
        "application/strategic-merge-patch+json" => Ok(Verb::StrategicPatch),
        "application/apply-patch+yaml" => Ok(Verb::Apply),
        _ => {
            let mut status = unsupported("415: Unsupported Media Type".to_owned());
            status.details = Tree::map();
            Err(status)
        }
    }
}

fn watching(
    resource: Resource,
    version: Text,
    key: &ObjectKey,
    query: Query,
) -> Result<Watching, Status> {
    let from = version_of(&query)?;
    check_watch(&query)?;
    let field_selector = query.list.field_selector;
    let spec = WatchSpec {
        resource,
        version,
        namespace: key.namespace.clone(),
        label_selector: query.list.label_selector,
        field_selector,
    };
    Ok(Watching {
        spec,
        // Whoever asks for the initial events gets them, whatever the version.
        from: if query.initial_events { 0 } else { from },
        bookmarks: query.bookmarks,
        initial_events: query.initial_events && query.bookmarks,
        timeout_seconds: query.timeout_seconds.map(|seconds| seconds.min(LONGEST_WATCH)),
    })
}

/// The version that a query names; 0 for none.
fn version_of(query: &Query) -> Result<u64, Status> {
    match query.list.resource_version.as_str() {
        "" => Ok(0),
        number => number.parse().map_err(|_| {
            let why = format!("strconv.ParseUint: parsing \"{number}\": invalid syntax");
            let text = format!("resourceVersion: Invalid value: \"{number}\": {why}");
            Status::new(500, "", text)
        }),
    }
}

/// Options that do not go together (apimachinery v0.36, `internalversion/validation`).
fn check_watch(query: &Query) -> Result<(), Status> {
    let matching = query.list.resource_version_match.as_str();
    let why = if !query.list.continue_token.is_empty() {
        "resourceVersionMatch is forbidden when continue is provided"
    } else if query.initial_events && matching != "NotOlderThan" {
        "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
    } else if !matching.is_empty() && !query.sends_initial_events {
        "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
    } else {
        return Ok(());
    };
    Err(kubesim::api::forbidden_option("resourceVersionMatch", why))
}

fn read_body(headers: &HeaderMap, body: &[u8], verb: Verb) -> Result<Tree, Status> {
    if body.is_empty() {
        return Ok(Tree::Null);
    }
    if body.len() > LARGEST_BODY {
        let text = "Request entity too large: limit is 3145728";
        return Err(Status::new(413, "RequestEntityTooLarge", text));
    }
    let kind = media_type(headers);
    if !verb.is_patch() && kind == PROTOBUF {
        return protobuf::read(body);
    }
    if !verb.is_patch() && !matches!(kind, "" | "application/json" | "*/*") {
        let text = "the body of the request was in an unknown format - accepted media types include: \
                    application/json";
        return Err(unsupported(text.to_owned()));
    }
    if verb == Verb::Apply {
        return config::read(body);
    }
    serde_json::from_slice(body).map_err(|error| {
        let text = format!("the body of the request is not JSON: {error}");
        Status::new(400, "BadRequest", text)
    })
}

/// What is said of keys that stand twice in a body of an object or a patch.
fn repeated_in(headers: &HeaderMap, body: &[u8], verb: Verb) -> Vec<Text> {
    match verb {
        Verb::Apply => repeated::in_config(body),
        Verb::Create | Verb::Update if media_type(headers) == PROTOBUF => Vec::new(),
        Verb::Create | Verb::Update | Verb::MergePatch | Verb::StrategicPatch => {
            repeated::in_json(body)
        }
        Verb::JsonPatch => {
            let found = repeated::in_json(body).into_iter();
            found.map(|told| Text::from(format!("json patch {told}"))).collect()
        }
        _ => Vec::new(),
    }
}

/// A new object's name stands in its metadata; the namespaces of URL and object must agree.
fn name_created(request: &mut Request) -> Result<(), Status> {
    if request.subresource.is_empty() {
        request.key.name = request.body["metadata"]["name"].text();
    }
    let said = object::namespace(&request.body);
    if !said.is_empty() && said != request.key.namespace {
        return Err(Status::new(
            400,
            "BadRequest",
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

fn media_type(headers: &HeaderMap) -> &str {
    let text = text_of(headers, header::CONTENT_TYPE);
    text.split(';').next().unwrap_or_default().trim()
}

fn text_of(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn unsupported(text: String) -> Status {
    Status::new(415, "UnsupportedMediaType", text)
}

fn not_allowed() -> Status {
    let text = "the server does not allow this method on the requested resource";
    let mut status = Status::new(405, "MethodNotAllowed", text);
    status.details = Tree::map();
    status
}
