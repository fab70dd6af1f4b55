//! Messages that are something else in JSON: times, quantities, numbers or texts, raw JSON, and the
//! alternatives in schemas.

use kubesim_model::tree::Tree;

use super::envelope;
use super::message::{Decoder, text};
use super::table::Shape;
use super::wire::{Malformed, Reader, Value};

/// The message of schemas, which lie within each other.
const SCHEMA: &str = "JSONSchemaProps";
/// Whole numbers of this size are written alike with and without a point.
const LARGEST_WHOLE: f64 = 9e15;

impl Decoder {
    /// The value of a special message.
    pub(super) fn special(&mut self, bytes: &[u8], shape: &Shape) -> Result<Tree, Malformed> {
        match shape {
            Shape::Time { micro } => time(bytes, *micro),
            Shape::Quantity => Ok(field(bytes, 1)?.map_or("".into(), |value| text_of(&value))),
            Shape::IntOrText => int_or_text(bytes),
            Shape::Json => self.json(bytes),
            Shape::Texts => self.texts(bytes, 1),
            Shape::SchemaOrSchemas => {
                let many = self.schemas(bytes, 2)?;
                if many.items().is_empty() { self.schema(bytes, 1) } else { Ok(many) }
            }
            Shape::SchemaOrBool => match self.schema(bytes, 2)? {
                Tree::Null => {
                    Ok(matches!(field(bytes, 1)?, Some(Value::Number(flag)) if flag != 0).into())
                }
                schema => Ok(schema),
            },
            Shape::SchemaOrTexts => {
                let many = self.texts(bytes, 2)?;
                if many.items().is_empty() { self.schema(bytes, 1) } else { Ok(many) }
            }
            _ => Err(Malformed::Form(2)),
        }
    }

    /// Raw JSON, in which an object of a built-in type may be a body of its own.
    fn json(&mut self, bytes: &[u8]) -> Result<Tree, Malformed> {
        match field(bytes, 1)? {
            None | Some(Value::Bytes([])) => Ok(Tree::Null),
            Some(Value::Bytes(raw)) if raw.starts_with(envelope::PREFIX) => {
                envelope::decode(self, raw)
            }
            Some(Value::Bytes(raw)) => {
                serde_json::from_slice(raw).map_err(|error| Malformed::Value(error.to_string()))
            }
            Some(value) => Err(Malformed::Form(value.form())),
        }
    }

    fn texts(&mut self, bytes: &[u8], wanted: u32) -> Result<Tree, Malformed> {
        let mut texts = Vec::new();
        let mut reader = Reader(bytes);
        while let Some((number, value)) = reader.next()? {
            self.count()?;
            if number == wanted {
                texts.push(text_of(&value));
            }
        }
        Ok(texts.into())
    }

    /// The schema in a field; `Null` if there is none.
    fn schema(&mut self, bytes: &[u8], wanted: u32) -> Result<Tree, Malformed> {
        let mut all = self.schemas(bytes, wanted)?;
        Ok(all.items_mut().pop().unwrap_or_default())
    }

    fn schemas(&mut self, bytes: &[u8], wanted: u32) -> Result<Tree, Malformed> {
        let at = self.table.named(SCHEMA).ok_or(Malformed::Form(2))?;
        let mut schemas = Vec::new();
        let mut reader = Reader(bytes);
        while let Some((number, value)) = reader.next()? {
            self.count()?;
            if let (true, Value::Bytes(bytes)) = (number == wanted, value) {
                let mut schema = Tree::Null;
                self.message(bytes, at, &mut schema)?;
                schemas.push(schema);
            }
        }
        Ok(schemas.into())
    }
}

/// The last value of a field in a message.
pub(super) fn field(bytes: &[u8], wanted: u32) -> Result<Option<Value<'_>>, Malformed> {
    let (mut reader, mut found) = (Reader(bytes), None);
    while let Some((number, value)) = reader.next()? {
        if number == wanted {
            found = Some(value);
        }
    }
    Ok(found)
}

fn text_of(value: &Value<'_>) -> Tree {
    match value {
        Value::Bytes(bytes) => text(bytes),
        _ => "".into(),
    }
}

fn whole(value: Option<Value<'_>>) -> i64 {
    match value {
        Some(Value::Number(number)) => number as i64,
        _ => 0,
    }
}

/// Seconds since 1970, and nanoseconds of which microseconds are kept, or nothing. No time at all
/// is none.
fn time(bytes: &[u8], micro: bool) -> Result<Tree, Malformed> {
    let (seconds, nanos) = (whole(field(bytes, 1)?), whole(field(bytes, 2)?) as i32);
    if seconds == 0 && nanos == 0 {
        return Ok(Tree::Null);
    }
    let nanos = if micro { nanos } else { 0 };
    let wrong = |error: jiff::Error| Malformed::Value(error.to_string());
    let time = jiff::Timestamp::new(seconds, nanos).map_err(wrong)?;
    let form = if micro { "%Y-%m-%dT%H:%M:%S%.6fZ" } else { "%Y-%m-%dT%H:%M:%SZ" };
    Ok(time.strftime(form).to_string().into())
}

fn int_or_text(bytes: &[u8]) -> Result<Tree, Malformed> {
    if whole(field(bytes, 1)?) == 1 {
        return Ok(field(bytes, 3)?.map_or("".into(), |value| text_of(&value)));
    }
    Ok((whole(field(bytes, 2)?) as i32).into())
}

/// A number as JSON writes it.
pub(super) fn number(value: f64) -> Result<Tree, Malformed> {
    if !value.is_finite() {
        return Err(Malformed::Value(format!("json: unsupported value: {value}")));
    }
    let is_whole = value.fract() == 0.0 && value.abs() < LARGEST_WHOLE;
    Ok(if is_whole { Tree::Int(value as i64) } else { Tree::Float(value) })
}
