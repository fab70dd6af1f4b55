//! Evaluating the rules of a schema over an object (v0.36, `apiserver/schema/cel/validation.go`).

use kubesim_model::tree::Tree;

use super::super::schema::{Additional, ListKind, Old, Schema, same_keyed};
use super::super::strategy::Findings;
use super::eval::Variables;
use super::functions::told;
use super::program::variables;
use super::rule::Rule;
use super::value::{Failure, Value};
use crate::api::errors::Cause;

/// What the rules of an object may cost together (`RuntimeCELCostBudget`).
const BUDGET: u64 = 10_000_000;
/// The longest message that an expression may make.
const LONGEST_MESSAGE: usize = 5 * 1024;

/// Which part of the last state belongs to a node, and to the nearest one above it of which that
/// can be told: what is equal to it is let pass.
#[derive(Clone, Copy)]
struct Ratchet<'a> {
    own: Option<Old<'a>>,
    above: Option<Old<'a>>,
}

struct Run<'f> {
    findings: &'f mut Findings,
    left: u64,
    /// Set when nothing more may be evaluated.
    is_over: bool,
}

impl Schema {
    /// Asks all rules of an object. Nothing is asked of objects that are wrong in a way that makes
    /// the answers senseless.
    pub(in crate::api) fn check_rules<'a>(
        &'a self,
        object: &Tree,
        old: Option<Old<'a>>,
        findings: &mut Findings,
    ) {
        if !self.has_rules {
            return;
        }
        if findings.causes.iter().any(Cause::hides_rules) {
            let why = "some validation rules were not checked because the object was invalid; \
                       correct the existing errors to complete validation";
            findings.causes.push(Cause::invalid("<nil>", &Tree::Null, why));
            return;
        }
        let mut run = Run { findings, left: BUDGET, is_over: false };
        let ratchet = Ratchet { own: old, above: None };
        run.node(self, "", object, old.map(|old| old.old), ratchet);
    }

    /// Asks all rules of a default at `path`, as if it were new and as if it did not change.
    pub(in crate::api) fn check_rules_at(&self, path: &str, value: &Tree, findings: &mut Findings) {
        for old in [Some(value), None] {
            if self.has_rules && findings.causes.is_empty() {
                let mut run = Run { findings, left: BUDGET, is_over: false };
                run.node(self, path, value, old, Ratchet { own: None, above: None });
            }
        }
    }
}

impl<'a> Ratchet<'a> {
    fn holds(self) -> bool {
        self.own.or(self.above).is_some_and(Old::is_equal)
    }

    fn field(self, name: &str) -> Ratchet<'a> {
        match self.own {
            None => self,
            // What an object says it is does not count as unchanged.
            Some(_) if self.above.is_none() && matches!(name, "apiVersion" | "kind") => {
                Ratchet { own: None, above: None }
            }
            Some(own) => Ratchet { own: own.field(name), above: Some(own) },
        }
    }

    fn element(self, at: usize) -> Ratchet<'a> {
        match self.own {
            None => self,
            Some(own) => Ratchet { own: own.element(at), above: Some(own) },
        }
    }
}

impl Run<'_> {
    fn node<'a>(
        &mut self,
        schema: &'a Schema,
        path: &str,
        value: &Tree,
        old: Option<&Tree>,
        ratchet: Ratchet<'a>,
    ) {
        if value.is_null() || !schema.has_rules || self.is_over {
            return;
        }
        let old = old.filter(|old| !old.is_null());
        if !schema.rules.is_empty() {
            self.rules(schema, path, value, old, ratchet);
        }
        match value {
            Tree::List(items) => {
                let Some(of) = schema.items.as_deref() else { return };
                for (at, item) in items.iter().enumerate() {
                    let before = old
                        .filter(|_| schema.list == ListKind::Map)
                        .and_then(|old| same_keyed(schema, old, item));
                    self.node(of, &format!("{path}[{at}]"), item, before, ratchet.element(at));
                }
            }
            Tree::Map(map) => {
                let dot = if path.is_empty() { "" } else { "." };
                for (key, value) in map.iter() {
                    let before = old.and_then(|old| old.get(key));
                    if let Some(Additional::Of(of)) = &schema.additional {
                        let path = format!("{path}[{key}]");
                        self.node(of, &path, value, before, ratchet.field(key));
                    }
                    if let Some(of) = schema.properties.get(key) {
                        let path = format!("{path}{dot}{key}");
                        self.node(of, &path, value, before, ratchet.field(key));
                    }
                }
            }
            _ => {}
        }
    }

    fn rules<'a>(
        &mut self,
        schema: &'a Schema,
        path: &str,
        value: &Tree,
        old: Option<&Tree>,
        ratchet: Ratchet<'a>,
    ) {
        let own = Value::of_tree(value, Some(schema));
        let before = old.map(|old| Value::of_tree(old, Some(schema))).transpose();
        let (own, before) = match (own, before) {
            (Ok(own), Ok(before)) => (own, before),
            (Err(error), _) | (_, Err(error)) => {
                self.add(path, schema, &format!("{} evaluating rule", told(&error)));
                return;
            }
        };
        for rule in schema.rules.iter() {
            let Some(program) = &rule.compiled.program else {
                if let Some(why) = &rule.compiled.failure {
                    self.add(path, schema, &format!("rule compile error: {why}"));
                }
                continue;
            };
            let optional = rule.optional_old == Some(true);
            if rule.compiled.uses_old && before.is_none() && !optional {
                continue;
            }
            let old = match (optional, before.clone()) {
                (true, before) => Some(Value::Optional(before.map(std::rc::Rc::new))),
                (false, before) => before,
            };
            let known = [("self", Some(own.clone())), ("oldSelf", old)];
            let known = known.into_iter().filter_map(|(name, value)| Some((name, value?)));
            let known: Variables<'a> = variables(known);
            if self.left == 0 {
                self.over(path, schema);
                return;
            }
            match program.evaluate(&known, &mut self.left) {
                Ok(Value::Bool(true)) => {}
                Ok(_) => self.broken(rule, schema, path, value, &known, ratchet),
                Err(Failure::TooDear) if self.left == 0 => self.over(path, schema),
                Err(error) => self.failed(rule, schema, path, &error),
            }
            if self.is_over {
                return;
            }
        }
    }

    /// A rule does not hold.
    fn broken<'a>(
        &mut self,
        rule: &'a Rule,
        schema: &'a Schema,
        path: &str,
        value: &Tree,
        known: &Variables<'a>,
        ratchet: Ratchet<'a>,
    ) {
        let made = rule.compiled.message.as_ref().and_then(|message| {
            match message.evaluate(known, &mut self.left) {
                Ok(Value::Text(text)) => {
                    let text = text.trim();
                    let fine =
                        !text.is_empty() && text.len() <= LONGEST_MESSAGE && !text.contains('\n');
                    fine.then(|| text.to_owned())
                }
                _ => None,
            }
        });
        let detail = made.unwrap_or_else(|| match rule.message.as_str() {
            "" => format!("failed rule: {}", rule.text.trim()),
            message => message.trim().to_owned(),
        });
        let told_at = rule.compiled.told_at.as_str();
        let field = match (path.is_empty(), told_at.is_empty()) {
            (true, true) => "<nil>".to_owned(),
            (true, false) => told_at.to_owned(),
            (false, true) => path.to_owned(),
            (false, false) => format!("{path}.{told_at}"),
        };
        let hidden = matches!(schema.kind.name(), "object" | "array");
        let cause = match (rule.reason.as_str(), hidden) {
            ("FieldValueForbidden", _) => Cause::forbidden(field, &detail),
            ("FieldValueRequired", _) => Cause::required(field, &detail),
            ("FieldValueDuplicate", true) => Cause::duplicate_unseen(field),
            ("FieldValueDuplicate", false) => Cause::duplicate(field, value),
            (_, true) => Cause::invalid_unseen(field, &detail),
            (_, false) => Cause::invalid(field, value, &detail),
        };
        if !rule.compiled.uses_old && ratchet.holds() {
            self.findings.warnings.push(cause.told());
        } else {
            self.findings.causes.push(cause);
        }
    }

    /// A rule has no answer.
    fn failed(&mut self, rule: &Rule, schema: &Schema, path: &str, error: &Failure) {
        let shown = match rule.message.trim() {
            "" => rule.text.trim(),
            message => message,
        };
        let why = told(error);
        let detail = match error {
            Failure::TooDear => {
                self.is_over = true;
                format!(
                    "'{why}': no further validation rules will be run due to call cost exceeds \
                     limit for rule: {shown}"
                )
            }
            Failure::Error(why) if why.starts_with("no such overload") => format!(
                "'{why}': call arguments did not match a supported operator, function or macro \
                 signature for rule: {shown}"
            ),
            Failure::Error(why) => format!("{why} evaluating rule: {shown}"),
        };
        self.add(path, schema, &detail);
    }

    fn over(&mut self, path: &str, schema: &Schema) {
        let detail = "validation failed due to running out of cost budget, no further validation \
                      rules will be run";
        self.add(path, schema, detail);
        self.is_over = true;
    }

    fn add(&mut self, path: &str, schema: &Schema, detail: &str) {
        let field = if path.is_empty() { "<nil>" } else { path };
        let kind = Tree::from(schema.kind.name());
        self.findings.causes.push(Cause::invalid(field, &kind, detail));
    }
}
