//! The webhooks that only say yes or no (apiserver v0.36, `webhook/validating/dispatcher.go`). All
//! are asked, also when one has refused already.

use kubesim_model::request::Status;

use super::answer;
use super::chosen::VALIDATING;
use super::dialog::Outside;
use super::pass::Asked;
use crate::api::policies::{Attributes, Subject};
use crate::api::router::Call;
use crate::api::server::Api;

impl Api {
    /// Asks whether something may be done: the policies, then the webhooks.
    ///
    /// # Errors
    /// Why not.
    pub(in crate::api) fn approve(
        &mut self,
        call: &Call<'_>,
        subject: Subject<'_>,
    ) -> Result<(), Status> {
        self.ask_policies(call, subject)?;
        if call.is_about_admission() || matches!(call.outside, Outside::Exempt) {
            return Ok(());
        }
        let hooks = self.hooks(&VALIDATING);
        if hooks.is_empty() {
            return Ok(());
        }
        let namespace = self.namespace_of(call);
        let about = call.attributes(subject, &namespace);
        let mut chosen = Vec::new();
        for hook in &hooks {
            chosen.extend(self.chosen(call, &about, hook)?.map(|view| (hook, view)));
        }
        let (views, by) = (self.views(call, subject.form), self.converter(call.outside));
        let mut first = Ok(());
        for (hook, view) in &chosen {
            let own = views.first().unwrap_or(view);
            let [object, old] = [about.object, about.old].map(|object| view.show(by, object));
            let about = Attributes { object: &object?, old: &old?, ..about };
            let said = match self.ask_hook(call, hook, &about, (view, own), (false, 0)) {
                Ok(Asked::Said(said)) => said,
                Ok(Asked::Waits | Asked::PassedOver) => continue,
                Err(why) => {
                    first = first.and(Err(why));
                    continue;
                }
            };
            call.warn(said.warnings);
            if !said.allowed {
                first = first.and(Err(answer::denial(hook.name(), &said.result)));
            }
        }
        first
    }
}
