//! What a webhook's answer says, and the words for one that says nothing that makes sense
//! (apiserver v0.36, `webhook/request/admissionreview.go` and `webhook/errors/statuserror.go`;
//! client-go v0.36, `rest/request.go`). Webhooks lie: any answer is possible.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kubesim_model::request::Status;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map};

use super::dialog::Heard;
use super::reply::{Reviews, cut};

/// The reviews that are asked for and answered.
pub(super) const REVIEWS: Reviews = Reviews {
    group: "admission.k8s.io",
    kind: "AdmissionReview",
    scheme: "pkg/runtime/scheme.go:111",
};

/// The version of which answers are checked throughout.
const CHECKED: &str = "admission.k8s.io/v1";

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
    let answer = heard.and_then(|reply| REVIEWS.read(&reply, version));
    let answer = answer.and_then(|answer| wrong_shape(&answer["response"]).map_or(Ok(answer), Err));
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
pub(in crate::api) fn internal(why: &str) -> Status {
    let mut status = Status::new(500, "InternalError", format!("Internal error occurred: {why}"));
    status.details = map! { "causes" => list![map! { "message" => why }] };
    status
}

/// The failure that a rehearsal is of which a webhook does not know that it is one.
pub(super) fn no_rehearsal(hook: &str) -> Status {
    let text = format!("admission webhook \"{hook}\" does not support dry run");
    Status::new(400, "BadRequest", text)
}
