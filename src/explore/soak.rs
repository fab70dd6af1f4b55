//! What many trials say together: outcomes, why trials were undecided, how often faults took
//! effect.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kubesim_model::Text;

use crate::check::{Judgement, Outcome, Verdict};
use crate::run::TrialOutcome;

/// Names of unexpected trials that are kept.
const NAMES: usize = 1000;

/// Counts over trials.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Trials that were judged.
    pub judged: u64,
    /// Trials that were as expected.
    pub met: u64,
    /// Trials that were undecided.
    pub unknown: u64,
    /// Trials that were skipped.
    pub skipped: u64,
    /// Trials with an unexpected outcome, with their first finding.
    pub unexpected: Vec<(String, String)>,
    /// Why trials were undecided: the reason without its particulars, and how often.
    pub reasons: BTreeMap<String, u64>,
    /// By fault: in how many trials it was to take effect, and in how many it did.
    pub faults: BTreeMap<Text, (u64, u64)>,
}

impl Tally {
    /// Counts a trial.
    pub fn take(&mut self, name: &str, outcome: &TrialOutcome) {
        match outcome {
            TrialOutcome::Judged(result) => self.judged(name, &result.judgement),
            TrialOutcome::Skipped(_) => self.skipped += 1,
            TrialOutcome::BaselineFailed(_) => self.wrong(name, "its baseline failed".to_owned()),
            TrialOutcome::Environment(why) | TrialOutcome::Broken(why) => {
                self.wrong(name, why.clone());
            }
        }
    }

    fn judged(&mut self, name: &str, judgement: &Judgement) {
        self.judged += 1;
        for fault in &judgement.faults {
            let (of, bit) = self.faults.entry(fault.name.clone()).or_default();
            *of += 1;
            *bit += u64::from(fault.bit);
        }
        match judgement.outcome {
            Outcome::Met => self.met += 1,
            Outcome::Skipped => self.skipped += 1,
            Outcome::Unexpected => self.wrong(name, first_finding(judgement)),
            Outcome::Unknown => {
                self.unknown += 1;
                let of_checks = judgement.checks.iter().flat_map(|check| &check.reasons);
                let reason = judgement.reasons.iter().chain(of_checks).next();
                let kind = reason.map(|reason| kind(&reason.text)).unwrap_or_default();
                *self.reasons.entry(kind).or_default() += 1;
            }
        }
    }

    fn wrong(&mut self, name: &str, why: String) {
        if self.unexpected.len() < NAMES {
            self.unexpected.push((name.to_owned(), why));
        }
    }

    /// The counts as text.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{} judged: {} as expected, {} unexpected, {} unknown; {} skipped\n",
            self.judged,
            self.met,
            self.unexpected.len(),
            self.unknown,
            self.skipped
        );
        for (reason, times) in &self.reasons {
            let _ = writeln!(text, "  unknown {times:>6}  {reason}");
        }
        for (fault, (of, bit)) in &self.faults {
            let share = *bit as f64 * 100.0 / (*of).max(1) as f64;
            let _ = writeln!(text, "  {fault:<20} took effect in {bit} of {of} ({share:.1} %)");
        }
        for (name, why) in &self.unexpected {
            let _ = writeln!(text, "  unexpected {name}: {why}");
        }
        text
    }
}

fn first_finding(judgement: &Judgement) -> String {
    let failed = judgement.checks.iter().filter(|check| check.verdict == Verdict::Fail);
    let finding = failed.flat_map(|check| &check.findings).next();
    finding.map_or_else(
        || "what was expected to fail did not".to_owned(),
        |finding| format!("{}: {}", finding.invariant, finding.message),
    )
}

/// A reason without numbers, so that those of one kind are counted together.
fn kind(text: &str) -> String {
    let mut kind = String::new();
    for letter in text.chars().take(100) {
        let letter = if letter.is_ascii_digit() { '#' } else { letter };
        if letter != '#' || !kind.ends_with('#') {
            kind.push(letter);
        }
    }
    kind
}
