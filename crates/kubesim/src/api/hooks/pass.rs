//! Asking one webhook, and which of them are asked again.

use std::collections::BTreeSet;

use kubesim_model::request::Status;
use kubesim_model::tree::Tree;

use super::answer::{self, Said};
use super::chosen::Hook;
use super::review::question;
use super::views::View;
use crate::api::policies::Attributes;
use crate::api::router::Call;
use crate::api::server::Api;

/// Which webhooks or policies are asked again: those that want it, once something was changed after
/// they had been asked (apiserver v0.36, `webhook/mutating/reinvocationcontext.go`).
#[derive(Debug, Default)]
pub(in crate::api) struct Reinvocation {
    asked: BTreeSet<String>,
    again: BTreeSet<String>,
}

impl Reinvocation {
    /// The object was changed.
    pub(in crate::api) fn changed(&mut self) {
        self.again.append(&mut self.asked);
    }

    /// Something was asked, which wants to be asked again if something changes, or does not.
    pub(in crate::api) fn asked(&mut self, id: &str, spec: &Tree) {
        if spec["reinvocationPolicy"] == "IfNeeded" {
            self.asked.insert(id.to_owned());
        }
    }

    /// Whether something is asked again.
    pub(in crate::api) fn wants(&self, id: &str) -> bool {
        self.again.contains(id)
    }
}

/// What came of asking a webhook.
pub(super) enum Asked {
    /// Nobody knows yet: the answer is missing.
    Waits,
    /// It said something.
    Said(Said),
    /// The call failed, and that is passed over.
    PassedOver,
}

impl Api {
    /// Asks a webhook about an object, which stands in `about` in the version `view`.
    ///
    /// # Errors
    /// The call fails, and with it the request.
    pub(super) fn ask_hook(
        &self,
        call: &Call<'_>,
        hook: &Hook,
        about: &Attributes<'_>,
        views: (&View, &View),
        (mutating, round): (bool, usize),
    ) -> Result<Asked, Status> {
        let effects = hook.spec["sideEffects"].str();
        if about.request.dry_run && !["None", "NoneOnDryRun"].contains(&effects) {
            return Err(answer::no_rehearsal(hook.name()));
        }
        let target = self.target(&hook.spec["clientConfig"]);
        let target = target.map_err(|why| format!("could not get REST client: {why}"));
        let asked = target.and_then(|target| {
            question(call, hook, about, views, (target, round))
                .map_err(|why| format!("could not create admission objects: {why}"))
        });
        let said = match asked {
            Ok(asked) => match call.outside.hear(asked.errand) {
                None => return Ok(Asked::Waits),
                Some(heard) => answer::read(heard, mutating, (&asked.uid, &asked.version)),
            },
            Err(why) => Err(why),
        };
        match said {
            Ok(said) => Ok(Asked::Said(said)),
            Err(_) if hook.is_passed_over() => Ok(Asked::PassedOver),
            Err(why) => Err(answer::failed(hook.name(), &why)),
        }
    }
}
