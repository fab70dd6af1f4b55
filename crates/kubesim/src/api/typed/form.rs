//! The typed form of objects: what Kubernetes stores and answers of what a client sent.
//!
//! Decoding into a Go type drops fields that the type does not have and refuses values of another
//! shape; encoding leaves out what is absent or zero, and writes what a type always has
//! (apimachinery v0.36, `pkg/runtime/serializer/json`, and the `json` tags of the types).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kubesim_model::quantity;
use kubesim_model::tree::{Map, Tree};

use super::table::{Object, Presence, Shape, Table};

/// What decoding found.
#[derive(Debug, Default)]
pub(in super::super) struct Decoded {
    /// Fields that the type does not have, as paths.
    pub(in super::super) unknown: Vec<String>,
}

/// Gives `tree` the form of the type `kind`. What it shares with `old` has that form already.
///
/// # Errors
/// A text about the first value of the wrong shape, in the words of Go's decoder.
pub(in super::super) fn decode(kind: &str, tree: &mut Tree, old: &Tree) -> Result<Decoded, String> {
    let table = Table::get();
    let Some(at) = table.find(kind) else { return Ok(Decoded::default()) };
    let mut walk = Walk { table, path: Vec::new(), decoded: Decoded::default() };
    if let Some(new) = walk.value(tree, old, &Shape::Object(at), "")? {
        *tree = new;
    }
    Ok(walk.decoded)
}

struct Walk {
    table: &'static Table,
    path: Vec<Step>,
    decoded: Decoded,
}

enum Step {
    Field(&'static str),
    Key(String),
    Element(usize),
}

/// A changed value; `None` where nothing changes, so that what is right stays shared.
type Change = Result<Option<Tree>, String>;

impl Walk {
    fn value(&mut self, tree: &Tree, old: &Tree, shape: &Shape, owner: &str) -> Change {
        match (shape, tree) {
            (_, _) if tree.is_same(old) && !tree.is_null() => Ok(None),
            (Shape::Object(at), Tree::Map(map)) => self.object(map, old, self.table.object(*at)),
            (Shape::Map(inner), Tree::Map(map)) => self.map(map, old, inner, owner),
            (Shape::List(inner), Tree::List(items)) => self.list(items, inner, owner),
            (Shape::Quantity, Tree::Str(_) | Tree::Int(_) | Tree::Float(_)) => {
                let canonical = quantity::canonical(tree).ok_or(
                    "quantities must be a number with a known suffix, as in 500m, 1.5Gi or 2e3",
                )?;
                Ok((*tree != canonical.as_str()).then(|| canonical.into()))
            }
            (Shape::Time | Shape::MicroTime, Tree::Str(text)) => {
                time(text, matches!(shape, Shape::MicroTime))
            }
            (Shape::Bytes, Tree::Str(text)) if STANDARD.decode(text.as_str()).is_err() => {
                Err("illegal base64 data".to_owned())
            }
            (Shape::Text | Shape::Bytes, Tree::Str(_))
            | (Shape::IntOrText, Tree::Str(_) | Tree::Int(_))
            | (Shape::Bool, Tree::Bool(_))
            | (Shape::Number, Tree::Int(_) | Tree::Float(_))
            | (Shape::Int(64), Tree::Int(_))
            | (Shape::Any, _) => Ok(None),
            (Shape::Int(32), Tree::Int(number)) if i32::try_from(*number).is_ok() => Ok(None),
            (Shape::Int(_), Tree::Float(number)) if number.fract() == 0.0 => {
                Ok(Some(Tree::Int(*number as i64)))
            }
            _ => Err(self.mismatch(tree, shape, owner)),
        }
    }

    fn object(&mut self, map: &Map, old: &Tree, object: &Object) -> Change {
        let mut changed: Option<Map> = None;
        let mut fields = object.fields.iter().peekable();
        for (key, value) in map.iter() {
            while let Some(missing) = fields.next_if(|field| field.name < key.as_str()) {
                self.fill(missing, map, &mut changed)?;
            }
            let Some(field) = fields.next_if(|field| field.name == key.as_str()) else {
                self.unknown(key);
                changed.get_or_insert_with(|| map.clone()).remove(key);
                continue;
            };
            if value.is_null() {
                changed.get_or_insert_with(|| map.clone()).remove(key);
                self.fill(field, map, &mut changed)?;
                continue;
            }
            self.path.push(Step::Field(field.name));
            let new = self.value(value, &old[field.name], &field.shape, object.name)?;
            self.path.pop();
            // Of lists that are always written, an empty one is written as `null`.
            let dropped = field.presence == Presence::NonZero
                || (field.presence == Presence::Always && matches!(field.shape, Shape::List(_)));
            let is_zero = |tree: &Tree| dropped && is_zero(tree);
            if is_zero(new.as_ref().unwrap_or(value)) {
                changed.get_or_insert_with(|| map.clone()).remove(key);
            } else if let Some(new) = new {
                changed.get_or_insert_with(|| map.clone()).insert(key, new);
            }
        }
        for missing in fields {
            self.fill(missing, map, &mut changed)?;
        }
        Ok(changed.map(Tree::Map))
    }

    /// Writes a field that is always written and is not there. Lists and times would be `null`,
    /// which no client tells from what is not there.
    fn fill(
        &mut self,
        field: &super::table::Field,
        map: &Map,
        changed: &mut Option<Map>,
    ) -> Result<(), String> {
        if field.presence != Presence::Always {
            return Ok(());
        }
        let zero = match field.shape {
            Shape::Object(at) => {
                let empty = Map::default();
                let full = self.object(&empty, &Tree::Null, self.table.object(at))?;
                full.unwrap_or_else(Tree::map)
            }
            Shape::Text => "".into(),
            Shape::Bool => false.into(),
            Shape::Int(_) | Shape::Number => 0.into(),
            _ => return Ok(()),
        };
        changed.get_or_insert_with(|| map.clone()).insert(field.name, zero);
        Ok(())
    }

    fn map(&mut self, map: &Map, old: &Tree, inner: &Shape, owner: &str) -> Change {
        let mut changed: Option<Map> = None;
        for (key, value) in map.iter() {
            if value.is_null() {
                let zero = match inner {
                    Shape::Text => Some(Tree::from("")),
                    _ => None,
                };
                let map = changed.get_or_insert_with(|| map.clone());
                match zero {
                    Some(zero) => map.insert(key, zero),
                    None => drop(map.remove(key)),
                }
                continue;
            }
            self.path.push(Step::Key(key.to_string()));
            let new = self.value(value, &old[key.as_str()], inner, owner)?;
            self.path.pop();
            if let Some(new) = new {
                changed.get_or_insert_with(|| map.clone()).insert(key, new);
            }
        }
        Ok(changed.map(Tree::Map))
    }

    fn list(&mut self, items: &[Tree], inner: &Shape, owner: &str) -> Change {
        let mut changed: Option<Vec<Tree>> = None;
        for (at, item) in items.iter().enumerate() {
            self.path.push(Step::Element(at));
            let new = match (item, inner) {
                (Tree::Null, Shape::Object(_)) => {
                    let empty = self.value(&Tree::map(), &Tree::Null, inner, owner)?;
                    Some(empty.unwrap_or_else(Tree::map))
                }
                (Tree::Null, _) => Some("".into()),
                _ => self.value(item, &Tree::Null, inner, owner)?,
            };
            self.path.pop();
            if let Some(new) = new {
                changed.get_or_insert_with(|| items.to_vec())[at] = new;
            }
        }
        Ok(changed.map(Tree::from))
    }

    fn unknown(&mut self, key: &str) {
        let mut text = String::new();
        for step in &self.path {
            text += &step.to_string();
        }
        let text = format!("{text}.{key}");
        self.decoded.unknown.push(text.trim_start_matches('.').to_owned());
    }

    fn mismatch(&self, tree: &Tree, shape: &Shape, owner: &str) -> String {
        let fields = self.path.iter().filter_map(|step| match step {
            Step::Field(name) => Some(*name),
            _ => None,
        });
        let fields: Vec<&str> = fields.collect();
        let (field, kind) = (fields.join("."), GoType(self.table, shape));
        let found = match tree {
            Tree::Bool(_) => "bool".to_owned(),
            Tree::Int(number) if matches!(shape, Shape::Int(32)) => format!("number {number}"),
            Tree::Float(number) if matches!(shape, Shape::Int(_)) => format!("number {number}"),
            Tree::Int(_) | Tree::Float(_) => "number".to_owned(),
            Tree::Str(_) => "string".to_owned(),
            Tree::List(_) => "array".to_owned(),
            Tree::Map(_) => "object".to_owned(),
            Tree::Null => "null".to_owned(),
        };
        match shape {
            Shape::Time | Shape::MicroTime | Shape::Quantity | Shape::IntOrText => {
                format!("json: cannot unmarshal {found} into Go value of type {kind}")
            }
            _ => format!(
                "json: cannot unmarshal {found} into Go struct field {owner}.{field} of type {kind}"
            ),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Field(name) => write!(to, ".{name}"),
            Step::Key(key) => write!(to, ".{key}"),
            Step::Element(at) => write!(to, "[{at}]"),
        }
    }
}

/// A shape as Go names it.
struct GoType<'a>(&'static Table, &'a Shape);

impl fmt::Display for GoType<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.0;
        match self.1 {
            Shape::Text => to.write_str("string"),
            Shape::Bytes => to.write_str("[]uint8"),
            Shape::Bool => to.write_str("bool"),
            Shape::Int(bits) => write!(to, "int{bits}"),
            Shape::Number => to.write_str("float64"),
            Shape::Quantity => to.write_str("resource.Quantity"),
            Shape::IntOrText => to.write_str("intstr.IntOrString"),
            Shape::Time | Shape::MicroTime => to.write_str("string"),
            Shape::Any => to.write_str("any"),
            Shape::Map(inner) => write!(to, "map[string]{}", GoType(table, inner)),
            Shape::List(inner) => write!(to, "[]{}", GoType(table, inner)),
            Shape::Object(at) => write!(to, "v1.{}", table.object(*at).name),
        }
    }
}

/// A time in UTC, with whole seconds or with microseconds, which must be six digits then.
fn time(text: &str, micro: bool) -> Change {
    let length = if micro { 27 } else { 20 };
    let digits = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    if text.len() == length && text.ends_with('Z') && (0..4).all(digits) && digits(18) {
        return Ok(None);
    }
    let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
    let given = fraction.bytes().take_while(u8::is_ascii_digit).count();
    let time: Option<jiff::Timestamp> = text.parse().ok().filter(|_| text.contains('T'));
    match time {
        _ if text.is_empty() => Ok(Some("".into())),
        Some(time) if !micro || given == 6 => {
            let form = if micro { "%Y-%m-%dT%H:%M:%S%.6fZ" } else { "%Y-%m-%dT%H:%M:%SZ" };
            Ok(Some(time.strftime(form).to_string().into()))
        }
        _ => Err(format!("parsing time \"{text}\" as \"2006-01-02T15:04:05Z07:00\" failed")),
    }
}

fn is_zero(tree: &Tree) -> bool {
    match tree {
        Tree::Null => true,
        Tree::Bool(flag) => !flag,
        Tree::Int(number) => *number == 0,
        Tree::Float(number) => *number == 0.0,
        Tree::Str(text) => text.is_empty(),
        Tree::List(items) => items.is_empty(),
        Tree::Map(map) => map.is_empty(),
    }
}
