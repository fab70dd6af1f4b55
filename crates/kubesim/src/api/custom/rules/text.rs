//! Values as texts, as `string()` and messages write them.

use std::fmt::Write as _;

use base64::Engine as _;
use kubesim_model::Text;

use super::super::schema::written;
use super::value::{Failure, Value, fail};

/// The text of a scalar.
pub(super) fn of(value: &Value<'_>) -> Result<Text, Failure> {
    Ok(match value {
        Value::Text(text) | Value::Type(text) => text.clone(),
        Value::Bool(flag) => Text::from(flag.to_string()),
        Value::Int(number) => Text::from(number.to_string()),
        Value::Uint(number) => Text::from(number.to_string()),
        Value::Double(number) => Text::from(written(*number)),
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Text::new(text),
            Err(_) => return fail("invalid UTF-8 in bytes, cannot convert to string"),
        },
        Value::Duration(nanos) => Text::from(seconds(*nanos)),
        Value::Time(time) => Text::from(time.to_string()),
        Value::Null => Text::new_static("null"),
        _ => return fail("no such overload"),
    })
}

/// A duration in seconds: `5400s`, `1.5s`.
fn seconds(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let (whole, rest) =
        (nanos.unsigned_abs() / 1_000_000_000, nanos.unsigned_abs() % 1_000_000_000);
    if rest == 0 {
        return format!("{sign}{whole}s");
    }
    let rest = format!("{rest:09}");
    format!("{sign}{whole}.{}s", rest.trim_end_matches('0'))
}

/// The text of any value, as `%s` of `format()` writes it.
pub(super) fn written_out(value: &Value<'_>) -> Result<String, Failure> {
    if let Some(items) = value.items() {
        let texts: Result<Vec<String>, Failure> = items?.iter().map(written_out).collect();
        return Ok(format!("[{}]", texts?.join(", ")));
    }
    if let Some(entries) = value.entries() {
        let mut text = String::from("{");
        for (at, (key, value)) in entries?.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            let _ = write!(text, "{comma}{}: {}", of(&key.value())?, written_out(value)?);
        }
        return Ok(text + "}");
    }
    match value {
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Ok(base64::engine::general_purpose::STANDARD.encode(bytes.as_slice())),
        },
        value => Ok(of(value)?.to_string()),
    }
}
