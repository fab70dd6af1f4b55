//! Calls of the functions that `kube-cel` has: URLs, addresses, quantities, versions, formats and
//! the longer of those on texts and lists.

#[expect(
    clippy::disallowed_types,
    reason = "the crate's values hold such maps; none is walked"
)]
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use kube_cel::KubeCelExt as _;
use kube_cel::cel::common::ast::{CallExpr, Expr, IdedExpr};
use kube_cel::cel::objects::{Key as CrateKey, Map};
use kube_cel::cel::{self, Context, ExecutionError};
use kubesim_model::Text;

use super::value::{Answer, Failure, Key, Value, fail, no_overload};

thread_local! {
    /// Registering the functions is dear and they never change: once per thread.
    static ROOT: Context<'static> = Context::default().with_all();
}

/// Calls a function with a target, or with the name of a library before it.
pub(super) fn call<'a>(
    name: &str,
    library: Option<&str>,
    target: Option<&Value<'a>>,
    arguments: &[Value<'a>],
) -> Answer<'a> {
    ROOT.with(|root| {
        let mut scope = root.new_inner_scope();
        let ident = |name: String| IdedExpr { id: 0, expr: Expr::Ident(name) };
        let mut args = Vec::new();
        for (at, argument) in arguments.iter().enumerate() {
            let variable = format!("@{at}");
            scope.add_variable_from_value(variable.as_str(), of_value(argument)?);
            args.push(ident(variable));
        }
        let target = match (library, target) {
            (Some(library), _) => Some(Box::new(ident(library.to_owned()))),
            (None, Some(target)) => {
                scope.add_variable_from_value("@target", of_value(target)?);
                Some(Box::new(ident("@target".to_owned())))
            }
            (None, None) => None,
        };
        let call = CallExpr { func_name: name.to_owned(), target, args };
        let call = IdedExpr { id: 0, expr: Expr::Call(call) };
        match cel::Value::resolve(&call, &scope) {
            Ok(value) => to_value(value),
            Err(error) => Err(failure(&error)),
        }
    })
}

fn failure(error: &ExecutionError) -> Failure {
    let text = match error {
        ExecutionError::FunctionError { message, .. } if message.contains("no numeric value") => {
            "quantities must match the regular expression \
             '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
                .to_owned()
        }
        ExecutionError::FunctionError { message, .. } => message.clone(),
        ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        ExecutionError::DivisionByZero(_) => "division by zero".to_owned(),
        _ => "no such overload".to_owned(),
    };
    Failure::Error(text)
}

#[expect(clippy::disallowed_types, reason = "the crate's values hold such maps; none is walked")]
fn of_value(value: &Value<'_>) -> Result<cel::Value, Failure> {
    if let Some(items) = value.items() {
        let items: Result<Vec<cel::Value>, Failure> = items?.iter().map(of_value).collect();
        return Ok(cel::Value::List(Arc::new(items?)));
    }
    if let Some(entries) = value.entries() {
        let mut map = HashMap::new();
        for (key, value) in entries? {
            let key = match key {
                Key::Bool(flag) => CrateKey::Bool(flag),
                Key::Int(number) => CrateKey::Int(number),
                Key::Uint(number) => CrateKey::Uint(number),
                Key::Text(text) => CrateKey::String(Arc::new(text.to_string())),
            };
            map.insert(key, of_value(&value)?);
        }
        return Ok(cel::Value::Map(Map { map: Arc::new(map) }));
    }
    Ok(match value {
        Value::Null => cel::Value::Null,
        Value::Bool(flag) => cel::Value::Bool(*flag),
        Value::Int(number) => cel::Value::Int(*number),
        Value::Uint(number) => cel::Value::UInt(*number),
        Value::Double(number) => cel::Value::Float(*number),
        Value::Text(text) => cel::Value::String(Arc::new(text.to_string())),
        Value::Bytes(bytes) => cel::Value::Bytes(Arc::new(bytes.to_vec())),
        Value::Foreign(value) => value.clone(),
        Value::Duration(_) | Value::Time(_) => {
            cel::Value::String(Arc::new(super::text::of(value)?.to_string()))
        }
        _ => return no_overload(),
    })
}

fn to_value<'a>(value: cel::Value) -> Answer<'a> {
    Ok(match value {
        cel::Value::Null => Value::Null,
        cel::Value::Bool(flag) => Value::Bool(flag),
        cel::Value::Int(number) => Value::Int(number),
        cel::Value::UInt(number) => Value::Uint(number),
        cel::Value::Float(number) => Value::Double(number),
        cel::Value::String(text) => Value::Text(Text::new(text.as_str())),
        cel::Value::Bytes(bytes) => Value::Bytes(Rc::new(bytes.to_vec())),
        cel::Value::List(items) => {
            let items: Result<Vec<Value<'a>>, Failure> =
                items.iter().cloned().map(to_value).collect();
            Value::List(Rc::new(items?))
        }
        cel::Value::Opaque(opaque) => match opaque.runtime_type_name() {
            "optional_type" => {
                let optional = cel::Value::Opaque(opaque);
                let inner = <&cel::objects::OptionalValue>::try_from(&optional)
                    .ok()
                    .and_then(|optional| optional.value().cloned());
                Value::Optional(inner.map(to_value).transpose()?.map(Rc::new))
            }
            _ => Value::Foreign(cel::Value::Opaque(opaque)),
        },
        cel::Value::Map(map) => {
            let mut entries = std::collections::BTreeMap::new();
            for (key, value) in map.map.iter() {
                let key = match key {
                    CrateKey::Bool(flag) => Key::Bool(*flag),
                    CrateKey::Int(number) => Key::Int(*number),
                    CrateKey::Uint(number) => Key::Uint(*number),
                    CrateKey::String(text) => Key::Text(Text::new(text.as_str())),
                };
                entries.insert(key, to_value(value.clone())?);
            }
            Value::Map(Rc::new(entries))
        }
        _ => return fail("no such overload"),
    })
}
