//! `junit.xml`: met is a success, unexpected a failure, unknown an error, skipped skipped. One
//! suite a scenario, one case a trial. The one file that touches quick-junit.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::finding;
use super::model::{RunReport, TrialReport};
use super::table::{Detail, blame};
use super::text;
use crate::check::{Outcome, Verdict};

/// The report as XML. It says no times of single trials: those of a simulation are virtual.
pub fn render(report: &RunReport) -> String {
    let mut xml = Report::new(format!("shakedown {}", report.run));
    xml.set_time(Duration::from_millis(report.took));
    let mut names: Vec<&str> = Vec::new();
    for trial in &report.trials {
        if !names.contains(&trial.scenario.as_str()) {
            names.push(&trial.scenario);
        }
    }
    for name in names {
        let trials = report.trials.iter().filter(|trial| trial.scenario == name);
        let mut suite = TestSuite::new(name);
        suite.add_test_cases(trials.map(case));
        for never in &report.never_failed {
            if never.case.split('/').next() == Some(name) {
                suite.add_test_case(never_failed(never));
            }
        }
        xml.add_test_suite(suite);
    }
    let mut text = xml.to_string().unwrap_or_default();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn case(trial: &TrialReport) -> TestCase {
    let mut status = match trial.outcome {
        Outcome::Met => TestCaseStatus::success(),
        Outcome::Unexpected => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Outcome::Unknown => TestCaseStatus::non_success(NonSuccessKind::Error),
        Outcome::Skipped => TestCaseStatus::skipped(),
    };
    let said = match trial.outcome {
        Outcome::Met => None,
        Outcome::Unexpected => {
            let judgement = trial.judgement.as_ref();
            let details = judgement.map(|judgement| finding::judged(judgement, Detail::Verbose));
            status.set_type(text::verdict(trial.verdict, trial.outcome));
            Some((
                headline(trial),
                details.map(|text| anstream::adapter::strip_str(&text).to_string()),
            ))
        }
        Outcome::Unknown | Outcome::Skipped => {
            let lines: Vec<String> = trial
                .reasons()
                .iter()
                .map(|reason| format!("{} ({})", reason.text, blame(reason.blame)))
                .collect();
            Some((lines.first().cloned().unwrap_or_default(), Some(lines.join("\n"))))
        }
    };
    if let Some((message, details)) = said {
        status.set_message(message);
        if let Some(details) = details.filter(|_| trial.outcome != Outcome::Skipped) {
            status.set_description(details);
        }
    }
    let name = match trial.params.is_empty() {
        true => format!("{} seed {}", trial.subject, trial.seed),
        false => format!("{} {} seed {}", trial.params, trial.subject, trial.seed),
    };
    let mut case = TestCase::new(name, status);
    case.set_classname(trial.scenario.as_str());
    case.add_property(Property::new("verdict", trial.verdict.word()));
    case.add_property(Property::new("outcome", text::word(trial.outcome)));
    let requirements = trial.judgement.iter().flat_map(|judgement| &judgement.requirements);
    for requirement in requirements {
        let expected = if requirement.expected_to_fail { ", expected to fail" } else { "" };
        let value = format!("{}{expected}", requirement.verdict.word());
        case.add_property(Property::new(requirement.id.as_str(), value));
    }
    if let Some(folder) = &trial.folder {
        case.add_property(Property::new("plan", format!("{folder}/plan.json")));
    }
    case
}

fn headline(trial: &TrialReport) -> String {
    let checks = trial.judgement.iter().flat_map(|judgement| &judgement.checks);
    let failed = checks.filter(|check| check.verdict == Verdict::Fail);
    let first = failed.flat_map(|check| &check.findings).next();
    match first {
        Some(finding) => format!("{}: {}", finding.invariant, finding.message),
        None => text::verdict(trial.verdict, trial.outcome),
    }
}

fn never_failed(never: &super::model::NeverFailed) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(format!(
        "{} was expected to fail in at least one seed, and held in all {}",
        never.requirement, never.trials
    ));
    TestCase::new(format!("{} across seeds {}", never.case, never.requirement), status)
}
