//! `shakedown replay`: repeats a trial from its plan. Beside the plan of a run the recorded history
//! is compared, byte for byte.

use camino::{Utf8Path, Utf8PathBuf};

use super::args::{ProviderArgs, ReplayArgs, Timings};
use super::catalogue;
use super::exit_code::Exit;
use super::provider::provider;
use super::run::exit_of_trial;
use super::terminal::Terminal;
use crate::cluster::Capability;
use crate::plan::{StoredPlan, Trial};
use crate::report::folder::write_history;
use crate::report::model::TrialReport;
use crate::report::table::{Detail, blame};
use crate::report::text::{BOLD, DIM, GOOD, OPEN, mark, span, style_of, styled, verdict};
use crate::report::{finding, narrate, timeline};
use crate::run::{TrialOutcome, TrialResult, record_trial};

/// Plans are small; what is larger is none.
const PLAN_BYTES: u64 = 64 << 20;

/// Repeats the trial that `args` name.
pub(super) fn command(args: &ReplayArgs, detail: Detail, verbose: u8) -> Exit {
    let plan = match read(args) {
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
    let trial = match plan.trial() {
        Ok(trial) => trial,
        Err(found) => return catalogue::invalid(&found),
    };
    if !trial.commands().is_empty() && !args.allow_scripts {
        return runs_programs(args, &trial);
    }
    let timings = if plan.pace.is_ordinary() { Timings::Standard } else { Timings::Short };
    let real = ProviderArgs { timings, ..args.real.clone() };
    let provider = match provider(&plan.provider, &real) {
        Ok(provider) => provider,
        Err(exit) => return exit,
    };
    let result = match record_trial(&trial, plan.baseline, provider.as_ref()) {
        Ok(result) => result,
        Err(error) => {
            Terminal.error(format!("the environment failed: {error}"), "");
            return Exit::Environment;
        }
    };
    if detail == Detail::Verbose {
        Terminal.print(&timeline::render(&result.history));
        Terminal.print(&narrate::render(&result.history, &trial.subject, verbose > 1));
    }
    let bytes = recorded(&result);
    // Real clusters repeat nothing exactly, and programs may say something else.
    let is_repeatable = provider.capabilities().has(Capability::Repeatable);
    let exact = compared(&args.plan, &bytes).filter(|_| is_repeatable);
    if let Some(output) = &args.output
        && let Err(error) = write_history(output, &result.history)
    {
        Terminal.error(&error, "");
        return Exit::Environment;
    }
    let outcome = TrialOutcome::Judged(Box::new(result));
    let mut report = TrialReport::new(&trial, &outcome, None);
    report.name = plan.trial.clone();
    report.history = Some(args.plan.to_string());
    if detail != Detail::Quiet || exit_of_trial(&report) != Exit::Met {
        Terminal.print(&told(&report, exact, detail));
    }
    let drifted = exact == Some(false) && plan.is_exact().is_ok() && trial.scripts().is_empty();
    exit_of_trial(&report).worst(if drifted { Exit::Internal } else { Exit::Met })
}

/// A plan from somebody else must not run programs unasked.
fn runs_programs(args: &ReplayArgs, trial: &Trial) -> Exit {
    let mut what = format!("`{}` runs programs:", args.plan);
    for (folder, command) in trial.commands() {
        let folder = if folder.as_str().is_empty() { "." } else { folder.as_str() };
        what.push_str(&format!("\n  in `{folder}`: {command}"));
    }
    Terminal.error(what, "if you trust whoever made the plan, --allow-scripts runs them");
    Exit::Invalid
}

fn read(args: &ReplayArgs) -> Result<StoredPlan, Exit> {
    let path = &args.plan;
    let text = text_of(path).map_err(|error| {
        Terminal.error(
            format!("`{path}` can't be read: {error}"),
            "plans are the files `plan.json` in `reports/RUN/TRIAL/`",
        );
        Exit::Invalid
    })?;
    let plan = StoredPlan::parse(&text).map_err(|error| {
        Terminal.error(format!("`{path}`: {error}"), "replay it with the version that wrote it");
        Exit::Invalid
    })?;
    if let Err(error) = plan.is_exact() {
        if !args.allow_drift {
            let help = format!("{} wrote it; --allow-drift runs it all the same", plan.tool);
            Terminal.error(format!("`{path}`: {error}"), &help);
            return Err(Exit::Invalid);
        }
        Terminal.note(&styled(OPEN, format!("inexact: {error}")));
    }
    Ok(plan)
}

fn text_of(path: &Utf8Path) -> std::io::Result<String> {
    let size = std::fs::metadata(path)?.len();
    if size > PLAN_BYTES {
        let message = format!("it has {size} bytes, more than the limit of {PLAN_BYTES}");
        return Err(std::io::Error::other(message));
    }
    std::fs::read_to_string(path)
}

fn recorded(result: &TrialResult) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to memory does not fail; a history that is cut off would only differ.
    let _ = result.history.write(&mut bytes);
    bytes
}

/// Whether the history is that beside the plan; `None` if there is none.
fn compared(plan: &Utf8Path, bytes: &[u8]) -> Option<bool> {
    let beside: Utf8PathBuf = plan.with_file_name("history.jsonl");
    let stored = std::fs::read(beside).ok()?;
    Some(stored == bytes)
}

fn told(report: &TrialReport, exact: Option<bool>, detail: Detail) -> String {
    let lasted = report.judgement.as_ref().map_or(0, |judgement| judgement.ended);
    let mut text = format!(
        "{} {}: {} {}\n",
        styled(style_of(report.outcome), mark(report.outcome)),
        styled(BOLD, &report.name),
        verdict(report.verdict, report.outcome),
        styled(DIM, format!("({})", span(lasted))),
    );
    if let Some(judgement) = &report.judgement {
        text.push_str(&finding::judged(judgement, detail));
    }
    for reason in report.reasons() {
        text.push_str(&format!("  {} {}\n", reason.text, styled(DIM, blame(reason.blame))));
    }
    match exact {
        Some(true) => {
            let same = "the history is the recorded one, byte for byte";
            text.push_str(&format!("  {}\n", styled(GOOD, same)));
        }
        Some(false) => {
            let other = "the history differs from the recorded one";
            text.push_str(&format!("  {}\n", styled(OPEN, other)));
        }
        None => {}
    }
    text
}
