//! What a run tells while it goes on: all that reporters ever see.

use super::trial::TrialResult;
use crate::check::Outcome;

/// Something that happened in a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// The run begins.
    RunStarted {
        /// How many trials there are, skipped ones included.
        trials: usize,
    },
    /// A trial begins on one of the threads.
    TrialStarted {
        /// Its place in the plan.
        index: usize,
        /// Its name.
        name: &'a str,
    },
    /// A trial is over. These come in the order of the plan, whatever the number of threads.
    TrialFinished {
        /// Its place in the plan.
        index: usize,
        /// Its name.
        name: &'a str,
        /// What came of it.
        outcome: &'a TrialOutcome,
    },
    /// The run is over.
    RunFinished {
        /// How many trials were run or skipped.
        finished: usize,
        /// Whether it was ended before all trials were.
        interrupted: bool,
    },
}

/// What came of a trial.
#[derive(Debug)]
pub enum TrialOutcome {
    /// It was judged.
    Judged(Box<TrialResult>),
    /// It was not run, for this reason.
    Skipped(String),
    /// The trial without faults already found something unexpected or was undecided, so a trial
    /// with faults proves nothing. With the judgement of the baseline.
    BaselineFailed(Box<TrialResult>),
    /// The environment failed.
    Environment(String),
    /// The harness itself failed, with what it said.
    Broken(String),
}

impl TrialOutcome {
    /// What it is against what was expected. A baseline is asked only for what fails unexpectedly:
    /// what is expected to fail may need the faults.
    pub fn outcome(&self) -> Outcome {
        match self {
            TrialOutcome::Judged(result) => result.judgement.outcome,
            TrialOutcome::BaselineFailed(result) => {
                let mut failures = result.judgement.unexpected_failures();
                failures.next().map_or(Outcome::Unknown, |_| Outcome::Unexpected)
            }
            TrialOutcome::Skipped(_) => Outcome::Skipped,
            TrialOutcome::Environment(_) | TrialOutcome::Broken(_) => Outcome::Unknown,
        }
    }
}
