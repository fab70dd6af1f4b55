//! Which part of the server a request goes to, and what all writes share on the way to the store.

use std::cell::RefCell;
use std::sync::Arc;

use kubesim_model::request::{Answer, Remarks, Request, Status, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, map};

use super::connect::connection;
use super::convert::Other;
use super::hooks::Outside;
use super::identity::{API_SERVER, Identity, User};
use super::registry::Type;
use super::server::Api;
use super::{custom, errors, fields, typed};

/// A request on its way, with what was found out about it.
#[derive(Clone)]
pub(super) struct Call<'a> {
    /// The time.
    pub(super) now: Millis,
    /// The type that it is about.
    pub(super) kind: Arc<Type>,
    /// Who sent it.
    pub(super) who: &'a Identity,
    /// The request.
    pub(super) request: &'a Request,
    /// What the requester is told besides the answer.
    pub(super) remarks: &'a RefCell<Remarks>,
    /// Who owns which fields afterwards, where an apply has worked that out.
    pub(super) owners: Option<Tree>,
    /// How webhooks are asked.
    pub(super) outside: Outside<'a>,
}

impl<'a> Call<'a> {
    /// The same call with another request.
    pub(super) fn with<'b>(&self, request: &'b Request) -> Call<'b>
    where
        'a: 'b,
    {
        Call { request, ..self.clone() }
    }
}

impl Call<'_> {
    /// The object's name as the request gives it.
    pub(super) fn name(&self) -> &str {
        &self.request.key.name
    }

    /// The object's resource.
    pub(super) fn resource(&self) -> &Resource {
        &self.request.resource
    }

    /// The form that the request speaks, if it is not the stored one.
    pub(super) fn other_form(&self) -> Option<Other> {
        Other::of(&self.kind, &self.request.version)
    }

    /// Gives an object that came the form of its type. One in another form than the stored one
    /// becomes that.
    pub(super) fn typed(&self, object: &mut Tree, old: &Tree) -> Result<(), Status> {
        let kind = &self.kind.kind;
        fields::name_resets(object);
        let decoded = match self.other_form() {
            _ if self.kind.custom => custom::decode(&self.kind, object, old),
            None => typed::decode(kind, object, old).and_then(|decoded| {
                let mut unknown = decoded.unknown;
                if self.kind.resource == Resource::CUSTOM_RESOURCE_DEFINITIONS {
                    unknown.extend(custom::give_form(object, old)?);
                }
                Ok(unknown)
            }),
            Some(other) => {
                let decoded = typed::decode(other.type_name(), object, &Tree::Null);
                *object = other.stored(object, &self.kind);
                decoded.and_then(|found| typed::decode(kind, object, old).map(|_| found.unknown))
            }
        };
        let unknown = decoded.map_err(|why| errors::wrong_shape(&self.kind, &why))?;
        let unknown = unknown.iter().map(|field| format!("unknown field \"{field}\""));
        let mut found: Vec<String> = unknown.collect();
        // Of an applied configuration they are told elsewhere.
        if self.request.verb != Verb::Apply {
            let repeated = self.request.repeated.iter().map(Text::to_string);
            let first = self.kind.custom || self.request.verb.is_patch();
            let at = if first { 0 } else { found.len() };
            found.splice(at..at, repeated);
        }
        if self.request.strict && !found.is_empty() {
            return Err(errors::strict(&self.kind, &found));
        }
        if !self.request.lenient {
            self.warn(found);
        }
        Ok(())
    }

    /// Tells the requester something besides the answer, and nothing twice.
    pub(super) fn warn(&self, texts: impl IntoIterator<Item = String>) {
        let warnings = &mut self.remarks.borrow_mut().warnings;
        for text in texts {
            if !warnings.iter().any(|have| *have == text) {
                warnings.push(Text::from(text));
            }
        }
    }

    /// Answers why the object is invalid, if it is.
    pub(super) fn invalid_if(&self, causes: &[errors::Cause], name: &str) -> Result<(), Status> {
        match causes {
            [] => Ok(()),
            causes => Err(errors::invalid(&self.kind, name, causes)),
        }
    }
}

impl Api {
    /// Sends a request to the part that serves it.
    pub(super) fn route(
        &mut self,
        now: Millis,
        who: &Identity,
        request: &Request,
        (remarks, outside): (&RefCell<Remarks>, Outside<'_>),
    ) -> Answer {
        let kind = self.types.in_version(&request.resource, &request.version)?;
        if !kind.namespaced && !request.key.namespace.is_empty() && kind.custom {
            return Err(Status::new(404, "NotFound", "404 page not found"));
        }
        if !kind.namespaced && !request.key.namespace.is_empty() {
            let text = format!("{} are not namespaced", request.resource);
            return Err(errors::bad_request(text));
        }
        let collection = matches!(request.verb, Verb::List | Verb::DeleteCollection);
        let named = !collection && request.verb != Verb::Create;
        if named && request.key.name.is_empty() {
            return Err(errors::bad_request("resource name may not be empty"));
        }
        let anywhere = kind.namespaced && request.key.namespace.is_empty();
        if anywhere && request.verb != Verb::List {
            return Err(errors::bad_request("an empty namespace may not be set here"));
        }
        fields::check_options(request)?;
        let call = Call { now, kind, who, request, remarks, owners: None, outside };
        if let Some(text) = call.kind.version().and_then(|version| version.deprecated.as_ref()) {
            call.warn([text.to_string()]);
        }
        let answer = match request.subresource.as_str() {
            "" if call.kind.asked => self.answer_question(&call),
            "" if request.resource.as_str() == "componentstatuses" => self.components(&call),
            "" => self.route_object(&call),
            name if let Some(form) = connection(&request.resource, name) => {
                self.connect(&call, form)
            }
            name if !call.kind.has_subresource(name) && call.kind.custom => {
                Err(errors::not_found(&request.resource, &request.key.name))
            }
            name if !call.kind.has_subresource(name) => {
                Err(errors::no_such_resource(format_args!("{}/{name}", request.resource)))
            }
            _ => self.route_subresource(&call),
        };
        match call.other_form() {
            Some(other) => other.answer(&call.kind, answer?),
            None => answer,
        }
    }

    fn route_object(&mut self, call: &Call<'_>) -> Answer {
        match call.request.verb {
            Verb::Get => self.get_object(call),
            Verb::List => self.list_page(call),
            Verb::Create => self.create(call),
            Verb::Update => self.update(call),
            Verb::JsonPatch | Verb::MergePatch | Verb::StrategicPatch => self.patch(call),
            Verb::Apply => self.apply(call),
            Verb::Delete => self.delete(call),
            Verb::DeleteCollection => self.delete_collection(call),
        }
    }

    fn route_subresource(&mut self, call: &Call<'_>) -> Answer {
        let request = call.request;
        match (request.subresource.as_str(), request.verb) {
            ("status" | "finalize" | "approval", Verb::Get)
            | ("ephemeralcontainers" | "resize", Verb::Get) => self.current(call),
            ("status" | "finalize" | "approval", Verb::Update)
            | ("ephemeralcontainers" | "resize", Verb::Update) => self.update(call),
            ("status" | "approval" | "ephemeralcontainers" | "resize", Verb::Apply) => {
                self.apply(call)
            }
            ("status" | "approval" | "ephemeralcontainers" | "resize", verb) if verb.is_patch() => {
                self.patch(call)
            }
            ("scale", Verb::Get) => self.get_scale(call),
            ("scale", Verb::Update) => self.set_scale(call),
            ("scale", verb) if verb.is_patch() => self.set_scale(call),
            ("binding", Verb::Create) => self.bind(call),
            ("eviction", Verb::Create) => self.evict(call),
            ("token", Verb::Create) => self.issue_token(call),
            (name, verb) => {
                Err(errors::method_not_allowed(format_args!("{verb:?} {}/{name}", call.resource())))
            }
        }
    }

    /// Reads an object, which must not be older than the request wants it.
    fn get_object(&self, call: &Call<'_>) -> Answer {
        let wanted = call.request.list.resource_version.as_str();
        match wanted.parse() {
            Ok(wanted) if wanted > self.version() => Err(errors::too_new(wanted, self.version())),
            _ => self.current(call),
        }
    }

    /// The newest state of the object that a request names, in the version that it asks for.
    pub(super) fn current(&self, call: &Call<'_>) -> Answer {
        let stored = self.store.get(call.resource(), &call.request.key);
        let stored = stored.ok_or_else(|| errors::not_found(call.resource(), call.name()))?;
        self.shown_to(call, stored)
    }

    /// A stored object in the version that a request asks for.
    pub(super) fn shown_to(&self, call: &Call<'_>, stored: &Tree) -> Answer {
        self.converter(call.outside).shown(&call.kind, stored)
    }

    /// Stores an object, and serves what it declares if it is a CustomResourceDefinition.
    pub(super) fn commit(&mut self, kind: &Type, key: &ObjectKey, object: Tree) -> Tree {
        if kind.resource == Resource::CUSTOM_RESOURCE_DEFINITIONS {
            self.serve_declared(&object);
        }
        self.store.put(&kind.resource, key, object)
    }

    /// Stores an object of the version in use, and answers it as that version shows it.
    pub(super) fn put(&mut self, call: &Call<'_>, key: &ObjectKey, object: Tree) -> Answer {
        let stored = self.converter(call.outside).stored(&call.kind, object)?;
        let stored = self.commit(&call.kind, key, stored);
        self.shown_to(call, &stored)
    }

    /// Takes an object out. With a CustomResourceDefinition go its type and all objects of it, and
    /// with the last object of a type goes its definition, if that is being deleted.
    pub(super) fn erase(&mut self, kind: &Type, key: &ObjectKey, now: Millis) {
        if kind.resource == Resource::CUSTOM_RESOURCE_DEFINITIONS {
            let definition = self.store.get(&kind.resource, key).cloned();
            self.erase_declared(key);
            self.store.remove(&kind.resource, key);
            self.free_names(&definition.unwrap_or_default(), now);
            return;
        }
        self.store.remove(&kind.resource, key);
        if kind.definition.as_ref().is_some_and(|definition| definition.is_ending) {
            self.end_definition(&kind.resource, now);
        }
    }

    /// Makes what every cluster has from its start.
    pub(super) fn bootstrap(&mut self, now: Millis) {
        for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            let object = map! { "metadata" => map! { "name" => name } };
            self.boot(now, &Request::create(Resource::NAMESPACES, object));
        }
        let classes = [
            ("system-cluster-critical", 2_000_000_000i64),
            ("system-node-critical", 2_000_001_000),
        ];
        for (name, value) in classes {
            let object = map! { "metadata" => map! { "name" => name }, "value" => value };
            self.boot(now, &Request::create(Resource::PRIORITY_CLASSES, object));
        }
    }

    pub(super) fn boot(&mut self, now: Millis, request: &Request) {
        let user = User::named(API_SERVER);
        let (who, remarks) = (Identity { user, ..Identity::default() }, RefCell::default());
        let made = self.route(now, &who, request, (&remarks, Outside::Exempt));
        made.expect("the objects that every cluster starts with are valid");
    }
}
