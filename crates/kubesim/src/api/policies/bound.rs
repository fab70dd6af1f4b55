//! Which policies concern a request: those that match it, each with the bindings that do, and with
//! each of the parameters that these name (apiserver v0.36, `policy/generic/policy_dispatcher.go`).

use std::sync::Arc;

use kubesim_model::object;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;

use super::compiled::{Policies, Policy};
use super::matching::Attributes;
use super::validating::{asked, request_of};
use crate::api::custom::Given;
use crate::api::server::Api;
use crate::api::store::Store;

/// What the conditions of one binding may cost.
const BUDGET: u64 = 2_500_000;

/// A policy, and a binding of it, that concern a request.
#[derive(Clone)]
pub(super) struct Bound {
    pub(super) policy: Arc<Policy>,
    pub(super) binding: Tree,
}

impl Policies {
    /// All policies of a kind, ready.
    pub(super) fn all(&mut self, store: &Store, kind: &Resource) -> Vec<Arc<Policy>> {
        let stored: Vec<&Tree> = store.range(kind, "").map(|(_, policy)| policy).collect();
        self.keep(stored.len(), |name| {
            stored.iter().any(|policy| object::name(policy) == name.as_str())
        });
        stored.into_iter().map(|policy| self.ready(policy)).collect()
    }
}

impl Api {
    /// Which of the policies concern a request, with which of the bindings of that kind.
    pub(super) fn bound(
        &self,
        policies: &[Arc<Policy>],
        bindings: &Resource,
        about: &Attributes<'_>,
    ) -> Vec<Bound> {
        let mut found = Vec::new();
        let concerned = policies
            .iter()
            .filter(|policy| about.meets(&policy.object["spec"]["matchConstraints"]));
        for policy in concerned {
            let name = object::name(&policy.object);
            let bindings = self.store.range(bindings, "").map(|(_, binding)| binding);
            let bound = bindings.filter(|binding| {
                let spec = &binding["spec"];
                spec["policyName"] == name && about.meets(&spec["matchResources"])
            });
            found.extend(
                bound.map(|binding| Bound { policy: policy.clone(), binding: binding.clone() }),
            );
        }
        found
    }
}

impl Bound {
    /// The names of the policy and of the binding.
    pub(super) fn names(&self) -> (&str, &str) {
        (object::name(&self.policy.object), object::name(&self.binding))
    }

    /// Whether what can't be evaluated is passed over.
    pub(super) fn ignores_failures(&self) -> bool {
        self.policy.object["spec"]["failurePolicy"] == "Ignore"
    }
}

impl Policy {
    /// Whether all conditions hold. One that does not counts more than one that can't be evaluated.
    ///
    /// # Errors
    /// Why that can't be said.
    pub(super) fn conditions_hold<'a>(&'a self, given: &Given<'a>) -> Result<bool, String> {
        let (mut left, mut failure) = (BUDGET, None);
        for condition in &self.conditions {
            match asked(condition, given, &mut left) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(why) => {
                    failure.get_or_insert(why);
                }
            }
        }
        failure.map_or(Ok(true), Err)
    }

    /// Gives `variables` their values.
    pub(super) fn define<'a>(&'a self, given: &mut Given<'a>, left: &mut u64) {
        for (name, expression) in &self.variables {
            given.define(name, expression, left);
        }
    }
}

/// What the expressions of a policy read, but for `variables`.
pub(super) fn given<'a>(about: &Attributes<'_>, param: &Tree) -> Given<'a> {
    let mut given = Given::default();
    given.set("object", about.object);
    given.set("oldObject", about.old);
    given.set("request", &request_of(about));
    given.set("params", param);
    given.set("namespaceObject", about.namespace);
    given
}
