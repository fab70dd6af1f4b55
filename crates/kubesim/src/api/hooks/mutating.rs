//! The webhooks that change objects (apiserver v0.36, `webhook/mutating/dispatcher.go`). They are
//! asked one after the other, each about what the one before it has made.

use kubesim_model::patch::{PatchError, json_patch};
use kubesim_model::request::{Answer, Status};
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;

use super::answer::{self, Said};
use super::chosen::{Hook, MUTATING};
use super::dialog::{Outside, waits};
use super::pass::{Asked, Reinvocation};
use super::views::View;
use crate::api::policies::{Attributes, Subject};
use crate::api::router::Call;
use crate::api::server::Api;
use crate::api::{custom, defaults, fields, typed};

impl Api {
    /// What admission makes of an object: first `built_in`, what the server itself adds, then the
    /// policies, then the webhooks, and, if these have changed something, once more all of them.
    ///
    /// # Errors
    /// Why the request is refused, or that an answer is missing.
    pub(in crate::api) fn admitted(
        &mut self,
        call: &Call<'_>,
        subject: Subject<'_>,
        built_in: impl Fn(&mut Api, &mut Tree) -> Result<(), Status>,
    ) -> Answer {
        let mut object = subject.object.clone();
        built_in(self, &mut object)?;
        if !self.has_changers(call) {
            return Ok(object);
        }
        let owners = object["metadata"]["managedFields"].clone();
        let (mut policies, mut hooks) = (Reinvocation::default(), Reinvocation::default());
        let made = self.mutate(call, subject, &mut object, (&mut policies, 0))?;
        let by_policies = object.clone();
        if self.change(call, subject, &mut object, (&mut hooks, 0))? || made {
            let by_hooks = object.clone();
            built_in(self, &mut object)?;
            if object != by_policies {
                policies.changed();
            }
            self.mutate(call, subject, &mut object, (&mut policies, 1))?;
            if object != by_hooks {
                hooks.changed();
            }
            self.change(call, subject, &mut object, (&mut hooks, 1))?;
        }
        keep_owners(call, &owners, &mut object);
        Ok(object)
    }

    /// Whether there is anything that might change what this call is about: a policy, or a webhook.
    pub(in crate::api) fn has_changers(&self, call: &Call<'_>) -> bool {
        let has_hooks = || self.store.range(&MUTATING, "").next().is_some();
        let asks_hooks = !matches!(call.outside, Outside::Exempt);
        !call.is_about_admission() && (self.has_mutations() || asks_hooks && has_hooks())
    }

    /// Has the webhooks change an object, in the second round those that are asked again. Answers
    /// whether one did.
    fn change(
        &self,
        call: &Call<'_>,
        subject: Subject<'_>,
        object: &mut Tree,
        (again, round): (&mut Reinvocation, usize),
    ) -> Result<bool, Status> {
        let namespace = self.namespace_of(call);
        let (views, by) = (self.views(call, subject.form), self.converter(call.outside));
        let mut changed = false;
        let hooks = match call.outside {
            Outside::Exempt => Vec::new(),
            _ => self.hooks(&MUTATING),
        };
        for hook in &hooks {
            let now = Subject { object, ..subject };
            let about = call.attributes(now, &namespace);
            let Some(view) = self.chosen(call, &about, hook)? else { continue };
            if round > 0 && !again.wants(&hook.id) {
                continue;
            }
            let own = views.first().unwrap_or(&view);
            let [shown, old] = [about.object, about.old].map(|object| view.show(by, object));
            let (shown, old) = (shown?, old?);
            let about = Attributes { object: &shown, old: &old, ..about };
            let new = match self.ask_hook(call, hook, &about, (&view, own), (true, round))? {
                Asked::Waits => return Err(waits()),
                Asked::PassedOver => None,
                Asked::Said(said) => patched(call, hook, &view, &shown, said)?,
            };
            if let Some(new) = new {
                if new != shown {
                    again.changed();
                    changed = true;
                }
                *object = view.read(by, &call.kind, new)?;
                if subject.form.is_none() {
                    defaults::fill(&call.kind, object, subject.old);
                }
            }
            again.asked(&hook.id, &hook.spec);
        }
        Ok(changed)
    }
}

/// What an answer makes of the object that was shown; `None` if it leaves it alone.
fn patched(
    call: &Call<'_>,
    hook: &Hook,
    view: &View,
    shown: &Tree,
    said: Said,
) -> Result<Option<Tree>, Status> {
    let name = hook.name();
    call.warn(said.warnings);
    if !said.allowed {
        return Err(answer::denial(name, &said.result));
    }
    let Some((kind, patch)) = said.patch else { return Ok(None) };
    let failed = |why: &str| match hook.is_passed_over() {
        true => Ok(None),
        false => Err(answer::failed(name, why)),
    };
    let patch: Tree = match serde_json::from_slice(&patch) {
        Ok(patch @ (Tree::List(_) | Tree::Null)) => patch,
        Ok(_) => {
            let why = "json: cannot unmarshal object into Go value of type jsonpatch.Patch";
            return failed(&format!("received undecodable patch in webhook response: {why}"));
        }
        Err(why) => {
            let text = String::from_utf8_lossy(&patch);
            let letter = text.trim_start().chars().next().filter(|letter| letter.is_alphabetic());
            let why = match letter {
                Some(letter) => {
                    format!("invalid character '{letter}' looking for beginning of value")
                }
                None => why.to_string(),
            };
            return failed(&format!("received undecodable patch in webhook response: {why}"));
        }
    };
    if patch.items().is_empty() {
        return Ok(None);
    }
    if shown.is_null() {
        return Err(answer::internal(&format!(
            "admission webhook \"{name}\" attempted to modify the object, which is not supported \
             for this operation"
        )));
    }
    if kind != "JSONPatch" {
        return failed(&format!("unsupported patch type \"{kind}\""));
    }
    let new = json_patch(shown, &patch).map_err(|error| match error {
        PatchError::Malformed(why) | PatchError::Misfit(why) => answer::internal(&why),
        other => answer::internal(&other.to_string()),
    })?;
    decoded(call, view, shown, new).map(Some)
}

/// A patched object in the form of its type.
fn decoded(call: &Call<'_>, view: &View, shown: &Tree, new: Tree) -> Answer {
    let mut new = new;
    let same = |field: &str| new[field] == shown[field];
    if new["metadata"].as_map().is_none() && shown["metadata"].as_map().is_some()
        || !same("apiVersion")
        || !same("kind")
    {
        let (version, kind) = (new["apiVersion"].str(), new["kind"].str());
        return Err(answer::internal(&format!(
            "no kind \"{kind}\" is registered for version \"{version}\" in scheme \
             \"pkg/runtime/scheme.go:111\""
        )));
    }
    let kind = view.other_type().unwrap_or(&call.kind);
    let decoded = if call.kind.custom && view.type_name() == kind.kind {
        custom::decode(kind, &mut new, shown).map(drop)
    } else {
        typed::decode(view.type_name(), &mut new, shown).map(drop)
    };
    decoded.map_err(|why| answer::internal(&why))?;
    if *call.resource() == Resource::CUSTOM_RESOURCE_DEFINITIONS && view.type_name() == kind.kind {
        custom::give_form(&mut new, shown).map_err(|why| answer::internal(&why))?;
    }
    Ok(new)
}

/// Who owns which fields is what it was, if a webhook has written nonsense there.
fn keep_owners(call: &Call<'_>, owners: &Tree, object: &mut Tree) {
    let now = &object["metadata"]["managedFields"];
    if now == owners {
        return;
    }
    if let Err(why) = fields::check_owners(now) {
        object.set(&["metadata", "managedFields"], owners);
        call.warn([format!(
            ".metadata.managedFields was in an invalid state after admission; this could be caused \
             by an outdated mutating admission controller; please fix your requests: {why}"
        )]);
    }
}
