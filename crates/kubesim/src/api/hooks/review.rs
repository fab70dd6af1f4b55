//! What a webhook is sent (apiserver v0.36, `webhook/request/admissionreview.go`).

use kubesim_model::request::Verb;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, list, map, object};

use super::answer::REVIEWS;
use super::chosen::Hook;
use super::dialog::{Errand, Key};
use super::target::Target;
use super::views::View;
use crate::api::policies::Attributes;
use crate::api::router::Call;

/// How long webhooks have that say nothing of it, in seconds.
const TIMEOUT: i64 = 10;

/// A question to a webhook.
pub(super) struct Question {
    /// The uid that its answer must repeat.
    pub(super) uid: Text,
    /// `admission.k8s.io/v1`.
    pub(super) version: Text,
    /// The call.
    pub(super) errand: Errand,
}

/// What is asked of a webhook about an object in a version; `own` is the version of the request.
///
/// # Errors
/// The webhook reads no version of reviews that there is.
pub(super) fn question(
    call: &Call<'_>,
    hook: &Hook,
    about: &Attributes<'_>,
    (view, own): (&View, &View),
    (target, round): (Target, usize),
) -> Result<Question, String> {
    let version = REVIEWS.version(&hook.spec["admissionReviewVersions"]);
    let version =
        version.ok_or("webhook does not accept known AdmissionReview versions (v1, v1beta1)")?;
    let mut request = request_of(call, about, (view, own));
    let (key, uid): (Key, Text) = call.outside.identify(&hook.id, round, &request);
    request.set(&["uid"], &uid);
    let body = map! {
        "kind" => REVIEWS.kind, "apiVersion" => &version, "request" => request,
    };
    let seconds = hook.spec["timeoutSeconds"].as_i64().unwrap_or(TIMEOUT).clamp(1, 30);
    let timeout = 1_000 * seconds.unsigned_abs() as Millis;
    let Target { to, url, authorities } = target;
    let late = "context deadline exceeded";
    let errand = Errand { key, to, url, authorities, body, timeout, late };
    Ok(Question { uid, version, errand })
}

fn request_of(call: &Call<'_>, about: &Attributes<'_>, (view, own): (&View, &View)) -> Tree {
    let kind = |view: &View| {
        let (group, version, kind) = &view.kind;
        map! { "group" => group, "version" => version, "kind" => kind }
    };
    let plural = call.resource().plural();
    let resource = |view: &View| {
        map! { "group" => &view.group, "version" => &view.version, "resource" => plural }
    };
    let mut request = map! {
        "kind" => kind(view), "resource" => resource(view),
        "requestKind" => kind(own), "requestResource" => resource(own),
        "operation" => about.operation.name(), "userInfo" => call.who.user.to_tree(),
        "object" => about.object, "oldObject" => about.old, "dryRun" => about.request.dry_run,
        "options" => options(about),
    };
    for (field, value) in [("name", about.name()), ("namespace", about.namespace_name())] {
        if !value.is_empty() {
            request.set(&[field], value);
        }
    }
    let subresource = &about.request.subresource;
    if !subresource.is_empty() {
        request.set(&["subResource"], subresource);
        request.set(&["requestSubResource"], subresource);
    }
    request
}

/// The options of a request, as the operation takes them.
fn options(about: &Attributes<'_>) -> Tree {
    let (request, operation) = (about.request, about.operation.name());
    let deletes = matches!(request.verb, Verb::Delete | Verb::DeleteCollection);
    let (kind, mut options) = match operation {
        "DELETE" if deletes && request.body.as_map().is_some() => {
            ("DeleteOptions", request.body.clone())
        }
        "DELETE" => ("DeleteOptions", map! {}),
        "CREATE" => ("CreateOptions", map! {}),
        "CONNECT" => return Tree::Null,
        _ => ("UpdateOptions", map! {}),
    };
    options.set(&["kind"], kind);
    options.set(&["apiVersion"], "meta.k8s.io/v1");
    if request.dry_run {
        options.set(&["dryRun"], list!["All"]);
    }
    if operation == "DELETE" {
        // A namespace is deleted as the one that was looked at (v1.36,
        // `pkg/registry/core/namespace`).
        let is_namespace = about.kind.resource == Resource::NAMESPACES;
        if is_namespace && options["preconditions"]["uid"].is_null() {
            options.set(&["preconditions", "uid"], object::uid(about.old));
        }
        return options;
    }
    if !request.field_manager.is_empty() {
        options.set(&["fieldManager"], &request.field_manager);
    }
    match (request.strict, request.lenient) {
        (true, _) => options.set(&["fieldValidation"], "Strict"),
        (_, true) => options.set(&["fieldValidation"], "Ignore"),
        _ => {}
    }
    options
}
