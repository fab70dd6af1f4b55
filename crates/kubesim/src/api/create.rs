//! Creating objects: name, namespace, defaults, admission, validation.

use kubesim_model::request::{Answer, Status, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::weight::weigh;
use kubesim_model::{Text, object};

use super::convert::Other;
use super::policies::Subject;
use super::registry::Type;
use super::router::Call;
use super::server::Api;
use super::{custom, defaults, errors, metadata, parts, validate};

/// What changes requests only where somebody calls webhooks.
const CALLED: [&str; 2] = [
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
];

/// What is said of an object that is to be made elsewhere than its URL says.
const OTHER_NAMESPACE: &str =
    "the namespace of the provided object does not match the namespace sent on the request";

/// How often a generated name that is taken is drawn again.
const DRAWS: usize = 8;

impl Api {
    /// Makes an object (apiserver v0.36, `registry/rest/create.go` `BeforeCreate`).
    pub(super) fn create(&mut self, call: &Call<'_>) -> Answer {
        let object = self.received(call, &Tree::Null)?;
        self.make(call, object)
    }

    /// Stores a new object of the right form.
    pub(super) fn make(&mut self, call: &Call<'_>, object: Tree) -> Answer {
        let mut object = object;
        let owners = object["metadata"]["managedFields"].clone();
        let namespace = self.creation_namespace(call, &mut object)?;
        let kind = &call.kind;
        if !object["metadata"]["resourceVersion"].str().is_empty() {
            let text = "resourceVersion should not be set on objects to be created";
            return Err(errors::failed(text));
        }
        object.field_mut("metadata").remove(&["resourceVersion"]);
        metadata::wipe_new(kind, &mut object);
        defaults::fill(kind, &mut object, &Tree::Null);
        call.track_new(self, &mut object, &owners)?;
        let admitted = self.admitted(call, Subject::create(&object), |api, object| {
            api.in_living_namespace(kind, &namespace, object::name(object))?;
            api.fill_limits(call, object);
            api.admit(call, object)?;
            if api.config.service_accounts { api.admit_account(call, object) } else { Ok(()) }
        });
        let mut object = admitted?;
        if object::namespace(&object) != namespace.as_str() {
            return Err(errors::bad_request(OTHER_NAMESPACE));
        }
        self.check_escalation(call, &Tree::Null, &object)?;
        let base = self.prepare(call, &mut object)?;
        let mut causes = validate::created(kind, &object, call);
        if call.other_form() == Some(Other::Event) {
            validate::check_strictly(&Tree::Null, &object, &mut causes);
        }
        call.invalid_if(&causes, object::name(&object))?;
        self.warn_of_idle(call);
        if kind.resource == Resource::CUSTOM_RESOURCE_DEFINITIONS {
            self.accept_names(&mut object, call.now);
        }
        self.check_limits(call, &object)?;
        self.approve(call, Subject::create(&object))?;
        self.finish_create(call, &mut object);
        self.keep_new(call, (&namespace, &base), object)
    }

    /// Gives an object what only the server knows of it: uid, times, its first status, and a name
    /// if it has none. Answers what generated names begin with; nothing if it was named.
    fn prepare(&mut self, call: &Call<'_>, object: &mut Tree) -> Answer {
        let kind = &call.kind;
        let uid = self.new_uid();
        metadata::stamp_new(kind, object, uid, call.now);
        defaults::reset_status(kind, object, call.now);
        if kind.resource.group() == "certificates.k8s.io" {
            parts::sign(call, object);
        }
        let mut base = object["metadata"]["generateName"].clone();
        if object::name(object).is_empty() && !base.str().is_empty() {
            let name = self.new_name(base.str());
            object.set(&["metadata", "name"], name);
        } else {
            base = Tree::Null;
        }
        if kind.definition.as_ref().is_some_and(|definition| definition.is_ending) {
            let why = "create not allowed while custom resource definition is terminating";
            return Err(errors::forbidden(&kind.resource, object::name(object), why));
        }
        if kind.resource == Resource::NAMESPACES {
            metadata::label_namespace(object);
        }
        if kind.kind == "Job" && !kind.custom {
            defaults::select_own_pods(object);
        }
        metadata::count_templates(kind, &Tree::Null, object);
        if kind.resource == Resource::CUSTOM_RESOURCE_DEFINITIONS {
            object.remove(&["status"]);
            custom::note_stored(object);
        }
        Ok(base)
    }

    /// Says of what is only kept that it is.
    fn warn_of_idle(&self, call: &Call<'_>) {
        let resource = call.resource().as_str();
        if CALLED.contains(&resource) && !self.config.has_caller {
            call.warn([format!("{resource} are kept, but this server does not act on them")]);
        }
    }

    /// Stores a new object, under another name if a generated one is taken.
    fn keep_new(
        &mut self,
        call: &Call<'_>,
        (namespace, base): (&Text, &Tree),
        object: Tree,
    ) -> Answer {
        let (kind, mut object) = (&call.kind, object);
        let drawn = !base.str().is_empty();
        let mut taken = false;
        for _ in 0..if drawn { DRAWS } else { 1 } {
            if kind.asks_to_convert() {
                // What is stored is made before the name is found to be taken.
                self.converter(call.outside).stored(kind, object.clone())?;
            }
            let key = ObjectKey::new(namespace.clone(), object["metadata"]["name"].text());
            let Some(have) = self.store.get(&kind.resource, &key) else {
                self.charge(call, &Tree::Null, &object)?;
                call.remarks.borrow_mut().created = true;
                return self.put(call, &key, object);
            };
            taken = object::is_terminating(have);
            if drawn {
                let name = self.new_name(base.str());
                object.set(&["metadata", "name"], name);
            }
        }
        Err(errors::already_exists(&kind.resource, object::name(&object), taken))
    }

    /// The object in a request's body, with `apiVersion` and `kind` of the stored version.
    /// What it shares with `old` is taken for granted.
    pub(super) fn received(&self, call: &Call<'_>, old: &Tree) -> Answer {
        let mut object = call.request.body.clone();
        if call.kind.asked && object.as_map().is_some() && object["metadata"].is_null() {
            object.set(&["metadata"], Tree::map());
        }
        if object.as_map().is_none() || object["metadata"].as_map().is_none() {
            return Err(errors::bad_request("the body of the request holds no object"));
        }
        self.check_size(&object)?;
        let (version, kind) = (object["apiVersion"].str(), object["kind"].str());
        if call.kind.custom {
            custom::check_version(&call.kind, &object, &call.request.body)?;
            if call.request.verb != Verb::Update {
                custom::check_kind(&call.kind, &object)?;
            }
        } else if !(version.is_empty() || call.kind.serves(version))
            || !(kind.is_empty() || call.kind.kind == kind)
        {
            return Err(errors::bad_request(format!(
                "the object provided is of {version}, {kind}, but {} takes {}, {}",
                call.resource(),
                call.kind.api_version(),
                call.kind.kind,
            )));
        }
        let version = call
            .other_form()
            .map_or_else(|| call.kind.api_version(), |other| Text::new_static(other.api_version()));
        let said = object["apiVersion"].str();
        if call.kind.versions.len() > 1 && !said.is_empty() && said != version {
            return Err(errors::bad_request(format!(
                "the API version in the data ({said}) does not match the expected API version \
                 ({version})"
            )));
        }
        object.set(&["apiVersion"], version);
        object.set(&["kind"], &call.kind.kind);
        call.typed(&mut object, old)?;
        Ok(object)
    }

    /// Refuses what etcd would not take.
    pub(super) fn check_size(&self, object: &Tree) -> Result<(), Status> {
        let limit = self.config.object_bytes;
        if weigh(object, limit).is_some() {
            return Ok(());
        }
        let text = format!("Request entity too large: limit is {limit} bytes");
        Err(Status::new(413, "RequestEntityTooLarge", text))
    }

    /// The namespace of the new object; body and request must agree, in the name too.
    fn creation_namespace(&self, call: &Call<'_>, object: &mut Tree) -> Result<Text, Status> {
        let key = &call.request.key;
        let have = object::key(object);
        if !have.namespace.is_empty() && have.namespace != key.namespace {
            return Err(errors::bad_request(OTHER_NAMESPACE));
        }
        if !key.name.is_empty() && !have.name.is_empty() && key.name != have.name {
            return Err(errors::bad_request(
                "the name of the object does not match the name on the request",
            ));
        }
        if !key.namespace.is_empty() {
            object.set(&["metadata", "namespace"], &key.namespace);
        }
        Ok(key.namespace.clone())
    }

    /// Admission plugin NamespaceLifecycle: nothing is made in a namespace that ends or
    /// is not there.
    pub(super) fn in_living_namespace(
        &self,
        kind: &Type,
        namespace: &Text,
        name: &str,
    ) -> Result<(), Status> {
        if !kind.namespaced {
            return Ok(());
        }
        let key = ObjectKey::new("", namespace.clone());
        match self.store.get(&Resource::NAMESPACES, &key) {
            None => Err(errors::not_found(&Resource::NAMESPACES, namespace)),
            Some(found) if object::is_terminating(found) => {
                Err(errors::namespace_terminating(&kind.resource, name, namespace))
            }
            Some(_) => Ok(()),
        }
    }
}
