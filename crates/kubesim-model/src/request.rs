//! A request to the API, as actors make it and as it is recorded, and its answer.

use serde::{Deserialize, Serialize};

use crate::resource::{ObjectKey, Resource};
use crate::tree::Tree;
use crate::{Text, map};

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Reads one object.
    Get,
    /// Reads the objects of a resource.
    List,
    /// Makes an object.
    Create,
    /// Replaces an object.
    Update,
    /// RFC 6902.
    JsonPatch,
    /// RFC 7386.
    MergePatch,
    /// Kubernetes' own patch, which merges lists of built-in types by key.
    StrategicPatch,
    /// Server-side apply: a configuration whose fields are the manager's from then on. Makes an
    /// object that is not there.
    Apply,
    /// Deletes an object.
    Delete,
    /// Deletes the objects that a list would answer.
    DeleteCollection,
}

impl Verb {
    /// Whether the request may change the store.
    pub fn is_write(self) -> bool {
        !matches!(self, Verb::Get | Verb::List)
    }

    /// Whether this is one of the four patches.
    pub fn is_patch(self) -> bool {
        matches!(self, Verb::JsonPatch | Verb::MergePatch | Verb::StrategicPatch | Verb::Apply)
    }
}

/// What narrows a list or a watch, and how a list is cut into pages.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListOptions {
    /// A label selector in its text form.
    pub label_selector: Text,
    /// A field selector in its text form.
    pub field_selector: Text,
    /// At most this many objects; 0 for all.
    pub limit: usize,
    /// The token of the page before.
    pub continue_token: Text,
    /// The `resourceVersion` parameter.
    pub resource_version: Text,
    /// The `resourceVersionMatch` parameter.
    pub resource_version_match: Text,
}

/// One request. Build it with the constructors and refine it with the `with_` methods.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What it does.
    pub verb: Verb,
    /// To which resource.
    pub resource: Resource,
    /// Namespace and name. The name is empty for lists, and for creates with `generateName`.
    pub key: ObjectKey,
    /// `status`, `scale`, `eviction`, `binding`, …; empty for the object itself.
    pub subresource: Text,
    /// The version of the type that it speaks, by its name (`v1`); empty for the stored one.
    pub version: Text,
    /// The object, the patch, or the delete options.
    pub body: Tree,
    /// What was found out about keys that stand in the body twice, of which the last counts.
    pub repeated: Vec<Text>,
    /// For lists and `DeleteCollection`.
    pub list: ListOptions,
    /// Check and answer, but store nothing.
    pub dry_run: bool,
    /// Refuse fields that the type does not have (`fieldValidation=Strict`); else they are dropped.
    pub strict: bool,
    /// Drop such fields without a warning (`fieldValidation=Ignore`).
    pub lenient: bool,
    /// The name under which the fields that are written are owned; empty for the first part of
    /// the user agent. Whoever applies must name one.
    pub field_manager: Text,
    /// Whether an apply takes what others own. Only for applies.
    pub force: Option<bool>,
}

impl Request {
    /// A request without body or options.
    pub fn new(verb: Verb, resource: Resource, key: ObjectKey) -> Self {
        Request {
            verb,
            resource,
            key,
            subresource: Text::default(),
            version: Text::default(),
            body: Tree::Null,
            repeated: Vec::new(),
            list: ListOptions::default(),
            dry_run: false,
            strict: false,
            lenient: false,
            field_manager: Text::default(),
            force: None,
        }
    }

    /// Reads one object.
    pub fn get(resource: Resource, key: ObjectKey) -> Self {
        Request::new(Verb::Get, resource, key)
    }

    /// Reads all objects of a resource in a namespace; in all with the empty one.
    pub fn list(resource: Resource, namespace: impl Into<Text>) -> Self {
        Request::new(Verb::List, resource, ObjectKey::new(namespace, ""))
    }

    /// Makes `object`, in the namespace and with the name in its metadata.
    pub fn create(resource: Resource, object: Tree) -> Self {
        let key = crate::object::key(&object);
        Request::new(Verb::Create, resource, key).with_body(object)
    }

    /// Replaces an object; `object` carries the resourceVersion that was read.
    pub fn update(resource: Resource, object: Tree) -> Self {
        let key = crate::object::key(&object);
        Request::new(Verb::Update, resource, key).with_body(object)
    }

    /// A JSON merge patch.
    pub fn merge_patch(resource: Resource, key: ObjectKey, patch: Tree) -> Self {
        Request::new(Verb::MergePatch, resource, key).with_body(patch)
    }

    /// A strategic merge patch.
    pub fn strategic_patch(resource: Resource, key: ObjectKey, patch: Tree) -> Self {
        Request::new(Verb::StrategicPatch, resource, key).with_body(patch)
    }

    /// A server-side apply of `config`, which names its type and itself, by `manager`.
    pub fn apply(resource: Resource, config: Tree, manager: impl Into<Text>) -> Self {
        let key = crate::object::key(&config);
        let field_manager = manager.into();
        Request { field_manager, ..Request::new(Verb::Apply, resource, key).with_body(config) }
    }

    /// Deletes an object with the defaults of its type.
    pub fn delete(resource: Resource, key: ObjectKey) -> Self {
        Request::new(Verb::Delete, resource, key)
    }

    /// The eviction of a pod.
    pub fn evict(key: ObjectKey) -> Self {
        let body = map! {
            "apiVersion" => "policy/v1", "kind" => "Eviction",
            "metadata" => map! { "name" => &key.name, "namespace" => &key.namespace },
        };
        Request::new(Verb::Create, Resource::PODS, key).with_subresource("eviction").with_body(body)
    }

    /// With this body.
    pub fn with_body(mut self, body: Tree) -> Self {
        self.body = body;
        self
    }

    /// To this subresource.
    pub fn with_subresource(mut self, name: &'static str) -> Self {
        self.subresource = Text::new_static(name);
        self
    }

    /// Only if the object still has this uid (deletes).
    pub fn with_uid(mut self, uid: impl Into<Tree>) -> Self {
        self.body.set(&["preconditions", "uid"], uid);
        self
    }

    /// With this grace period (deletes).
    pub fn with_grace(mut self, seconds: i64) -> Self {
        self.body.set(&["gracePeriodSeconds"], seconds);
        self
    }
}

/// A failed request, as Kubernetes' `Status`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{reason} ({code}): {message}")]
pub struct Status {
    /// The HTTP status; 0 when no answer came (connection lost).
    pub code: u16,
    /// The reason that clients branch on: `Conflict`, `NotFound`, …
    pub reason: Text,
    /// The text for humans.
    pub message: String,
    /// `details`, or `Null`.
    pub details: Tree,
    /// The token by which a list goes on that is too old to be told as it was; empty for none.
    pub continue_token: Text,
}

impl Status {
    /// A failure with `code`, `reason` and `message`.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Status {
            code,
            reason: Text::new_static(reason),
            message: message.into(),
            details: Tree::Null,
            continue_token: Text::default(),
        }
    }

    /// The connection broke: the request may or may not have been carried out.
    pub fn connection_lost() -> Self {
        Status::new(0, "ConnectionLost", "the connection was lost before an answer came")
    }

    /// Whether no such object exists.
    pub fn is_not_found(&self) -> bool {
        self.code == 404
    }

    /// Whether the object changed since it was read (not: exists already).
    pub fn is_conflict(&self) -> bool {
        self.code == 409 && self.reason == "Conflict"
    }

    /// Whether the object exists already.
    pub fn is_already_exists(&self) -> bool {
        self.reason == "AlreadyExists"
    }

    /// The `Status` object on the wire.
    pub fn to_tree(&self) -> Tree {
        let mut status = map! {
            "apiVersion" => "v1", "kind" => "Status", "metadata" => map! {},
            "status" => "Failure", "message" => self.message.clone(),
            "code" => u32::from(self.code),
        };
        if !self.reason.is_empty() {
            status.set(&["reason"], &self.reason);
        }
        if !self.details.is_null() {
            status.set(&["details"], &self.details);
        }
        if !self.continue_token.is_empty() {
            status.set(&["metadata", "continue"], &self.continue_token);
        }
        status
    }
}

/// What comes with an answer, besides what was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remarks {
    /// Whether the request made an object (HTTP 201).
    pub created: bool,
    /// Warnings for whoever sent the request, as in `unknown field "spec.replica"`.
    pub warnings: Vec<Text>,
}

/// What a request answers: the object (or list, or Status of a delete), or the failure.
pub type Answer = Result<Tree, Status>;
