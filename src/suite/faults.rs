//! Faults as a scenario asks for them, and the typed arguments that faults and checks share. What
//! the faults are is in the catalogue; injecting them is not done here.

use std::collections::BTreeMap;

use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

use super::cel::Program;
use super::duration::Amount;
use super::located::{Located, Place};
use super::select::{Select, Trigger};

/// A fault of a resolved scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultSpec {
    /// Where it stands.
    pub at: Place,
    /// Its name in the catalogue.
    pub name: Located<Text>,
    /// Its parameters, defaults filled in; without `for` and `trigger`.
    pub args: Args,
    /// How long it lasts.
    pub lasts: Lasts,
    /// When it starts; none means at a moment of `when` drawn from the seed.
    pub trigger: Option<Trigger>,
}

impl FaultSpec {
    /// What it acts on: its `select`, or the default of one of everything.
    pub fn select(&self) -> Select {
        self.args.select("select").cloned().unwrap_or_default()
    }
}

/// How long a fault is in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lasts {
    /// Until `when` ends: a transient fault.
    #[default]
    UntilWhenEnds,
    /// So long: a transient fault.
    For(Millis),
    /// Until the trial is judged.
    Lasting,
}

/// A value of a parameter, typed as its [`super::vocabulary::ParamKind`] says.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg {
    /// Milliseconds.
    Duration(Millis),
    /// A whole number from 0.
    Int(i64),
    /// A number from 0 to 1.
    Probability(f64),
    /// A text or word.
    Text(Text),
    /// Texts.
    Texts(Vec<Text>),
    /// A boolean.
    Bool(bool),
    /// A whole number or a percentage.
    Amount(Amount),
    /// What to act on.
    Select(Box<Select>),
    /// An expression.
    Cel(Program),
    /// Any value.
    Any(Tree),
}

/// Arguments by parameter name, defaults included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Args(pub BTreeMap<Text, Located<Arg>>);

impl Args {
    /// The argument `name`.
    pub fn get(&self, name: &str) -> Option<&Arg> {
        self.0.get(name).map(|arg| &arg.value)
    }

    /// The duration `name`, in milliseconds.
    pub fn duration(&self, name: &str) -> Option<Millis> {
        match self.get(name)? {
            Arg::Duration(millis) => Some(*millis),
            _ => None,
        }
    }

    /// The whole number `name`.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Arg::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The probability `name`.
    pub fn probability(&self, name: &str) -> Option<f64> {
        match self.get(name)? {
            Arg::Probability(number) => Some(*number),
            _ => None,
        }
    }

    /// The text or word `name`.
    pub fn text(&self, name: &str) -> Option<&Text> {
        match self.get(name)? {
            Arg::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The texts `name`; none if it is not given.
    pub fn texts(&self, name: &str) -> &[Text] {
        match self.get(name) {
            Some(Arg::Texts(texts)) => texts,
            _ => &[],
        }
    }

    /// The boolean `name`; `false` if it is not given.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Arg::Bool(true)))
    }

    /// The amount `name`.
    pub fn amount(&self, name: &str) -> Option<Amount> {
        match self.get(name)? {
            Arg::Amount(amount) => Some(*amount),
            _ => None,
        }
    }

    /// The selector `name`.
    pub fn select(&self, name: &str) -> Option<&Select> {
        match self.get(name)? {
            Arg::Select(select) => Some(select),
            _ => None,
        }
    }

    /// The expression `name`.
    pub fn cel(&self, name: &str) -> Option<&Program> {
        match self.get(name)? {
            Arg::Cel(program) => Some(program),
            _ => None,
        }
    }

    /// The value `name`, of whatever type it may be.
    pub fn any(&self, name: &str) -> Option<&Tree> {
        match self.get(name)? {
            Arg::Any(tree) => Some(tree),
            _ => None,
        }
    }
}
