//! The fields of all messages: `messages.txt`, of which `crates/kubesim/schema/messages.go` says
//! how it is written.

use std::collections::BTreeMap;
use std::sync::OnceLock;

const MESSAGES: &str = include_str!("messages.txt");

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Bytes,
    Bool,
    /// A whole number of so many bits.
    Int(u8),
    /// Any number.
    Number,
    /// A time, with or without its microseconds.
    Time {
        micro: bool,
    },
    Quantity,
    IntOrText,
    /// JSON as bytes.
    Json,
    /// A list of texts in a message of its own.
    Texts,
    /// A schema, or many of them.
    SchemaOrSchemas,
    /// A schema, or whether anything is allowed.
    SchemaOrBool,
    /// A schema, or names of properties.
    SchemaOrTexts,
    List(Box<Shape>),
    /// A map of texts to such values.
    Map(Box<Shape>),
    /// Another message, by its place in the table.
    Message(usize),
}

/// A field: its name in JSON, `.` for one whose own fields stand in its place.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// Whether JSON leaves zero out.
    pub(super) nonzero: bool,
}

/// All messages.
pub(super) struct Table {
    /// The fields of each, by their numbers.
    messages: Vec<BTreeMap<u32, Field>>,
    names: BTreeMap<&'static str, usize>,
    /// Message by `group/version` and kind.
    kinds: BTreeMap<(&'static str, &'static str), usize>,
}

impl Table {
    /// The table, which is read once.
    pub(super) fn get() -> &'static Table {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(|| Table::read(MESSAGES))
    }

    /// The message of a kind. Options of a delete are sent in whatever version the object has.
    pub(super) fn of_kind(&self, version: &str, kind: &str) -> Option<usize> {
        let version = if kind == "DeleteOptions" { "v1" } else { version };
        let found = self.kinds.iter().find(|(key, _)| **key == (version, kind));
        found.map(|(_, at)| *at)
    }

    /// The message with this name.
    pub(super) fn named(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// A field of the message at this place.
    pub(super) fn field(&self, message: usize, number: u32) -> Option<&Field> {
        self.messages.get(message)?.get(&number)
    }

    fn read(text: &'static str) -> Table {
        let lines = || text.lines().filter(|line| !line.starts_with(['#']));
        let heads = lines().filter(|line| !line.starts_with([' ', '=']));
        let names: BTreeMap<&str, usize> = heads.enumerate().map(|(at, name)| (name, at)).collect();
        let mut table = Table { messages: Vec::new(), names, kinds: BTreeMap::new() };
        for line in lines() {
            let mut words = line.split_whitespace();
            let mut word = || words.next().unwrap_or_default();
            if line.starts_with('=') {
                let (_, version, kind, name) = (word(), word(), word(), word());
                table.kinds.extend(table.named(name).map(|at| ((version, kind), at)));
            } else if line.starts_with(' ') {
                let (number, name) = (word().parse().unwrap_or(0), word());
                let shape = Shape::read(word(), &table.names);
                let field = Field { name, shape, nonzero: word() == "nonzero" };
                table.messages.last_mut().map(|message| message.insert(number, field));
            } else {
                table.messages.push(BTreeMap::new());
            }
        }
        table
    }
}

impl Shape {
    fn read(text: &str, names: &BTreeMap<&str, usize>) -> Shape {
        let inside = |open, close| text.strip_prefix(open).and_then(|t| t.strip_suffix(close));
        if let Some(inner) = inside('[', ']') {
            return Shape::List(Box::new(Shape::read(inner, names)));
        }
        if let Some(inner) = inside('{', '}') {
            return Shape::Map(Box::new(Shape::read(inner, names)));
        }
        match text {
            "string" => Shape::Text,
            "bytes" => Shape::Bytes,
            "bool" => Shape::Bool,
            "int32" => Shape::Int(32),
            "int64" => Shape::Int(64),
            "number" => Shape::Number,
            "time" => Shape::Time { micro: false },
            "microtime" => Shape::Time { micro: true },
            "quantity" => Shape::Quantity,
            "int-or-string" => Shape::IntOrText,
            "strings" => Shape::Texts,
            "schema-or-schemas" => Shape::SchemaOrSchemas,
            "schema-or-bool" => Shape::SchemaOrBool,
            "schema-or-strings" => Shape::SchemaOrTexts,
            name => names.get(name).map_or(Shape::Json, |at| Shape::Message(*at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_known_and_every_field_has_a_number() {
        for line in MESSAGES.lines().filter(|line| line.starts_with(' ')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            assert!(words[0].parse::<u32>().is_ok_and(|number| number > 0), "{line}");
            let plain = words[2].trim_matches(['[', ']', '{', '}']);
            let known = Table::get().named(plain).is_some();
            let is_json = Shape::read(plain, &Table::get().names) == Shape::Json;
            assert!(known || (plain == "json") == is_json, "{line}");
        }
    }
}
