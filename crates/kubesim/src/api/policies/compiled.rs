//! Policies as they are kept ready: parsed, checked, in the order of their names.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use kubesim_model::Text;
use kubesim_model::tree::Tree;

use crate::api::custom::{Expression, Scope, Wanted};
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
    pub(super) mutations: Vec<Mutation>,
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

/// How a policy changes objects.
#[derive(Debug)]
pub(super) enum Mutation {
    /// By what is applied to them.
    Configuration(Expression),
    /// By a JSON patch.
    Patch(Expression),
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

/// Compiles expressions and keeps why some do not compile.
#[derive(Default)]
struct Compiling {
    causes: Vec<Cause>,
    /// Why the first one does not.
    failure: Option<String>,
}

impl Compiling {
    /// An expression, which stands in a field; nothing if there is none.
    fn compile(
        &mut self,
        text: &Tree,
        field: impl Fn() -> String,
        (scope, wanted): (&Scope, Wanted),
    ) -> Option<Expression> {
        if text.str().trim().is_empty() {
            return None;
        }
        match Expression::compile(text.str(), scope, wanted) {
            Ok(expression) => Some(expression),
            Err(why) => {
                self.causes.push(Cause::invalid(field(), text, &why));
                self.failure.get_or_insert(why);
                None
            }
        }
    }

    fn policy(&mut self, object: &Tree) -> Policy {
        let spec = &object["spec"];
        let mut plain = Scope::of(&OF_CONDITIONS);
        if spec["paramKind"].as_map().is_some() {
            plain = Scope::of(&WITH_PARAMS);
        }
        let at = |list: &str, at: usize, field: &str| format!("spec.{list}[{at}].{field}");
        let mut conditions = Vec::new();
        for (number, one) in spec["matchConditions"].items().iter().enumerate() {
            let field = || at("matchConditions", number, "expression");
            conditions.extend(self.compile(&one["expression"], field, (&plain, Wanted::Bool)));
        }
        let mut scope = plain.with_variables();
        let mut variables = Vec::new();
        for (number, one) in spec["variables"].items().iter().enumerate() {
            let field = || at("variables", number, "expression");
            let compiled = self.compile(&one["expression"], field, (&scope, Wanted::Any));
            scope.declare(&one["name"].text(), compiled.as_ref());
            variables.extend(compiled.map(|expression| (one["name"].text(), expression)));
        }
        let mut validations = Vec::new();
        for (number, one) in spec["validations"].items().iter().enumerate() {
            let field = || at("validations", number, "expression");
            let expression = self.compile(&one["expression"], field, (&scope, Wanted::Bool));
            let field = || at("validations", number, "messageExpression");
            let message = self.compile(&one["messageExpression"], field, (&scope, Wanted::Text));
            validations.extend(expression.map(|expression| Validation {
                expression,
                message: one["message"].text(),
                message_expression: message,
                reason: one["reason"].text(),
            }));
        }
        for (number, one) in spec["auditAnnotations"].items().iter().enumerate() {
            let field = || at("auditAnnotations", number, "valueExpression");
            self.compile(&one["valueExpression"], field, (&scope, Wanted::Any));
        }
        let scope = scope.with_objects();
        let mut mutations = Vec::new();
        for (number, one) in spec["mutations"].items().iter().enumerate() {
            let (part, wanted): (_, (&Scope, Wanted)) = match one["patchType"].str() {
                "ApplyConfiguration" => ("applyConfiguration", (&scope, Wanted::Object)),
                "JSONPatch" => ("jsonPatch", (&scope, Wanted::Patch)),
                _ => continue,
            };
            let field = || at("mutations", number, &format!("{part}.expression"));
            let compiled = self.compile(&one[part]["expression"], field, wanted);
            mutations.extend(compiled.map(|expression| match wanted.1 {
                Wanted::Patch => Mutation::Patch(expression),
                _ => Mutation::Configuration(expression),
            }));
        }
        let (object, failure) = (object.clone(), self.failure.take());
        Policy { object, conditions, variables, validations, mutations, failure }
    }
}

impl Policy {
    fn compile(object: &Tree) -> Policy {
        Compiling::default().policy(object)
    }
}

/// Which expressions of a policy do not compile.
pub(in crate::api) fn problems(policy: &Tree) -> Vec<Cause> {
    let mut compiling = Compiling::default();
    compiling.policy(policy);
    compiling.causes
}

/// Which conditions of a webhook do not compile.
pub(in crate::api) fn condition_problems(hook: &Tree, field: &str) -> Vec<Cause> {
    let mut compiling = Compiling::default();
    for (at, condition) in hook["matchConditions"].items().iter().enumerate() {
        let field = || format!("{field}.matchConditions[{at}].expression");
        let wanted = (&*CONDITIONS, Wanted::Bool);
        compiling.compile(&condition["expression"], field, wanted);
    }
    compiling.causes
}

/// What the conditions of a webhook may read.
pub(in crate::api) static CONDITIONS: LazyLock<Scope> = LazyLock::new(|| Scope::of(&OF_CONDITIONS));

const OF_CONDITIONS: [&str; 4] = ["namespaceObject", "object", "oldObject", "request"];
const WITH_PARAMS: [&str; 5] = ["namespaceObject", "object", "oldObject", "request", "params"];
