//! Expressions about whole objects, as admission policies have them (apiserver v0.36,
//! `admission/plugin/cel`). Their variables are of any type: what is in them is known only when
//! they are evaluated.

use std::collections::BTreeMap;
use std::rc::Rc;

use kubesim_model::Text;
use kubesim_model::tree::Tree;

use super::functions::told;
use super::program::{Program, variables};
use super::rule::checked;
use super::types::Type;
use super::value::{Failure, Key, Value};

/// What an expression must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Wanted {
    /// True or false.
    Bool,
    /// A text.
    Text,
    /// Anything.
    Any,
}

/// A parsed and checked expression.
#[derive(Debug)]
pub(in crate::api) struct Expression {
    text: Text,
    program: Program,
}

/// What expressions are evaluated with.
#[derive(Default)]
pub(in crate::api) struct Given<'a> {
    known: Vec<(&'static str, Value<'a>)>,
    own: BTreeMap<Key, Value<'a>>,
}

impl Expression {
    /// Parses and checks an expression that may read the variables `names`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(in crate::api) fn compile(
        text: &str,
        names: &[&'static str],
        wanted: Wanted,
    ) -> Result<Expression, String> {
        let known: Vec<(&str, Type<'_>)> = names.iter().map(|name| (*name, Type::Dyn)).collect();
        let (program, kind) =
            checked(text, &known).map_err(|why| format!("compilation failed: {why}"))?;
        let fits = match wanted {
            Wanted::Any => true,
            Wanted::Bool => matches!(kind, Type::Bool | Type::Dyn),
            Wanted::Text => matches!(kind, Type::Text | Type::Dyn),
        };
        if !fits {
            let name = if wanted == Wanted::Bool { "bool" } else { "string" };
            return Err(format!("must evaluate to {name} but got {kind}"));
        }
        Ok(Expression { text: Text::new(text), program })
    }

    /// As it is written.
    pub(in crate::api) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is true; `left` is what evaluating may cost, and is lowered.
    ///
    /// # Errors
    /// Why it has no value.
    pub(in crate::api) fn holds<'a>(
        &'a self,
        given: &Given<'a>,
        left: &mut u64,
    ) -> Result<bool, String> {
        let value = self.value(given, left).map_err(|failure| told(&failure))?;
        Ok(matches!(value, Value::Bool(true)))
    }

    /// The text that it makes; `None` if it makes none.
    pub(in crate::api) fn made<'a>(&'a self, given: &Given<'a>, left: &mut u64) -> Option<Text> {
        match self.value(given, left) {
            Ok(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn value<'a>(&'a self, given: &Given<'a>, left: &mut u64) -> Result<Value<'a>, Failure> {
        let own = Value::Map(Rc::new(given.own.clone()));
        let known = given.known.iter().cloned().chain([("variables", own)]);
        self.program.evaluate(&variables(known), left)
    }
}

impl<'a> Given<'a> {
    /// Gives a variable a value.
    pub(in crate::api) fn set(&mut self, name: &'static str, tree: &Tree) {
        let value = Value::of_tree(tree, None).unwrap_or(Value::Null);
        self.known.push((name, value));
    }

    /// Gives `variables.NAME` the value of an expression. Without a value there is none: who reads
    /// it fails.
    pub(in crate::api) fn define(
        &mut self,
        name: &Text,
        expression: &'a Expression,
        left: &mut u64,
    ) {
        if let Ok(value) = expression.value(self, left) {
            self.own.insert(Key::Text(name.clone()), value);
        }
    }
}
