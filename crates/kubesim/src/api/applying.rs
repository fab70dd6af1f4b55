//! Server-side apply: what a configuration makes of the object that is there is stored as an
//! update, or made if there is none.

use kubesim_model::request::{Answer, Request, Status, Verb};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, object};

use super::errors::{self, Cause};
use super::router::Call;
use super::server::Api;

impl Api {
    /// Applies the request's configuration (apiserver v0.36, `endpoints/handlers/patch.go`).
    pub(super) fn apply(&mut self, call: &Call<'_>) -> Answer {
        let body = &call.request.body;
        if body.as_map().is_none() {
            return Err(errors::bad_request("error decoding YAML: a configuration is an object"));
        }
        self.check_size(body)?;
        let live = self.store.get(call.resource(), &call.request.key);
        let live = live.map(|live| self.shown_to(call, live)).transpose()?;
        if live.is_none() && !call.request.subresource.is_empty() {
            return Err(errors::not_found(call.resource(), call.name()));
        }
        let made = call.apply_to(self, live.as_ref())?;
        let mut object = made.object;
        told_of_repeated(call)?;
        check_names(call, &object)?;
        let call = Call { owners: Some(made.owners), ..call.clone() };
        let Some(old) = live else {
            let uid = object::uid(&object);
            if !uid.is_empty() {
                let why = format!(
                    "uid mismatch: the provided object specified uid {uid}, and no existing \
                     object was found"
                );
                return Err(errors::conflict(call.resource(), call.name(), why));
            }
            object.remove(&["metadata", "resourceVersion"]);
            call.typed(&mut object, &Tree::Null)?;
            let request = Request { verb: Verb::Create, ..call.request.clone() };
            return self.make(&Call { request: &request, ..call }, object);
        };
        call.typed(&mut object, &old)?;
        let uid = &object["metadata"]["uid"];
        if *uid != old["metadata"]["uid"] {
            let cause = Cause::invalid("metadata.uid", uid, "field is immutable");
            return Err(errors::invalid(&call.kind, call.name(), &[cause]));
        }
        self.check_size(&object)?;
        self.replace(&call, &old, object)
    }
}

/// Tells of keys that the configuration has twice, or refuses it for them.
fn told_of_repeated(call: &Call<'_>) -> Result<(), Status> {
    match call.request.repeated.first() {
        Some(why) if call.request.strict => Err(errors::bad_request(format!(
            "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  \
             {why}"
        ))),
        _ => {
            call.warn(call.request.repeated.iter().map(Text::to_string));
            Ok(())
        }
    }
}

/// The object must be named as the URL names it.
fn check_names(call: &Call<'_>, object: &Tree) -> Result<(), Status> {
    let namespace = object::namespace(object);
    if !namespace.is_empty() && namespace != call.request.key.namespace {
        return Err(errors::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    let name = object::name(object);
    if name != call.name() {
        return Err(errors::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            call.name()
        )));
    }
    Ok(())
}
