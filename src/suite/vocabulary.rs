//! What a scenario may name: faults, invariants, requirements, subjects. The catalogues belong to
//! other modules and are handed in as a [`Vocabulary`], so that this module knows none of them.

use super::duration::{Amount, parse_duration};

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// A duration like `500ms` or `1h30m`; arrives as milliseconds.
    Duration,
    /// A whole number from 0.
    Int,
    /// A number from 0 to 1.
    Probability,
    /// A text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of texts; one text stands for a list of one.
    Texts,
    /// `true` or `false`.
    Bool,
    /// A whole number or a percentage.
    Amount,
    /// What to act on: see `select::Select`.
    Select,
    /// A CEL expression over the variables of checks.
    Cel,
    /// Any value.
    Any,
}

impl ParamKind {
    /// Whether `text` can be the default of a parameter of this kind.
    fn reads(self, text: &str) -> bool {
        match self {
            ParamKind::Duration => parse_duration(text).is_some(),
            ParamKind::Int => text.parse::<u32>().is_ok(),
            ParamKind::Probability => text.parse().is_ok_and(|p: f64| (0.0..=1.0).contains(&p)),
            ParamKind::Word(words) => words.contains(&text),
            ParamKind::Bool => matches!(text, "true" | "false"),
            ParamKind::Amount => Amount::parse(text).is_some(),
            ParamKind::Text | ParamKind::Texts => true,
            ParamKind::Select | ParamKind::Cel | ParamKind::Any => false,
        }
    }

    /// What the kind is called in messages and documents.
    pub fn noun(self) -> &'static str {
        match self {
            ParamKind::Duration => "a duration such as `30s` or `1h30m`",
            ParamKind::Int => "a whole number",
            ParamKind::Probability => "a number from 0 to 1",
            ParamKind::Text => "a text",
            ParamKind::Word(_) => "a word",
            ParamKind::Texts => "a text or a list of texts",
            ParamKind::Bool => "`true` or `false`",
            ParamKind::Amount => "a whole number or a percentage such as `10%`",
            ParamKind::Select => "a mapping that selects what to act on",
            ParamKind::Cel => "a CEL expression",
            ParamKind::Any => "a value",
        }
    }
}

/// A parameter of a fault, an invariant or a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Param {
    /// The name as it is written, camelCase.
    pub name: &'static str,
    /// The type.
    pub kind: ParamKind,
    /// Whether it must be given.
    pub required: bool,
    /// What holds if it is not given, as one would write it; read like a given value.
    pub default: Option<&'static str>,
    /// What it means, in one sentence.
    pub doc: &'static str,
}

impl Param {
    /// An optional parameter without a default.
    pub const fn new(name: &'static str, kind: ParamKind, doc: &'static str) -> Param {
        Param { name, kind, required: false, default: None, doc }
    }

    /// The same, required.
    pub const fn required(mut self) -> Param {
        self.required = true;
        self
    }

    /// The same, with a default, written as in a file.
    pub const fn default(mut self, text: &'static str) -> Param {
        self.default = Some(text);
        self
    }
}

/// A fault, an invariant or a step that may be named.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// The kebab-case name.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub doc: &'static str,
    /// Its parameters. The common fields of all faults (`for`, `trigger`) are not among them.
    pub params: &'static [Param],
}

/// A requirement that may be proved, and the invariants that decide it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRequirement {
    /// The identifier, e.g. `CONV-3`.
    pub id: String,
    /// The invariants that decide it.
    pub invariants: Vec<String>,
}

/// A subject that may be named, and the operations that its file describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownSubject {
    /// The name.
    pub name: String,
    /// The names of its operations.
    pub operations: Vec<String>,
}

/// Everything that a scenario may name.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    /// The catalogue of faults.
    pub faults: Vec<Entry>,
    /// The catalogue of invariants.
    pub invariants: Vec<Entry>,
    /// The catalogue of requirements.
    pub requirements: Vec<KnownRequirement>,
    /// The subjects there are.
    pub subjects: Vec<KnownSubject>,
    /// What a subject can be able to do; if empty, any word is accepted.
    pub subject_capabilities: Vec<&'static str>,
    /// What a provider can be able to do; if empty, any word is accepted.
    pub provider_capabilities: Vec<&'static str>,
}

impl Vocabulary {
    /// Defaults in the catalogues that can't be read as the type of their parameter, as
    /// `entry.param`; for the test of whoever fills a vocabulary.
    pub fn bad_defaults(&self) -> Vec<String> {
        let entries = self.faults.iter().chain(&self.invariants);
        let params = entries.flat_map(|entry| entry.params.iter().map(move |p| (entry.name, p)));
        params
            .filter(|(_, param)| param.default.is_some_and(|text| !param.kind.reads(text)))
            .map(|(entry, param)| format!("{entry}.{}", param.name))
            .collect()
    }

    /// The fault `name`.
    pub fn fault(&self, name: &str) -> Option<&Entry> {
        self.faults.iter().find(|entry| entry.name == name)
    }

    /// The invariant `name`.
    pub fn invariant(&self, name: &str) -> Option<&Entry> {
        self.invariants.iter().find(|entry| entry.name == name)
    }

    /// The requirement `id`.
    pub fn requirement(&self, id: &str) -> Option<&KnownRequirement> {
        self.requirements.iter().find(|known| known.id == id)
    }

    /// The subject `name`.
    pub fn subject(&self, name: &str) -> Option<&KnownSubject> {
        self.subjects.iter().find(|known| known.name == name)
    }
}
