//! Evaluation of expressions, with what it costs (cel-go, `interpreter/runtimecost.go`).

use std::collections::BTreeMap;
use std::rc::Rc;

use kube_cel::cel::common::ast::operators as op;
use kube_cel::cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, ListExpr, LiteralValue, MapExpr,
    SelectExpr, StructExpr,
};
use kubesim_model::Text;

use super::value::{Answer, Failure, Key, Value, fail, no_overload};
use super::{functions, macros, operators};

/// What making a list or a map costs.
const LIST_COST: u64 = 10;
const MAP_COST: u64 = 30;
/// And making an object.
const STRUCT_COST: u64 = 40;

/// The variables that an expression can read.
#[derive(Clone, Debug)]
pub(in crate::api) struct Variables<'a>(Vec<(&'a str, Value<'a>)>);

impl<'a> Variables<'a> {
    /// These variables.
    pub(super) fn new(all: Vec<(&'a str, Value<'a>)>) -> Self {
        Variables(all)
    }
}

/// One evaluation: the variables of macros around the place where it is, and what was spent.
pub(super) struct Evaluation<'a, 'v> {
    variables: &'v Variables<'a>,
    inner: Vec<(&'a str, Value<'a>)>,
    spent: u64,
    limit: u64,
}

impl<'a, 'v> Evaluation<'a, 'v> {
    pub(super) fn new(variables: &'v Variables<'a>, limit: u64) -> Self {
        Evaluation { variables, inner: Vec::new(), spent: 0, limit }
    }

    pub(super) fn spent(&self) -> u64 {
        self.spent
    }

    /// Spends something, if there is as much.
    pub(super) fn spend(&mut self, cost: u64) -> Result<(), Failure> {
        self.spent = self.spent.saturating_add(cost);
        if self.spent > self.limit { Err(Failure::TooDear) } else { Ok(()) }
    }

    /// What walking through a value of this size costs.
    pub(super) fn spend_on(&mut self, value: &Value<'a>) -> Result<(), Failure> {
        let size = match value {
            Value::Text(text) => text.len(),
            value => value.size().unwrap_or(1),
        };
        self.spend((size as u64).div_ceil(10))
    }

    /// The value of an expression.
    pub(super) fn of(&mut self, node: &'a IdedExpr) -> Answer<'a> {
        match &node.expr {
            Expr::Literal(literal) => Ok(constant(literal)),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => self.select(select),
            Expr::List(list) => self.list(list),
            Expr::Map(map) => self.map(map),
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(all) => self.comprehension(all),
            Expr::Struct(made) => self.made(made),
            Expr::Unspecified => fail("unsupported expression"),
        }
    }

    /// Evaluates with a variable more.
    pub(super) fn with(
        &mut self,
        variables: impl IntoIterator<Item = (&'a str, Value<'a>)>,
        node: &'a IdedExpr,
    ) -> Answer<'a> {
        let before = self.inner.len();
        self.inner.extend(variables);
        let answer = self.of(node);
        self.inner.truncate(before);
        answer
    }

    fn variable(&mut self, name: &'a str) -> Answer<'a> {
        self.spend(1)?;
        let name = name.strip_prefix('.').unwrap_or(name);
        let found = self.inner.iter().rev().chain(&self.variables.0).find(|(n, _)| *n == name);
        if let Some((_, value)) = found {
            return Ok(value.clone());
        }
        functions::type_named(name).map_or_else(
            || fail(format!("no such attribute(s): {name}")),
            |kind| Ok(Value::Type(Text::new(kind))),
        )
    }

    fn select(&mut self, select: &'a SelectExpr) -> Answer<'a> {
        if let Some(kind) = functions::qualified_type(select) {
            return Ok(Value::Type(Text::new(kind)));
        }
        let operand = self.of(&select.operand)?;
        self.spend(1)?;
        let (optional, operand) = match operand {
            Value::Optional(None) => {
                let none = if select.test { Value::Bool(false) } else { Value::Optional(None) };
                return Ok(none);
            }
            Value::Optional(Some(inner)) => (true, (*inner).clone()),
            operand => (false, operand),
        };
        let found = operand.field(&select.field)?;
        match (select.test, optional, found) {
            (true, _, found) => Ok(Value::Bool(found.is_some())),
            (_, true, found) => Ok(Value::Optional(found.map(Rc::new))),
            (_, _, Some(found)) => Ok(found),
            (_, _, None) => fail(format!("no such key: {}", select.field)),
        }
    }

    fn list(&mut self, list: &'a ListExpr) -> Answer<'a> {
        self.spend(LIST_COST)?;
        let mut items = Vec::with_capacity(list.elements.len());
        for (at, element) in list.elements.iter().enumerate() {
            let value = self.of(element)?;
            match value {
                Value::Optional(inner) if list.optional_indices.contains(&at) => {
                    items.extend(inner.map(|inner| (*inner).clone()));
                }
                value => items.push(value),
            }
        }
        Ok(Value::List(Rc::new(items)))
    }

    fn map(&mut self, map: &'a MapExpr) -> Answer<'a> {
        self.spend(MAP_COST)?;
        let mut entries = BTreeMap::new();
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else {
                return fail("unsupported expression");
            };
            let key = Key::of(&self.of(&entry.key)?)?;
            match self.of(&entry.value)? {
                Value::Optional(None) if entry.optional => {}
                Value::Optional(Some(inner)) if entry.optional => {
                    entries.insert(key, (*inner).clone());
                }
                value => {
                    if entries.insert(key.clone(), value).is_some() {
                        let text = super::text::of(&key.value())?;
                        return fail(format!("Failed with repeated key: {text}"));
                    }
                }
            }
        }
        Ok(Value::Map(Rc::new(entries)))
    }

    fn made(&mut self, made: &'a StructExpr) -> Answer<'a> {
        self.spend(STRUCT_COST)?;
        let mut fields = BTreeMap::new();
        for entry in &made.entries {
            let EntryExpr::StructField(field) = &entry.expr else { continue };
            let value = match (self.of(&field.value)?, field.optional) {
                (Value::Optional(None), true) => continue,
                (Value::Optional(Some(inner)), true) => (*inner).clone(),
                (value, _) => value,
            };
            fields.insert(Text::new(&field.field), value);
        }
        Ok(Value::Made(Text::new(&made.type_name), Rc::new(fields)))
    }

    fn call(&mut self, call: &'a CallExpr) -> Answer<'a> {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (op::CONDITIONAL, [condition, yes, no]) => {
                return if self.of(condition)?.bool()? { self.of(yes) } else { self.of(no) };
            }
            (op::LOGICAL_AND, [left, right]) => return self.both(left, right, false),
            (op::LOGICAL_OR, [left, right]) => return self.both(left, right, true),
            (op::NOT_STRICTLY_FALSE, [value]) => {
                return match self.of(value) {
                    Err(Failure::TooDear) => Err(Failure::TooDear),
                    value => Ok(Value::Bool(!matches!(value, Ok(Value::Bool(false))))),
                };
            }
            (op::INDEX | op::OPT_INDEX, [of, index]) => return self.index(call, of, index),
            (op::OPT_SELECT, [of, field]) => return self.index(call, of, field),
            (op::LOGICAL_NOT | op::NEGATE, [value]) => {
                let value = self.of(value)?;
                self.spend(1)?;
                return operators::unary(&call.func_name, &value);
            }
            (operator, [left, right]) if is_operator(operator) && call.target.is_none() => {
                let (left, right) = (self.of(left)?, self.of(right)?);
                self.spend(1)?;
                match operator {
                    op::ADD => {
                        self.spend_on(&left)?;
                        self.spend_on(&right)?;
                    }
                    op::IN => self.spend(right.size().unwrap_or(1) as u64)?,
                    op::EQUALS | op::NOT_EQUALS => self.spend_on(&left)?,
                    _ => {}
                }
                return operators::binary(operator, &left, &right);
            }
            _ => {}
        }
        match macros::evaluate(self, call) {
            Some(answer) => answer,
            None => functions::call(self, call),
        }
    }

    /// `&&` and `||`: one side that decides is enough, even if the other one fails.
    fn both(&mut self, left: &'a IdedExpr, right: &'a IdedExpr, decides: bool) -> Answer<'a> {
        let mut failure = None;
        for side in [left, right] {
            match self.of(side) {
                Err(Failure::TooDear) => return Err(Failure::TooDear),
                Ok(Value::Bool(flag)) if flag == decides => return Ok(Value::Bool(decides)),
                Ok(Value::Bool(_)) => {}
                Ok(_) => {
                    failure.get_or_insert(Failure::Error("no such overload".to_owned()));
                }
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        failure.map_or(Ok(Value::Bool(!decides)), Err)
    }

    fn index(&mut self, call: &'a CallExpr, of: &'a IdedExpr, index: &'a IdedExpr) -> Answer<'a> {
        let (of, index) = (self.of(of)?, self.of(index)?);
        self.spend(1)?;
        let mut optional = call.func_name != op::INDEX;
        let of = match of {
            Value::Optional(None) => return Ok(Value::Optional(None)),
            Value::Optional(Some(inner)) => {
                optional = true;
                (*inner).clone()
            }
            of => of,
        };
        let found = match (call.func_name.as_str(), &index) {
            (op::OPT_SELECT, Value::Text(name)) => of.field(name)?,
            _ => of.at(&index)?,
        };
        match (found, optional) {
            (found, true) => Ok(Value::Optional(found.map(Rc::new))),
            (Some(found), false) => Ok(found),
            (None, false) => {
                let text = super::text::of(&index)?;
                match of {
                    Value::List(_) | Value::Tree(kubesim_model::tree::Tree::List(_), _) => {
                        fail(format!("index out of bounds: {text}"))
                    }
                    _ => fail(format!("no such key: {text}")),
                }
            }
        }
    }

    fn comprehension(&mut self, all: &'a ComprehensionExpr) -> Answer<'a> {
        let range = self.of(&all.iter_range)?;
        let items = match (range.items(), range.entries()) {
            (Some(items), _) => items?,
            (None, Some(entries)) => entries?.iter().map(|(key, _)| key.value()).collect(),
            (None, None) => return no_overload(),
        };
        if let Some(collects) = Collects::read(all) {
            return self.collect(all, items, &collects);
        }
        let mut result = self.of(&all.accu_init)?;
        let undecided = result.clone();
        // `all` and `exists` go on after a failure: a later element may decide.
        let tolerant = match &all.loop_cond.expr {
            Expr::Call(call) => call.func_name == op::NOT_STRICTLY_FALSE,
            _ => false,
        };
        let mut failure = None;
        for item in items {
            let accumulator = (all.accu_var.as_str(), result.clone());
            if !self.with([accumulator.clone()], &all.loop_cond)?.bool()? {
                break;
            }
            let around = [accumulator, (all.iter_var.as_str(), item)];
            match self.with(around, &all.loop_step) {
                Ok(value) => result = value,
                Err(Failure::Error(why)) if tolerant => {
                    failure.get_or_insert(Failure::Error(why));
                }
                Err(error) => return Err(error),
            }
        }
        match failure {
            Some(error) if super::value::equal(&result, &undecided) => Err(error),
            _ => self.with([(all.accu_var.as_str(), result)], &all.result),
        }
    }

    /// `map` and `filter`, without copying what was collected for every element.
    fn collect(
        &mut self,
        all: &'a ComprehensionExpr,
        items: Vec<Value<'a>>,
        collects: &Collects<'a>,
    ) -> Answer<'a> {
        self.spend(LIST_COST)?;
        let mut collected = Vec::new();
        for item in items {
            let around = [(all.iter_var.as_str(), item)];
            if let Some(filter) = collects.filter
                && !self.with(around.clone(), filter)?.bool()?
            {
                continue;
            }
            self.spend(1)?;
            collected.push(self.with(around, collects.item)?);
        }
        Ok(Value::List(Rc::new(collected)))
    }
}

/// A comprehension that collects elements: what each is, and which are taken.
struct Collects<'a> {
    item: &'a IdedExpr,
    filter: Option<&'a IdedExpr>,
}

impl<'a> Collects<'a> {
    fn read(all: &'a ComprehensionExpr) -> Option<Collects<'a>> {
        let Expr::List(init) = &all.accu_init.expr else { return None };
        let (step, filter) = match &all.loop_step.expr {
            Expr::Call(call) if call.func_name == op::CONDITIONAL => {
                (call.args.get(1)?, Some(call.args.first()?))
            }
            _ => (&all.loop_step, None),
        };
        let Expr::Call(add) = &step.expr else { return None };
        let [left, right] = add.args.as_slice() else { return None };
        let Expr::List(one) = &right.expr else { return None };
        let accumulates = matches!(&left.expr, Expr::Ident(name) if *name == all.accu_var);
        let item = one.elements.first().filter(|_| one.elements.len() == 1)?;
        (add.func_name == op::ADD && accumulates && init.elements.is_empty())
            .then_some(Collects { item, filter })
    }
}

fn is_operator(name: &str) -> bool {
    matches!(
        name,
        op::EQUALS
            | op::NOT_EQUALS
            | op::LESS
            | op::LESS_EQUALS
            | op::GREATER
            | op::GREATER_EQUALS
            | op::IN
            | op::ADD
            | op::SUBSTRACT
            | op::MULTIPLY
            | op::DIVIDE
            | op::MODULO
    )
}

/// The value of a literal.
pub(super) fn constant<'a>(literal: &LiteralValue) -> Value<'a> {
    match literal {
        LiteralValue::Boolean(flag) => Value::Bool(*flag.inner()),
        LiteralValue::Bytes(bytes) => Value::Bytes(Rc::new(bytes.inner().to_vec())),
        LiteralValue::Double(number) => Value::Double(*number.inner()),
        LiteralValue::Int(number) => Value::Int(*number.inner()),
        LiteralValue::Null => Value::Null,
        LiteralValue::String(text) => Value::Text(Text::new(text.inner())),
        LiteralValue::UInt(number) => Value::Uint(*number.inner()),
    }
}
