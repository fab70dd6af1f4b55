//! Macros that the parser leaves as calls: those of two variables, those of optional values, and
//! sorting (cel-go, `ext/comprehensions.go`, `cel/library.go`, `ext/lists.go`).

use std::collections::BTreeMap;
use std::rc::Rc;

use kube_cel::cel::common::ast::{CallExpr, Expr, IdedExpr};

use super::eval::Evaluation;
use super::value::{Answer, Failure, Key, Value, compare, fail, no_overload};

/// A macro: its name, how many variables it declares and how many expressions follow.
pub(super) struct Macro<'e> {
    pub(super) name: &'e str,
    pub(super) target: &'e IdedExpr,
    pub(super) variables: Vec<&'e str>,
    pub(super) inner: &'e [IdedExpr],
}

impl<'e> Macro<'e> {
    /// The macro that a call is.
    pub(super) fn read(call: &'e CallExpr) -> Option<Macro<'e>> {
        let target = call.target.as_deref()?;
        let variable = |at: usize| match &call.args.get(at)?.expr {
            Expr::Ident(name) => Some(name.as_str()),
            _ => None,
        };
        let (name, count) = (call.func_name.as_str(), call.args.len());
        let variables = match (name, count) {
            ("optMap" | "optFlatMap" | "sortBy", 2) => 1,
            ("all" | "exists" | "existsOne" | "exists_one", 3) => 2,
            ("transformList" | "transformMap", 3 | 4) => 2,
            ("transformMapEntry", 3 | 4) => 2,
            _ => return None,
        };
        let variables: Option<Vec<&str>> = (0..variables).map(variable).collect();
        let variables = variables?;
        let inner = &call.args[variables.len()..];
        Some(Macro { name, target, variables, inner })
    }
}

/// Evaluates a macro; `None` if the call is none.
pub(super) fn evaluate<'a>(
    evaluation: &mut Evaluation<'a, '_>,
    call: &'a CallExpr,
) -> Option<Answer<'a>> {
    let found = Macro::read(call)?;
    Some(match found.name {
        "optMap" | "optFlatMap" => with_optional(evaluation, &found),
        "sortBy" => sort_by(evaluation, &found),
        _ => with_two(evaluation, &found),
    })
}

fn with_optional<'a>(evaluation: &mut Evaluation<'a, '_>, found: &Macro<'a>) -> Answer<'a> {
    let [result] = found.inner else { return no_overload() };
    match evaluation.of(found.target)? {
        Value::Optional(None) => Ok(Value::Optional(None)),
        Value::Optional(Some(value)) => {
            let answer = evaluation.with([(found.variables[0], (*value).clone())], result)?;
            Ok(if found.name == "optMap" { Value::Optional(Some(Rc::new(answer))) } else { answer })
        }
        _ => no_overload(),
    }
}

fn sort_by<'a>(evaluation: &mut Evaluation<'a, '_>, found: &Macro<'a>) -> Answer<'a> {
    let [key] = found.inner else { return no_overload() };
    let Some(items) = evaluation.of(found.target)?.items() else { return no_overload() };
    let mut keyed = Vec::new();
    for item in items? {
        keyed.push((evaluation.with([(found.variables[0], item.clone())], key)?, item));
    }
    evaluation.spend(keyed.len() as u64)?;
    let mut failure = None;
    keyed.sort_by(|(a, _), (b, _)| {
        compare(a, b).unwrap_or_else(|error| {
            failure.get_or_insert(error);
            std::cmp::Ordering::Equal
        })
    });
    match failure {
        Some(error) => Err(error),
        None => Ok(Value::List(Rc::new(keyed.into_iter().map(|(_, item)| item).collect()))),
    }
}

/// The pairs that macros of two variables go through: places and elements, or keys and values.
fn pairs<'a>(of: &Value<'a>) -> Result<Vec<(Value<'a>, Value<'a>)>, Failure> {
    match (of.items(), of.entries()) {
        (Some(items), _) => {
            Ok(items?.into_iter().zip(0..).map(|(item, at)| (Value::Int(at), item)).collect())
        }
        (None, Some(entries)) => {
            Ok(entries?.into_iter().map(|(key, value)| (key.value(), value)).collect())
        }
        (None, None) => no_overload(),
    }
}

fn with_two<'a>(evaluation: &mut Evaluation<'a, '_>, found: &Macro<'a>) -> Answer<'a> {
    let of = evaluation.of(found.target)?;
    let (filter, result) = match found.inner {
        [result] => (None, result),
        [filter, result] => (Some(filter), result),
        _ => return no_overload(),
    };
    let mut failure = None;
    let mut count = 0;
    let mut list = Vec::new();
    let mut map = BTreeMap::new();
    for (first, second) in pairs(&of)? {
        let around = [(found.variables[0], first.clone()), (found.variables[1], second)];
        if let Some(filter) = filter
            && !evaluation.with(around.clone(), filter)?.bool()?
        {
            continue;
        }
        evaluation.spend(1)?;
        let answer = evaluation.with(around, result);
        match (found.name, answer) {
            (_, Err(Failure::TooDear)) => return Err(Failure::TooDear),
            ("all", Ok(Value::Bool(false))) => return Ok(Value::Bool(false)),
            ("exists", Ok(Value::Bool(true))) => return Ok(Value::Bool(true)),
            ("all" | "exists", Ok(Value::Bool(_))) => {}
            ("all" | "exists", Err(error)) => {
                failure.get_or_insert(error);
            }
            ("existsOne" | "exists_one", answer) => count += i64::from(answer?.bool()?),
            ("transformList", answer) => list.push(answer?),
            ("transformMap", answer) => drop(map.insert(Key::of(&first)?, answer?)),
            ("transformMapEntry", answer) => {
                let Some(entries) = answer?.entries() else { return no_overload() };
                for (key, value) in entries? {
                    if map.insert(key, value).is_some() {
                        return fail("insert failed: key already exists");
                    }
                }
            }
            _ => return no_overload(),
        }
    }
    match (failure, found.name) {
        (Some(error), _) => Err(error),
        (None, "all") => Ok(Value::Bool(true)),
        (None, "exists") => Ok(Value::Bool(false)),
        (None, "transformList") => Ok(Value::List(Rc::new(list))),
        (None, "existsOne" | "exists_one") => Ok(Value::Bool(count == 1)),
        (None, _) => Ok(Value::Map(Rc::new(map))),
    }
}
