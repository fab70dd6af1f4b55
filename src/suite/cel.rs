//! Expressions: with the folder of its name the one file that touches the CEL crate. Compiles, says
//! which variables a program reads, and evaluates it over trees with the functions that Kubernetes
//! offers. Which variables exist where is decided by those who compile.

mod direct;
mod mask;
mod mentions;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use kube_cel::KubeCelExt;
use kube_cel::cel::{Context, ExecutionError, Program as Compiled};
use kubesim_model::Text;
use kubesim_model::tree::Tree;
use thiserror::Error;

use self::direct::Plain;
use self::mask::{Mask, masks_of};
use self::mentions::Mentions;
use self::values::{tree_of, value_of};

/// The longest expression, in bytes.
pub const MAX_EXPRESSION: usize = 4096;
/// How deep brackets and operators may be nested in an expression.
pub const MAX_NESTING: usize = 48;

/// Why an expression can't be compiled or evaluated.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CelError {
    /// It does not parse.
    #[error("{message}")]
    Syntax {
        /// The byte of the expression where it stops making sense.
        at: usize,
        /// What the parser says.
        message: String,
    },
    /// It is longer or deeper than the limits.
    #[error("the expression is {0}")]
    TooLarge(&'static str),
    /// It calls a function that does not exist.
    #[error("there is no function `{0}`")]
    UnknownFunction(Text),
    /// It reads a variable that is not bound.
    #[error("there is no variable `{0}` here")]
    UnknownVariable(Text),
    /// It failed while it was evaluated.
    #[error("{0}")]
    Failed(String),
    /// It should have answered `true` or `false`.
    #[error("the expression answers {0}, not `true` or `false`")]
    NotBool(String),
}

/// A compiled expression. A copy costs a pointer; two are equal when their texts are.
#[derive(Clone)]
pub struct Program(Arc<Inner>);

struct Inner {
    text: Text,
    compiled: Compiled,
    references: Vec<Text>,
    fields: BTreeSet<(Text, Option<Text>)>,
    masks: BTreeMap<Text, Mask>,
    /// The same, if it needs nothing of the CEL crate.
    plain: Option<Plain>,
}

/// The variables that an expression may read.
#[derive(Clone, Debug, Default)]
pub struct Bindings(BTreeMap<Text, Tree>);

impl Bindings {
    /// No variable.
    pub fn new() -> Self {
        Bindings::default()
    }

    /// The same with `name` bound to `value`.
    pub fn with(mut self, name: &str, value: impl Into<Tree>) -> Self {
        self.set(name, value);
        self
    }

    /// Binds `name` to `value`.
    pub fn set(&mut self, name: &str, value: impl Into<Tree>) {
        self.0.insert(Text::new(name), value.into());
    }

    /// What `name` is bound to.
    pub fn get(&self, name: &str) -> Option<&Tree> {
        self.0.get(name)
    }

    /// The names that are bound.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(Text::as_str)
    }
}

impl Program {
    /// Compiles `text`.
    ///
    /// # Errors
    /// A syntax error, a function that does not exist, or an expression past the limits.
    pub fn compile(text: &str) -> Result<Program, CelError> {
        if text.len() > MAX_EXPRESSION {
            return Err(CelError::TooLarge("longer than 4096 bytes"));
        }
        if nesting(text) > MAX_NESTING {
            return Err(CelError::TooLarge("nested deeper than 48 levels"));
        }
        let compiled = Compiled::compile(text).map_err(|errors| syntax(text, &errors))?;
        let mut mentions = Mentions::default();
        mentions.read(compiled.expression());
        let Mentions { free, functions, fields, .. } = mentions;
        if let Some(unknown) = functions.into_iter().find(|function| !exists(function)) {
            return Err(CelError::UnknownFunction(unknown));
        }
        let references: Vec<Text> = free.into_iter().collect();
        let masks = masks_of(compiled.expression());
        let plain = Plain::of(compiled.expression());
        let text = Text::new(text);
        Ok(Program(Arc::new(Inner { text, compiled, references, fields, masks, plain })))
    }

    /// The expression as it was written.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The variables that it reads, sorted.
    pub fn references(&self) -> &[Text] {
        &self.0.references
    }

    /// The fields that it selects of the variable `name`; `None` among them if it also uses the
    /// variable as a whole.
    pub fn fields_of(&self, name: &str) -> impl Iterator<Item = Option<&Text>> {
        self.0.fields.iter().filter(move |(of, _)| of == name).map(|(_, field)| field.as_ref())
    }

    /// Evaluates it. Only the variables that it reads are looked at.
    ///
    /// # Errors
    /// An unbound variable, or whatever CEL calls an error: a missing key, types that don't go
    /// together, a division by zero.
    pub fn eval(&self, bindings: &Bindings) -> Result<Tree, CelError> {
        let unbound = self.0.references.iter().find(|name| bindings.get(name).is_none());
        if let Some(name) = unbound {
            return Err(CelError::UnknownVariable(name.clone()));
        }
        match self.0.plain.as_ref().and_then(|plain| plain.eval(bindings)) {
            Some(answer) => Ok(answer),
            None => self.eval_with_the_crate(bindings),
        }
    }

    fn eval_with_the_crate(&self, bindings: &Bindings) -> Result<Tree, CelError> {
        ROOT.with(|root| {
            let mut scope = root.new_inner_scope();
            for name in &self.0.references {
                let value = bindings.get(name).unwrap_or(&Tree::Null);
                let value = value_of(value, self.0.masks.get(name));
                scope.add_variable_from_value(name.as_str(), value);
            }
            let answer = self.0.compiled.execute(&scope).map_err(|error| failed(&error))?;
            tree_of(&answer)
        })
    }

    /// Evaluates it to `true` or `false`.
    ///
    /// # Errors
    /// As [`Program::eval`], and any other answer.
    pub fn holds(&self, bindings: &Bindings) -> Result<bool, CelError> {
        let answer = self.eval(bindings)?;
        answer.as_bool().ok_or_else(|| CelError::NotBool(answer.to_string()))
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(to)
    }
}

impl PartialEq for Program {
    fn eq(&self, other: &Program) -> bool {
        self.text() == other.text()
    }
}

thread_local! {
    /// Registering the functions is dear and they never change: once per thread.
    static ROOT: Context<'static> = Context::default().with_all();
}

/// Whether a function is registered: calling it with nothing fails otherwise than "undeclared".
fn exists(function: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let operator = function.contains('_') && function.chars().any(|c| !is_name(c));
    if operator || function.starts_with(['@', '!', '-', '_']) || !function.chars().all(is_name) {
        return true;
    }
    let Ok(call) = Compiled::compile(&format!("{function}()")) else { return true };
    let answer = ROOT.with(|root| call.execute(root));
    !matches!(answer, Err(ExecutionError::UndeclaredReference(name)) if *name == function)
}

fn syntax(text: &str, errors: &kube_cel::cel::ParseErrors) -> CelError {
    let Some(first) = errors.errors.first() else {
        return CelError::Syntax { at: 0, message: "not a CEL expression".to_owned() };
    };
    let (line, column) = (usize::try_from(first.pos.0), usize::try_from(first.pos.1));
    let line = line.unwrap_or(1).saturating_sub(1);
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let column = column.unwrap_or(1).saturating_sub(1);
    let at = (before + column).min(text.len());
    let message = first.msg.lines().next().unwrap_or_default();
    let message = plain_words(message.strip_prefix("Syntax error: ").unwrap_or(message));
    CelError::Syntax { at, message }
}

/// The parser's words without its grammar: what it did not expect, or that something is missing.
fn plain_words(message: &str) -> String {
    let unexpected = ["mismatched input ", "extraneous input ", "no viable alternative at input "];
    for start in unexpected {
        let Some(rest) = message.strip_prefix(start) else { continue };
        let input = rest.split(" expecting ").next().unwrap_or(rest).trim_matches('\'');
        return match input {
            "<EOF>" => "it ends too early".to_owned(),
            input => format!("`{input}` makes no sense here"),
        };
    }
    message.to_owned()
}

fn failed(error: &ExecutionError) -> CelError {
    match error {
        ExecutionError::UndeclaredReference(name) => CelError::UnknownVariable(Text::new(&**name)),
        ExecutionError::NoSuchKey(name) => CelError::Failed(format!("there is no field `{name}`")),
        ExecutionError::NoSuchOverload => {
            CelError::Failed("an operator or function got values of types it does not take".into())
        }
        ExecutionError::FunctionError { function, message } => {
            CelError::Failed(format!("`{function}`: {message}"))
        }
        ExecutionError::DivisionByZero(_) => CelError::Failed("division by zero".to_owned()),
        ExecutionError::IndexOutOfBounds(_) => CelError::Failed("no such index".to_owned()),
        other => CelError::Failed(clipped(&other.to_string())),
    }
}

/// An error can carry a whole object: keep what fits on a line.
fn clipped(text: &str) -> String {
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// How deep the expression can make the parser recurse: open brackets, prefix operators and `?:`.
fn nesting(text: &str) -> usize {
    let mut open = 0_usize;
    let mut prefix = 0_usize;
    let mut chains = 0_usize;
    let mut deepest = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            b'?' => chains += 1,
            _ => {}
        }
        prefix = match byte {
            b'!' | b'-' => prefix + 1,
            b' ' | b'\t' | b'\n' | b'\r' => prefix,
            _ => 0,
        };
        deepest = deepest.max(open + prefix + chains);
    }
    deepest
}

#[cfg(test)]
mod tests;
