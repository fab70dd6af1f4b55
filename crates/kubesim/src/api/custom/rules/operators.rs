//! Arithmetic and the other operators.

use std::rc::Rc;

use jiff::SignedDuration;
use kubesim_model::Text;

use super::super::schema::ListKind;
use super::value::{Answer, Failure, Value, compare, equal, fail, no_overload};
use kube_cel::cel::common::ast::operators as op;

/// Applies an operator of two operands that needs both.
pub(super) fn binary<'a>(operator: &str, left: &Value<'a>, right: &Value<'a>) -> Answer<'a> {
    let ordered =
        |holds: fn(std::cmp::Ordering) -> bool| Ok(Value::Bool(holds(compare(left, right)?)));
    match operator {
        op::EQUALS => Ok(Value::Bool(equal(left, right))),
        op::NOT_EQUALS => Ok(Value::Bool(!equal(left, right))),
        op::LESS => ordered(std::cmp::Ordering::is_lt),
        op::LESS_EQUALS => ordered(std::cmp::Ordering::is_le),
        op::GREATER => ordered(std::cmp::Ordering::is_gt),
        op::GREATER_EQUALS => ordered(std::cmp::Ordering::is_ge),
        op::IN => contains(right, left),
        op::ADD => add(left, right),
        op::SUBSTRACT => subtract(left, right),
        op::MULTIPLY | op::DIVIDE | op::MODULO => scale(operator, left, right),
        _ => no_overload(),
    }
}

/// Whether a list has an element, or a map a key.
pub(super) fn contains<'a>(container: &Value<'a>, value: &Value<'a>) -> Answer<'a> {
    if let Some(items) = container.items() {
        return Ok(Value::Bool(items?.iter().any(|item| equal(item, value))));
    }
    match container {
        Value::Map(_) | Value::Tree(..) => {
            Ok(Value::Bool(matches!(container.at(value), Ok(Some(_)))))
        }
        _ => no_overload(),
    }
}

/// The negative of a number, or the opposite of a flag.
pub(super) fn unary<'a>(operator: &str, value: &Value<'a>) -> Answer<'a> {
    match (operator, value) {
        (op::LOGICAL_NOT, Value::Bool(flag)) => Ok(Value::Bool(!flag)),
        (op::NEGATE, Value::Int(number)) => whole(number.checked_neg()),
        (op::NEGATE, Value::Double(number)) => Ok(Value::Double(-number)),
        (op::NEGATE, Value::Duration(nanos)) => span(nanos.checked_neg()),
        _ => no_overload(),
    }
}

fn add<'a>(left: &Value<'a>, right: &Value<'a>) -> Answer<'a> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => whole(a.checked_add(*b)),
        (Value::Uint(a), Value::Uint(b)) => unsigned(a.checked_add(*b)),
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a + b)),
        (Value::Text(a), Value::Text(b)) => Ok(Value::Text(Text::from(format!("{a}{b}")))),
        (Value::Bytes(a), Value::Bytes(b)) => {
            Ok(Value::Bytes(Rc::new([a.as_slice(), b.as_slice()].concat())))
        }
        (Value::Duration(a), Value::Duration(b)) => span(a.checked_add(*b)),
        (Value::Time(time), Value::Duration(nanos))
        | (Value::Duration(nanos), Value::Time(time)) => moved(*time, Some(*nanos)),
        _ => match (left.items(), right.items()) {
            (Some(a), Some(b)) => Ok(Value::List(Rc::new(joined(left, a?, b?)?))),
            _ => no_overload(),
        },
    }
}

/// The elements of two lists. Of a set, each is there once; of a list with keys, those of the right
/// one replace those of the left.
fn joined<'a>(
    left: &Value<'a>,
    a: Vec<Value<'a>>,
    b: Vec<Value<'a>>,
) -> Result<Vec<Value<'a>>, Failure> {
    let mut all = a;
    match (left.list_kind(), left) {
        (ListKind::Set, _) => {
            for value in b {
                if !all.iter().any(|have| equal(have, &value)) {
                    all.push(value);
                }
            }
        }
        (ListKind::Map, Value::Tree(_, Some(schema))) => {
            let key = |value: &Value<'a>| -> Result<Vec<Option<Value<'a>>>, Failure> {
                schema.keys.iter().map(|key| value.field(key)).collect()
            };
            let same = |a: &[Option<Value<'a>>], b: &[Option<Value<'a>>]| {
                a.iter().zip(b).all(|(a, b)| match (a, b) {
                    (Some(a), Some(b)) => equal(a, b),
                    (a, b) => a.is_none() && b.is_none(),
                })
            };
            for value in b {
                let own = key(&value)?;
                let mut place = None;
                for (at, have) in all.iter().enumerate() {
                    if same(&key(have)?, &own) {
                        place = Some(at);
                        break;
                    }
                }
                match place {
                    Some(at) => all[at] = value,
                    None => all.push(value),
                }
            }
        }
        _ => all.extend(b),
    }
    Ok(all)
}

fn subtract<'a>(left: &Value<'a>, right: &Value<'a>) -> Answer<'a> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => whole(a.checked_sub(*b)),
        (Value::Uint(a), Value::Uint(b)) => unsigned(a.checked_sub(*b)),
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a - b)),
        (Value::Duration(a), Value::Duration(b)) => span(a.checked_sub(*b)),
        (Value::Time(time), Value::Duration(nanos)) => moved(*time, nanos.checked_neg()),
        (Value::Time(a), Value::Time(b)) => {
            span(i64::try_from(a.duration_since(*b).as_nanos()).ok())
        }
        _ => no_overload(),
    }
}

fn scale<'a>(operator: &str, left: &Value<'a>, right: &Value<'a>) -> Answer<'a> {
    match (operator, left, right) {
        (op::MULTIPLY, Value::Int(a), Value::Int(b)) => whole(a.checked_mul(*b)),
        (op::MULTIPLY, Value::Uint(a), Value::Uint(b)) => unsigned(a.checked_mul(*b)),
        (op::MULTIPLY, Value::Double(a), Value::Double(b)) => Ok(Value::Double(a * b)),
        (op::DIVIDE, Value::Double(a), Value::Double(b)) => Ok(Value::Double(a / b)),
        (op::DIVIDE, Value::Int(_), Value::Int(0))
        | (op::DIVIDE, Value::Uint(_), Value::Uint(0)) => fail("division by zero"),
        (op::MODULO, Value::Int(_), Value::Int(0))
        | (op::MODULO, Value::Uint(_), Value::Uint(0)) => fail("modulus by zero"),
        (op::DIVIDE, Value::Int(a), Value::Int(b)) => whole(a.checked_div(*b)),
        (op::DIVIDE, Value::Uint(a), Value::Uint(b)) => unsigned(a.checked_div(*b)),
        (op::MODULO, Value::Int(a), Value::Int(b)) => whole(a.checked_rem(*b)),
        (op::MODULO, Value::Uint(a), Value::Uint(b)) => unsigned(a.checked_rem(*b)),
        _ => no_overload(),
    }
}

fn whole<'a>(number: Option<i64>) -> Answer<'a> {
    number.map_or_else(|| fail("integer overflow"), |number| Ok(Value::Int(number)))
}

fn unsigned<'a>(number: Option<u64>) -> Answer<'a> {
    number.map_or_else(|| fail("unsigned integer overflow"), |number| Ok(Value::Uint(number)))
}

fn span<'a>(nanos: Option<i64>) -> Answer<'a> {
    nanos.map_or_else(|| fail("integer overflow"), |nanos| Ok(Value::Duration(nanos)))
}

fn moved<'a>(time: jiff::Timestamp, nanos: Option<i64>) -> Answer<'a> {
    let by = nanos.map(SignedDuration::from_nanos);
    let moved = by.and_then(|by| time.checked_add(by).ok());
    moved.map_or_else(|| fail("timestamp overflow"), |time| Ok(Value::Time(time)))
}
