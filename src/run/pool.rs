//! Many trials on several threads. What comes out is in the order of the plan and the same with any
//! number of threads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, mpsc};

use kubesim_model::Text;

use super::event::{Event, TrialOutcome};
use super::trial::{TrialError, TrialResult, record_trial};
use crate::check::{Outcome, Verdict};
use crate::cluster::Provider;
use crate::plan::Trial;

/// How to run.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions<'a> {
    /// Threads; at least one is used.
    pub jobs: usize,
    /// Stop after the first unexpected outcome.
    pub fail_fast: bool,
    /// Whether each case is first run without faults.
    pub baselines: bool,
    /// Once it is set, no further trial begins.
    pub stop: &'a AtomicBool,
}

/// Runs the trials and tells `listener` how it goes.
pub fn run(
    trials: &[Trial],
    provider: &dyn Provider,
    options: RunOptions<'_>,
    listener: &mut dyn FnMut(Event<'_>),
) {
    listener(Event::RunStarted { trials: trials.len() });
    let names: Vec<String> = trials.iter().map(Trial::name).collect();
    let shared = Shared::new(trials, provider, options);
    let mut finished = 0;
    std::thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        for _ in 0..options.jobs.clamp(1, trials.len().max(1)) {
            let (tell, shared) = (tell.clone(), &shared);
            scope.spawn(move || shared.work(&tell));
        }
        drop(tell);
        let mut early: BTreeMap<usize, TrialOutcome> = BTreeMap::new();
        for message in told {
            match message {
                Message::Started(index) => {
                    listener(Event::TrialStarted { index, name: &names[index] });
                }
                Message::Finished(index, outcome) => drop(early.insert(index, *outcome)),
            }
            while let Some(outcome) = early.remove(&finished) {
                let (index, name, outcome) = (finished, names[finished].as_str(), &outcome);
                listener(Event::TrialFinished { index, name, outcome });
                finished += 1;
            }
        }
    });
    let interrupted = finished < trials.len();
    listener(Event::RunFinished { finished, interrupted });
}

enum Message {
    Started(usize),
    Finished(usize, Box<TrialOutcome>),
}

/// The baseline of a case: run once, by whoever needs it first. One that is sound leaves nothing
/// behind.
type Baseline = OnceLock<Result<Option<TrialResult>, TrialError>>;

struct Shared<'a> {
    trials: &'a [Trial],
    provider: &'a dyn Provider,
    options: RunOptions<'a>,
    next: AtomicUsize,
    failed: AtomicBool,
    baselines: BTreeMap<String, Baseline>,
    /// The first trial of each case: its seed is the baseline's.
    first: BTreeMap<String, usize>,
    /// Trials begin in order, so that those that are finished are the first ones of the plan.
    begin: Mutex<()>,
}

impl<'a> Shared<'a> {
    fn new(trials: &'a [Trial], provider: &'a dyn Provider, options: RunOptions<'a>) -> Self {
        let mut first = BTreeMap::new();
        for (index, trial) in trials.iter().enumerate() {
            first.entry(trial.case()).or_insert(index);
        }
        Shared {
            trials,
            provider,
            options,
            next: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            baselines: first.keys().map(|case| (case.clone(), OnceLock::new())).collect(),
            first,
            begin: Mutex::new(()),
        }
    }

    fn work(&self, tell: &mpsc::Sender<Message>) {
        while let Some(index) = self.take(tell) {
            let outcome = unbroken(|| self.outcome(&self.trials[index]));
            if self.options.fail_fast && is_unexpected(&outcome) {
                self.failed.store(true, Ordering::SeqCst);
            }
            if tell.send(Message::Finished(index, Box::new(outcome))).is_err() {
                return;
            }
        }
    }

    fn take(&self, tell: &mpsc::Sender<Message>) -> Option<usize> {
        let _order = self.begin.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.options.stop.load(Ordering::SeqCst) || self.failed.load(Ordering::SeqCst) {
            return None;
        }
        let index = self.next.fetch_add(1, Ordering::SeqCst);
        (index < self.trials.len() && tell.send(Message::Started(index)).is_ok()).then_some(index)
    }

    fn outcome(&self, trial: &Trial) -> TrialOutcome {
        let provider = trial.runs_on(self.provider);
        if let Some(reason) = trial.skipped(provider) {
            return TrialOutcome::Skipped(reason);
        }
        match self.baseline(trial) {
            Some(Err(error)) => return TrialOutcome::Environment(error.to_string()),
            Some(Ok(Some(result))) => {
                return TrialOutcome::BaselineFailed(Box::new(result.clone()));
            }
            Some(Ok(None)) | None => {}
        }
        match record_trial(trial, false, provider) {
            Ok(result) => TrialOutcome::Judged(Box::new(result)),
            Err(error) => TrialOutcome::Environment(error.to_string()),
        }
    }

    /// The case's baseline; `None` if there are no faults to leave out.
    fn baseline(&self, trial: &Trial) -> Option<&Result<Option<TrialResult>, TrialError>> {
        if !self.options.baselines || trial.scenario.faults.is_empty() {
            return None;
        }
        let case = trial.case();
        let first = &self.trials[*self.first.get(&case)?];
        let cell = self.baselines.get(&case)?;
        Some(cell.get_or_init(|| {
            let provider = first.runs_on(self.provider);
            let result = record_trial(first, true, provider)?;
            Ok((!is_sound(&result, &first.undecidable(provider))).then_some(result))
        }))
    }
}

/// What `run` answers; a panic in it is a broken trial, and the others go on.
fn unbroken(run: impl FnOnce() -> TrialOutcome) -> TrialOutcome {
    // A trial owns its cluster, and a baseline that panicked is made anew: nothing half-done stays.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        TrialOutcome::Broken(text.unwrap_or("a panic without a message").to_owned())
    })
}

/// Whether a baseline lets its trials go ahead: nothing unexpected failed and nothing is undecided,
/// but for what is so with this provider anyway. Expected failures that did not happen are for the
/// disturbed trials to show.
fn is_sound(result: &TrialResult, undecidable: &[(Text, &'static str)]) -> bool {
    let judgement = &result.judgement;
    let mut undecided = judgement.checks.iter().filter(|it| it.verdict == Verdict::Unknown);
    judgement.reasons.is_empty()
        && undecided.all(|check| undecidable.iter().any(|(name, _)| *name == check.name))
        && judgement.unexpected_failures().next().is_none()
}

fn is_unexpected(outcome: &TrialOutcome) -> bool {
    matches!(outcome, TrialOutcome::Broken(_)) || outcome.outcome() == Outcome::Unexpected
}
