//! Policies as they are kept ready: parsed, checked, in the order of their names.

use std::collections::BTreeMap;
use std::sync::Arc;

use kubesim_model::Text;
use kubesim_model::tree::Tree;

use crate::api::custom::{Expression, Wanted};
use crate::api::errors::Cause;

/// Policies that were compiled, by their names.
#[derive(Clone, Debug, Default)]
pub(in crate::api) struct Policies(BTreeMap<Text, Arc<Policy>>);

/// A policy: its object and its expressions.
#[derive(Debug)]
pub(super) struct Policy {
    pub(super) object: Tree,
    pub(super) conditions: Vec<Expression>,
    pub(super) variables: Vec<(Text, Expression)>,
    pub(super) validations: Vec<Validation>,
    /// Why it can't be evaluated.
    pub(super) failure: Option<String>,
}

/// What a policy demands.
#[derive(Debug)]
pub(super) struct Validation {
    pub(super) expression: Expression,
    pub(super) message: Text,
    pub(super) message_expression: Option<Expression>,
    pub(super) reason: Text,
}

impl Policies {
    /// A policy of the store, compiled; what was compiled of its last version is forgotten.
    pub(super) fn ready(&mut self, object: &Tree) -> Arc<Policy> {
        let name = object["metadata"]["name"].text();
        if let Some(have) = self.0.get(&name).filter(|have| have.object.is_same(object)) {
            return have.clone();
        }
        let policy = Arc::new(Policy::compile(object));
        self.0.insert(name, policy.clone());
        policy
    }

    /// Forgets policies that are gone, when `count` are left.
    pub(super) fn keep(&mut self, count: usize, is_there: impl Fn(&Text) -> bool) {
        if self.0.len() > count {
            self.0.retain(|name, _| is_there(name));
        }
    }
}

impl Policy {
    fn compile(object: &Tree) -> Policy {
        let spec = &object["spec"];
        let names = names(object);
        let mut failure = None;
        let mut compile =
            |text: &Tree, wanted: Wanted| match Expression::compile(text.str(), &names, wanted) {
                Ok(expression) => Some(expression),
                Err(why) => {
                    failure.get_or_insert(why);
                    None
                }
            };
        let conditions = spec["matchConditions"].items().iter();
        let conditions =
            conditions.filter_map(|one| compile(&one["expression"], Wanted::Bool)).collect();
        let variables = spec["variables"].items().iter();
        let variables = variables
            .filter_map(|one| Some((one["name"].text(), compile(&one["expression"], Wanted::Any)?)))
            .collect();
        let mut validations = Vec::new();
        for one in spec["validations"].items() {
            let Some(expression) = compile(&one["expression"], Wanted::Bool) else { continue };
            let message = &one["messageExpression"];
            validations.push(Validation {
                expression,
                message: one["message"].text(),
                message_expression: (!message.str().is_empty())
                    .then(|| compile(message, Wanted::Text))
                    .flatten(),
                reason: one["reason"].text(),
            });
        }
        Policy { object: object.clone(), conditions, variables, validations, failure }
    }
}

/// Which expressions of a policy do not compile.
pub(in crate::api) fn problems(policy: &Tree) -> Vec<Cause> {
    let mut causes = Vec::new();
    let names = names(policy);
    let lists = [
        ("matchConditions", "expression", Wanted::Bool),
        ("variables", "expression", Wanted::Any),
        ("validations", "expression", Wanted::Bool),
        ("validations", "messageExpression", Wanted::Text),
        ("auditAnnotations", "valueExpression", Wanted::Any),
    ];
    for (list, field, wanted) in lists {
        for (at, one) in policy["spec"][list].items().iter().enumerate() {
            let text = &one[field];
            if text.str().trim().is_empty() {
                continue;
            }
            if let Err(why) = Expression::compile(text.str(), &names, wanted) {
                causes.push(Cause::invalid(format!("spec.{list}[{at}].{field}"), text, &why));
            }
        }
    }
    causes
}

/// Which conditions of a webhook do not compile.
pub(in crate::api) fn condition_problems(hook: &Tree, field: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (at, condition) in hook["matchConditions"].items().iter().enumerate() {
        let text = &condition["expression"];
        if text.str().trim().is_empty() {
            continue;
        }
        if let Err(why) = Expression::compile(text.str(), &OF_CONDITIONS, Wanted::Bool) {
            let field = format!("{field}.matchConditions[{at}].expression");
            causes.push(Cause::invalid(field, text, &why));
        }
    }
    causes
}

/// The variables that the conditions of a webhook may read.
pub(in crate::api) const OF_CONDITIONS: [&str; 4] =
    ["namespaceObject", "object", "oldObject", "request"];

/// The variables that the expressions of a policy may read.
fn names(policy: &Tree) -> Vec<&'static str> {
    let mut names = vec!["namespaceObject", "object", "oldObject", "request", "variables"];
    if policy["spec"]["paramKind"].as_map().is_some() {
        names.push("params");
    }
    names
}
