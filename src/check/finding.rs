//! Findings: violations with the events that prove them, and what an invariant collects of them.

use std::collections::BTreeSet;

use kubesim_model::{Millis, Text};
use serde::{Deserialize, Serialize};

use super::observe::{ObserveError, Scene};
use super::verdict::{Blame, Reason};

/// A violation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The invariant, or the name of a `cel` check.
    pub invariant: Text,
    /// The event that broke it.
    pub n: u64,
    /// When, in milliseconds.
    pub t: Millis,
    /// The object, as in `pods default/web-0`; a container or host for host facts.
    pub object: String,
    /// The resourceVersion of the write; 0 if it was none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rv: u64,
    /// Who did it; empty if nobody did.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub actor: Text,
    /// What was found.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// What is allowed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub limit: String,
    /// What is wrong, in a sentence.
    pub message: String,
    /// The faults in force then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// Further events that prove it, besides `n`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<u64>,
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// What an invariant found so far.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    name: Text,
    limit: usize,
    pub(super) kept: Vec<Finding>,
    pub(super) count: u64,
    pub(super) stale: u64,
    pub(super) undecided: BTreeSet<Reason>,
    /// Whether something that is needed was missed; that leaves the check undecided anyway.
    is_blind: bool,
    /// Why what is found is nobody's fault for sure.
    doubt: Option<String>,
}

/// A violation being told.
#[derive(Clone, Debug, Default)]
pub struct Violation {
    /// See [`Finding`].
    pub object: String,
    /// See [`Finding`].
    pub rv: u64,
    /// See [`Finding`].
    pub actor: Text,
    /// See [`Finding`].
    pub value: String,
    /// See [`Finding`].
    pub limit: String,
    /// See [`Finding`].
    pub message: String,
    /// See [`Finding`].
    pub evidence: Vec<u64>,
}

/// Reasons kept per check: a broken expression fails at every event.
const REASONS: usize = 20;

impl Findings {
    /// Nothing found yet; `limit` findings are kept and the rest counted.
    pub fn new(name: impl Into<Text>, limit: usize) -> Findings {
        Findings { name: name.into(), limit, ..Findings::default() }
    }

    /// From here on something that is needed was missed: nothing that is found is sure.
    pub fn go_blind(&mut self) {
        self.is_blind = true;
    }

    /// From here on the subject may have been kept from its work, for this reason: what is found
    /// can't be decided. As long as nothing is found, that changes nothing.
    pub fn doubt(&mut self, reason: &str) {
        self.doubt.get_or_insert_with(|| reason.to_owned());
    }

    /// A violation at the event that the view took last.
    pub fn fail(&mut self, scene: &Scene<'_>, violation: Violation) {
        if self.is_blind {
            return;
        }
        if let Some(doubt) = &self.doubt {
            let text = format!("{}, but {doubt}", violation.message);
            return self.undecided(Blame::Environment, text);
        }
        self.count += 1;
        if self.kept.len() >= self.limit {
            return;
        }
        self.kept.push(Finding {
            invariant: self.name.clone(),
            n: scene.view.n,
            t: scene.view.now,
            object: violation.object,
            rv: violation.rv,
            actor: violation.actor,
            value: violation.value,
            limit: violation.limit,
            message: violation.message,
            faults: scene.view.open_faults(),
            evidence: violation.evidence,
        });
    }

    /// Something went past a limit only because nobody could know.
    pub fn stale(&mut self) {
        self.stale += 1;
    }

    /// Something can't be decided.
    pub fn undecided(&mut self, blame: Blame, text: impl Into<String>) {
        if self.undecided.len() < REASONS {
            self.undecided.insert(Reason::new(blame, text));
        }
    }

    /// The value of an observation; one that failed is noted as undecided.
    pub fn observed<T>(&mut self, value: Result<T, ObserveError>) -> Option<T> {
        value.map_err(|error| self.undecided(Blame::Suite, error.to_string())).ok()
    }

    /// How many violations there were, kept or not.
    pub fn count(&self) -> u64 {
        self.count
    }
}
