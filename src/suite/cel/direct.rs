//! The plain part of CEL, evaluated over trees as they are: fields, comparisons, logic, `has`,
//! `size`, `all` and `exists`. Most expressions of subjects and checks are made of nothing else, and
//! the CEL crate copies every value that it selects.
//!
//! It answers only where the answer is certain. Whatever is no plain case, and every error, is left
//! to the crate, which also knows what to say about it.

use std::cmp::Ordering;

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
    Size(Box<Plain>),
    Not(Box<Plain>),
    And(Box<[Plain; 2]>),
    Or(Box<[Plain; 2]>),
    If(Box<[Plain; 3]>),
    Equal(Box<[Plain; 2]>),
    Ordered(Box<[Plain; 2]>, fn(Ordering) -> bool),
    /// `all`, which ends with the first `false`, or `exists`, which ends with the first `true`.
    Each {
        of: Box<Plain>,
        name: Text,
        holds: Box<Plain>,
        ends_with: bool,
    },
}

/// What an expression answers; lists and objects stay where they are.
#[derive(Clone, Copy)]
enum Value<'t> {
    Bool(bool),
    Int(i64),
    Tree(&'t Tree),
}

/// The variables around an expression, the innermost last.
struct Scope<'t> {
    bindings: &'t Bindings,
    inner: Vec<(&'t str, &'t Tree)>,
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
            Expr::Call(call) => Plain::of_call(call)?,
            Expr::Comprehension(each) => Plain::of_each(each)?,
            Expr::Map(_) | Expr::List(_) | Expr::Struct(_) | Expr::Unspecified => return None,
        })
    }

    fn of_call(call: &CallExpr) -> Option<Plain> {
        let name = call.func_name.as_str();
        if let Some(target) = &call.target {
            let is_size = name == "size" && call.args.is_empty();
            return if is_size { Some(Plain::Size(boxed(target)?)) } else { None };
        }
        match (name, call.args.as_slice()) {
            ("size", [of]) => Some(Plain::Size(boxed(of)?)),
            (op::LOGICAL_NOT, [of]) => Some(Plain::Not(boxed(of)?)),
            (op::LOGICAL_AND, [a, b]) => Some(Plain::And(pair(a, b)?)),
            (op::LOGICAL_OR, [a, b]) => Some(Plain::Or(pair(a, b)?)),
            (op::EQUALS, [a, b]) => Some(Plain::Equal(pair(a, b)?)),
            (op::NOT_EQUALS, [a, b]) => Some(Plain::Not(Box::new(Plain::Equal(pair(a, b)?)))),
            (op::LESS, [a, b]) => Some(Plain::Ordered(pair(a, b)?, Ordering::is_lt)),
            (op::LESS_EQUALS, [a, b]) => Some(Plain::Ordered(pair(a, b)?, Ordering::is_le)),
            (op::GREATER, [a, b]) => Some(Plain::Ordered(pair(a, b)?, Ordering::is_gt)),
            (op::GREATER_EQUALS, [a, b]) => Some(Plain::Ordered(pair(a, b)?, Ordering::is_ge)),
            (op::CONDITIONAL, [condition, yes, no]) => {
                let parts = [Plain::of(condition)?, Plain::of(yes)?, Plain::of(no)?];
                Some(Plain::If(Box::new(parts)))
            }
            (op::INDEX, [of, at]) => match Plain::of(at)? {
                Plain::Constant(Tree::Str(name)) => Some(Plain::Field(boxed(of)?, name)),
                Plain::Constant(Tree::Int(at)) => {
                    Some(Plain::Item(boxed(of)?, usize::try_from(at).ok()?))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// `all` and `exists`, by what the parser makes of these macros: `accumulator && body` from
    /// `true`, and `accumulator || body` from `false`.
    fn of_each(each: &ComprehensionExpr) -> Option<Plain> {
        let (Expr::Call(step), None) = (&each.loop_step.expr, &each.iter_var2) else { return None };
        let (begin, ends_with) = match step.func_name.as_str() {
            op::LOGICAL_AND => (true, false),
            op::LOGICAL_OR => (false, true),
            _ => return None,
        };
        let [accumulator, body] = step.args.as_slice() else { return None };
        let is_accumulator = |expression: &IdedExpr| matches!(&expression.expr, Expr::Ident(name) if *name == each.accu_var);
        let begins = matches!(&each.accu_init.expr,
            Expr::Literal(LiteralValue::Boolean(value)) if *value.inner() == begin);
        if !begins || !is_accumulator(accumulator) || !is_accumulator(&each.result) {
            return None;
        }
        let (of, holds) = (boxed(&each.iter_range)?, boxed(body)?);
        Some(Plain::Each { of, name: Text::new(&each.iter_var), holds, ends_with })
    }

    /// The answer; `None` where it is the crate's to give.
    pub(super) fn eval(&self, bindings: &Bindings) -> Option<Tree> {
        let mut scope = Scope { bindings, inner: Vec::new() };
        Some(match self.value(&mut scope)? {
            Value::Bool(value) => Tree::Bool(value),
            Value::Int(value) => Tree::Int(value),
            Value::Tree(tree) => tree.clone(),
        })
    }

    fn value<'t>(&'t self, scope: &mut Scope<'t>) -> Option<Value<'t>> {
        Some(match self {
            Plain::Constant(tree) => Value::Tree(tree),
            Plain::Variable(name) => Value::Tree(scope.find(name)?),
            Plain::Field(of, name) => Value::Tree(of.tree(scope)?.get(name)?),
            Plain::Item(of, at) => Value::Tree(of.tree(scope)?.items().get(*at)?),
            Plain::Has(of, name) => Value::Bool(of.tree(scope)?.as_map()?.get(name).is_some()),
            Plain::Size(of) => Value::Int(match of.tree(scope)? {
                Tree::List(items) => items.len() as i64,
                Tree::Map(map) => map.len() as i64,
                _ => return None,
            }),
            Plain::Not(of) => Value::Bool(!of.bool(scope)?),
            Plain::And(parts) => Value::Bool(parts[0].bool(scope)? && parts[1].bool(scope)?),
            Plain::Or(parts) => Value::Bool(parts[0].bool(scope)? || parts[1].bool(scope)?),
            Plain::If(parts) => {
                return parts[if parts[0].bool(scope)? { 1 } else { 2 }].value(scope);
            }
            Plain::Equal(parts) => {
                let order = compare(parts[0].value(scope)?, parts[1].value(scope)?)?;
                Value::Bool(order.is_eq())
            }
            Plain::Ordered(parts, holds) => {
                Value::Bool(holds(compare(parts[0].value(scope)?, parts[1].value(scope)?)?))
            }
            Plain::Each { of, name, holds, ends_with } => {
                let Tree::List(items) = of.tree(scope)? else { return None };
                for item in items.iter() {
                    scope.inner.push((name, item));
                    let answer = holds.bool(scope);
                    scope.inner.pop();
                    if answer? == *ends_with {
                        return Some(Value::Bool(*ends_with));
                    }
                }
                Value::Bool(!ends_with)
            }
        })
    }

    fn bool<'t>(&'t self, scope: &mut Scope<'t>) -> Option<bool> {
        match self.value(scope)? {
            Value::Bool(value) => Some(value),
            Value::Tree(tree) => tree.as_bool(),
            Value::Int(_) => None,
        }
    }

    fn tree<'t>(&'t self, scope: &mut Scope<'t>) -> Option<&'t Tree> {
        match self.value(scope)? {
            Value::Tree(tree) => Some(tree),
            Value::Bool(_) | Value::Int(_) => None,
        }
    }
}

impl<'t> Scope<'t> {
    fn find(&self, name: &str) -> Option<&'t Tree> {
        let inner = self.inner.iter().rev().find(|(have, _)| *have == name);
        inner.map(|(_, tree)| *tree).or_else(|| self.bindings.get(name))
    }
}

/// The order of two values of the same plain type.
fn compare(a: Value<'_>, b: Value<'_>) -> Option<Ordering> {
    let plain = |value| match value {
        Value::Tree(Tree::Bool(value)) => Value::Bool(*value),
        Value::Tree(Tree::Int(value)) => Value::Int(*value),
        value => value,
    };
    match (plain(a), plain(b)) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(&b)),
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(&b)),
        (Value::Tree(Tree::Str(a)), Value::Tree(Tree::Str(b))) => Some(a.cmp(b)),
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
