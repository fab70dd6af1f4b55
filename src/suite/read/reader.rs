//! The reader: the sink of diagnostics, and the small readers of scalars and mappings that all
//! others are made of.

use kubesim_model::{Millis, Text};

use crate::suite::cel::{CelError, Program};
use crate::suite::diagnostic::{Code, Diagnostic};
use crate::suite::duration::{Amount, parse_duration};
use crate::suite::load::Files;
use crate::suite::located::{Located, Place};
use crate::suite::model::Params;
use crate::suite::node::{Node, Value};
use crate::suite::vocabulary::Vocabulary;

/// Reads nodes and collects what is wrong with them.
pub(in crate::suite) struct Reader<'a> {
    /// What names mean.
    pub vocabulary: &'a Vocabulary,
    /// Where manifests come from.
    pub files: &'a dyn Files,
    /// The parameters of the row that is read, if it is a row.
    pub params: Option<Params>,
    /// What was wrong so far.
    pub diagnostics: Vec<Diagnostic>,
}

/// A mapping whose keys are known.
pub(in crate::suite) struct Fields<'n> {
    node: &'n Node,
}

impl<'n> Fields<'n> {
    /// The value of `name`, unless it is missing or empty.
    pub(in crate::suite) fn get(&self, name: &str) -> Option<&'n Node> {
        self.node.get(name).filter(|node| !matches!(node.value, Value::Null))
    }

    /// Where the mapping stands.
    pub(in crate::suite) fn at(&self) -> &'n Place {
        &self.node.at
    }
}

impl<'a> Reader<'a> {
    /// A reader that has read nothing yet.
    pub(in crate::suite) fn new(vocabulary: &'a Vocabulary, files: &'a dyn Files) -> Self {
        Reader { vocabulary, files, params: None, diagnostics: Vec::new() }
    }

    /// Notes a mistake.
    pub(in crate::suite) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// The fields of a mapping in which only `known` may stand.
    pub(in crate::suite) fn fields<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        known: &[&str],
    ) -> Option<Fields<'n>> {
        if !matches!(node.value, Value::Map(_)) {
            self.wrong_type(node, &format!("{what} is a mapping"));
            return None;
        }
        for (key, _) in node.entries() {
            if !known.contains(&key.as_str()) {
                let message = format!("unknown field `{}` in {what}", key.value);
                let found = Diagnostic::error(Code::UnknownField, &key.at, message);
                self.report(found.suggest(key, known.iter().copied()));
            }
        }
        Some(Fields { node })
    }

    /// The value of a field that must be there.
    pub(in crate::suite) fn required<'n>(
        &mut self,
        fields: &Fields<'n>,
        what: &str,
        name: &str,
    ) -> Option<&'n Node> {
        let found = fields.get(name);
        if found.is_none() {
            let message = format!("{what} needs the field `{name}`");
            self.report(Diagnostic::error(Code::MissingField, fields.at(), message));
        }
        found
    }

    /// Says that `node` should have been something else.
    pub(in crate::suite) fn wrong_type(&mut self, node: &Node, rule: &str) {
        let message = format!("{rule}, this is {}", node.kind());
        self.report(Diagnostic::error(Code::WrongType, &node.at, message));
    }

    /// A text.
    pub(in crate::suite) fn text(&mut self, node: &Node, what: &str) -> Option<Located<Text>> {
        match &node.value {
            Value::Str(text) => Some(Located::new(text.clone(), node.at.clone())),
            Value::Int(_) | Value::Float(_) | Value::Bool(_) => {
                let message = format!("{what} is a text, this is {}", node.kind());
                let found = Diagnostic::error(Code::WrongType, &node.at, message);
                let quoted = format!("put it in quotes: \"{}\"", node.at.text().trim());
                self.report(if node.at.source().is_some() { found.help(quoted) } else { found });
                None
            }
            _ => {
                self.wrong_type(node, &format!("{what} is a text"));
                None
            }
        }
    }

    /// A text that is not empty, without its place.
    pub(in crate::suite) fn word(&mut self, node: &Node, what: &str) -> Option<Text> {
        let text = self.text(node, what)?;
        if text.is_empty() {
            let message = format!("{what} may not be empty");
            self.report(Diagnostic::error(Code::EmptyList, &node.at, message));
            return None;
        }
        Some(text.value)
    }

    /// One of `words`.
    pub(in crate::suite) fn one_of(
        &mut self,
        node: &Node,
        what: &str,
        words: &[&str],
    ) -> Option<Text> {
        let text = self.text(node, what)?;
        if words.contains(&text.as_str()) {
            return Some(text.value);
        }
        let message = format!("`{}` is not a valid {what}", text.value);
        let found = Diagnostic::error(Code::UnknownWord, &node.at, message);
        self.report(found.suggest(&text, words.iter().copied()));
        None
    }

    /// A whole number from `least` to `most`.
    pub(in crate::suite) fn int(
        &mut self,
        node: &Node,
        what: &str,
        (least, most): (i64, i64),
    ) -> Option<i64> {
        let Value::Int(number) = node.value else {
            self.wrong_type(node, &format!("{what} is a whole number"));
            return None;
        };
        if (least..=most).contains(&number) {
            return Some(number);
        }
        let range = if most == i64::MAX {
            format!("{least} or more")
        } else {
            format!("from {least} to {most}")
        };
        let message = format!("{what} is {range}, not {number}");
        self.report(Diagnostic::error(Code::OutOfRange, &node.at, message));
        None
    }

    /// `true` or `false`.
    pub(in crate::suite) fn flag(&mut self, node: &Node, what: &str) -> Option<bool> {
        if let Value::Bool(value) = node.value {
            return Some(value);
        }
        self.wrong_type(node, &format!("{what} is `true` or `false`"));
        None
    }

    /// A duration, in milliseconds.
    pub(in crate::suite) fn duration(&mut self, node: &Node, what: &str) -> Option<Millis> {
        let found = match &node.value {
            Value::Str(text) => parse_duration(text),
            Value::Int(0) => Some(0),
            Value::Int(_) | Value::Float(_) => None,
            _ => {
                self.wrong_type(node, &format!("{what} is a duration"));
                return None;
            }
        };
        if found.is_none() {
            let shown = node.tree();
            let shown = shown.as_str().map_or_else(|| shown.to_string(), str::to_owned);
            let message = format!("{what} is a duration, `{shown}` is none");
            let found = Diagnostic::error(Code::BadDuration, &node.at, message);
            self.report(
                found.help("write whole numbers with units: `500ms`, `30s`, `2m`, `1h30m`"),
            );
        }
        found
    }

    /// A whole number or a percentage.
    pub(in crate::suite) fn amount(&mut self, node: &Node, what: &str) -> Option<Amount> {
        let found = match &node.value {
            Value::Int(number) if *number >= 0 => Some(Amount::Count(*number)),
            Value::Str(text) => Amount::parse(text),
            _ => None,
        };
        if found.is_none() {
            let message = format!("{what} is a whole number or a percentage");
            let found = Diagnostic::error(Code::BadAmount, &node.at, message);
            self.report(found.help("write it like `3` or `10%`"));
        }
        found
    }

    /// A list.
    pub(in crate::suite) fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        if let Value::List(items) = &node.value {
            return items;
        }
        self.wrong_type(node, &format!("{what} is a list"));
        &[]
    }

    /// A list of texts in which none stands twice.
    pub(in crate::suite) fn names(&mut self, node: &Node, what: &str) -> Vec<Located<Text>> {
        let mut names: Vec<Located<Text>> = Vec::new();
        for item in self.list(node, what) {
            let Some(name) = self.text(item, "an entry") else { continue };
            match names.iter().find(|have| have.value == name.value) {
                Some(first) => {
                    let message = format!("`{}` stands twice in {what}", name.value);
                    let found = Diagnostic::error(Code::DuplicateEntry, &name.at, message);
                    let found = found.also(&first.at, "the first");
                    self.report(found);
                }
                None => names.push(name),
            }
        }
        names
    }

    /// One text or a list of texts.
    pub(in crate::suite) fn texts(&mut self, node: &Node, what: &str) -> Vec<Text> {
        match &node.value {
            Value::Str(text) => vec![text.clone()],
            Value::List(items) => {
                let read = |item| self.text(item, "an entry").map(|text| text.value);
                items.iter().filter_map(read).collect()
            }
            _ => {
                self.wrong_type(node, &format!("{what} is a text or a list of texts"));
                Vec::new()
            }
        }
    }

    /// A CEL expression that may read `variables`.
    pub(in crate::suite) fn cel(
        &mut self,
        node: &Node,
        what: &str,
        variables: &[&str],
    ) -> Option<Program> {
        let text = match &node.value {
            // `partition: 0` and `paused: false` are expressions as well.
            Value::Int(_) | Value::Float(_) | Value::Bool(_) => Text::from(node.tree().to_string()),
            _ => self.text(node, what)?.value,
        };
        match Program::compile(&text) {
            Ok(program) => self.scoped(program, node, &text, variables),
            Err(error) => {
                self.bad_expression(node, &text, &error);
                None
            }
        }
    }

    /// `program` if it reads only `variables`.
    pub(in crate::suite) fn scoped(
        &mut self,
        program: Program,
        node: &Node,
        text: &str,
        variables: &[&str],
    ) -> Option<Program> {
        let unknown = |name: &&Text| !variables.contains(&name.as_str());
        let Some(name) = program.references().iter().find(unknown) else {
            self.defined(&program, node, text);
            return Some(program);
        };
        let at = part_of(node, text, name);
        let message = format!("there is no variable `{name}` in this expression");
        let found = Diagnostic::error(Code::UnknownVariable, &at, message);
        self.report(found.suggest(name, variables.iter().copied()));
        None
    }

    /// Says so if a check expression reads a parameter that the scenario does not have.
    fn defined(&mut self, program: &Program, node: &Node, text: &str) {
        let Some(params) = self.params.clone() else { return };
        for field in program.fields_of("params").flatten() {
            if params.0.get(field).is_none() {
                let at = part_of(node, text, &format!("params.{field}"));
                let message = format!("there is no parameter `{field}`");
                let found = Diagnostic::error(Code::UndefinedParameter, &at, message);
                self.report(found.suggest(field, params.0.iter().map(|(name, _)| name.as_str())));
            }
        }
    }

    /// Says why `text`, which stands in `node`, is no expression.
    pub(in crate::suite) fn bad_expression(&mut self, node: &Node, text: &str, error: &CelError) {
        let raw = node.at.text();
        let at = match (error, raw.find(text)) {
            (CelError::Syntax { at, .. }, Some(start)) => {
                let rest = &text[(*at).min(text.len())..];
                let length = rest.chars().next().map_or(0, char::len_utf8);
                node.at.part(start + at, start + at + length)
            }
            (CelError::UnknownFunction(name), _) => find(node, text, name, true),
            _ => node.at.clone(),
        };
        let message = format!("not a valid CEL expression: {error}");
        self.report(Diagnostic::error(Code::BadExpression, &at, message));
    }
}

/// Where `word` stands in the expression `text` of `node`: as a whole word, if it can be found.
pub(in crate::suite) fn part_of(node: &Node, text: &str, word: &str) -> Place {
    find(node, text, word, false)
}

fn find(node: &Node, text: &str, word: &str, after_dot: bool) -> Place {
    let raw = node.at.text();
    let start = raw.find(text).unwrap_or(0);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for (at, _) in raw[start..].match_indices(word) {
        let at = start + at;
        let before = raw[..at].chars().next_back();
        let after = raw[at + word.len()..].chars().next();
        let joined = before.is_some_and(|c| is_name(c) || (c == '.' && !after_dot));
        if !joined && !after.is_some_and(is_name) {
            return node.at.part(at, at + word.len());
        }
    }
    node.at.clone()
}
