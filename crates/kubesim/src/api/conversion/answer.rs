//! What a webhook has answered, held against what was asked (apiextensions-apiserver v0.36,
//! `apiserver/conversion/webhook_converter.go`). Webhooks lie: any answer is possible.

use kubesim_model::tree::Tree;

use super::converter::{Question, REVIEWS, prefix};
use super::restore;
use crate::api::hooks::Heard;

/// The version of which answers are checked throughout.
const CHECKED: &str = "apiextensions.k8s.io/v1";

/// The converted object in the answer to a question.
///
/// # Errors
/// What is wrong with the answer.
pub(super) fn read(heard: Heard, question: &Question<'_>) -> Result<Tree, String> {
    let about = prefix(question.object);
    let answer = heard.and_then(|reply| REVIEWS.read(&reply, question.version));
    let objects = answer.and_then(|answer| objects_in(&answer, question));
    let objects = objects.map_err(|why| format!("{about} failed: {why}"))?;
    let [converted] = objects.as_slice() else {
        return Err(format!("{about} returned {} objects, expected 1", objects.len()));
    };
    let mut converted = converted.clone();
    if let Some(why) = is_no_object(&converted) {
        return Err(why);
    }
    let (have, wanted) = (converted["apiVersion"].str(), question.wanted);
    if have != wanted {
        return Err(format!(
            "{about} returned invalid object at index 0: invalid groupVersion (expected {wanted}, \
             received {have})"
        ));
    }
    let (have, wanted) = (converted["kind"].str(), question.object["kind"].str());
    if have != wanted {
        return Err(format!(
            "{about} returned invalid object at index 0: invalid kind (expected {wanted}, received \
             {have})"
        ));
    }
    restore::check_identity(question.object, &converted)
        .map_err(|why| format!("{about} returned invalid object: {why}"))?;
    restore::restore(question.object, &mut converted)
        .map_err(|why| format!("{about} returned invalid metadata: {why}"))?;
    Ok(converted)
}

/// Why a value can't be read as an object, in the words of Go's decoder.
fn is_no_object(value: &Tree) -> Option<String> {
    let kind = match value {
        Tree::Map(_) if value["kind"].str().is_empty() => {
            return Some(format!("Object 'Kind' is missing in '{value}'"));
        }
        Tree::Map(_) => return None,
        Tree::Null => return Some("unexpected end of JSON input".to_owned()),
        value => go_kind(value),
    };
    Some(format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"))
}

/// What Go's decoder calls a value of JSON.
fn go_kind(value: &Tree) -> &'static str {
    match value {
        Tree::Null => "null",
        Tree::Str(_) => "string",
        Tree::Bool(_) => "bool",
        Tree::List(_) => "array",
        Tree::Map(_) => "object",
        Tree::Int(_) | Tree::Float(_) => "number",
    }
}

/// The objects in a review, if it is the answer to the question and says that all went well.
fn objects_in(answer: &Tree, question: &Question<'_>) -> Result<Vec<Tree>, String> {
    let (version, kind) = (answer["apiVersion"].str(), answer["kind"].str());
    let response = &answer["response"];
    if let Some(why) = wrong_shape(response) {
        return Err(why);
    }
    // Of the older version little was checked, and still is.
    let is_checked = question.version == CHECKED;
    if is_checked && (version != CHECKED || kind != REVIEWS.kind) {
        let version = if version.is_empty() { "/" } else { version };
        return Err(format!(
            "expected webhook response of {CHECKED}, Kind={}, got {version}, Kind={kind}",
            REVIEWS.kind
        ));
    }
    if response.as_map().is_none() {
        return Err("no response provided".to_owned());
    }
    let uid = response["uid"].str();
    if is_checked && uid != question.uid {
        return Err(format!("expected response.uid={:?}, got {uid:?}", question.uid));
    }
    let result = &response["result"];
    let (status, message) = (result["status"].str(), result["message"].str());
    match (status, message) {
        ("Success", _) => Ok(response["convertedObjects"].items().to_vec()),
        (_, "") => Err(format!("response.result.status was '{status}', not 'Success'")),
        _ => Err(message.to_owned()),
    }
}

/// A value of another type than the field has.
fn wrong_shape(response: &Tree) -> Option<String> {
    let result = &response["result"];
    let fields = [
        ("ConversionReview.response", response, "object", "v1.ConversionResponse"),
        ("ConversionResponse.response.uid", &response["uid"], "string", "types.UID"),
        (
            "ConversionResponse.response.convertedObjects",
            &response["convertedObjects"],
            "array",
            "[]runtime.RawExtension",
        ),
        ("ConversionResponse.response.result", result, "object", "v1.Status"),
        ("Status.response.result.status", &result["status"], "string", "string"),
        ("Status.response.result.message", &result["message"], "string", "string"),
    ];
    fields.into_iter().find_map(|(field, value, wanted, kind)| {
        let have = go_kind(value);
        (have != "null" && have != wanted).then(|| {
            format!("json: cannot unmarshal {have} into Go struct field {field} of type {kind}")
        })
    })
}
