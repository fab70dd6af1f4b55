//! Messages become trees, field by field.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kubesim_model::tree::Tree;

use super::special;
use super::table::{Shape, Table};
use super::wire::{Malformed, Reader, Value};

/// How deeply messages may lie within each other.
const DEEPEST: usize = 128;
/// How many values a body may hold.
const MOST_VALUES: usize = 1 << 20;

/// One body being read.
pub(super) struct Decoder {
    pub(super) table: &'static Table,
    depth: usize,
    values: usize,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Decoder { table: Table::get(), depth: 0, values: 0 }
    }

    /// Adds the fields of a message to `into`: one that comes twice is read into the same object.
    pub(super) fn message(
        &mut self,
        bytes: &[u8],
        message: usize,
        into: &mut Tree,
    ) -> Result<(), Malformed> {
        if into.as_map().is_none() {
            *into = Tree::map();
        }
        self.deeper(|decoder| {
            let mut reader = Reader(bytes);
            while let Some((number, value)) = reader.next()? {
                decoder.count()?;
                // A field that is unknown is one of a later Kubernetes.
                let Some(field) = decoder.table.field(message, number) else { continue };
                if field.name == "." {
                    decoder.value(value, &field.shape, into)?;
                } else {
                    let mut have = Tree::Null;
                    std::mem::swap(&mut have, into.field_mut(field.name));
                    decoder.value(value, &field.shape, &mut have)?;
                    *into.field_mut(field.name) = have;
                    if field.nonzero && is_zero(&into[field.name]) {
                        into.remove(&[field.name]);
                    }
                }
            }
            Ok(())
        })
    }

    /// Reads a value of a shape into what is there of it already.
    pub(super) fn value(
        &mut self,
        value: Value<'_>,
        shape: &Shape,
        into: &mut Tree,
    ) -> Result<(), Malformed> {
        match (shape, value) {
            (Shape::List(inner), Value::Bytes(bytes)) if is_number(inner) => {
                self.packed(bytes, inner, into)?;
            }
            (Shape::List(inner), value) => {
                let mut item = Tree::Null;
                self.value(value, inner, &mut item)?;
                into.items_mut().push(item);
            }
            (Shape::Map(inner), Value::Bytes(bytes)) => {
                self.deeper(|decoder| decoder.entry(bytes, inner, into))?;
            }
            (Shape::Message(at), Value::Bytes(bytes)) => self.message(bytes, *at, into)?,
            (Shape::Text, Value::Bytes(bytes)) => *into = text(bytes),
            (Shape::Bytes, Value::Bytes(bytes)) => *into = STANDARD.encode(bytes).into(),
            (Shape::Bool, Value::Number(number)) => *into = (number != 0).into(),
            (Shape::Int(32), Value::Number(number)) => *into = (number as i32).into(),
            (Shape::Int(_), Value::Number(number)) => *into = (number as i64).into(),
            (Shape::Number, Value::Eight(bits)) => *into = special::number(f64::from_bits(bits))?,
            (_, Value::Bytes(bytes)) if !is_number(shape) => {
                *into = self.deeper(|decoder| decoder.special(bytes, shape))?;
            }
            (_, value) => return Err(Malformed::Form(value.form())),
        }
        Ok(())
    }

    /// Numbers packed together.
    fn packed(&mut self, bytes: &[u8], inner: &Shape, into: &mut Tree) -> Result<(), Malformed> {
        let mut reader = Reader(bytes);
        while !reader.0.is_empty() {
            self.count()?;
            let value = match inner {
                Shape::Number => Value::Eight(u64::from_le_bytes(reader.fixed()?)),
                _ => Value::Number(reader.number()?),
            };
            let mut item = Tree::Null;
            self.value(value, inner, &mut item)?;
            into.items_mut().push(item);
        }
        Ok(())
    }

    /// One entry of a map: a message of key and value, each of which may be left out.
    fn entry(&mut self, bytes: &[u8], inner: &Shape, into: &mut Tree) -> Result<(), Malformed> {
        let (mut key, mut held) = (Tree::from(""), zero(inner));
        let mut reader = Reader(bytes);
        while let Some((number, value)) = reader.next()? {
            self.count()?;
            match number {
                1 => self.value(value, &Shape::Text, &mut key)?,
                2 => self.value(value, inner, &mut held)?,
                _ => {}
            }
        }
        *into.field_mut(key.str()) = held;
        Ok(())
    }

    /// Goes one level deeper for what `read` reads.
    pub(super) fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        if self.depth == DEEPEST {
            return Err(Malformed::Deep);
        }
        self.depth += 1;
        let done = read(self);
        self.depth -= 1;
        done
    }

    pub(super) fn count(&mut self) -> Result<(), Malformed> {
        self.values += 1;
        if self.values > MOST_VALUES { Err(Malformed::Many) } else { Ok(()) }
    }
}

fn is_zero(tree: &Tree) -> bool {
    match tree {
        Tree::Bool(flag) => !flag,
        Tree::Int(number) => *number == 0,
        Tree::Str(text) => text.is_empty(),
        _ => false,
    }
}

fn is_number(shape: &Shape) -> bool {
    matches!(shape, Shape::Bool | Shape::Int(_) | Shape::Number)
}

/// A text; bytes that are none are replaced, as in Go's JSON.
pub(super) fn text(bytes: &[u8]) -> Tree {
    String::from_utf8_lossy(bytes).as_ref().into()
}

/// What an entry of a map holds that does not say it.
fn zero(shape: &Shape) -> Tree {
    match shape {
        Shape::Bool => false.into(),
        Shape::Int(_) | Shape::Number => 0.into(),
        Shape::Text | Shape::Bytes => "".into(),
        Shape::Quantity => "0".into(),
        Shape::List(_) | Shape::Texts => Tree::from(Vec::new()),
        Shape::Map(_) | Shape::Message(_) => Tree::map(),
        _ => Tree::Null,
    }
}
