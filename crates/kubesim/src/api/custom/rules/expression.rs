//! Expressions about whole objects, as admission policies have them (apiserver v0.36,
//! `admission/plugin/cel`). Their variables are of any type: what is in them is known only when
//! they are evaluated.

use std::collections::BTreeMap;
use std::rc::Rc;

use kubesim_model::Text;
use kubesim_model::tree::Tree;

use super::functions::told;
use super::made;
use super::program::{Program, variables};
use super::rule::checked_with;
use super::types::Type;
use super::value::{Failure, Key, Value};

/// What an expression must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Wanted {
    /// True or false.
    Bool,
    /// A text.
    Text,
    /// Parts of an object.
    Object,
    /// A JSON patch.
    Patch,
    /// Anything.
    Any,
}

/// A parsed and checked expression.
#[derive(Debug)]
pub(in crate::api) struct Expression {
    text: Text,
    program: Program,
    kind: Type<'static>,
}

/// What expressions may read and make.
#[derive(Clone, Debug)]
pub(in crate::api) struct Scope {
    names: Vec<&'static str>,
    variables: Option<Vec<(Text, Type<'static>)>>,
    makes_objects: bool,
}

/// What expressions are evaluated with.
#[derive(Default)]
pub(in crate::api) struct Given<'a> {
    known: Vec<(&'static str, Value<'a>)>,
    own: BTreeMap<Key, Value<'a>>,
}

impl Scope {
    /// One in which these names may be read.
    pub(in crate::api) fn of(names: &[&'static str]) -> Scope {
        Scope { names: names.to_vec(), variables: None, makes_objects: false }
    }

    /// The same with `variables`, of which there is none yet.
    pub(in crate::api) fn with_variables(self) -> Scope {
        Scope { variables: Some(Vec::new()), ..self }
    }

    /// The same for expressions that change objects.
    pub(in crate::api) fn with_objects(self) -> Scope {
        Scope { makes_objects: true, ..self }
    }

    /// Adds `variables.NAME`, which has the value of an expression; one that does not compile may
    /// be anything.
    pub(in crate::api) fn declare(&mut self, name: &Text, expression: Option<&Expression>) {
        let kind = expression.map_or(Type::Dyn, |expression| expression.kind.clone());
        self.variables.get_or_insert_default().push((name.clone(), kind));
    }
}

impl Wanted {
    fn fits(self, kind: &Type<'_>) -> bool {
        let is_made =
            |kind: &Type<'_>, wanted: &str| matches!(kind, Type::Made(name) if name == wanted);
        match (self, kind) {
            (Wanted::Any, _) | (Wanted::Bool, Type::Bool) | (Wanted::Text, Type::Text) => true,
            (Wanted::Object, kind) => is_made(kind, made::OBJECT),
            (Wanted::Patch, Type::List(of)) => is_made(of, made::PATCH),
            _ => false,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Wanted::Bool => "bool",
            Wanted::Text => "string",
            Wanted::Object => "Object",
            Wanted::Patch => "list(JSONPatch)",
            Wanted::Any => "any",
        }
    }
}

impl Expression {
    /// Parses and checks an expression.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(in crate::api) fn compile(
        text: &str,
        scope: &Scope,
        wanted: Wanted,
    ) -> Result<Expression, String> {
        let mut known: Vec<(&str, Type<'static>)> =
            scope.names.iter().map(|name| (*name, Type::Dyn)).collect();
        let variables = scope.variables.as_ref();
        known.extend(variables.map(|variables| ("variables", Type::Named(variables.clone()))));
        let (program, kind) = checked_with(text, &known, scope.makes_objects)
            .map_err(|why| format!("compilation failed: {why}"))?;
        if !wanted.fits(&kind) {
            return Err(format!("must evaluate to {} but got {kind}", wanted.name()));
        }
        Ok(Expression { text: Text::new(text), program, kind })
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

    /// The parts of an object that it makes.
    ///
    /// # Errors
    /// Why it makes none.
    pub(in crate::api) fn object<'a>(
        &'a self,
        given: &Given<'a>,
        left: &mut u64,
    ) -> Result<Tree, String> {
        made::whole(&self.evaluated(given, left)?)
    }

    /// The JSON patch that it makes.
    ///
    /// # Errors
    /// Why it makes none.
    pub(in crate::api) fn patch<'a>(
        &'a self,
        given: &Given<'a>,
        left: &mut u64,
    ) -> Result<Tree, String> {
        made::patch(&self.evaluated(given, left)?)
    }

    fn evaluated<'a>(&'a self, given: &Given<'a>, left: &mut u64) -> Result<Value<'a>, String> {
        let failed = |failure: Failure| {
            format!("expression '{}' resulted in error: {}", self.text, told(&failure))
        };
        self.value(given, left).map_err(failed)
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
