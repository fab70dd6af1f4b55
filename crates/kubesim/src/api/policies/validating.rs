//! Evaluating ValidatingAdmissionPolicies (apiserver v0.36, `policy/validating`).

use std::sync::{Arc, LazyLock};

use kubesim_model::request::{Status, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map};

use super::bound::{Bound, given};
use super::compiled::{Policy, Validation};
use super::matching::{Attributes, Subject};
use crate::api::custom::{Expression, Given};
use crate::api::errors;
use crate::api::router::Call;
use crate::api::server::Api;

static POLICIES: LazyLock<Resource> =
    LazyLock::new(|| Resource::new("validatingadmissionpolicies.admissionregistration.k8s.io"));
static BINDINGS: LazyLock<Resource> = LazyLock::new(|| {
    Resource::new("validatingadmissionpolicybindings.admissionregistration.k8s.io")
});
/// What the expressions of one binding may cost together.
const BUDGET: u64 = 10_000_000;
/// The longest message that an expression may make.
const LONGEST_MESSAGE: usize = 5 * 1024;

/// A demand that is not met, or could not be asked for.
struct Denial {
    message: String,
    reason: Text,
}

impl Api {
    /// Asks all policies about a request.
    ///
    /// # Errors
    /// Why it is refused, with the code of the reason that the policy names.
    pub(in crate::api) fn ask_policies(
        &mut self,
        call: &Call<'_>,
        subject: Subject<'_>,
    ) -> Result<(), Status> {
        // What decides about requests is not decided about by itself.
        if call.is_about_admission() || self.store.range(&POLICIES, "").next().is_none() {
            return Ok(());
        }
        let policies = self.policies.all(&self.store, &POLICIES);
        let namespace = self.namespace_of(call);
        let about = call.attributes(subject, &namespace);
        call.warn(self.decide(&policies, &about)?);
        Ok(())
    }

    /// The namespace that a request is about something in; `Null` if there is none.
    pub(in crate::api) fn namespace_of(&self, call: &Call<'_>) -> Tree {
        let key = ObjectKey::new("", call.request.key.namespace.clone());
        self.store.get(&Resource::NAMESPACES, &key).cloned().unwrap_or_default()
    }

    /// What the policies say of a request: warnings, or why it is refused.
    fn decide(
        &self,
        policies: &[Arc<Policy>],
        about: &Attributes<'_>,
    ) -> Result<Vec<String>, Status> {
        let mut warnings = Vec::new();
        let mut first: Option<(String, Text)> = None;
        for bound in self.bound(policies, &BINDINGS, about) {
            let (name, own) = bound.names();
            for denial in self.denials(&bound, about) {
                let actions = bound.binding["spec"]["validationActions"].items();
                if actions.iter().any(|action| *action == "Warn") {
                    warnings.push(format!(
                        "Validation failed for ValidatingAdmissionPolicy '{name}' with binding \
                         '{own}': {}",
                        denial.message
                    ));
                }
                if actions.iter().any(|action| *action == "Deny") {
                    let text = format!(
                        "ValidatingAdmissionPolicy '{name}' with binding '{own}' denied request: {}",
                        denial.message
                    );
                    first.get_or_insert((text, denial.reason));
                }
            }
        }
        match first {
            Some((text, reason)) => Err(refusal(about, &text, &reason)),
            None => Ok(warnings),
        }
    }

    fn denials(&self, bound: &Bound, about: &Attributes<'_>) -> Vec<Denial> {
        let (policy, ignores) = (&*bound.policy, bound.ignores_failures());
        let failed = |why: String| {
            let reason = Text::default();
            if ignores { Vec::new() } else { vec![Denial { message: why, reason }] }
        };
        let params = match self.parameters(&policy.object, &bound.binding, about) {
            Ok(params) => params,
            Err(why) => return failed(format!("failed to configure binding: {why}")),
        };
        if let Some(why) = &policy.failure {
            return failed(why.clone());
        }
        let mut denials = Vec::new();
        for param in params {
            let mut given = given(about, &param);
            match policy.conditions_hold(&given) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(why) => {
                    denials.extend(failed(why));
                    continue;
                }
            }
            let mut left = BUDGET;
            policy.define(&mut given, &mut left);
            for validation in &policy.validations {
                match asked(&validation.expression, &given, &mut left) {
                    Ok(true) => {}
                    Ok(false) => denials.push(denial(validation, &given, &mut left)),
                    Err(why) => denials.extend(failed(why)),
                }
            }
        }
        denials
    }
}

impl Call<'_> {
    /// Whether this is about what decides about requests.
    pub(in crate::api) fn is_about_admission(&self) -> bool {
        self.kind.resource.group() == "admissionregistration.k8s.io"
    }

    /// The request as admission sees it.
    pub(in crate::api) fn attributes<'b>(
        &'b self,
        subject: Subject<'b>,
        namespace: &'b Tree,
    ) -> Attributes<'b> {
        Attributes {
            operation: subject.operation,
            form: subject.form,
            kind: &self.kind,
            request: self.request,
            object: subject.object,
            old: subject.old,
            namespace,
            user: &self.who.user,
        }
    }
}

/// Whether an expression holds.
///
/// # Errors
/// Why that can't be said, with the expression.
pub(in crate::api) fn asked<'a>(
    expression: &'a Expression,
    given: &Given<'a>,
    left: &mut u64,
) -> Result<bool, String> {
    let failed = |why| format!("expression '{}' resulted in error: {why}", expression.text());
    expression.holds(given, left).map_err(failed)
}

fn denial<'a>(validation: &'a Validation, given: &Given<'a>, left: &mut u64) -> Denial {
    let made = validation.message_expression.as_ref();
    let made = made.and_then(|message| message.made(given, left));
    let made = made.map(|text| text.trim().to_owned());
    let fits =
        |text: &String| !text.is_empty() && text.len() <= LONGEST_MESSAGE && !text.contains('\n');
    let message = made.filter(fits).unwrap_or_else(|| match validation.message.trim() {
        "" => format!("failed expression: {}", validation.expression.text().trim()),
        message => message.to_owned(),
    });
    let reason = match validation.reason.as_str() {
        "" => Text::new_static("Invalid"),
        _ => validation.reason.clone(),
    };
    Denial { message, reason }
}

/// The variable `request`.
pub(in crate::api) fn request_of(about: &Attributes<'_>) -> Tree {
    let (group, version) = (about.kind.resource.group(), about.version());
    let form = about.form.map_or((group, version, about.kind.kind.as_str()), |form| form);
    let kind = map! { "group" => form.0, "version" => form.1, "kind" => form.2 };
    let resource = map! {
        "group" => group, "version" => version, "resource" => about.kind.resource.plural(),
    };
    let mut request = map! {
        "kind" => &kind, "resource" => &resource, "requestKind" => kind,
        "requestResource" => resource, "operation" => about.operation.name(),
        "name" => about.name(), "userInfo" => about.user.to_tree(),
        "dryRun" => about.request.dry_run, "uid" => "",
    };
    if !about.namespace_name().is_empty() {
        request.set(&["namespace"], about.namespace_name());
    }
    if !about.request.subresource.is_empty() {
        request.set(&["subResource"], &about.request.subresource);
        request.set(&["requestSubResource"], &about.request.subresource);
    }
    request
}

fn refusal(about: &Attributes<'_>, text: &str, reason: &Text) -> Status {
    let is_many = about.request.verb == Verb::DeleteCollection;
    let name = if is_many { "Unknown" } else { about.name() };
    let mut status = errors::forbidden(&about.kind.resource, name, text);
    let (code, reason) = match reason.as_str() {
        "Forbidden" => (403, "Forbidden"),
        "RequestEntityTooLarge" => (413, "RequestEntityTooLarge"),
        _ => (422, "Invalid"),
    };
    status.code = code;
    status.reason = Text::new_static(reason);
    status.details.set(&["causes"], list![map! { "message" => text }]);
    status
}
