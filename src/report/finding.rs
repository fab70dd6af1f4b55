//! What is said of a trial that did not go as expected: the findings with their proof, and the
//! command that repeats it.

use kubesim_model::Text;

use super::model::TrialReport;
use super::table::Detail;
use super::text::{BAD, BOLD, DIM, NAME, count, styled, time, wrapped};
use crate::check::{CheckResult, Finding, Judgement, Verdict};

/// So many findings of a check are told in full.
const TOLD: usize = 2;

/// A trial with an unexpected outcome.
pub fn trial(trial: &TrialReport, folder: Option<&str>, detail: Detail) -> String {
    let head = match trial.baseline {
        true => format!("✗ {} without its faults (the baseline)", trial.case()),
        false => format!("✗ {}", trial.name),
    };
    let mut text = format!("{}\n", styled(BAD, head));
    if let Some(reason) = &trial.reason {
        text.push_str(&format!("  {}\n", wrapped(&reason.text, 96).replace('\n', "\n  ")));
    }
    if let Some(judgement) = &trial.judgement {
        text.push_str(&judged(judgement, detail));
    }
    if let (Some(run), Some(own)) = (folder, &trial.folder) {
        for log in &trial.logs {
            text.push_str(&format!("  {} {run}/{own}/{log}\n", styled(DIM, "what it printed:")));
        }
    }
    let (what, command) = match (&trial.history, folder, &trial.folder) {
        (Some(history), ..) => ("judge it again with", format!("shakedown check {history}")),
        (_, Some(run), Some(own)) => {
            let scripts = if trial.runs_commands { " --allow-scripts" } else { "" };
            let plan = format!("{run}/{own}/plan.json");
            ("repeat it with", format!("shakedown replay --verbose{scripts} {plan}"))
        }
        _ => ("repeat it with", again(trial)),
    };
    let seed = styled(DIM, format!("seed {}; {what}", trial.seed));
    text.push_str(&format!("  {seed}\n    {}\n", styled(NAME, command)));
    text
}

/// The command that runs a trial of which nothing was written.
fn again(trial: &TrialReport) -> String {
    format!("shakedown run {} --subject {} --seed {}", trial.file, trial.subject, trial.seed)
}

/// What the judge found that was not expected.
pub fn judged(judgement: &Judgement, detail: Detail) -> String {
    let mut text = String::new();
    for requirement in &judgement.requirements {
        let must_fail = requirement.expected_to_fail && !requirement.may_hold;
        if must_fail && requirement.verdict == Verdict::Pass {
            let id = styled(NAME, &requirement.id);
            let by = requirement.decided_by.iter().map(Text::as_str).collect::<Vec<_>>().join(", ");
            text.push_str(&format!("  {id} was expected to fail, and held ({by})\n"));
        }
    }
    for check in judgement.checks.iter().filter(|check| check.verdict == Verdict::Fail) {
        text.push_str(&of_check(check, judgement, detail));
    }
    text
}

fn of_check(check: &CheckResult, judgement: &Judgement, detail: Detail) -> String {
    let mut decides = judgement.requirements.iter().filter(|r| r.decided_by.contains(&check.name));
    let all: Vec<&str> = decides.clone().map(|r| r.id.as_str()).collect();
    let expected = !all.is_empty() && decides.all(|r| r.expected_to_fail);
    let ids = if all.is_empty() { String::new() } else { format!("  {}", all.join(", ")) };
    let note = if expected { "  (expected)" } else { "" };
    let mut text = format!("  {}{}\n", styled(BOLD, &check.name), styled(DIM, ids + note));
    let most = match (detail, expected) {
        (Detail::Verbose, _) => usize::MAX,
        (_, true) => 1,
        (_, false) => TOLD,
    };
    let told = check.findings.iter().take(most);
    told.clone().for_each(|finding| text.push_str(&one(finding)));
    let rest = check.violations.saturating_sub(told.count() as u64);
    if rest > 0 {
        let rest = count(usize::try_from(rest).unwrap_or(usize::MAX), "more finding");
        text.push_str(&format!("    {}\n", styled(DIM, format!("and {rest} of it"))));
    }
    text
}

/// One finding: what, where and when, value against limit, and the faults open then.
pub fn one(finding: &Finding) -> String {
    let mut text = String::new();
    let message = wrapped(&finding.message, 94).replace('\n', "\n    ");
    text.push_str(&format!("    {message}\n"));
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            let value = wrapped(value, 82).replace('\n', &format!("\n{}", " ".repeat(14)));
            text.push_str(&format!("      {} {value}\n", styled(DIM, format!("{name:<7}"))));
        }
    };
    let rv = match finding.rv {
        0 => String::new(),
        rv => format!(", resourceVersion {rv}"),
    };
    line("event", &format!("{} at {}: {}{rv}", finding.n, time(finding.t), finding.object));
    line("by", &finding.actor);
    let value = match (finding.value.as_str(), finding.limit.as_str()) {
        ("", _) => String::new(),
        (value, "") => value.to_owned(),
        (value, limit) => format!("{value}, limit {limit}"),
    };
    line("value", &value);
    let none = "none".to_owned();
    let faults = if finding.faults.is_empty() { none } else { finding.faults.join("; ") };
    line("faults", &faults);
    let evidence: Vec<String> = finding.evidence.iter().take(8).map(u64::to_string).collect();
    let more = if finding.evidence.len() > 8 { ", …" } else { "" };
    if !evidence.is_empty() {
        line("see", &format!("events {}{more}", evidence.join(", ")));
    }
    text
}
