//! What a fault is: its documentation, what it needs, and how it becomes levers. A fault decides;
//! pulling levers, keeping time and recording are the job of `run`.

use kubesim_model::stream::Stream;
use kubesim_model::{Millis, Text};
use thiserror::Error;

use crate::cluster::{Capability, Lever};
use crate::history::{Event, View};
use crate::suite::faults::{Args, Lasts};
use crate::suite::{Entry, Param, Subject};

/// A fault of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Its name in scenarios and histories.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub doc: &'static str,
    /// More about it, in Markdown: what Kubernetes does then, what proves that it bit.
    pub details: &'static str,
    /// Its parameters.
    pub params: &'static [Param],
    /// What a provider must be able to do.
    pub needs: &'static [Capability],
    /// What it must be able to do besides, when a parameter is given.
    pub given: &'static [(&'static str, Capability)],
    /// When it ends.
    pub ends: Ends,
    /// Finds what to act on and decides how.
    pub inject: fn(&mut Scene<'_>) -> Result<Injection, Missed>,
}

impl Fault {
    /// What the parser of scenarios needs to know of it.
    pub fn entry(&self) -> Entry {
        Entry { name: self.name, doc: self.doc, params: self.params }
    }

    /// What a provider must be able to do for an injection with these arguments.
    pub fn needs_with(&self, args: &Args) -> Vec<Capability> {
        let given = self.given.iter().filter(|(name, _)| args.get(name).is_some());
        self.needs.iter().copied().chain(given.map(|(_, need)| *need)).collect()
    }

    /// When an injection of it ends, if a scenario asks for `lasts`.
    pub fn end(&self, lasts: Lasts) -> End {
        match (self.ends, lasts) {
            (Ends::AtOnce, _) => End::AfterBite(0),
            (_, Lasts::Lasting) => End::Never,
            (Ends::WhenAsked, Lasts::For(span)) => End::After(span),
            (Ends::WhenAsked, Lasts::UntilWhenEnds) => End::WithWhen,
            (Ends::After(_), Lasts::For(span)) => End::After(span),
            (Ends::After(span), Lasts::UntilWhenEnds) => End::After(span),
            (Ends::AfterBite(_), Lasts::For(span)) => End::AfterBite(span),
            (Ends::AfterBite(span), Lasts::UntilWhenEnds) => End::AfterBite(span),
        }
    }
}

/// When a fault ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// As `for` says; without `for` when `when` ends.
    WhenAsked,
    /// It is over as soon as it has happened; `for` means nothing.
    AtOnce,
    /// `for` after it was injected; by default so many milliseconds.
    After(Millis),
    /// `for` after it bit; by default so many milliseconds.
    AfterBite(Millis),
}

/// When an injection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Once the steps of `when` have ended.
    WithWhen,
    /// So long after it was injected.
    After(Millis),
    /// So long after it bit.
    AfterBite(Millis),
    /// Not before the trial is judged.
    Never,
}

/// What a fault sees when it is to be injected.
pub struct Scene<'a> {
    /// The injection's name in the history; rules may take it as theirs.
    pub id: Text,
    /// Its arguments, defaults included.
    pub args: &'a Args,
    /// The state of everything.
    pub view: &'a View,
    /// The subject of the trial.
    pub subject: &'a Subject,
    /// The time.
    pub now: Millis,
    /// How many times as fast as by default a node that is lost is noticed.
    pub pace: u64,
    /// The fault's own stream of random numbers.
    pub draws: &'a mut Stream,
}

/// What is to be done.
pub struct Injection {
    /// What it acts on, as in `node worker-1`, `pod default/web-0 container app`, `actor cloneset`.
    pub targets: Vec<Text>,
    /// The nodes whose pods it may take down.
    pub nodes: Vec<Text>,
    /// The uids of the pods that it acts on, other than through a node.
    pub pods: Vec<Text>,
    /// What injects it.
    pub levers: Vec<Lever>,
    /// What heals it. Known before anything is done, so that it can be written down first.
    pub heal: Vec<Lever>,
    /// What tells that it bit.
    pub evidence: Evidence,
}

impl Injection {
    /// An injection without levers and evidence.
    pub fn on(targets: Vec<Text>) -> Self {
        Injection {
            targets,
            nodes: Vec::new(),
            pods: Vec::new(),
            levers: Vec::new(),
            heal: Vec::new(),
            evidence: Box::new(|_| None),
        }
    }

    /// With this evidence.
    pub fn proved_by(
        mut self,
        evidence: impl FnMut(&Moment<'_>) -> Option<String> + Send + 'static,
    ) -> Self {
        self.evidence = Box::new(evidence);
        self
    }
}

/// Looks at a moment of the history after the injection and says what proves that the fault bit.
pub type Evidence = Box<dyn FnMut(&Moment<'_>) -> Option<String> + Send>;

/// A moment while a fault is in force.
pub struct Moment<'a> {
    /// The time.
    pub now: Millis,
    /// When the fault was injected.
    pub since: Millis,
    /// What was just observed; `None` when the fault is about to be healed.
    pub event: Option<&'a Event>,
    /// The state of everything, this event included.
    pub view: &'a View,
}

impl Moment<'_> {
    /// `what`, with the event that shows it.
    pub fn proof(&self, what: impl std::fmt::Display) -> String {
        match self.event {
            Some(event) => format!("event {}: {what}", event.n),
            None => format!("when healed: {what}"),
        }
    }
}

/// Why a fault could not be injected.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Missed {
    /// Nothing matches its selector.
    #[error("nothing to act on: {0}")]
    NothingThere(String),
    /// Its parameters don't go together.
    #[error("{0}")]
    Senseless(String),
}
