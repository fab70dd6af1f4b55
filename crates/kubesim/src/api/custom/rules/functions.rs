//! The functions of the standard library, and which calls go to the libraries of Kubernetes.

use std::rc::Rc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use kube_cel::cel::common::ast::{CallExpr, Expr, SelectExpr};
use kubesim_model::Text;

use super::super::schema::{compile_pattern, go_duration};
use super::eval::Evaluation;
use super::value::{Answer, Failure, Value, compare, equal, fail, no_overload};
use super::{bridge, operators, text};

/// The names before functions that are no values.
pub(super) const LIBRARIES: &[&str] =
    &["base64", "format", "ip", "jsonpatch", "lists", "math", "optional", "sets", "strings"];

/// The type that a name stands for.
pub(super) fn type_named(name: &str) -> Option<&'static str> {
    Some(match name {
        "bool" => "bool",
        "bytes" => "bytes",
        "double" => "double",
        "int" => "int",
        "list" => "list",
        "map" => "map",
        "null_type" => "null_type",
        "string" => "string",
        "type" => "type",
        "uint" => "uint",
        "optional_type" => "optional_type",
        _ => return None,
    })
}

/// The type that `google.protobuf.Timestamp` and its like stand for.
pub(super) fn qualified_type(select: &SelectExpr) -> Option<&'static str> {
    let Expr::Select(inner) = &select.operand.expr else { return None };
    let Expr::Ident(root) = &inner.operand.expr else { return None };
    match (root.as_str(), inner.field.as_str(), select.field.as_str()) {
        ("google", "protobuf", "Timestamp") => Some("google.protobuf.Timestamp"),
        ("google", "protobuf", "Duration") => Some("google.protobuf.Duration"),
        _ => None,
    }
}

/// Calls a function.
pub(super) fn call<'a>(evaluation: &mut Evaluation<'a, '_>, call: &'a CallExpr) -> Answer<'a> {
    let name = call.func_name.as_str();
    let mut library = None;
    let mut target = None;
    if let Some(node) = call.target.as_deref() {
        match &node.expr {
            Expr::Ident(ident) if LIBRARIES.contains(&ident.as_str()) => {
                library = Some(ident.as_str());
            }
            _ => target = Some(evaluation.of(node)?),
        }
    }
    let mut arguments = Vec::with_capacity(call.args.len());
    for argument in &call.args {
        arguments.push(evaluation.of(argument)?);
    }
    evaluation.spend(1)?;
    for value in target.iter().chain(&arguments) {
        if !matches!(name, "size" | "type" | "dyn") {
            evaluation.spend_on(value)?;
        }
    }
    let answer = match (library, &target, arguments.as_slice()) {
        (Some("optional"), _, arguments) => optional(name, arguments),
        (Some("sets"), _, [one, other]) => sets(name, one, other),
        (Some(_), ..) => None,
        (None, None, [value]) => global(name, value),
        (None, Some(target), arguments) => method(name, target, arguments),
        _ => None,
    };
    let answer = match answer {
        Some(answer) => answer?,
        None => bridge::call(name, library, target.as_ref(), &arguments)?,
    };
    // What a function makes is paid for, too: so nothing grows without bound.
    evaluation.spend_on(&answer)?;
    Ok(answer)
}

/// Functions of one argument.
fn global<'a>(name: &str, value: &Value<'a>) -> Option<Answer<'a>> {
    Some(match name {
        "size" => size(value),
        "type" => Ok(Value::Type(Text::new(value.type_name()))),
        "dyn" => Ok(value.clone()),
        "int" => int(value),
        "uint" => uint(value),
        "double" => double(value),
        "bool" => match value {
            Value::Bool(flag) => Ok(Value::Bool(*flag)),
            Value::Text(text) => match text.as_str() {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
                _ => fail("type conversion error from 'string' to 'bool'"),
            },
            _ => no_overload(),
        },
        "bytes" => match value {
            Value::Text(text) => Ok(Value::Bytes(Rc::new(text.as_bytes().to_vec()))),
            Value::Bytes(_) => Ok(value.clone()),
            _ => no_overload(),
        },
        "string" => match value {
            Value::Foreign(_) => return None,
            value => text::of(value).map(Value::Text),
        },
        "duration" => match value {
            Value::Text(text) => match go_duration(text) {
                Some(nanos) => Ok(Value::Duration(nanos)),
                None => fail("type conversion error from 'string' to 'google.protobuf.Duration'"),
            },
            Value::Duration(_) => Ok(value.clone()),
            _ => no_overload(),
        },
        "timestamp" => match value {
            Value::Text(text) => match text.parse() {
                Ok(time) => Ok(Value::Time(time)),
                Err(_) => {
                    fail("type conversion error from 'string' to 'google.protobuf.Timestamp'")
                }
            },
            Value::Int(seconds) => match Timestamp::from_second(*seconds) {
                Ok(time) => Ok(Value::Time(time)),
                Err(_) => fail("timestamp overflow"),
            },
            Value::Time(_) => Ok(value.clone()),
            _ => no_overload(),
        },
        _ => return None,
    })
}

fn size<'a>(value: &Value<'a>) -> Answer<'a> {
    value.size().map_or_else(no_overload, |size| Ok(Value::Int(size as i64)))
}

fn int<'a>(value: &Value<'a>) -> Answer<'a> {
    match value {
        Value::Int(_) => Ok(value.clone()),
        Value::Uint(number) => {
            i64::try_from(*number).map_or_else(|_| fail("integer overflow"), |n| Ok(Value::Int(n)))
        }
        Value::Double(number) if number.abs() < 9.223_372_036_854_775e18 => {
            Ok(Value::Int(*number as i64))
        }
        Value::Double(_) => fail("integer overflow"),
        Value::Text(text) => text.parse().map_or_else(
            |_| fail("type conversion error from 'string' to 'int'"),
            |number| Ok(Value::Int(number)),
        ),
        Value::Time(time) => Ok(Value::Int(time.as_second())),
        Value::Duration(nanos) => Ok(Value::Int(*nanos)),
        _ => no_overload(),
    }
}

fn uint<'a>(value: &Value<'a>) -> Answer<'a> {
    match value {
        Value::Uint(_) => Ok(value.clone()),
        Value::Int(number) => u64::try_from(*number)
            .map_or_else(|_| fail("unsigned integer overflow"), |n| Ok(Value::Uint(n))),
        Value::Double(number) if (0.0..1.8e19).contains(number) => Ok(Value::Uint(*number as u64)),
        Value::Double(_) => fail("unsigned integer overflow"),
        Value::Text(text) => text.parse().map_or_else(
            |_| fail("type conversion error from 'string' to 'uint'"),
            |number| Ok(Value::Uint(number)),
        ),
        _ => no_overload(),
    }
}

fn double<'a>(value: &Value<'a>) -> Answer<'a> {
    match value {
        Value::Double(_) => Ok(value.clone()),
        Value::Int(number) => Ok(Value::Double(*number as f64)),
        Value::Uint(number) => Ok(Value::Double(*number as f64)),
        Value::Text(text) => text.parse().map_or_else(
            |_| fail("type conversion error from 'string' to 'double'"),
            |number| Ok(Value::Double(number)),
        ),
        _ => no_overload(),
    }
}

fn optional<'a>(name: &str, arguments: &[Value<'a>]) -> Option<Answer<'a>> {
    Some(match (name, arguments) {
        ("none", []) => Ok(Value::Optional(None)),
        ("of", [value]) => Ok(Value::Optional(Some(Rc::new(value.clone())))),
        ("ofNonZeroValue", [value]) => {
            let zero = match value {
                Value::Null => true,
                Value::Bool(flag) => !flag,
                Value::Int(0) | Value::Uint(0) | Value::Duration(0) => true,
                Value::Double(number) => *number == 0.0,
                value => value.size() == Some(0),
            };
            Ok(Value::Optional((!zero).then(|| Rc::new(value.clone()))))
        }
        _ => return None,
    })
}

/// What sets say of lists; whatever their elements are.
fn sets<'a>(name: &str, one: &Value<'a>, other: &Value<'a>) -> Option<Answer<'a>> {
    let (one, other) = (one.items()?, other.items()?);
    let (one, other) = match (one, other) {
        (Ok(one), Ok(other)) => (one, other),
        (Err(error), _) | (_, Err(error)) => return Some(Err(error)),
    };
    let inside = |list: &[Value<'a>], value: &Value<'a>| list.iter().any(|have| equal(have, value));
    let holds = match name {
        "contains" => other.iter().all(|value| inside(&one, value)),
        "intersects" => other.iter().any(|value| inside(&one, value)),
        "equivalent" => {
            other.iter().all(|value| inside(&one, value))
                && one.iter().all(|value| inside(&other, value))
        }
        _ => return None,
    };
    Some(Ok(Value::Bool(holds)))
}

fn method<'a>(name: &str, target: &Value<'a>, arguments: &[Value<'a>]) -> Option<Answer<'a>> {
    match (target, arguments) {
        (_, []) if name == "size" => Some(size(target)),
        (Value::Text(text), [Value::Text(other)]) => of_texts(name, text, other),
        (Value::Time(time), arguments) => of_time(name, *time, arguments),
        (Value::Duration(nanos), []) => {
            let nanos = *nanos;
            Some(Ok(Value::Int(match name {
                "getHours" => nanos / 3_600_000_000_000,
                "getMinutes" => nanos / 60_000_000_000,
                "getSeconds" => nanos / 1_000_000_000,
                "getMilliseconds" => nanos / 1_000_000 % 1000,
                _ => return None,
            })))
        }
        (Value::Optional(inner), arguments) => of_optional(name, inner.as_deref(), arguments),
        _ => of_list(name, target, arguments),
    }
}

fn of_texts<'a>(name: &str, text: &str, other: &str) -> Option<Answer<'a>> {
    Some(match name {
        "contains" => Ok(Value::Bool(text.contains(other))),
        "startsWith" => Ok(Value::Bool(text.starts_with(other))),
        "endsWith" => Ok(Value::Bool(text.ends_with(other))),
        "matches" => match compile_pattern(other) {
            Ok(pattern) => Ok(Value::Bool(pattern.is_match(text))),
            Err(why) => fail(format!("error parsing regexp: {why}")),
        },
        _ => return None,
    })
}

fn of_time<'a>(name: &str, time: Timestamp, arguments: &[Value<'a>]) -> Option<Answer<'a>> {
    let zone = match arguments {
        [] => TimeZone::UTC,
        [Value::Text(name)] => match zone_named(name) {
            Some(zone) => zone,
            None => return Some(fail(format!("unknown time zone {name}"))),
        },
        _ => return None,
    };
    let at = time.to_zoned_datetime(zone);
    Some(Ok(Value::Int(i64::from(match name {
        "getFullYear" => i32::from(at.year()),
        "getMonth" => i32::from(at.month()) - 1,
        "getDayOfYear" => i32::from(at.day_of_year()) - 1,
        "getDayOfMonth" => i32::from(at.day()) - 1,
        "getDate" => i32::from(at.day()),
        "getDayOfWeek" => i32::from(at.weekday().to_sunday_zero_offset()),
        "getHours" => i32::from(at.hour()),
        "getMinutes" => i32::from(at.minute()),
        "getSeconds" => i32::from(at.second()),
        "getMilliseconds" => i32::from(at.millisecond()),
        _ => return None,
    }))))
}

/// A zone by its name, or by its distance: `-08:00`.
fn zone_named(name: &str) -> Option<TimeZone> {
    if let Some((hours, minutes)) = name.split_once(':') {
        let negative = hours.starts_with('-');
        let hours: i32 = hours.trim_start_matches(['-', '+']).parse().ok()?;
        let minutes: i32 = minutes.parse().ok()?;
        let seconds = hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?;
        let seconds = if negative { -seconds } else { seconds };
        return jiff::tz::Offset::from_seconds(seconds).ok().map(TimeZone::fixed);
    }
    TimeZone::get(name).ok()
}

fn of_optional<'a>(
    name: &str,
    inner: Option<&Value<'a>>,
    arguments: &[Value<'a>],
) -> Option<Answer<'a>> {
    Some(match (name, arguments, inner) {
        ("hasValue", [], inner) => Ok(Value::Bool(inner.is_some())),
        ("value", [], Some(value)) | ("orValue", [_], Some(value)) => Ok(value.clone()),
        ("value", [], None) => fail("optional.none() dereference"),
        ("orValue", [other], None) => Ok(other.clone()),
        ("or", [_], Some(value)) => Ok(Value::Optional(Some(Rc::new(value.clone())))),
        ("or", [other], None) => Ok(other.clone()),
        _ => return None,
    })
}

fn of_list<'a>(name: &str, target: &Value<'a>, arguments: &[Value<'a>]) -> Option<Answer<'a>> {
    let items = match target.items()? {
        Ok(items) => items,
        Err(error) => return Some(Err(error)),
    };
    let found = |at: Option<usize>| Ok(Value::Int(at.map_or(-1, |at| at as i64)));
    Some(match (name, arguments) {
        ("isSorted", []) => sorted(&items),
        ("sum", []) => match items.split_first() {
            None => Ok(Value::Int(0)),
            Some((first, rest)) => rest.iter().try_fold(first.clone(), |sum, item| {
                operators::binary(kube_cel::cel::common::ast::operators::ADD, &sum, item)
            }),
        },
        ("min" | "max", []) => extreme(name, &items),
        ("indexOf", [value]) => found(items.iter().position(|item| equal(item, value))),
        ("lastIndexOf", [value]) => found(items.iter().rposition(|item| equal(item, value))),
        ("first", []) => Ok(Value::Optional(items.first().cloned().map(Rc::new))),
        ("last", []) => Ok(Value::Optional(items.last().cloned().map(Rc::new))),
        ("distinct", []) => {
            let mut kept: Vec<Value<'a>> = Vec::new();
            for item in items {
                if !kept.iter().any(|have| equal(have, &item)) {
                    kept.push(item);
                }
            }
            Ok(Value::List(Rc::new(kept)))
        }
        ("reverse", []) => Ok(Value::List(Rc::new(items.into_iter().rev().collect()))),
        ("slice", [Value::Int(from), Value::Int(to)]) => {
            let range = usize::try_from(*from).ok().zip(usize::try_from(*to).ok());
            match range.and_then(|(from, to)| items.get(from..to)) {
                Some(part) => Ok(Value::List(Rc::new(part.to_vec()))),
                None => fail(format!("cannot slice({from}, {to}), list is length {}", items.len())),
            }
        }
        _ => return None,
    })
}

fn sorted<'a>(items: &[Value<'a>]) -> Answer<'a> {
    for pair in items.windows(2) {
        if compare(&pair[0], &pair[1])?.is_gt() {
            return Ok(Value::Bool(false));
        }
    }
    Ok(Value::Bool(true))
}

fn extreme<'a>(name: &str, items: &[Value<'a>]) -> Answer<'a> {
    let Some((first, rest)) = items.split_first() else {
        return fail(format!("{name} called on empty list"));
    };
    let mut best = first;
    for item in rest {
        let order = compare(item, best)?;
        if (name == "min" && order.is_lt()) || (name == "max" && order.is_gt()) {
            best = item;
        }
    }
    Ok(best.clone())
}

/// Why a failure is one, as it is told to clients.
pub(super) fn told(failure: &Failure) -> String {
    match failure {
        Failure::Error(why) => why.clone(),
        Failure::TooDear => "operation cancelled: actual cost limit exceeded".to_owned(),
    }
}
