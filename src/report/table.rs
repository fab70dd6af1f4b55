//! The table of verdicts and what stands below it: findings, what is undecided, what was skipped,
//! and the sum. Trials of one case that went the same way are one line.

use std::collections::BTreeMap;

use super::finding;
use super::model::{NeverFailed, RunReport, TrialReport};
use super::text::{BAD, BOLD, DIM, NAME, OPEN, count, mark, span, style_of, styled};
use super::text::{verdict, word, wrapped};
use crate::check::{Blame, Outcome, Reason, Verdict};

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Only what did not go as expected.
    Quiet,
    /// Everything, with the same things folded.
    Normal,
    /// Every trial in a line of its own, every finding.
    Verbose,
}

/// So many unexpected trials are told in full; the rest is in the folder.
const TOLD: usize = 10;

/// So many cases are named of each reason for which something is undecided.
const CASES: usize = 4;

/// The whole report. `folder` is where the run was written, as the user would type it.
pub fn render(report: &RunReport, folder: Option<&str>, detail: Detail) -> String {
    let mut text = trials(&report.trials, folder, detail);
    text.push_str(&expectations(&report.never_failed));
    if detail != Detail::Quiet {
        text.push_str(&skipped(report));
        text.push_str(&served(report));
    }
    let nothing_wrong = report.counts.unexpected + report.counts.unknown == 0
        && report.never_failed.is_empty()
        && !report.interrupted;
    if detail != Detail::Quiet || !nothing_wrong {
        text.push_str(&sum(report, folder));
    }
    text
}

/// The table of trials with their findings and what is undecided of them.
pub fn trials(trials: &[TrialReport], folder: Option<&str>, detail: Detail) -> String {
    let mut text = String::new();
    let rows = rows(trials, detail);
    if !rows.is_empty() {
        text.push_str(&table(&rows));
        text.push('\n');
    }
    text.push_str(&findings(trials, folder, detail));
    text.push_str(&undecided(trials, detail));
    text
}

/// Trials in one line.
struct Row<'a> {
    first: &'a TrialReport,
    seeds: Vec<u64>,
    longest: u64,
}

fn rows(trials: &[TrialReport], detail: Detail) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for trial in trials {
        if detail == Detail::Quiet && matches!(trial.outcome, Outcome::Met | Outcome::Skipped) {
            continue;
        }
        let ended = trial.lasted();
        let same = |row: &&mut Row<'_>| {
            let first = row.first;
            detail != Detail::Verbose
                && (first.outcome, first.verdict) == (trial.outcome, trial.verdict)
                && first.baseline == trial.baseline
                && first.case() == trial.case()
        };
        // Only the last lines can be of the same case.
        match rows.iter_mut().rev().take(4).find(same) {
            Some(row) => {
                row.seeds.push(trial.seed);
                row.longest = row.longest.max(ended);
            }
            None => rows.push(Row { first: trial, seeds: vec![trial.seed], longest: ended }),
        }
    }
    rows
}

fn table(rows: &[Row<'_>]) -> String {
    const HEADS: [&str; 7] = ["", "SCENARIO", "PARAMETERS", "SUBJECT", "SEED", "VERDICT", "LASTED"];
    let cells = |row: &Row<'_>| -> [String; 7] {
        let trial = row.first;
        let baseline = if trial.baseline { " (baseline)" } else { "" };
        let lasted = if row.longest == 0 { String::new() } else { span(row.longest) };
        [
            mark(trial.outcome).to_owned(),
            trial.scenario.clone(),
            trial.params.clone(),
            trial.subject.clone(),
            seeds(&row.seeds),
            format!("{}{baseline}", verdict(trial.verdict, trial.outcome)),
            lasted,
        ]
    };
    let cells: Vec<[String; 7]> = rows.iter().map(cells).collect();
    let width = |column: usize| {
        let longest = cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        if longest == 0 { 0 } else { longest.max(HEADS[column].len()) }
    };
    let widths: [usize; 7] = std::array::from_fn(width);
    let line = |row: &[String; 7]| {
        let parts = row.iter().zip(widths).filter(|(_, width)| *width > 0);
        let line: Vec<String> = parts.map(|(cell, width)| format!("{cell:width$}")).collect();
        line.join("  ").trim_end().to_owned()
    };
    let heads = styled(DIM, line(&HEADS.map(str::to_owned)));
    let mut text = format!("{heads}\n");
    for (row, cells) in rows.iter().zip(&cells) {
        let outcome = row.first.outcome;
        let line = line(cells);
        let (head, rest) = line.split_at(line.chars().next().map_or(0, char::len_utf8));
        let rest = match outcome {
            Outcome::Skipped => styled(DIM, rest),
            Outcome::Unexpected => styled(BOLD, rest),
            _ => rest.to_owned(),
        };
        text.push_str(&format!("{}{rest}\n", styled(style_of(outcome), head)));
    }
    text
}

/// `7`, `1-100`, `1, 4, 9`, or `1-100 (37 of them)`.
fn seeds(seeds: &[u64]) -> String {
    match seeds {
        [] => String::new(),
        [one] => one.to_string(),
        [first, .., last] if last - first == seeds.len() as u64 - 1 => format!("{first}-{last}"),
        few if few.len() <= 4 => few.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
        [first, .., last] => format!("{first}-{last} ({} of them)", seeds.len()),
    }
}

fn findings(trials: &[TrialReport], folder: Option<&str>, detail: Detail) -> String {
    let most = if detail == Detail::Verbose { usize::MAX } else { TOLD };
    let mut told: Vec<String> = Vec::new();
    let mut text = String::new();
    let mut more = 0;
    for trial in trials.iter().filter(|trial| trial.outcome == Outcome::Unexpected) {
        // A baseline is the same for all seeds; of other trials of a case one is enough.
        let again = detail != Detail::Verbose && told.contains(&trial.case());
        if again || told.len() >= most {
            more += 1;
            continue;
        }
        told.push(trial.case());
        text.push_str(&finding::trial(trial, folder, detail));
        text.push('\n');
    }
    if more > 0 {
        let where_ = folder.map(|folder| format!("; all are in {folder}/run.json"));
        let trials = count(more, "more unexpected trial");
        text.push_str(&format!("{trials} not shown{}\n\n", where_.unwrap_or_default()));
    }
    text
}

/// What is said of expectations over all seeds that were not met.
pub fn expectations(never: &[NeverFailed]) -> String {
    let line = |never: &NeverFailed| {
        let head = styled(BAD, format!("✗ {}", never.case));
        let what = format!(
            "{} was expected to fail in at least one seed, and held in all {}; try --trials",
            styled(NAME, &never.requirement),
            never.trials
        );
        format!("{head}\n  {what}\n\n")
    };
    never.iter().map(line).collect()
}

/// What is undecided, by reason: a mistake in a suite or subject often hits many trials.
fn undecided(trials: &[TrialReport], detail: Detail) -> String {
    let mut reasons: Vec<(&Reason, BTreeMap<String, Vec<u64>>)> = Vec::new();
    for trial in trials.iter().filter(|trial| trial.outcome == Outcome::Unknown) {
        for reason in trial.reasons() {
            let at = match reasons.iter().position(|(have, _)| *have == reason) {
                Some(at) => at,
                None => {
                    reasons.push((reason, BTreeMap::new()));
                    reasons.len() - 1
                }
            };
            reasons[at].1.entry(trial.case()).or_default().push(trial.seed);
        }
    }
    let most = if detail == Detail::Verbose { usize::MAX } else { CASES };
    let mut text = String::new();
    for (reason, cases) in reasons {
        let who = styled(DIM, format!("(undecided {})", blame(reason.blame)));
        let said = wrapped(&reason.text, 92).replace('\n', "\n  ");
        text.push_str(&format!("{} {said} {who}\n", styled(OPEN, "?")));
        for (case, all) in cases.iter().take(most) {
            let noun = if all.len() == 1 { "seed" } else { "seeds" };
            let where_ = styled(DIM, format!("{noun} {}", seeds(all)));
            text.push_str(&format!("    {case}  {where_}\n"));
        }
        if cases.len() > most {
            let rest = count(cases.len() - most, "more case");
            text.push_str(&format!("    {}\n", styled(DIM, format!("and {rest}"))));
        }
        text.push('\n');
    }
    text
}

/// The word for who is to blame.
pub fn blame(blame: Blame) -> &'static str {
    match blame {
        Blame::Suite => "by the suite",
        Blame::Environment => "by the environment",
        Blame::Subject => "by the subject",
        Blame::Harness => "by the harness",
    }
}

fn skipped(report: &RunReport) -> String {
    let mut grouped: BTreeMap<&str, usize> = BTreeMap::new();
    for trial in report.trials.iter().filter(|trial| trial.verdict == Verdict::Skipped) {
        let reason = trial.reason.as_ref().map_or("", |reason| reason.text.as_str());
        *grouped.entry(reason).or_default() += 1;
    }
    let line = |(reason, number): (&str, usize)| {
        styled(DIM, format!("- {} skipped: {reason}", count(number, "trial"))) + "\n"
    };
    let text: String = grouped.into_iter().map(line).collect();
    if text.is_empty() { text } else { text + "\n" }
}

/// That the time of some trials was not virtual, though what they ran in was simulated.
fn served(report: &RunReport) -> String {
    let is_served = |trial: &&TrialReport| {
        let provider = trial.provider.as_ref().unwrap_or(&report.provider);
        provider == "served" && trial.lasted() > 0
    };
    match report.trials.iter().filter(is_served).count() {
        0 => String::new(),
        number => {
            let trials = count(number, "trial");
            let what = "in wall-clock time, so not bit-exact: a replay may go another way";
            styled(DIM, format!("- {trials} on `served`, {what}")) + "\n\n"
        }
    }
}

fn sum(report: &RunReport, folder: Option<&str>) -> String {
    let counts = report.counts;
    let mut parts = Vec::new();
    for (number, outcome) in [
        (counts.met, Outcome::Met),
        (counts.unexpected, Outcome::Unexpected),
        (counts.unknown, Outcome::Unknown),
        (counts.skipped, Outcome::Skipped),
    ] {
        if number > 0 {
            parts.push(styled(style_of(outcome), format!("{number} {}", word(outcome))));
        }
    }
    if parts.is_empty() {
        parts.push("nothing was run".to_owned());
    }
    let simulated = report.trials.iter().filter(|trial| trial.provider.is_none());
    let virtual_time: u64 = simulated.map(TrialReport::lasted).sum();
    let trials = styled(BOLD, count(report.trials.len(), "trial"));
    let lasted = match report.provider.as_str() {
        "sim" if virtual_time > 0 => format!(" ({} of virtual time)", span(virtual_time)),
        _ => String::new(),
    };
    // What was not run now did not take any time worth telling.
    let took = match report.started.is_empty() {
        true => String::new(),
        false => format!(" in {}", span(report.took)),
    };
    let mut text = format!("{trials}: {}{took}{lasted}\n", parts.join(", "));
    if report.interrupted {
        let rest = report.planned.saturating_sub(report.trials.len());
        text.push_str(&styled(OPEN, format!("ended early: {} not run", count(rest, "trial"))));
        text.push('\n');
    }
    if let Some(folder) = folder {
        text.push_str(&format!("{} {folder}\n", styled(DIM, "written to")));
    }
    text
}
