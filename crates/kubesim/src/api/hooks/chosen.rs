//! Which webhooks are asked about a request (apiserver v0.36, `webhook/generic/webhook.go`,
//! `webhook/predicates` and `webhook/matchconditions`).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use kubesim_model::request::Status;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;

use super::views::View;
use crate::api::custom::{Expression, Given, Wanted};
use crate::api::errors;
use crate::api::policies::{Attributes, CONDITIONS, asked, request_of};
use crate::api::router::Call;
use crate::api::server::Api;

pub(super) static MUTATING: LazyLock<Resource> =
    LazyLock::new(|| Resource::new("mutatingwebhookconfigurations.admissionregistration.k8s.io"));
pub(super) static VALIDATING: LazyLock<Resource> =
    LazyLock::new(|| Resource::new("validatingwebhookconfigurations.admissionregistration.k8s.io"));

/// What the conditions of a webhook may cost together.
const BUDGET: u64 = 2_500_000;

/// A webhook of a configuration.
pub(super) struct Hook {
    /// `CONFIGURATION/NAME/N`, which no other one has.
    pub(super) id: String,
    /// What its configuration says of it.
    pub(super) spec: Tree,
}

impl Hook {
    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.spec["name"].str()
    }

    /// Whether a call of it that fails is passed over.
    pub(super) fn is_passed_over(&self) -> bool {
        self.spec["failurePolicy"] == "Ignore"
    }
}

impl Api {
    /// All webhooks of a kind: by the names of their configurations, then in the order of those.
    pub(super) fn hooks(&self, kind: &Resource) -> Vec<Hook> {
        let mut hooks = Vec::new();
        for (key, configuration) in self.store.range(kind, "") {
            let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
            for spec in configuration["webhooks"].items() {
                let name = spec["name"].str();
                let count = seen.entry(name).or_insert(0);
                hooks.push(Hook { id: format!("{}/{name}/{count}", key.name), spec: spec.clone() });
                *count += 1;
            }
        }
        hooks
    }

    /// The version in which a webhook is asked about a request; `None` if it is not asked.
    ///
    /// # Errors
    /// One of its conditions can't be evaluated, and it says that requests fail then.
    pub(super) fn chosen(
        &self,
        call: &Call<'_>,
        about: &Attributes<'_>,
        hook: &Hook,
    ) -> Result<Option<View>, Status> {
        let spec = &hook.spec;
        if !about.namespace_fits(&spec["namespaceSelector"])
            || !about.object_fits(&spec["objectSelector"])
        {
            return Ok(None);
        }
        let views = self.views(call, about.form);
        let rules = spec["rules"].items();
        let ruled = |view: &View, rule: &Tree| about.is_ruled_as(rule, &view.group, &view.version);
        let (own, others) = views.split_at(views.len().min(1));
        let own = own.iter().find(|view| rules.iter().any(|rule| ruled(view, rule)));
        let is_exact = spec["matchPolicy"] == "Exact";
        let view = own.or_else(|| {
            let mut rules = rules.iter().filter(|_| !is_exact);
            rules.find_map(|rule| others.iter().find(|view| ruled(view, rule)))
        });
        let Some(view) = view else { return Ok(None) };
        let conditions = spec["matchConditions"].items();
        if conditions.is_empty() {
            return Ok(Some(view.clone()));
        }
        let by = self.converter(call.outside);
        let shown = [about.object, about.old].map(|object| view.show(by, object));
        let [object, old] = shown;
        let met = are_met(conditions, &Attributes { object: &object?, old: &old?, ..*about });
        match met {
            Ok(met) => Ok(met.then(|| view.clone())),
            Err(_) if hook.is_passed_over() => Ok(None),
            Err(why) => Err(errors::forbidden(call.resource(), about.name(), why)),
        }
    }
}

/// Whether all conditions hold. One that does not counts more than one that can't be evaluated.
fn are_met(conditions: &[Tree], about: &Attributes<'_>) -> Result<bool, String> {
    let compile = |condition: &Tree| {
        Expression::compile(condition["expression"].str(), &CONDITIONS, Wanted::Bool)
    };
    let compiled: Result<Vec<Expression>, String> = conditions.iter().map(compile).collect();
    let compiled = compiled?;
    let mut given = Given::default();
    given.set("object", about.object);
    given.set("oldObject", about.old);
    given.set("request", &request_of(about));
    given.set("namespaceObject", &Tree::Null);
    let (mut left, mut failures) = (BUDGET, Vec::new());
    for expression in &compiled {
        match asked(expression, &given, &mut left) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(why) => failures.push(why),
        }
    }
    match failures.as_slice() {
        [] => Ok(true),
        [one] => Err(one.clone()),
        many => Err(format!("[{}]", many.join(", "))),
    }
}
