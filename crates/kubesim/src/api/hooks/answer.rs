//! What a webhook's answer says, and the words for one that says nothing that makes sense
//! (apiserver v0.36, `webhook/request/admissionreview.go` and `webhook/errors/statuserror.go`;
//! client-go v0.36, `rest/request.go`). Webhooks lie: any answer is possible.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kubesim_model::request::Status;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map};

use super::dialog::{Heard, Reply};

/// The group of reviews, and the versions of them that there are.
pub(super) const GROUP: &str = "admission.k8s.io";
pub(super) const VERSIONS: [&str; 2] = ["v1", "v1beta1"];

/// The version of which answers are checked throughout.
const CHECKED: &str = "admission.k8s.io/v1";

/// The longest text of an answer that is shown.
const SHOWN: usize = 2_048;
/// The most warnings of one answer that are passed on, and the longest.
const WARNINGS: usize = 100;

/// An answer that makes sense.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Said {
    /// Whether the request may go on.
    pub(super) allowed: bool,
    /// Why not: a `Status`.
    pub(super) result: Tree,
    /// For whoever sent the request.
    pub(super) warnings: Vec<String>,
    /// What is to be done to the object: a type of patches, and the patch.
    pub(super) patch: Option<(Text, Vec<u8>)>,
}

/// Reads the answer to a question with this uid and version of reviews.
///
/// # Errors
/// What is wrong with it, as the failure of the call.
pub(super) fn read(
    heard: Heard,
    mutating: bool,
    (uid, version): (&str, &str),
) -> Result<Said, String> {
    let answer = heard.and_then(|reply| body_of(&reply, version));
    let answer = answer.map_err(|why| format!("failed to call webhook: {why}"))?;
    let response = verify(&answer, mutating, (uid, version));
    let response = response.map_err(|why| format!("received invalid webhook response: {why}"))?;
    let patch = match (response["patch"].str(), response["patchType"].text()) {
        ("", _) => None,
        (patch, kind) => {
            let patch = STANDARD.decode(patch).map_err(|_| {
                "failed to call webhook: illegal base64 data at input byte 0".to_owned()
            })?;
            let beta = version != CHECKED;
            Some((if beta { Text::new_static("JSONPatch") } else { kind }, patch))
        }
    };
    let warnings = response["warnings"].items().iter().take(WARNINGS);
    Ok(Said {
        allowed: response["allowed"].is_true(),
        result: response["status"].clone(),
        warnings: warnings.map(|text| cut(text.str())).collect(),
        patch: patch.filter(|_| mutating),
    })
}

/// The review in an answer.
fn body_of(reply: &Reply, version: &str) -> Result<Tree, String> {
    if !(200..=206).contains(&reply.code) {
        return Err(refused(reply));
    }
    if reply.body.is_empty() {
        return Err(format!(
            "0-length response with status code: {} and content type: {}",
            reply.code, reply.kind
        ));
    }
    // Go's decoder takes what is no JSON for YAML, to which almost everything is a text.
    let text = String::from_utf8_lossy(&reply.body);
    let answer = serde_json::from_str(&text).unwrap_or_else(|_| Tree::from(&*text));
    let kind = match &answer {
        Tree::Map(_) => None,
        Tree::List(_) => Some("array"),
        Tree::Str(_) => Some("string"),
        Tree::Bool(_) => Some("bool"),
        _ => Some("number"),
    };
    if let Some(kind) = kind {
        return Err(format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {kind} into Go \
             value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind \
             string \"json:\\\"kind,omitempty\\\"\" }}"
        ));
    }
    check_type(&answer, version)?;
    wrong_shape(&answer["response"]).map_or(Ok(answer), Err)
}

/// An answer says of itself what it is, or nothing; another type can't be read.
fn check_type(answer: &Tree, wanted: &str) -> Result<(), String> {
    fn or<'t>(have: &'t Tree, default: &'t str) -> &'t str {
        if have.str().is_empty() { default } else { have.str() }
    }
    let kind = or(&answer["kind"], "AdmissionReview");
    let version = or(&answer["apiVersion"], wanted);
    let known = VERSIONS.iter().any(|known| version == format!("{GROUP}/{known}"));
    if !known || kind != "AdmissionReview" {
        return Err(format!(
            "no kind \"{kind}\" is registered for version \"{version}\" in scheme \
             \"pkg/runtime/scheme.go:111\""
        ));
    }
    if version == wanted {
        return Ok(());
    }
    let name = |version: &str| version.rsplit('/').next().unwrap_or_default().to_owned();
    Err(format!(
        "converting ({}.AdmissionReview) to ({}.AdmissionReview): unknown conversion",
        name(version),
        name(wanted)
    ))
}

/// A value of another type than the field has.
fn wrong_shape(response: &Tree) -> Option<String> {
    let field = |name: &str, kind: &str| {
        let have = match &response[name] {
            Tree::Str(_) => "string",
            Tree::Bool(_) => "bool",
            Tree::List(_) => "array",
            Tree::Map(_) => "object",
            Tree::Null => return None,
            _ => "number",
        };
        let fits = matches!(
            (have, kind),
            ("bool", "bool")
                | ("string", "string" | "types.UID" | "v1.PatchType" | "[]uint8")
                | ("array", "[]string")
                | ("object", "v1.Status")
        );
        (!fits).then(|| {
            format!(
                "json: cannot unmarshal {have} into Go struct field \
                 AdmissionResponse.response.{name} of type {kind}"
            )
        })
    };
    let fields = [
        ("uid", "types.UID"),
        ("allowed", "bool"),
        ("status", "v1.Status"),
        ("patch", "[]uint8"),
        ("patchType", "v1.PatchType"),
        ("warnings", "[]string"),
    ];
    fields.into_iter().find_map(|(name, kind)| field(name, kind)).or_else(|| {
        let (status, details) = (&response["status"], &response["status"]["details"]);
        let texts = [("message", status), ("reason", status), ("status", status)];
        let others = ["name", "group", "kind", "uid"].map(|name| (name, details));
        let mut texts = texts.into_iter().chain(others);
        texts.find_map(|(name, of)| {
            let have = match &of[name] {
                Tree::Null | Tree::Str(_) => return None,
                Tree::Bool(_) => "bool",
                Tree::List(_) => "array",
                Tree::Map(_) => "object",
                _ => "number",
            };
            let place = match std::ptr::eq(of, status) {
                true => format!("Status.response.status.{name}"),
                false => format!("StatusDetails.response.status.details.{name}"),
            };
            let text =
                format!("json: cannot unmarshal {have} into Go struct field {place} of type");
            Some(format!("{text} string"))
        })
    })
}

/// An answer with a status that is none of success.
fn refused(reply: &Reply) -> String {
    let said = String::from_utf8_lossy(&reply.body);
    // A `Status` speaks for itself.
    if let Ok(status) = serde_json::from_str::<Tree>(&said)
        && status["kind"] == "Status"
        && !status["message"].str().is_empty()
    {
        return cut(status["message"].str());
    }
    let is_text = reply.kind.is_empty() || reply.kind.starts_with("text/");
    let said = if is_text { cut(said.trim()) } else { "unknown".to_owned() };
    match reply.code {
        400 => "the server rejected our request for an unknown reason".to_owned(),
        401 => "the server has asked for the client to provide credentials".to_owned(),
        403 => said,
        404 => "the server could not find the requested resource".to_owned(),
        405 => "the server does not allow this method on the requested resource".to_owned(),
        406 => "the server was unable to respond with a content type that the client supports"
            .to_owned(),
        409 => "the server reported a conflict".to_owned(),
        410 => "the requested resource is no longer available".to_owned(),
        422 => "the server rejected our request due to an error in our request".to_owned(),
        429 => "the server has received too many requests and has asked us to try again later"
            .to_owned(),
        503 => "the server is currently unable to handle the request".to_owned(),
        504 => "the server was unable to return a response in the time allotted, but may still be \
                processing the request"
            .to_owned(),
        code if code >= 500 => {
            format!("an error on the server ({said:?}) has prevented the request from succeeding")
        }
        code => format!(
            "the server responded with the status code {code} but did not return more \
                         information"
        ),
    }
}

/// The response in a review, if it is the answer to the question.
fn verify<'a>(
    answer: &'a Tree,
    mutating: bool,
    (uid, version): (&str, &str),
) -> Result<&'a Tree, String> {
    let response = &answer["response"];
    if response.as_map().is_none() {
        return Err("webhook response was absent".to_owned());
    }
    // Of the older version little was checked, and still is.
    if version != CHECKED {
        return Ok(response);
    }
    if response["uid"] != uid {
        let got = response["uid"].str();
        return Err(format!("expected response.uid={uid:?}, got {got:?}"));
    }
    let (have, kind) = (answer["apiVersion"].str(), answer["kind"].str());
    if have != version || kind != "AdmissionReview" {
        let have = if have.is_empty() { "/" } else { have };
        return Err(format!(
            "expected webhook response of {version}, Kind=AdmissionReview, got {have}, Kind={kind}"
        ));
    }
    let (patch, has_type) = (response["patch"].str(), !response["patchType"].is_null());
    let problem = match (mutating, patch.is_empty(), has_type) {
        (true, false, false) => "webhook returned response.patch but not response.patchType",
        (true, true, true) => "webhook returned response.patchType but not response.patch",
        (true, ..) if has_type && response["patchType"].str().is_empty() => {
            "webhook returned invalid response.patchType of \"\""
        }
        (false, false, _) => "validating webhook may not return response.patch",
        (false, _, true) => "validating webhook may not return response.patchType",
        _ => return Ok(response),
    };
    Err(problem.to_owned())
}

/// The failure that a webhook's refusal is, made of the `Status` that it answers.
pub(super) fn denial(hook: &str, result: &Tree) -> Status {
    let denied = format!("admission webhook \"{hook}\" denied the request");
    let (said, reason) = (result["message"].str(), result["reason"].str());
    let message = match (said, reason) {
        ("", "") => format!("{denied} without explanation"),
        ("", reason) => format!("{denied}: {reason}"),
        (said, _) => format!("{denied}: {}", cut(said)),
    };
    let code = result["code"].as_i64().and_then(|code| u16::try_from(code).ok());
    let code = code.filter(|code| (400..600).contains(code)).unwrap_or(400);
    let details = result["details"].clone();
    let details = if details.as_map().is_some() { details } else { Tree::Null };
    let reason = Text::from(cut(reason));
    Status { code, reason, message, details, continue_token: Text::default() }
}

/// The failure that a call is that did not come about.
pub(super) fn failed(hook: &str, why: &str) -> Status {
    internal(&format!("failed calling webhook \"{hook}\": {why}"))
}

/// A failure of the server's own (apimachinery v0.36, `NewInternalError`).
pub(super) fn internal(why: &str) -> Status {
    let mut status = Status::new(500, "InternalError", format!("Internal error occurred: {why}"));
    status.details = map! { "causes" => list![map! { "message" => why }] };
    status
}

/// The failure that a rehearsal is of which a webhook does not know that it is one.
pub(super) fn no_rehearsal(hook: &str) -> Status {
    let text = format!("admission webhook \"{hook}\" does not support dry run");
    Status::new(400, "BadRequest", text)
}

/// A text as far as it is shown.
fn cut(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}
