//! Expressions: the one file that touches the CEL crate. Compiles, says which variables a program
//! reads, and evaluates it over trees with the functions that Kubernetes offers. Which variables
//! exist where is decided by those who compile.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use kube_cel::KubeCelExt;
use kube_cel::cel::common::ast::{EntryExpr, Expr, IdedExpr};
use kube_cel::cel::objects::Key;
use kube_cel::cel::{Context, ExecutionError, Program as Compiled, Value};
use kubesim_model::Text;
use kubesim_model::tree::{Map, Tree};
use thiserror::Error;

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
        for function in sorted(compiled.references().functions()) {
            if !exists(function) {
                return Err(CelError::UnknownFunction(Text::new(function)));
            }
        }
        let mut free = BTreeSet::new();
        free_variables(compiled.expression(), &mut Vec::new(), &mut free);
        let references = free.into_iter().collect();
        Ok(Program(Arc::new(Inner { text: Text::new(text), compiled, references })))
    }

    /// The expression as it was written.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The variables that it reads, sorted.
    pub fn references(&self) -> &[Text] {
        &self.0.references
    }

    /// Evaluates it. Only the variables that it reads are looked at.
    ///
    /// # Errors
    /// An unbound variable, or whatever CEL calls an error: a missing key, types that don't go
    /// together, a division by zero.
    pub fn eval(&self, bindings: &Bindings) -> Result<Tree, CelError> {
        ROOT.with(|root| {
            let mut scope = root.new_inner_scope();
            for name in &self.0.references {
                let value = bindings.get(name);
                let value = value.ok_or_else(|| CelError::UnknownVariable(name.clone()))?;
                scope.add_variable_from_value(name.as_str(), value_of(value));
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

fn sorted(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names
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
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message).to_owned();
    CelError::Syntax { at, message }
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

/// Collects the variables that `expression` reads and does not bind itself.
fn free_variables<'e>(
    expression: &'e IdedExpr,
    bound: &mut Vec<&'e str>,
    free: &mut BTreeSet<Text>,
) {
    match &expression.expr {
        Expr::Ident(name) => {
            let name = name.trim_start_matches('.');
            if !name.starts_with('@') && !bound.contains(&name) && !TYPES.contains(&name) {
                free.insert(Text::new(name));
            }
        }
        Expr::Select(select) => free_variables(&select.operand, bound, free),
        Expr::Call(call) => {
            for part in call.target.as_deref().into_iter().chain(&call.args) {
                free_variables(part, bound, free);
            }
        }
        Expr::List(list) => {
            list.elements.iter().for_each(|element| free_variables(element, bound, free));
        }
        Expr::Map(map) => map.entries.iter().for_each(|e| of_entry(&e.expr, bound, free)),
        Expr::Struct(made) => made.entries.iter().for_each(|e| of_entry(&e.expr, bound, free)),
        Expr::Comprehension(each) => {
            free_variables(&each.iter_range, bound, free);
            free_variables(&each.accu_init, bound, free);
            let outer = bound.len();
            bound.push(&each.iter_var);
            bound.extend(each.iter_var2.as_deref());
            bound.push(&each.accu_var);
            for part in [&each.loop_cond, &each.loop_step, &each.result] {
                free_variables(part, bound, free);
            }
            bound.truncate(outer);
        }
        Expr::Literal(_) | Expr::Unspecified => {}
    }
}

fn of_entry<'e>(entry: &'e EntryExpr, bound: &mut Vec<&'e str>, free: &mut BTreeSet<Text>) {
    match entry {
        EntryExpr::StructField(field) => free_variables(&field.value, bound, free),
        EntryExpr::MapEntry(entry) => {
            free_variables(&entry.key, bound, free);
            free_variables(&entry.value, bound, free);
        }
    }
}

/// Names in front of function names (`math.greatest`) that the parser shows as variables.
const TYPES: [&str; 7] = ["math", "sets", "base64", "optional", "jsonpatch", "format", "strings"];

fn value_of(tree: &Tree) -> Value {
    match tree {
        Tree::Null => Value::Null,
        Tree::Bool(value) => Value::Bool(*value),
        Tree::Int(value) => Value::Int(*value),
        Tree::Float(value) => Value::Float(*value),
        Tree::Str(text) => Value::String(Arc::new(text.to_string())),
        Tree::List(items) => Value::List(Arc::new(items.iter().map(value_of).collect())),
        Tree::Map(map) => {
            let entry = |(key, value): (&Text, &Tree)| {
                (Key::String(Arc::new(key.to_string())), value_of(value))
            };
            let map: Arc<_> = Arc::new(map.iter().map(entry).collect());
            Value::Map(kube_cel::cel::objects::Map { map })
        }
    }
}

fn tree_of(value: &Value) -> Result<Tree, CelError> {
    Ok(match value {
        Value::Null => Tree::Null,
        Value::Bool(value) => Tree::Bool(*value),
        Value::Int(value) => Tree::Int(*value),
        Value::UInt(value) => Tree::from(*value),
        Value::Float(value) => Tree::Float(*value),
        Value::String(text) => Tree::Str(Text::new(text.as_str())),
        Value::List(items) => items.iter().map(tree_of).collect::<Result<Vec<_>, _>>()?.into(),
        Value::Map(map) => {
            let entry = |(key, value): (&Key, &Value)| {
                let key = match key {
                    Key::String(key) => Text::new(key.as_str()),
                    Key::Int(key) => Text::from(key.to_string()),
                    Key::Uint(key) => Text::from(key.to_string()),
                    Key::Bool(key) => Text::from(key.to_string()),
                };
                Ok((key, tree_of(value)?))
            };
            map.map.iter().map(entry).collect::<Result<Map, CelError>>()?.into()
        }
        Value::Duration(value) => Tree::Int(value.num_milliseconds()),
        Value::Timestamp(value) => Tree::from(value.to_rfc3339()),
        other => {
            let kind = other.type_of();
            return Err(CelError::Failed(format!(
                "the answer is a {kind}, which no field can hold"
            )));
        }
    })
}

#[cfg(test)]
mod tests;
