//! The plain part of CEL, evaluated over trees as they are: fields, comparisons, logic, `has`,
//! `in`, `size`, `int`, `max`, and the macros `all`, `exists`, `filter` and `map`. Nearly all
//! expressions of subjects and checks are made of nothing else, and the CEL crate copies every
//! value that it selects.
//!
//! It answers only where the answer is certain. Whatever is no plain case, and every error, is left
//! to the crate, which also knows what to say about it.

use std::cmp::Ordering;
use std::rc::Rc;

use kube_cel::cel::common::ast::operators as op;
use kube_cel::cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue};
use kubesim_model::Text;
use kubesim_model::tree::Tree;

use super::Bindings;

/// An expression of the plain part.
pub(super) enum Plain {
    Constant(Tree),
    Variable(Text),
    Field(Box<Plain>, Text),
    Item(Box<Plain>, usize),
    Has(Box<Plain>, Text),
    Not(Box<Plain>),
    And(Box<[Plain; 2]>),
    Or(Box<[Plain; 2]>),
    If(Box<[Plain; 3]>),
    Equal(Box<[Plain; 2]>),
    Ordered(Box<[Plain; 2]>, fn(Ordering) -> bool),
    In(Box<[Plain; 2]>),
    Joined(Box<[Plain; 2]>),
    Size(Box<Plain>),
    Int(Box<Plain>),
    Max(Box<Plain>),
    Each(Box<Each>),
}

/// A macro over the elements of a list.
pub(super) struct Each {
    of: Plain,
    name: Text,
    what: What,
}

enum What {
    /// `all`, which ends with the first `false`, and `exists`, which ends with the first `true`.
    Test { holds: Plain, ends_with: bool },
    /// `filter`, and `map` with and without a filter.
    Collect { filter: Option<Plain>, item: Plain },
}

/// What an expression answers; lists and objects of trees stay where they are.
#[derive(Clone)]
enum Value<'t> {
    Bool(bool),
    Int(i64),
    Text(Text),
    Tree(&'t Tree),
    List(Rc<Vec<Value<'t>>>),
}

/// The variables around an expression, the innermost last.
struct Scope<'t> {
    bindings: &'t Bindings,
    inner: Vec<(&'t str, Value<'t>)>,
}

impl Plain {
    /// The expression, if it belongs to the plain part.
    pub(super) fn of(expression: &IdedExpr) -> Option<Plain> {
        Some(match &expression.expr {
            Expr::Literal(literal) => Plain::Constant(constant(literal)?),
            Expr::Map(map) if map.entries.is_empty() => Plain::Constant(Tree::map()),
            Expr::Ident(name) => Plain::Variable(Text::new(name.trim_start_matches('.'))),
            Expr::Select(select) => {
                let of = boxed(&select.operand)?;
                let field = Text::new(&select.field);
                if select.test { Plain::Has(of, field) } else { Plain::Field(of, field) }
            }
            Expr::Call(call) => of_call(call)?,
            Expr::Comprehension(each) => Plain::Each(Box::new(of_each(each)?)),
            Expr::Map(_) | Expr::List(_) | Expr::Struct(_) | Expr::Unspecified => return None,
        })
    }

    /// The answer; `None` where it is the crate's to give.
    pub(super) fn eval(&self, bindings: &Bindings) -> Option<Tree> {
        let mut scope = Scope { bindings, inner: Vec::new() };
        Some(self.value(&mut scope)?.into_tree())
    }

    fn value<'t>(&'t self, scope: &mut Scope<'t>) -> Option<Value<'t>> {
        Some(match self {
            Plain::Constant(tree) => Value::Tree(tree),
            Plain::Variable(name) => scope.find(name)?,
            Plain::Field(of, name) => Value::Tree(of.tree(scope)?.get(name)?),
            Plain::Item(of, at) => match of.value(scope)? {
                Value::Tree(tree) => Value::Tree(tree.items().get(*at)?),
                Value::List(items) => items.get(*at)?.clone(),
                _ => return None,
            },
            Plain::Has(of, name) => Value::Bool(of.tree(scope)?.as_map()?.get(name).is_some()),
            Plain::Not(of) => Value::Bool(!of.bool(scope)?),
            Plain::And(parts) => Value::Bool(parts[0].bool(scope)? && parts[1].bool(scope)?),
            Plain::Or(parts) => Value::Bool(parts[0].bool(scope)? || parts[1].bool(scope)?),
            Plain::If(parts) => {
                return parts[if parts[0].bool(scope)? { 1 } else { 2 }].value(scope);
            }
            Plain::Equal(parts) => {
                Value::Bool(parts[0].value(scope)?.cmp(&parts[1].value(scope)?)?.is_eq())
            }
            Plain::Ordered(parts, holds) => {
                Value::Bool(holds(parts[0].value(scope)?.cmp(&parts[1].value(scope)?)?))
            }
            Plain::In(parts) => {
                let (one, all) = (parts[0].value(scope)?, parts[1].value(scope)?);
                Value::Bool(match all {
                    Value::Tree(Tree::Map(map)) => map.get(one.text()?).is_some(),
                    all => {
                        let mut all = all.items()?;
                        all.try_fold(false, |found, item| Some(found || item.cmp(&one)?.is_eq()))?
                    }
                })
            }
            Plain::Joined(parts) => {
                let (a, b) = (parts[0].value(scope)?, parts[1].value(scope)?);
                Value::Text(Text::from([a.text()?, b.text()?].concat()))
            }
            Plain::Size(of) => Value::Int(match of.value(scope)? {
                Value::Tree(Tree::Map(map)) => map.len() as i64,
                list => list.items()?.count() as i64,
            }),
            Plain::Int(of) => {
                let value = of.value(scope)?;
                Value::Int(value.int().or_else(|| value.text()?.parse().ok())?)
            }
            Plain::Max(of) => {
                let list = of.value(scope)?;
                let numbers: Option<Vec<i64>> = list.items()?.map(|item| item.int()).collect();
                Value::Int(numbers?.into_iter().max()?)
            }
            Plain::Each(each) => return each.value(scope),
        })
    }

    fn bool<'t>(&'t self, scope: &mut Scope<'t>) -> Option<bool> {
        match self.value(scope)? {
            Value::Bool(value) => Some(value),
            Value::Tree(tree) => tree.as_bool(),
            _ => None,
        }
    }

    fn tree<'t>(&'t self, scope: &mut Scope<'t>) -> Option<&'t Tree> {
        match self.value(scope)? {
            Value::Tree(tree) => Some(tree),
            _ => None,
        }
    }
}

impl Each {
    fn value<'t>(&'t self, scope: &mut Scope<'t>) -> Option<Value<'t>> {
        let list = self.of.value(scope)?;
        let mut collected = Vec::new();
        for item in list.items()? {
            scope.inner.push((&self.name, item));
            let answer = self.what.of_item(scope, &mut collected);
            scope.inner.pop();
            if let Some(early) = answer? {
                return Some(Value::Bool(early));
            }
        }
        Some(match &self.what {
            What::Test { ends_with, .. } => Value::Bool(!ends_with),
            What::Collect { .. } => Value::List(Rc::new(collected)),
        })
    }
}

impl What {
    /// Looks at the innermost variable; answers what the whole answers, if that is clear now.
    fn of_item<'t>(
        &'t self,
        scope: &mut Scope<'t>,
        collected: &mut Vec<Value<'t>>,
    ) -> Option<Option<bool>> {
        match self {
            What::Test { holds, ends_with } => {
                let holds = holds.bool(scope)?;
                return Some((holds == *ends_with).then_some(holds));
            }
            What::Collect { filter, item } => {
                let is_wanted = filter.as_ref().map_or(Some(true), |filter| filter.bool(scope))?;
                if is_wanted {
                    collected.push(item.value(scope)?);
                }
            }
        }
        Some(None)
    }
}

impl<'t> Scope<'t> {
    fn find(&self, name: &str) -> Option<Value<'t>> {
        match self.inner.iter().rev().find(|(have, _)| *have == name) {
            Some((_, value)) => Some(value.clone()),
            None => self.bindings.get(name).map(Value::Tree),
        }
    }
}

impl<'t> Value<'t> {
    fn int(&self) -> Option<i64> {
        match self {
            Value::Int(value) | Value::Tree(Tree::Int(value)) => Some(*value),
            _ => None,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) | Value::Tree(Tree::Str(text)) => Some(text),
            _ => None,
        }
    }

    /// The elements, if this is a list.
    fn items(&self) -> Option<impl Iterator<Item = Value<'t>> + use<'t>> {
        let (trees, values) = match self {
            Value::Tree(Tree::List(items)) => (items.as_slice(), Rc::default()),
            Value::List(items) => (&[][..], items.clone()),
            _ => return None,
        };
        let values = (0..values.len()).map(move |at| values[at].clone());
        Some(trees.iter().map(Value::Tree).chain(values))
    }

    /// The order of two values of the same simple type.
    fn cmp(&self, other: &Value<'_>) -> Option<Ordering> {
        let bool = |value: &Value<'_>| match value {
            Value::Bool(value) | Value::Tree(Tree::Bool(value)) => Some(*value),
            _ => None,
        };
        if let (Some(a), Some(b)) = (self.text(), other.text()) {
            return Some(a.cmp(b));
        }
        if let (Some(a), Some(b)) = (self.int(), other.int()) {
            return Some(a.cmp(&b));
        }
        Some(bool(self)?.cmp(&bool(other)?))
    }

    fn into_tree(self) -> Tree {
        match self {
            Value::Bool(value) => Tree::Bool(value),
            Value::Int(value) => Tree::Int(value),
            Value::Text(text) => Tree::Str(text),
            Value::Tree(tree) => tree.clone(),
            Value::List(items) => {
                items.iter().cloned().map(Value::into_tree).collect::<Vec<_>>().into()
            }
        }
    }
}

fn of_call(call: &CallExpr) -> Option<Plain> {
    let name = call.func_name.as_str();
    if let Some(target) = &call.target {
        return match (name, call.args.is_empty()) {
            ("size", true) => Some(Plain::Size(boxed(target)?)),
            ("max", true) => Some(Plain::Max(boxed(target)?)),
            _ => None,
        };
    }
    Some(match (name, call.args.as_slice()) {
        ("size", [of]) => Plain::Size(boxed(of)?),
        ("int", [of]) => Plain::Int(boxed(of)?),
        (op::LOGICAL_NOT, [of]) => Plain::Not(boxed(of)?),
        (op::LOGICAL_AND, [a, b]) => Plain::And(pair(a, b)?),
        (op::LOGICAL_OR, [a, b]) => Plain::Or(pair(a, b)?),
        (op::EQUALS, [a, b]) => Plain::Equal(pair(a, b)?),
        (op::NOT_EQUALS, [a, b]) => Plain::Not(Box::new(Plain::Equal(pair(a, b)?))),
        (op::LESS, [a, b]) => Plain::Ordered(pair(a, b)?, Ordering::is_lt),
        (op::LESS_EQUALS, [a, b]) => Plain::Ordered(pair(a, b)?, Ordering::is_le),
        (op::GREATER, [a, b]) => Plain::Ordered(pair(a, b)?, Ordering::is_gt),
        (op::GREATER_EQUALS, [a, b]) => Plain::Ordered(pair(a, b)?, Ordering::is_ge),
        (op::IN, [a, b]) => Plain::In(pair(a, b)?),
        (op::ADD, [a, b]) => Plain::Joined(pair(a, b)?),
        (op::CONDITIONAL, [condition, yes, no]) => {
            Plain::If(Box::new([Plain::of(condition)?, Plain::of(yes)?, Plain::of(no)?]))
        }
        (op::INDEX, [of, at]) => match Plain::of(at)? {
            Plain::Constant(Tree::Str(name)) => Plain::Field(boxed(of)?, name),
            Plain::Constant(Tree::Int(at)) => Plain::Item(boxed(of)?, usize::try_from(at).ok()?),
            _ => return None,
        },
        _ => return None,
    })
}

/// A macro, by what the parser makes of it: a loop that carries an accumulator.
fn of_each(each: &ComprehensionExpr) -> Option<Each> {
    let is_result = |part: &IdedExpr| {
        let Expr::Ident(name) = &part.expr else { return false };
        *name == each.accu_var
    };
    if each.iter_var2.is_some() || !is_result(&each.result) {
        return None;
    }
    let what = match (&each.accu_init.expr, call(&each.loop_step)?) {
        // `all` is `accumulator && body` from `true`, `exists` is `accumulator || body`.
        (Expr::Literal(LiteralValue::Boolean(begin)), (name, [result, body]))
            if name == if *begin.inner() { op::LOGICAL_AND } else { op::LOGICAL_OR } =>
        {
            let test = What::Test { holds: Plain::of(body)?, ends_with: !begin.inner() };
            is_result(result).then_some(test)?
        }
        (Expr::List(begin), step) if begin.elements.is_empty() => {
            // `map` is `accumulator + [body]`; a filter is `condition ? that : accumulator`.
            let (filter, step) = match step {
                (op::CONDITIONAL, [filter, step, result]) if is_result(result) => {
                    (Some(Plain::of(filter)?), call(step)?)
                }
                step => (None, step),
            };
            let (op::ADD, [result, added]) = step else { return None };
            let Expr::List(added) = &added.expr else { return None };
            let ([item], true) = (added.elements.as_slice(), is_result(result)) else {
                return None;
            };
            What::Collect { filter, item: Plain::of(item)? }
        }
        _ => return None,
    };
    Some(Each { of: Plain::of(&each.iter_range)?, name: Text::new(&each.iter_var), what })
}

/// The operator or global function that an expression calls.
fn call(expression: &IdedExpr) -> Option<(&str, &[IdedExpr])> {
    match &expression.expr {
        Expr::Call(call) if call.target.is_none() => Some((&call.func_name, &call.args)),
        _ => None,
    }
}

fn constant(literal: &LiteralValue) -> Option<Tree> {
    match literal {
        LiteralValue::Boolean(value) => Some(Tree::Bool(*value.inner())),
        LiteralValue::Int(value) => Some(Tree::Int(*value.inner())),
        LiteralValue::String(value) => Some(Tree::from(value.inner())),
        LiteralValue::Null => Some(Tree::Null),
        LiteralValue::Bytes(_) | LiteralValue::Double(_) | LiteralValue::UInt(_) => None,
    }
}

fn boxed(expression: &IdedExpr) -> Option<Box<Plain>> {
    Plain::of(expression).map(Box::new)
}

fn pair(a: &IdedExpr, b: &IdedExpr) -> Option<Box<[Plain; 2]>> {
    Some(Box::new([Plain::of(a)?, Plain::of(b)?]))
}
