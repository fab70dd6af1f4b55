//! What a judgement can say: verdicts, who is to blame for what is undecided, and the worst of
//! many.

use serde::{Deserialize, Serialize};

/// The answer of a check, a requirement or a trial. Worse ones are greater, so that the worst of
/// several is their maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The provider or the subject can't do what is needed.
    Skipped,
    /// It holds.
    Pass,
    /// It can't be decided.
    Unknown,
    /// The subject broke it.
    Fail,
}

impl Verdict {
    /// The worst of these; `Skipped` if there is none.
    pub fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
        verdicts.into_iter().max().unwrap_or(Verdict::Skipped)
    }

    /// The word for it, as in reports.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Skipped => "skipped",
            Verdict::Pass => "pass",
            Verdict::Unknown => "unknown",
            Verdict::Fail => "fail",
        }
    }
}

/// Who is to blame. Only the subject can turn a verdict into `fail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blame {
    /// The scenario or the subject file.
    Suite,
    /// The provider, or what was recorded of it.
    Environment,
    /// The controller under test.
    Subject,
    /// This program.
    Harness,
}

/// Why something is undecided.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reason {
    /// Who is to blame.
    pub blame: Blame,
    /// What is missing, in a sentence.
    pub text: String,
}

impl Reason {
    /// A reason.
    pub fn new(blame: Blame, text: impl Into<String>) -> Reason {
        Reason { blame, text: text.into() }
    }
}

/// A verdict against what the scenario expects of the subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Not judged.
    Skipped,
    /// Exactly what was expected to fail failed.
    Met,
    /// It can't be said.
    Unknown,
    /// Something failed that should not, or did not fail that should.
    Unexpected,
}
