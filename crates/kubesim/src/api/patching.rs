//! Patching objects: the patch is applied to the newest state, and the result stored as an update.

use kubesim_model::patch::{self, PatchError};
use kubesim_model::request::{Answer, Status, Verb};
use kubesim_model::tree::Tree;

use super::errors::{self, Cause};
use super::router::Call;
use super::server::Api;

impl Api {
    /// Applies the request's patch. Without a resourceVersion in it, it never loses a race.
    pub(super) fn patch(&mut self, call: &Call<'_>) -> Answer {
        let old = self.current(call)?;
        let mut new = match call.other_form() {
            Some(other) => self.patched(call, &other.shown(&old))?,
            None => self.patched(call, &old)?,
        };
        if new["metadata"].as_map().is_none() {
            return Err(errors::bad_request("the patch leaves no object"));
        }
        if new["metadata"]["name"] != old["metadata"]["name"]
            || new["metadata"]["namespace"] != old["metadata"]["namespace"]
        {
            let text = "the name of the object does not match the name on the URL";
            return Err(errors::bad_request(text));
        }
        self.typed_patch(call, &mut new, &old)?;
        self.replace(call, &old, new)
    }

    /// A patch whose result is no object of the type is invalid itself (apiserver v0.36,
    /// `endpoints/handlers/patch.go`), and so is one that changes what the server owns.
    fn typed_patch(&self, call: &Call<'_>, new: &mut Tree, old: &Tree) -> Result<(), Status> {
        let (kind, had) = (&new["kind"], &old["kind"]);
        if !kind.is_null() && kind != had && call.request.verb != Verb::StrategicPatch {
            let why = format!("a {} can't become a {}", had.str(), kind.str());
            return Err(errors::invalid_patch(&why));
        }
        call.typed(new, old).map_err(|status| errors::invalid_patch(&status.message))?;
        let uid = &new["metadata"]["uid"];
        if !uid.str().is_empty() && *uid != old["metadata"]["uid"] {
            let cause = Cause::invalid("metadata.uid", uid, "field is immutable");
            return Err(errors::invalid(&call.kind, call.name(), &[cause]));
        }
        Ok(())
    }

    /// What the patch makes of `old`.
    pub(super) fn patched(&self, call: &Call<'_>, old: &Tree) -> Answer {
        let body = &call.request.body;
        self.check_size(body)?;
        let new = match call.request.verb {
            Verb::JsonPatch => {
                patch::json_patch(old, body).map_err(|error| refused(call, error))?
            }
            Verb::StrategicPatch if call.kind.custom => return Err(errors::unsupported_patch()),
            Verb::StrategicPatch => {
                patch::strategic_merge(old, body).map_err(|error| refused(call, error))?
            }
            _ if body.as_map().is_none() => {
                return Err(errors::bad_request("a merge patch is an object"));
            }
            _ => patch::merge(old, body),
        };
        if call.request.subresource != "status" || call.request.verb == Verb::JsonPatch {
            self.check_size(&new)?;
        }
        Ok(new)
    }
}

fn refused(call: &Call<'_>, error: PatchError) -> Status {
    let text = error.to_string();
    match error {
        PatchError::Malformed(_) => errors::bad_request(text),
        PatchError::Misfit(_) | PatchError::Untrue(_) => {
            let text = format!("the server rejected our request: {text} ({})", call.name());
            let mut status = Status::new(422, "Invalid", text);
            status.details = Tree::map();
            status
        }
        PatchError::Senseless(_) => errors::failed(text),
        PatchError::TooBig(_) => Status::new(413, "RequestEntityTooLarge", text),
    }
}
