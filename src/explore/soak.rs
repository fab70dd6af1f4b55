//! What many trials say together: outcomes, why trials were undecided, how often faults took
//! effect, and why what is expected to fail does. Only counts are kept, and an example of each.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kubesim_model::Text;

use crate::check::{Judgement, Outcome, Verdict};
use crate::plan::Trial;
use crate::run::TrialOutcome;

/// Unexpected trials that are named; the rest is counted.
const NAMED: usize = 100;
/// A fault should take effect in this share of its trials, in percent.
const BITE: f64 = 90.0;

/// Counts over trials.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Trials that were run or skipped.
    pub trials: u64,
    /// Trials that were as expected.
    pub met: u64,
    /// Trials that were not.
    pub unexpected: u64,
    /// Trials that were undecided.
    pub unknown: u64,
    /// Trials that were skipped.
    pub skipped: u64,
    seeds: Option<(u64, u64)>,
    named: Vec<Odd>,
    /// By why they were undecided, without particulars.
    reasons: BTreeMap<String, Kind>,
    /// By fault: in how many trials it was to take effect, and in how many it did.
    faults: BTreeMap<Text, (u64, u64)>,
    /// By case and requirement, of those that are expected to fail.
    expected: BTreeMap<(String, String), Expected>,
}

/// An unexpected trial.
#[derive(Clone, Debug)]
struct Odd {
    name: String,
    why: String,
    again: String,
}

/// Trials of one kind.
#[derive(Clone, Debug, Default)]
struct Kind {
    trials: u64,
    again: String,
}

/// A requirement that is expected to fail.
#[derive(Clone, Debug, Default)]
struct Expected {
    decided: u64,
    failed: u64,
    may_hold: bool,
    /// What was found, without particulars.
    findings: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts a trial.
    pub fn take(&mut self, trial: &Trial, outcome: &TrialOutcome) {
        self.trials += 1;
        let (first, last) = self.seeds.unwrap_or((trial.seed, trial.seed));
        self.seeds = Some((first.min(trial.seed), last.max(trial.seed)));
        if let TrialOutcome::Judged(result) = outcome {
            self.judged(trial, &result.judgement);
        }
        match outcome.outcome() {
            Outcome::Met => self.met += 1,
            Outcome::Skipped => self.skipped += 1,
            Outcome::Unexpected => {
                self.unexpected += 1;
                if self.named.len() < NAMED {
                    let (name, why) = (trial.name(), why_unexpected(outcome));
                    self.named.push(Odd { name, why, again: again(trial) });
                }
            }
            Outcome::Unknown => {
                self.unknown += 1;
                let kind = self.reasons.entry(without_particulars(&why_unknown(outcome)));
                let kind = kind.or_insert_with(|| Kind { trials: 0, again: again(trial) });
                kind.trials += 1;
            }
        }
    }

    fn judged(&mut self, trial: &Trial, judgement: &Judgement) {
        for fault in &judgement.faults {
            let (of, bit) = self.faults.entry(fault.name.clone()).or_default();
            *of += 1;
            *bit += u64::from(fault.bit);
        }
        for requirement in judgement.requirements.iter().filter(|r| r.expected_to_fail) {
            let expected = self.expected.entry((trial.case(), requirement.id.clone())).or_default();
            expected.decided += u64::from(requirement.verdict != Verdict::Unknown);
            expected.may_hold = requirement.may_hold;
            if requirement.verdict != Verdict::Fail {
                continue;
            }
            expected.failed += 1;
            let mut checks = judgement.checks.iter();
            let check = checks.find(|check| {
                check.verdict == Verdict::Fail && requirement.decided_by.contains(&check.name)
            });
            let finding = check.and_then(|check| check.findings.first());
            if let Some(finding) = finding {
                let text = format!("{}: {}", finding.invariant, finding.message);
                *expected.findings.entry(without_particulars(&text)).or_default() += 1;
            }
        }
    }

    /// What was expected to fail in at least one seed and failed in none: case and requirement.
    pub fn never_failed(&self) -> impl Iterator<Item = &(String, String)> {
        let never = |e: &Expected| e.decided > 0 && e.failed == 0 && !e.may_hold;
        let never = self.expected.iter().filter(move |(_, expected)| never(expected));
        never.map(|(what, _)| what)
    }

    /// The counts as text.
    pub fn text(&self) -> String {
        let (first, last) = self.seeds.unwrap_or_default();
        let mut text = format!(
            "{} trials, seeds {first} to {last}: {} as expected, {} unexpected, {} unknown \
             ({:.2} %), {} skipped\n",
            self.trials,
            self.met,
            self.unexpected,
            self.unknown,
            percent(self.unknown, self.trials),
            self.skipped,
        );
        self.faults_text(&mut text);
        self.expected_text(&mut text);
        if !self.reasons.is_empty() {
            text.push_str("\nunknown, by reason\n");
        }
        for (reason, kind) in &self.reasons {
            let share = percent(kind.trials, self.trials);
            let _ = writeln!(text, "  {:>6}  {share:>5.2} %  {reason}", kind.trials);
            let _ = writeln!(text, "  {:17}{}", "", kind.again);
        }
        if self.unexpected > 0 {
            text.push_str("\nunexpected\n");
        }
        for odd in &self.named {
            let _ = writeln!(text, "  {}\n    {}\n    {}", odd.name, odd.why, odd.again);
        }
        let unnamed = self.unexpected - self.named.len() as u64;
        if unnamed > 0 {
            let _ = writeln!(text, "  and {unnamed} more");
        }
        for (case, requirement) in self.never_failed() {
            let _ = writeln!(text, "\n{case}: {requirement} was expected to fail and never did");
        }
        text
    }

    fn faults_text(&self, text: &mut String) {
        if self.faults.is_empty() {
            return;
        }
        let width = self.faults.keys().map(|fault| fault.len()).max().unwrap_or(0);
        let _ = writeln!(text, "\n{:width$}  {:>7}  took effect in", "fault", "trials");
        for (fault, (of, bit)) in &self.faults {
            let share = percent(*bit, *of);
            let mark = if share < BITE { "  under 90 %" } else { "" };
            let _ = writeln!(text, "{fault:width$}  {of:>7}  {bit:>7}  {share:>5.1} %{mark}");
        }
    }

    fn expected_text(&self, text: &mut String) {
        if !self.expected.is_empty() {
            text.push_str("\nexpected to fail\n");
        }
        for ((case, requirement), expected) in &self.expected {
            let Expected { decided, failed, findings, .. } = expected;
            let _ = writeln!(text, "  {case}  {requirement}: {failed} of {decided}");
            for (finding, times) in findings {
                let _ = writeln!(text, "  {times:>6}  {finding}");
            }
        }
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

/// The command that repeats a trial, beside the other rows of its scenario.
fn again(trial: &Trial) -> String {
    let (file, subject) = (&trial.source.path, &trial.subject.name.value);
    format!("shakedown run {file} --subject {subject} --seed {}", trial.seed)
}

fn why_unexpected(outcome: &TrialOutcome) -> String {
    let (result, when) = match outcome {
        TrialOutcome::Judged(result) => (result, ""),
        TrialOutcome::BaselineFailed(result) => (result, "without faults: "),
        _ => return String::new(),
    };
    let finding = result.judgement.unexpected_failures().find_map(|check| check.findings.first());
    finding.map_or_else(
        || "what was expected to fail did not".to_owned(),
        |finding| format!("{when}{}: {}", finding.invariant, finding.message),
    )
}

fn why_unknown(outcome: &TrialOutcome) -> String {
    match outcome {
        TrialOutcome::Environment(why) => format!("the environment failed: {why}"),
        TrialOutcome::Broken(why) => format!("the harness failed: {why}"),
        TrialOutcome::Skipped(why) => why.clone(),
        TrialOutcome::Judged(result) => first_reason(&result.judgement),
        TrialOutcome::BaselineFailed(result) => {
            format!("without faults: {}", first_reason(&result.judgement))
        }
    }
}

fn first_reason(judgement: &Judgement) -> String {
    let of_checks = judgement.checks.iter().flat_map(|check| &check.reasons);
    let reason = judgement.reasons.iter().chain(of_checks).next();
    let text = reason.map(|reason| reason.text.clone());
    text.unwrap_or_else(|| "a requirement that no check of the scenario decides".to_owned())
}

/// A text without its numbers and names, so that those of one kind are counted together.
fn without_particulars(text: &str) -> String {
    let is_particular = |word: &str| word.chars().any(|letter| letter.is_ascii_digit());
    let words = text.split(' ').map(|word| if is_particular(word) { "…" } else { word });
    let mut kind: Vec<&str> = words.take(30).collect();
    kind.dedup_by(|a, b| a == b && *a == "…");
    kind.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_in_numbers_and_names_alone_are_of_one_kind() {
        let kind = |pod: &str, n: u32| {
            without_particulars(&format!("pod default/{pod} runs for {n} s after {n} ms"))
        };
        assert_eq!(kind("web-7f8c-x2", 4), kind("web-0", 17));
        assert_eq!(kind("web-0", 1), "pod … runs for … s after … ms");
    }

    #[test]
    fn a_fault_that_takes_effect_too_rarely_is_marked() {
        let mut tally = Tally::default();
        tally.faults.insert("node-crash".into(), (10, 9));
        tally.faults.insert("never-ready".into(), (10, 8));
        let text = tally.text();
        let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or("");
        assert!(!line("node-crash").contains("under"), "{text}");
        assert!(line("never-ready").contains("80.0 %  under 90 %"), "{text}");
    }

    #[test]
    fn what_never_fails_though_it_was_expected_to_is_told() {
        let mut tally = Tally::default();
        let what = |case: &str| (case.to_owned(), "CONV-2".to_owned());
        let expected = |failed| Expected { decided: 5, failed, ..Expected::default() };
        tally.expected.insert(what("fails"), expected(1));
        tally.expected.insert(what("never"), expected(0));
        assert_eq!(tally.never_failed().collect::<Vec<_>>(), [&what("never")]);
        assert!(tally.text().contains("never: CONV-2 was expected to fail and never did"));
    }
}
