//! One row of a scenario: replaces every `${{ … }}` and reads what comes out as plain typed steps.
//! Pure: the files that steps apply were read when the scenario was loaded.

use std::collections::BTreeSet;

use kubesim_model::Text;

use super::cel::{Bindings, CelError, Program};
use super::diagnostic::{Code, Diagnostic};
use super::load::Inlined;
use super::located::Place;
use super::model::{Params, ResolvedScenario, Scenario};
use super::node::{Node, Value};
use super::read::{HEAD, Reader};
use super::template::{Part, TemplateError, TextTemplate};

/// The typed steps, faults and checks of one row.
///
/// # Errors
/// None for the rows of a loaded scenario; what is wrong with other parameters.
pub fn resolve(scenario: &Scenario, params: &Params) -> Result<ResolvedScenario, Vec<Diagnostic>> {
    let files = Inlined(&scenario.files);
    let mut reader = Reader::new(&scenario.vocabulary, &files);
    let (row, _) = resolve_with(scenario, params, &mut reader);
    if reader.diagnostics.is_empty() { Ok(row) } else { Err(reader.diagnostics) }
}

/// The same with a reader of the caller's; also answers the parameters that were used.
pub(super) fn resolve_with(
    scenario: &Scenario,
    params: &Params,
    reader: &mut Reader<'_>,
) -> (ResolvedScenario, BTreeSet<Text>) {
    let mut substitution = Substitution::new(params);
    let spec = match &scenario.spec.value {
        Value::Map(entries) => Value::Map(
            entries
                .iter()
                .map(|(key, node)| {
                    let fixed = HEAD.contains(&key.as_str());
                    let node = if fixed { node.clone() } else { substitution.node(node) };
                    (key.clone(), node)
                })
                .collect(),
        ),
        other => other.clone(),
    };
    let spec = Node { at: scenario.spec.at.clone(), value: spec };
    let row = reader.row(scenario, params, &spec);
    without_echoes(&mut reader.diagnostics, &substitution.diagnostics);
    reader.diagnostics.append(&mut substitution.diagnostics);
    (row, substitution.used)
}

/// Takes away what is only said because a template became nothing.
pub(super) fn without_echoes(said: &mut Vec<Diagnostic>, templates: &[Diagnostic]) {
    let inside = |outer: &Place, inner: &Place| {
        let (out, inn) = (outer.range(), inner.range());
        outer.source().map(|s| &s.path) == inner.source().map(|s| &s.path)
            && out.start <= inn.start
            && inn.end <= out.end
    };
    said.retain(|said| {
        let echo = matches!(said.code, Code::MissingField | Code::Exclusive | Code::BadManifest)
            || matches!(said.code, Code::WrongType | Code::EmptyList);
        !(echo && templates.iter().any(|template| inside(&said.at, &template.at)))
    });
}

/// Replaces templates in nodes.
pub(super) struct Substitution<'p> {
    params: &'p Params,
    bindings: Bindings,
    /// The parameters that were used.
    pub(super) used: BTreeSet<Text>,
    /// What was wrong.
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl<'p> Substitution<'p> {
    /// A substitution in which expressions see `params`.
    pub(super) fn new(params: &'p Params) -> Self {
        let bindings = Bindings::new().with("params", params.tree());
        Substitution { params, bindings, used: BTreeSet::new(), diagnostics: Vec::new() }
    }

    /// `node` with its templates replaced. What can't be replaced becomes nothing, so that no
    /// second mistake is found in it.
    pub(super) fn node(&mut self, node: &Node) -> Node {
        let value = match &node.value {
            Value::Str(text) if TextTemplate::is_in(text) => return self.text(node, text),
            Value::List(items) => Value::List(items.iter().map(|item| self.node(item)).collect()),
            Value::Map(entries) => {
                Value::Map(entries.iter().map(|(k, v)| (k.clone(), self.node(v))).collect())
            }
            other => other.clone(),
        };
        self.reads(node);
        Node { at: node.at.clone(), value }
    }

    /// Check expressions see `params` too: a parameter that only they read is used.
    fn reads(&mut self, node: &Node) {
        if let Value::Str(text) = &node.value
            && text.contains("params")
            && let Ok(program) = Program::compile(text)
        {
            self.uses(&program);
        }
    }

    fn uses(&mut self, program: &Program) {
        for field in program.fields_of("params") {
            match field {
                Some(field) => drop(self.used.insert(field.clone())),
                None => self.used.extend(self.params.0.iter().map(|(name, _)| name.clone())),
            }
        }
    }

    fn text(&mut self, node: &Node, text: &Text) -> Node {
        let nothing = Node { at: node.at.clone(), value: Value::Null };
        let template = match TextTemplate::compile(text) {
            Ok(template) => template,
            Err(error) => {
                self.diagnostics.push(not_a_template(node, text, error));
                return nothing;
            }
        };
        let before = self.diagnostics.len();
        for part in template.parts() {
            if let Part::Computed(program, bytes) = part {
                self.check(program, &place(node, text, bytes));
            }
        }
        if self.diagnostics.len() > before {
            return nothing;
        }
        match template.eval(&self.bindings) {
            Ok(tree) => Node::from_tree(&tree, &node.at),
            Err(error) => {
                let message = format!("this can't be evaluated: {error}");
                let found = Diagnostic::error(Code::FailedTemplate, &node.at, message);
                self.diagnostics.push(found);
                nothing
            }
        }
    }

    fn check(&mut self, program: &Program, at: &Place) {
        for name in program.references().iter().filter(|name| *name != "params") {
            let message = format!("there is no variable `{name}` in a template");
            let found = Diagnostic::error(Code::UnknownVariable, at, message);
            self.diagnostics.push(found.help("templates see `params` only: `${{ params.NAME }}`"));
        }
        self.uses(program);
        for field in program.fields_of("params").flatten() {
            if self.params.0.get(field).is_none() {
                let message = format!("there is no parameter `{field}`");
                let found = Diagnostic::error(Code::UndefinedParameter, at, message);
                let known = self.params.0.iter().map(|(name, _)| name.as_str());
                self.diagnostics.push(found.suggest(field, known));
            }
        }
    }
}

pub(super) fn not_a_template(node: &Node, text: &str, error: TemplateError) -> Diagnostic {
    match error {
        TemplateError::Open(at) => {
            let at = place(node, text, &(at..at + 3));
            let found = Diagnostic::error(Code::OpenTemplate, &at, "this `${{` is never closed");
            found.help("close it with `}}`")
        }
        TemplateError::Bad(bytes, error) => {
            let whole = place(node, text, &bytes);
            let at = match &error {
                CelError::Syntax { at, .. } => {
                    let next = text[bytes.start..bytes.end].get(*at..);
                    let length = next.and_then(|rest| rest.chars().next()).map(char::len_utf8);
                    length.map_or(whole.clone(), |length| whole.part(*at, at + length))
                }
                _ => whole,
            };
            let message = format!("not a valid CEL expression: {error}");
            Diagnostic::error(Code::BadExpression, &at, message)
        }
    }
}

/// Where the bytes of the decoded `text` stand in the file; the whole node if escapes or folding
/// moved them.
fn place(node: &Node, text: &str, bytes: &std::ops::Range<usize>) -> Place {
    let raw = node.at.text();
    let (Some(part), Some(offset)) = (text.get(bytes.clone()), raw.find(text)) else {
        return node.at.clone();
    };
    let start = offset + bytes.start;
    debug_assert!(raw[start..].starts_with(part), "found there");
    node.at.part(start, start + part.len())
}
