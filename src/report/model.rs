//! The content of `run.json`, which all other forms are made of. Its form is versioned: fields may
//! be added within a version, never changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::folder::log_name;
use crate::check::{Blame, Judgement, Outcome, Reason, RequirementResult, Verdict};
use crate::plan::Trial;
use crate::run::TrialOutcome;

/// The version of the form.
pub const RUN_SCHEMA: &str = "shakedown/run-v1";

/// How many findings of each check stand in `run.json`; `verdict.json` has more.
pub const FINDINGS: usize = 3;

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// [`RUN_SCHEMA`].
    pub schema: String,
    /// Name and version of the program.
    pub tool: String,
    /// The simulator revision; see [`crate::plan::REVISION`].
    pub revision: String,
    /// The run's name, which is its folder's.
    pub run: String,
    /// When it began, in UTC, as RFC 3339 has it.
    pub started: String,
    /// How long it took, in milliseconds of wall-clock time.
    pub took: u64,
    /// The provider.
    pub provider: String,
    /// How many trials were planned.
    pub planned: usize,
    /// Whether it was ended before all trials were run.
    pub interrupted: bool,
    /// The numbers of outcomes.
    pub counts: Counts,
    /// Expectations over all seeds of a case that were not met.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub never_failed: Vec<NeverFailed>,
    /// The trials, in the order of the plan.
    pub trials: Vec<TrialReport>,
}

/// Numbers of outcomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// As expected.
    pub met: usize,
    /// Not as expected.
    pub unexpected: usize,
    /// Undecided.
    pub unknown: usize,
    /// Not run.
    pub skipped: usize,
}

/// A requirement that was expected to fail in at least one seed of a case, and failed in none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeverFailed {
    /// Scenario, parameters and subject.
    pub case: String,
    /// The requirement.
    pub requirement: String,
    /// In how many trials it was decided.
    pub trials: usize,
}

/// One trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialReport {
    /// The trial's name.
    pub name: String,
    /// Its folder, relative to the run's; none if nothing was written for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// The provider, if it is another than the run's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The stored history or plan that it was made of, where nothing new was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<String>,
    /// Whether it runs programs on this machine, so that a replay has to be told that it may.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub runs_commands: bool,
    /// The files in its folder that hold what programs under test printed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<String>,
    /// The scenario.
    pub scenario: String,
    /// The scenario's file.
    pub file: String,
    /// The parameters, as in `replicas=6,node=worker-1`.
    pub params: String,
    /// The subject.
    pub subject: String,
    /// The seed.
    pub seed: u64,
    /// What the judge said.
    pub verdict: Verdict,
    /// The verdict against what was expected.
    pub outcome: Outcome,
    /// Whether the judgement is that of the baseline: the trial itself was not run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub baseline: bool,
    /// Why it was not run or not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The judgement, with the first findings of each check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judgement: Option<Judgement>,
}

impl TrialReport {
    /// The report of a trial.
    pub fn new(trial: &Trial, outcome: &TrialOutcome, folder: Option<String>) -> TrialReport {
        let baseline = matches!(outcome, TrialOutcome::BaselineFailed(_));
        let (verdict, reason, judgement) = match outcome {
            TrialOutcome::Judged(result) | TrialOutcome::BaselineFailed(result) => {
                let judgement = &result.judgement;
                (judgement.verdict, None, Some(short(judgement)))
            }
            TrialOutcome::Skipped(reason) => {
                let reason = Reason::new(Blame::Suite, reason.clone());
                (Verdict::Skipped, Some(reason), None)
            }
            TrialOutcome::Environment(text) => {
                let reason = Reason::new(Blame::Environment, text.clone());
                (Verdict::Unknown, Some(reason), None)
            }
            TrialOutcome::Broken(text) => {
                let reason = Reason::new(Blame::Harness, text.clone());
                (Verdict::Unknown, Some(reason), None)
            }
        };
        let logs = match outcome {
            TrialOutcome::Judged(result) | TrialOutcome::BaselineFailed(result) => &result.logs[..],
            _ => &[],
        };
        TrialReport {
            name: trial.name(),
            runs_commands: !trial.commands().is_empty(),
            logs: logs.iter().filter(|_| folder.is_some()).map(log_name).collect(),
            folder,
            provider: None,
            history: None,
            scenario: trial.scenario.name.to_string(),
            file: trial.source.path.to_string(),
            params: trial.scenario.params.to_string(),
            subject: trial.subject.name.to_string(),
            seed: trial.seed,
            verdict,
            outcome: outcome.outcome(),
            baseline,
            reason,
            judgement,
        }
    }

    /// Scenario, parameters and subject.
    pub fn case(&self) -> String {
        match self.params.is_empty() {
            true => format!("{}/{}", self.scenario, self.subject),
            false => format!("{}/{}/{}", self.scenario, self.params, self.subject),
        }
    }

    /// How long it lasted, in milliseconds of its cluster's time; 0 if it was not run.
    pub fn lasted(&self) -> u64 {
        self.judgement.as_ref().map_or(0, |judgement| judgement.ended)
    }

    /// Everything that makes it undecided, without repetition.
    pub fn reasons(&self) -> Vec<&Reason> {
        let judgement = self.judgement.iter();
        let of_checks = judgement.clone().flat_map(|j| j.checks.iter().flat_map(|c| &c.reasons));
        let of_trial = judgement.flat_map(|j| &j.reasons);
        let mut reasons: Vec<&Reason> = Vec::new();
        for reason in self.reason.iter().chain(of_trial).chain(of_checks) {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        reasons
    }
}

fn short(judgement: &Judgement) -> Judgement {
    let mut judgement = judgement.clone();
    for check in &mut judgement.checks {
        check.findings.truncate(FINDINGS);
    }
    judgement
}

/// The numbers of outcomes of these trials.
pub fn counts(trials: &[TrialReport]) -> Counts {
    let mut counts = Counts::default();
    for trial in trials {
        match trial.outcome {
            Outcome::Met => counts.met += 1,
            Outcome::Unexpected => counts.unexpected += 1,
            Outcome::Unknown => counts.unknown += 1,
            Outcome::Skipped => counts.skipped += 1,
        }
    }
    counts
}

/// The requirements that were expected to fail in at least one seed and failed in none. (What is
/// expected in each seed is part of the outcome of each trial.)
pub fn never_failed(trials: &[TrialReport]) -> Vec<NeverFailed> {
    let mut seen: BTreeMap<(String, String), (usize, bool)> = BTreeMap::new();
    for trial in trials.iter().filter(|trial| !trial.baseline) {
        let Some(judgement) = &trial.judgement else { continue };
        let must_fail = |r: &&RequirementResult| r.expected_to_fail && !r.may_hold;
        for requirement in judgement.requirements.iter().filter(must_fail) {
            let (decided, failed) = seen.entry((trial.case(), requirement.id.clone())).or_default();
            *decided += usize::from(requirement.verdict != Verdict::Unknown);
            // An outcome that is unexpected already says so.
            *failed |= requirement.verdict == Verdict::Fail || trial.outcome == Outcome::Unexpected;
        }
    }
    seen.into_iter()
        .filter(|(_, (decided, failed))| *decided > 0 && !failed)
        .map(|((case, requirement), (trials, _))| NeverFailed { case, requirement, trials })
        .collect()
}
