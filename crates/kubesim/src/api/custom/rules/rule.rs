//! The rules of a node of a schema.

use kubesim_model::Text;
use kubesim_model::tree::Tree;

use super::super::schema::{Additional, Schema};
use super::check;
use super::program::Program;
use super::types::Type;

/// The rules of a node.
#[derive(Clone, Debug, Default)]
pub(in crate::api) struct Rules(Vec<Rule>);

/// A rule: an expression that must hold, and what is said if it does not.
#[derive(Clone, Debug)]
pub(in crate::api) struct Rule {
    pub(in crate::api) text: Text,
    pub(in crate::api) message: Text,
    pub(in crate::api) message_expression: Text,
    pub(in crate::api) reason: Text,
    pub(in crate::api) field_path: Text,
    pub(in crate::api) optional_old: Option<bool>,
    pub(in crate::api) compiled: Compiled,
}

/// What compiling a rule made.
#[derive(Clone, Debug, Default)]
pub(in crate::api) struct Compiled {
    /// The expression; `None` if it is empty or does not compile.
    pub(in crate::api) program: Option<Program>,
    /// Why it does not.
    pub(in crate::api) failure: Option<String>,
    /// The expression of the message.
    pub(in crate::api) message: Option<Program>,
    /// Why that does not compile.
    pub(in crate::api) message_failure: Option<String>,
    /// Whether the last state is read.
    pub(in crate::api) uses_old: bool,
    /// Where a failure is told, below the node.
    pub(in crate::api) told_at: String,
}

impl Rules {
    /// Reads `x-kubernetes-validations`; nothing is compiled.
    pub(in crate::api) fn read(rules: &Tree) -> Rules {
        let rule = |rule: &Tree| Rule {
            text: rule["rule"].text(),
            message: rule["message"].text(),
            message_expression: rule["messageExpression"].text(),
            reason: rule["reason"].text(),
            field_path: rule["fieldPath"].text(),
            optional_old: rule["optionalOldSelf"].as_bool(),
            compiled: Compiled::default(),
        };
        Rules(rules.items().iter().map(rule).collect())
    }

    /// Whether there is none.
    pub(in crate::api) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rules in their order.
    pub(in crate::api) fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.0.iter()
    }
}

impl Schema {
    /// Compiles the rules of this node and all below. `root` is set for whole objects of the API.
    pub(in crate::api) fn compile_rules(&mut self, root: bool) {
        if !self.has_rules {
            return;
        }
        let compiled: Vec<Compiled> =
            self.rules.0.iter().map(|rule| compile(self, rule, root)).collect();
        for (rule, compiled) in self.rules.0.iter_mut().zip(compiled) {
            rule.compiled = compiled;
        }
        if let Some(items) = &mut self.items {
            items.compile_rules(items.embedded);
        }
        for property in self.properties.values_mut() {
            property.compile_rules(property.embedded);
        }
        if let Some(Additional::Of(of)) = &mut self.additional {
            of.compile_rules(of.embedded);
        }
    }
}

fn compile(node: &Schema, rule: &Rule, root: bool) -> Compiled {
    let mut compiled = Compiled::default();
    if rule.text.trim().is_empty() {
        return compiled;
    }
    let Some(of) = Type::of_schema(node, root) else {
        let why = "failed to convert to declType for CEL validation rules";
        compiled.failure = Some(why.to_owned());
        return compiled;
    };
    let old = match rule.optional_old {
        Some(true) => Type::Optional(Box::new(of.clone())),
        _ => of.clone(),
    };
    let variables = [("self", of), ("oldSelf", old)];
    match checked(&rule.text, &variables) {
        Err(why) => {
            compiled.failure = Some(format!("compilation failed: {why}"));
            return compiled;
        }
        Ok((_, kind)) if !matches!(kind, Type::Bool) => {
            compiled.failure = Some("cel expression must evaluate to a bool".to_owned());
            return compiled;
        }
        Ok((program, _)) => {
            compiled.uses_old = program.reads("oldSelf");
            compiled.program = Some(program);
        }
    }
    if !rule.message_expression.is_empty() {
        match checked(&rule.message_expression, &variables) {
            Err(why) => {
                let why = format!("messageExpression compilation failed: {why}");
                compiled.message_failure = Some(why);
            }
            Ok((program, Type::Text)) => compiled.message = Some(program),
            Ok(_) => {
                let why = "messageExpression must evaluate to a string";
                compiled.message_failure = Some(why.to_owned());
            }
        }
    }
    if let Ok((_, told)) = node.at_path(&rule.field_path, true) {
        compiled.told_at = told;
    }
    compiled
}

/// Parses an expression and checks it.
///
/// # Errors
/// What is wrong with it, in the form of cel-go.
pub(super) fn checked<'s>(
    text: &str,
    variables: &[(&str, Type<'s>)],
) -> Result<(Program, Type<'s>), String> {
    checked_with(text, variables, false)
}

/// The same of an expression that may make objects.
///
/// # Errors
/// As [`checked`].
pub(super) fn checked_with<'s>(
    text: &str,
    variables: &[(&str, Type<'s>)],
    makes_objects: bool,
) -> Result<(Program, Type<'s>), String> {
    let program = Program::parse(text)?;
    let kind = check::check(text, program.expression(), variables, makes_objects)?;
    Ok((program, kind))
}
