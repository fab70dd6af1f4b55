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
    fields: BTreeSet<(Text, Option<Text>)>,
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
        let references = free.into_iter().collect();
        Ok(Program(Arc::new(Inner { text: Text::new(text), compiled, references, fields })))
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

/// What an expression mentions.
#[derive(Default)]
struct Mentions<'e> {
    bound: Vec<&'e str>,
    free: BTreeSet<Text>,
    functions: BTreeSet<Text>,
    /// Fields selected of free variables; `None` for a variable that is used as a whole.
    fields: BTreeSet<(Text, Option<Text>)>,
}

impl<'e> Mentions<'e> {
    fn free(&self, expression: &'e IdedExpr) -> Option<&'e str> {
        let Expr::Ident(name) = &expression.expr else { return None };
        let name = name.trim_start_matches('.');
        let free = !name.starts_with('@') && !self.bound.contains(&name);
        (free && !NAMESPACES.contains(&name)).then_some(name)
    }

    fn read(&mut self, expression: &'e IdedExpr) {
        match &expression.expr {
            Expr::Ident(_) => {
                if let Some(name) = self.free(expression) {
                    self.free.insert(Text::new(name));
                    self.fields.insert((Text::new(name), None));
                }
            }
            Expr::Select(select) => match self.free(&select.operand) {
                Some(name) => {
                    self.free.insert(Text::new(name));
                    self.fields.insert((Text::new(name), Some(Text::new(&select.field))));
                }
                None => self.read(&select.operand),
            },
            Expr::Call(call) => {
                let space = call.target.as_deref().and_then(|target| match &target.expr {
                    Expr::Ident(name) if NAMESPACES.contains(&name.as_str()) => Some(name),
                    _ => None,
                });
                let function = match space {
                    Some(space) => Text::from(format!("{space}.{}", call.func_name)),
                    None => Text::new(&call.func_name),
                };
                self.functions.insert(function);
                call.target.as_deref().into_iter().chain(&call.args).for_each(|e| self.read(e));
            }
            Expr::List(list) => list.elements.iter().for_each(|element| self.read(element)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.entry(&entry.expr)),
            Expr::Struct(made) => made.entries.iter().for_each(|entry| self.entry(&entry.expr)),
            Expr::Comprehension(each) => {
                self.read(&each.iter_range);
                self.read(&each.accu_init);
                let outer = self.bound.len();
                self.bound.push(&each.iter_var);
                self.bound.extend(each.iter_var2.as_deref());
                self.bound.push(&each.accu_var);
                for part in [&each.loop_cond, &each.loop_step, &each.result] {
                    self.read(part);
                }
                self.bound.truncate(outer);
            }
            Expr::Literal(_) | Expr::Unspecified => {}
        }
    }

    fn entry(&mut self, entry: &'e EntryExpr) {
        match entry {
            EntryExpr::StructField(field) => self.read(&field.value),
            EntryExpr::MapEntry(entry) => {
                self.read(&entry.key);
                self.read(&entry.value);
            }
        }
    }
}

/// Names in front of function names (`math.greatest`) that the parser shows as variables.
const NAMESPACES: [&str; 7] =
    ["math", "sets", "base64", "optional", "jsonpatch", "format", "strings"];

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
