//! Text to nodes: the one file that touches YAML. Owns the limits on size, depth and aliases, the
//! meaning of plain scalars and the refusal of duplicate keys. It does not know what a scenario is.
//!
//! Scalars follow the YAML 1.2 core schema, so `on` and `yes` are texts. Whole numbers with a
//! leading zero are octal, as in every manifest that Kubernetes reads (`defaultMode: 0644`).

use std::collections::BTreeMap;
use std::sync::Arc;

use kubesim_model::Text;
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::diagnostic::{Code, Diagnostic};
use super::located::{Located, Place, Source};
use super::node::{Node, Value};

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// How deep a document may be nested.
pub const MAX_DEPTH: usize = 64;
/// How many nodes a file may have once its aliases are replaced by what they stand for.
pub const MAX_NODES: usize = 200_000;

/// The documents of `source`; empty ones are left out.
///
/// # Errors
/// Everything that is wrong with the file as YAML: after a syntax error nothing more is said, all
/// duplicate keys come at once.
pub fn parse(source: &Arc<Source>) -> Result<Vec<Node>, Vec<Diagnostic>> {
    if source.text.len() > MAX_BYTES {
        return Err(vec![Diagnostic::error(
            Code::TooLarge,
            &Place::new(source, 0, 0),
            format!("the file has {} bytes, the limit is {MAX_BYTES}", source.text.len()),
        )]);
    }
    if let Some(at) = source.text.find('\0') {
        return Err(vec![Diagnostic::error(
            Code::NotText,
            &Place::new(source, at, at + 1),
            "the file is binary, not text",
        )]);
    }
    let mut composer = Composer::new(source);
    match composer.run() {
        Ok(()) if composer.faults.is_empty() => Ok(composer.documents),
        Ok(()) => Err(composer.faults),
        Err(fatal) => {
            composer.faults.push(*fatal);
            Err(composer.faults)
        }
    }
}

/// A collection that is still open.
struct Open {
    start: usize,
    anchor: usize,
    /// The anchored copy must count what it holds, so that aliases can't explode.
    before: usize,
    value: Value,
    key: Option<Located<Text>>,
}

struct Composer<'s> {
    source: &'s Arc<Source>,
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, (Node, usize)>,
    nodes: usize,
    faults: Vec<Diagnostic>,
}

type Fatal = Box<Diagnostic>;

impl<'s> Composer<'s> {
    fn new(source: &'s Arc<Source>) -> Self {
        Composer {
            source,
            documents: Vec::new(),
            open: Vec::new(),
            anchors: BTreeMap::new(),
            nodes: 0,
            faults: Vec::new(),
        }
    }

    fn run(&mut self) -> Result<(), Fatal> {
        let source = self.source.clone();
        for event in Parser::new_from_str(&source.text) {
            let (event, span) = event.map_err(|error| self.syntax(&error))?;
            self.take(event, &span)?;
        }
        Ok(())
    }

    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Fatal> {
        let at = self.place(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref())
                    .ok_or_else(|| self.bad_tag(&at, tag.as_deref()))?;
                self.count(1, &at)?;
                self.finish(Node { at, value }, anchor, 1)
            }
            Event::SequenceStart(_, anchor, _) => self.start(Value::List(Vec::new()), anchor, &at),
            Event::MappingStart(_, anchor, _) => self.start(Value::Map(Vec::new()), anchor, &at),
            Event::SequenceEnd | Event::MappingEnd => self.end(&at),
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
                    return Err(Box::new(Diagnostic::error(
                        Code::Syntax,
                        &at,
                        "an alias inside the very value that it stands for",
                    )));
                };
                self.count(size, &at)?;
                self.finish(Node { at, value: node.value }, 0, size)
            }
            Event::DocumentEnd => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self, value: Value, anchor: usize, at: &Place) -> Result<(), Fatal> {
        if self.open.len() >= MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            return Err(Box::new(Diagnostic::error(Code::TooDeep, at, message)));
        }
        self.count(1, at)?;
        let before = self.nodes - 1;
        self.open.push(Open { start: at.range().start, anchor, before, value, key: None });
        Ok(())
    }

    fn end(&mut self, at: &Place) -> Result<(), Fatal> {
        let open = self.open.pop().expect("the parser closes only what it opened");
        // A block collection ends where the next token starts: leave out the white space between.
        let end = at.range().end.max(open.start);
        let text = self.source.text.get(open.start..end).unwrap_or_default();
        let at = Place::new(self.source, open.start, open.start + text.trim_end().len());
        let size = self.nodes - open.before;
        self.finish(Node { at, value: open.value }, open.anchor, size)
    }

    /// Puts a complete node where it belongs: the document, a list, or the key or value of a
    /// mapping.
    fn finish(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), Fatal> {
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(open) = self.open.last_mut() else {
            if !matches!(node.value, Value::Null) {
                self.documents.push(node);
            }
            return Ok(());
        };
        match &mut open.value {
            Value::List(items) => items.push(node),
            Value::Map(entries) => match open.key.take() {
                None => open.key = Some(key(node)?),
                Some(key) => match entries.iter().find(|(have, _)| have.value == key.value) {
                    Some((first, _)) => self.faults.push(
                        Diagnostic::error(
                            Code::DuplicateKey,
                            &key.at,
                            format!("`{}` stands here twice", key.value),
                        )
                        .label("the second")
                        .also(&first.at, "the first"),
                    ),
                    None => entries.push((key, node)),
                },
            },
            _ => unreachable!("only collections are opened"),
        }
        Ok(())
    }

    fn count(&mut self, nodes: usize, at: &Place) -> Result<(), Fatal> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes <= MAX_NODES {
            return Ok(());
        }
        let message = format!("more than {MAX_NODES} values once the aliases are written out");
        Err(Box::new(Diagnostic::error(Code::TooManyNodes, at, message)))
    }

    fn place(&self, span: &Span) -> Place {
        let bytes = span.byte_range().unwrap_or_default();
        Place::new(self.source, bytes.start, bytes.end)
    }

    fn syntax(&self, error: &ScanError) -> Fatal {
        let start = error.marker().byte_offset().unwrap_or_default();
        let length = self.source.text.get(start..).and_then(|rest| rest.chars().next());
        let at = Place::new(self.source, start, start + length.map_or(0, char::len_utf8));
        let found = Diagnostic::error(Code::Syntax, &at, format!("not YAML: {}", error.info()));
        let line = self.source.text.get(..start).and_then(|text| text.rsplit('\n').next());
        let tab = length == Some('\t')
            || line.is_some_and(|line| line.trim_start_matches(' ').starts_with('\t'));
        Box::new(if tab {
            found.help("indent with spaces: YAML allows no tabs there")
        } else {
            found
        })
    }

    fn bad_tag(&self, at: &Place, tag: Option<&Tag>) -> Fatal {
        let tag = tag.map(Tag::original).unwrap_or_default();
        Box::new(Diagnostic::error(
            Code::Syntax,
            at,
            format!("the tag `{tag}` does not fit this value"),
        ))
    }
}

fn key(node: Node) -> Result<Located<Text>, Fatal> {
    let text = match &node.value {
        Value::Str(text) => text.clone(),
        // A key like `5` or `true` is its text, as the JSON that Kubernetes makes of it has it.
        Value::Int(_) | Value::Float(_) | Value::Bool(_) => Text::new(node.at.text().trim()),
        _ => {
            let message = format!("a key must be a text, this is {}", node.kind());
            return Err(Box::new(Diagnostic::error(Code::WrongType, &node.at, message)));
        }
    };
    Ok(Located::new(text, node.at))
}

/// What a scalar means; `None` if its tag says what it can't be.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Option<Value> {
    match tag.map(|tag| tag.core_suffix()) {
        Some(Some("str")) => return Some(Value::Str(Text::new(text))),
        Some(Some(_)) | None => {}
        Some(None) => return None,
    }
    let value = match style {
        ScalarStyle::Plain => plain(text),
        _ => Value::Str(Text::new(text)),
    };
    Some(value)
}

fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    number(text).unwrap_or_else(|| Value::Str(Text::new(text)))
}

fn number(text: &str) -> Option<Value> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    let octal = digits.strip_prefix("0o").or_else(|| {
        let rest = digits.strip_prefix('0')?;
        rest.bytes().all(|byte| (b'0'..=b'7').contains(&byte)).then_some(rest)
    });
    let whole = match (digits.strip_prefix("0x"), octal) {
        (Some(hex), _) => i64::from_str_radix(hex, 16).ok(),
        (None, Some(octal)) if !octal.is_empty() => i64::from_str_radix(octal, 8).ok(),
        _ if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        _ => None,
    };
    if let Some(whole) = whole {
        return Some(Value::Int(if negative { -whole } else { whole }));
    }
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    let number: f64 = if plain { text.parse().ok()? } else { return None };
    number.is_finite().then_some(Value::Float(number))
}
