//! The failures that an API server answers, with the codes, reasons and details clients branch on
//! (apimachinery v0.36, `pkg/api/errors`).

use std::fmt::Display;

use kubesim_model::request::Status;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, map};

use super::registry::Type;

/// One violated rule of a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cause {
    /// Where: `spec.containers[0].name`.
    pub(super) field: String,
    /// Which rule: `FieldValueRequired`, `FieldValueInvalid`, …
    pub(super) reason: &'static str,
    /// The text, without the field.
    pub(super) message: String,
}

impl Cause {
    /// A field that must be there is not.
    pub(super) fn required(field: impl Into<String>, detail: &str) -> Self {
        Cause::new(field, "FieldValueRequired", join("Required value", detail))
    }

    /// A value breaks a rule.
    pub(super) fn invalid(field: impl Into<String>, value: &Tree, detail: &str) -> Self {
        Cause::new(field, "FieldValueInvalid", join(&format!("Invalid value: {value}"), detail))
    }

    /// A field may not be set, or not be changed.
    pub(super) fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Cause::new(field, "FieldValueForbidden", join("Forbidden", detail))
    }

    /// A value is there twice.
    pub(super) fn duplicate(field: impl Into<String>, value: &Tree) -> Self {
        Cause::new(field, "FieldValueDuplicate", format!("Duplicate value: {value}"))
    }

    /// A reference names nothing.
    pub(super) fn not_found(field: impl Into<String>, value: &Tree) -> Self {
        Cause::new(field, "FieldValueNotFound", format!("Not found: {value}"))
    }

    /// A value is none of those that are allowed.
    pub(super) fn not_supported(field: impl Into<String>, value: &Tree, allowed: &[&str]) -> Self {
        let allowed: Vec<String> = allowed.iter().map(|one| format!("{one:?}")).collect();
        let message =
            format!("Unsupported value: {value}: supported values: {}", allowed.join(", "));
        Cause::new(field, "FieldValueNotSupported", message)
    }

    pub(super) fn new(field: impl Into<String>, reason: &'static str, message: String) -> Self {
        Cause { field: field.into(), reason, message }
    }

    pub(super) fn to_tree(&self) -> Tree {
        let mut cause = map! { "reason" => self.reason, "message" => self.message.clone() };
        if !self.field.is_empty() {
            cause.set(&["field"], self.field.clone());
        }
        cause
    }
}

fn join(rule: &str, detail: &str) -> String {
    if detail.is_empty() { rule.to_owned() } else { format!("{rule}: {detail}") }
}

fn details(kind: &str, group: &str, name: &str) -> Tree {
    let mut details = map! { "kind" => kind };
    if !name.is_empty() {
        details.set(&["name"], name);
    }
    if !group.is_empty() {
        details.set(&["group"], group);
    }
    details
}

fn about(resource: &Resource, name: &str) -> Tree {
    details(resource.plural(), resource.group(), name)
}

/// 422: an update must say which version it is about.
pub(super) fn needs_version(kind: &Type, name: &str) -> Status {
    let detail = "must be specified for an update";
    let cause = Cause::invalid("metadata.resourceVersion", &Tree::Int(0), detail);
    let mut status = invalid(kind, name, &[cause]);
    status.details.set(&["kind"], kind.resource.plural());
    status
}

/// 422: the object breaks these rules.
pub(super) fn invalid(kind: &Type, name: &str, causes: &[Cause]) -> Status {
    let texts: Vec<String> =
        causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
    let text = match texts.as_slice() {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    let group = kind.resource.group();
    let full = if group.is_empty() {
        kind.kind.clone()
    } else {
        Text::from(format!("{}.{group}", kind.kind))
    };
    let mut status = Status::new(422, "Invalid", format!("{full} \"{name}\" is invalid: {text}"));
    status.details = details(&kind.kind, group, name);
    let causes: Vec<Tree> = causes.iter().map(Cause::to_tree).collect();
    status.details.set(&["causes"], causes);
    status
}

/// 404: no such object.
pub(super) fn not_found(resource: &Resource, name: &str) -> Status {
    let mut status = Status::new(404, "NotFound", format!("{resource} \"{name}\" not found"));
    status.details = about(resource, name);
    status
}

/// 404: no such resource or subresource.
pub(super) fn no_such_resource(what: impl Display) -> Status {
    let text = format!("the server could not find the requested resource ({what})");
    let mut status = Status::new(404, "NotFound", text);
    status.details = Tree::map();
    status
}

/// 409: the name is taken, maybe by an object that is being deleted.
pub(super) fn already_exists(resource: &Resource, name: &str, going: bool) -> Status {
    let why = if going { "object is being deleted: " } else { "" };
    let text = format!("{why}{resource} \"{name}\" already exists");
    let mut status = Status::new(409, "AlreadyExists", text);
    status.details = about(resource, name);
    status
}

/// 409: the object is not what the request counted on.
pub(super) fn conflict(resource: &Resource, name: &str, why: impl Display) -> Status {
    let text = format!("Operation cannot be fulfilled on {resource} \"{name}\": {why}");
    let mut status = Status::new(409, "Conflict", text);
    status.details = about(resource, name);
    status
}

/// 409: the object changed since it was read.
pub(super) fn modified(resource: &Resource, name: &str) -> Status {
    conflict(
        resource,
        name,
        "the object has been modified; please apply your changes to the latest version and try \
         again",
    )
}

/// 409: an apply would take fields that others own; the path of each, and what is said of it.
pub(super) fn apply_conflict(text: String, causes: Vec<(String, String)>) -> Status {
    let mut status = Status::new(409, "Conflict", text);
    let causes = causes
        .into_iter()
        .map(|(path, message)| Cause::new(path, "FieldManagerConflict", message).to_tree());
    status.details = map! { "causes" => causes.collect::<Vec<Tree>>() };
    status
}

/// 403: not allowed here and now.
pub(super) fn forbidden(resource: &Resource, name: &str, why: impl Display) -> Status {
    let text = format!("{resource} \"{name}\" is forbidden: {why}");
    let mut status = Status::new(403, "Forbidden", text);
    status.details = about(resource, name);
    status
}

/// 403: the same of an object that may have no name yet.
pub(super) fn denied(resource: &Resource, name: &str, why: impl Display) -> Status {
    let mut status = forbidden(resource, name, &why);
    if name.is_empty() {
        status.message = format!("{resource} is forbidden: {why}");
    }
    status
}

/// 403: the namespace is being deleted.
pub(super) fn namespace_terminating(resource: &Resource, name: &str, namespace: &str) -> Status {
    let why = format!(
        "unable to create new content in namespace {namespace} because it is being terminated"
    );
    let mut status = forbidden(resource, name, why);
    let cause = Cause::new(
        "metadata.namespace",
        "NamespaceTerminating",
        format!("namespace {namespace} is being terminated"),
    );
    status.details.set(&["causes"], vec![cause.to_tree()]);
    status
}

/// 422: the options of a request break these rules.
pub(super) fn invalid_options(kind: &str, causes: &[Cause]) -> Status {
    let texts: Vec<String> =
        causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
    let text = match texts.as_slice() {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    let text = format!("{kind}.meta.k8s.io \"\" is invalid: {text}");
    let mut status = Status::new(422, "Invalid", text);
    status.details = details(kind, "meta.k8s.io", "");
    let causes: Vec<Tree> = causes.iter().map(Cause::to_tree).collect();
    status.details.set(&["causes"], causes);
    status
}

/// 422: an option of a list or a watch may not be set as it is.
pub fn forbidden_option(field: &str, why: &str) -> Status {
    invalid_options("ListOptions", &[Cause::forbidden(field, why)])
}

/// 422: the patch makes no object of the type.
pub(super) fn invalid_patch(why: &str) -> Status {
    let cause = Cause::new("patch", "FieldValueInvalid", format!("Invalid value: {why}"));
    let text = format!(" \"\" is invalid: patch: {}", cause.message);
    let mut status = Status::new(422, "Invalid", text);
    status.details = map! { "causes" => vec![cause.to_tree()] };
    status
}

/// 500: the server failed in a way that has no reason of its own.
pub(super) fn failed(why: impl Into<String>) -> Status {
    Status::new(500, "", why)
}

/// 400: the request can't be understood.
pub(super) fn bad_request(why: impl Into<String>) -> Status {
    Status::new(400, "BadRequest", why)
}

/// 400: a value has not the shape that its type wants.
pub(super) fn wrong_shape(kind: &Type, why: &str) -> Status {
    let (kind, version) = (&kind.kind, kind.versions.first().map_or("v1", Text::as_str));
    bad_request(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"))
}

/// 400: what a body has that it should not have, where that was asked to be refused.
pub(super) fn strict(kind: &Type, found: &[String]) -> Status {
    wrong_shape(kind, &format!("strict decoding error: {}", found.join(", ")))
}

/// 405: the verb is not for this resource.
pub(super) fn method_not_allowed(what: impl Display) -> Status {
    let text = format!("the server does not allow this method on the requested resource ({what})");
    let mut status = Status::new(405, "MethodNotAllowed", text);
    status.details = Tree::map();
    status
}

/// 415: this form of patch is not for this resource.
pub(super) fn unsupported_patch() -> Status {
    let text = "the body of the request was in an unknown format - accepted media types include: \
                application/json-patch+json, application/merge-patch+json";
    Status::new(415, "UnsupportedMediaType", text)
}

/// 410: the window does not reach back to `rv`.
pub(super) fn too_old(rv: u64, oldest: u64) -> Status {
    Status::new(410, "Expired", format!("too old resource version: {rv} ({oldest})"))
}

/// 504: the store has not reached `rv`.
pub(super) fn too_new(rv: u64, newest: u64) -> Status {
    let text = format!("Too large resource version: {rv}, current: {newest}");
    let mut status = Status::new(504, "Timeout", text);
    let cause = Cause::new("", "ResourceVersionTooLarge", "Too large resource version".to_owned());
    status.details = map! { "retryAfterSeconds" => 1, "causes" => vec![cause.to_tree()] };
    status
}

/// 429: not now; `retry_after` in seconds.
pub(super) fn too_many_requests(why: &str, retry_after: i64, budget: String) -> Status {
    let mut status = Status::new(429, "TooManyRequests", why);
    let cause = Cause::new("", "DisruptionBudget", budget);
    status.details = map! { "causes" => vec![cause.to_tree()] };
    if retry_after > 0 {
        status.details.set(&["retryAfterSeconds"], retry_after);
    }
    status
}
