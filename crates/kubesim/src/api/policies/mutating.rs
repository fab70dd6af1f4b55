//! Changing objects by MutatingAdmissionPolicies (apiserver v0.36,
//! `policy/mutating/dispatcher.go`): one after the other, each what the one before it has made. The
//! real server takes them in any order, this one in that of their names.

use std::sync::LazyLock;

use kubesim_model::request::Status;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, map, object};

use super::bound::{Bound, given};
use super::matching::{Attributes, Subject};
use super::patches::Problem;
use crate::api::errors;
use crate::api::hooks::Reinvocation;
use crate::api::router::Call;
use crate::api::server::Api;

static POLICIES: LazyLock<Resource> =
    LazyLock::new(|| Resource::new("mutatingadmissionpolicies.admissionregistration.k8s.io"));
static BINDINGS: LazyLock<Resource> =
    LazyLock::new(|| Resource::new("mutatingadmissionpolicybindings.admissionregistration.k8s.io"));

/// The reasons of denials: for a policy that can't be evaluated, and for one that can't be bound.
const INVALID: &str = "Invalid";
const FORBIDDEN: &str = "Forbidden";

/// Why a request is denied.
struct Denial {
    text: String,
    reason: &'static str,
}

/// A policy, a binding of it and a parameter, and what this is known by.
struct Invocation {
    bound: Bound,
    param: Tree,
    id: String,
}

impl Api {
    /// Whether there is any policy that might change objects.
    pub(in crate::api) fn has_mutations(&self) -> bool {
        self.store.range(&BINDINGS, "").next().is_some()
    }

    /// Has the policies change an object, in the second round those that are asked again. Answers
    /// whether one did.
    ///
    /// # Errors
    /// A policy can't be evaluated, and does not say that this is passed over.
    pub(in crate::api) fn mutate(
        &mut self,
        call: &Call<'_>,
        subject: Subject<'_>,
        object: &mut Tree,
        (again, round): (&mut Reinvocation, usize),
    ) -> Result<bool, Status> {
        if !self.has_mutations() {
            return Ok(false);
        }
        let policies = self.mutations.all(&self.store, &POLICIES);
        let namespace = self.namespace_of(call);
        let first = object.clone();
        let about = call.attributes(Subject { object: &first, ..subject }, &namespace);
        let (mut changed, mut denials) = (false, Vec::<Denial>::new());
        for invocation in
            self.invocations(self.bound(&policies, &BINDINGS, &about), &about, &mut denials)
        {
            let Invocation { bound, param, id } = &invocation;
            let (policy, before) = (&bound.policy, object.clone());
            let about = call.attributes(Subject { object: &before, ..subject }, &namespace);
            match policy.conditions_hold(&given(&about, param)) {
                Ok(true) if round > 0 && !again.wants(id) => continue,
                Ok(true) => {}
                Ok(false) => continue,
                Err(why) => {
                    denials.extend(bound.denial(INVALID, &why));
                    continue;
                }
            }
            let mutations = if object.is_null() { &[] } else { policy.mutations.as_slice() };
            for mutation in mutations {
                let now = object.clone();
                let about = call.attributes(Subject { object: &now, ..subject }, &namespace);
                match mutation.patched(call, policy, &about, (param, subject.old)) {
                    Ok(new) => *object = new,
                    Err(Problem::Failed(status)) => return Err(*status),
                    Err(Problem::Policy(why)) => denials.extend(bound.denial(INVALID, &why)),
                }
            }
            if let Some(why) = &policy.failure {
                denials.extend(bound.denial(INVALID, why));
            }
            if *object != before {
                again.changed();
                changed = true;
            }
            again.asked(id, &policy.object["spec"]);
        }
        match denials.is_empty() {
            true => Ok(changed),
            false => Err(refusal(&about, &denials)),
        }
    }

    /// Each binding with each of its parameters.
    fn invocations(
        &self,
        bound: Vec<Bound>,
        about: &Attributes<'_>,
        denials: &mut Vec<Denial>,
    ) -> Vec<Invocation> {
        let mut found = Vec::new();
        for bound in bound {
            let params = match self.parameters(&bound.policy.object, &bound.binding, about) {
                Ok(params) => params,
                Err(why) => {
                    let why = format!("failed to configure binding: {why}");
                    denials.extend(bound.denial(FORBIDDEN, &why));
                    continue;
                }
            };
            for param in params {
                let (policy, binding) = bound.names();
                let id = format!("{policy}/{binding}/{}", object::key(&param));
                found.push(Invocation { bound: bound.clone(), param, id });
            }
        }
        found
    }
}

impl Bound {
    /// Why a request is denied, unless the policy says that this is passed over.
    fn denial(&self, reason: &'static str, why: &str) -> Option<Denial> {
        let (policy, binding) = self.names();
        let text = format!("policy '{policy}' with binding '{binding}' denied request: {why}");
        (!self.ignores_failures()).then_some(Denial { text, reason })
    }
}

/// The reason is that of the first denial, the code whatever it is.
fn refusal(about: &Attributes<'_>, denials: &[Denial]) -> Status {
    let mut status = errors::forbidden(&about.kind.resource, about.name(), "");
    if let Some(first) = denials.first() {
        status.message.clone_from(&first.text);
        status.reason = Text::new_static(first.reason);
    }
    let causes = denials.iter().map(|denial| map! { "message" => denial.text.as_str() });
    status.details.set(&["causes"], causes.collect::<Vec<Tree>>());
    status
}
