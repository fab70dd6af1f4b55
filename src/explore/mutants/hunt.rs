//! Hunting planted bugs: seeds in their order until the named check fails with the bug and not
//! without it. The same with any number of threads, for each bug is hunted on one of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use kubesim_model::Text;
use thiserror::Error;

use super::catalogue::Mutant;
use crate::check::{Judgement, Verdict};
use crate::cluster::Provider;
use crate::plan::Trial;
use crate::run::{TrialError, record_trial};
use crate::suite::ways::Run;
use crate::suite::{Diagnostic, Located, Scenario, Subject, resolve, rows};

/// How long something takes is told by whoever asks; trials themselves have no clock.
pub type Clock<'a> = &'a (dyn Fn() -> Duration + Sync);

/// A bug, planted: the trial with it and the same without it.
#[derive(Clone, Debug)]
pub struct Prey {
    /// The catalogue's entry.
    pub mutant: &'static Mutant,
    with: Trial,
    without: Trial,
}

/// Why a bug can't be planted.
#[derive(Clone, Debug, Error)]
pub enum PreyError {
    /// The catalogue names what is not there.
    #[error("the mutant {mutant} needs the {kind} `{name}`, which there is not")]
    Missing {
        /// The mutant's name.
        mutant: String,
        /// `scenario`, `subject`, `check`.
        kind: &'static str,
        /// The name.
        name: &'static str,
    },
    /// The scenario's row is wrong.
    #[error("the scenario of a mutant is wrong: {} mistakes", .0.len())]
    Scenario(Vec<Diagnostic>),
}

impl Prey {
    /// Plants the bug of `mutant` into the first row of its scenario.
    ///
    /// # Errors
    /// Scenario, subject or check are not there.
    pub fn new(
        mutant: &'static Mutant,
        scenarios: &[Scenario],
        subjects: &[Arc<Subject>],
    ) -> Result<Prey, PreyError> {
        let missing = |kind, name| PreyError::Missing { mutant: mutant.name(), kind, name };
        let scenario = scenarios.iter().find(|have| have.name.value == mutant.scenario);
        let scenario = scenario.ok_or_else(|| missing("scenario", mutant.scenario))?;
        let subject = subjects.iter().find(|have| have.name.value == mutant.subject);
        let subject = subject.ok_or_else(|| missing("subject", mutant.subject))?;
        let row = rows(scenario).swap_remove(0);
        let row = resolve(scenario, &row).map_err(PreyError::Scenario)?;
        let mut checks = row.always.iter().chain(&row.eventually);
        if !checks.any(|check| check.name.value == mutant.caught_by) {
            return Err(missing("check", mutant.caught_by));
        }
        let without = Trial::new(scenario, row, subject, &[], 1);
        Ok(Prey { mutant, with: plant(&without, mutant), without })
    }

    /// Judges the trial of `seed`, with the bug or without it.
    ///
    /// # Errors
    /// The environment failed.
    pub fn judge(
        &self,
        seed: u64,
        planted: bool,
        provider: &dyn Provider,
    ) -> Result<Judgement, TrialError> {
        let mut trial = if planted { self.with.clone() } else { self.without.clone() };
        trial.seed = seed;
        record_trial(&trial, false, provider).map(|result| result.judgement)
    }
}

fn plant(trial: &Trial, mutant: &Mutant) -> Trial {
    let mut trial = trial.clone();
    let mut subject = Subject::clone(&trial.subject);
    match &mut subject.run {
        Run::Reference { actor, bug } if actor.value == mutant.component => {
            *bug = Some(Located { value: Text::new(mutant.bug), at: actor.at.clone() });
        }
        _ => trial.bugs.push((Text::new(mutant.component), Text::new(mutant.bug))),
    }
    trial.subject = Arc::new(subject);
    trial
}

/// How to hunt.
#[derive(Clone, Copy)]
pub struct HuntOptions<'a> {
    /// Threads; at least one is used.
    pub jobs: usize,
    /// At most so many seeds, from 1.
    pub seeds: u64,
    /// Once it is set, no further trial begins.
    pub stop: &'a AtomicBool,
    /// The time.
    pub clock: Clock<'a>,
}

/// What became of a bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The named check failed at this seed with the bug, and not without it.
    Caught {
        /// The seed, which is also how many were needed.
        seed: u64,
        /// What it found first.
        finding: String,
    },
    /// All seeds passed.
    Survived {
        /// Other checks that failed, with the first seed each.
        others: BTreeMap<Text, u64>,
        /// Seeds of which the verdict was unknown.
        unknown: u64,
    },
    /// The trial does not pass without the bug either, so it proves nothing.
    FalseAlarm {
        /// The seed.
        seed: u64,
        /// What was found without the bug.
        finding: String,
    },
    /// It could not be run.
    Broken(String),
    /// The hunt was ended before.
    Interrupted,
}

/// What came of the hunt for one bug.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// The catalogue's entry.
    pub mutant: &'static Mutant,
    /// What became of it.
    pub fate: Fate,
    /// How many trials were run with the bug.
    pub trials: u64,
    /// How long it took.
    pub took: Duration,
}

impl Hunt {
    /// Whether it went as the catalogue says.
    pub fn is_as_expected(&self) -> bool {
        match &self.fate {
            Fate::Caught { .. } => true,
            Fate::Survived { .. } => self.mutant.survives.is_some(),
            Fate::FalseAlarm { .. } | Fate::Broken(_) | Fate::Interrupted => false,
        }
    }
}

/// Hunts all of `preys` and tells `listener` of each, in their order.
pub fn hunt(
    preys: &[Prey],
    provider: &dyn Provider,
    options: HuntOptions<'_>,
    listener: &mut dyn FnMut(&Hunt),
) -> Vec<Hunt> {
    let next = AtomicUsize::new(0);
    let mut early: BTreeMap<usize, Hunt> = BTreeMap::new();
    let mut hunts = Vec::new();
    std::thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        for _ in 0..options.jobs.clamp(1, preys.len().max(1)) {
            let (tell, next) = (tell.clone(), &next);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::SeqCst);
                    let Some(prey) = preys.get(at) else { return };
                    if tell.send((at, hunt_one(prey, provider, options))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(tell);
        for (at, hunt) in told {
            early.insert(at, hunt);
            while let Some(hunt) = early.remove(&hunts.len()) {
                listener(&hunt);
                hunts.push(hunt);
            }
        }
    });
    hunts
}

fn hunt_one(prey: &Prey, provider: &dyn Provider, options: HuntOptions<'_>) -> Hunt {
    let began = (options.clock)();
    let mut trials = 0;
    let fate = fate(prey, provider, options, &mut trials);
    Hunt { mutant: prey.mutant, fate, trials, took: (options.clock)().saturating_sub(began) }
}

fn fate(prey: &Prey, provider: &dyn Provider, options: HuntOptions<'_>, trials: &mut u64) -> Fate {
    let (mut others, mut unknown) = (BTreeMap::new(), 0);
    for seed in 1..=options.seeds {
        if options.stop.load(Ordering::SeqCst) {
            return Fate::Interrupted;
        }
        *trials = seed;
        let judgement = match prey.judge(seed, true, provider) {
            Ok(judgement) => judgement,
            Err(error) => return Fate::Broken(error.to_string()),
        };
        if let Some(finding) = found(&judgement, prey.mutant.caught_by) {
            return match prey.judge(seed, false, provider) {
                Err(error) => Fate::Broken(error.to_string()),
                Ok(without) => match not_passed(&without) {
                    Some(finding) => Fate::FalseAlarm { seed, finding },
                    None => Fate::Caught { seed, finding },
                },
            };
        }
        unknown += u64::from(judgement.verdict == Verdict::Unknown);
        for check in judgement.checks.iter().filter(|check| check.verdict == Verdict::Fail) {
            others.entry(check.name.clone()).or_insert(seed);
        }
    }
    Fate::Survived { others, unknown }
}

/// Why a trial without the bug proves nothing: it has to pass as a whole.
fn not_passed(judgement: &Judgement) -> Option<String> {
    if judgement.verdict == Verdict::Pass {
        return None;
    }
    let mut checks = judgement.checks.iter();
    let failed = checks.find(|check| check.verdict == Verdict::Fail);
    let finding = failed.and_then(|check| check.findings.first());
    let reasons = judgement.checks.iter().flat_map(|check| &check.reasons);
    let reason = judgement.reasons.iter().chain(reasons).next();
    Some(match (finding, reason) {
        (Some(finding), _) => format!("{}: {}", finding.invariant, finding.message),
        (None, Some(reason)) => format!("undecided: {}", reason.text),
        (None, None) => "it is undecided".to_owned(),
    })
}

/// What the check of this name found first.
fn found(judgement: &Judgement, name: &str) -> Option<String> {
    let mut checks = judgement.checks.iter();
    let check = checks.find(|check| check.name == name && check.verdict == Verdict::Fail)?;
    let finding = check.findings.first();
    Some(finding.map(|finding| finding.message.clone()).unwrap_or_default())
}
