//! What a run tells while it goes on: all that reporters ever see.

use super::trial::TrialResult;

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
