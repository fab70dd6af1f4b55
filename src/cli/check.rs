//! `shakedown check`: judges stored histories again. Runs nothing.

use std::fs::File;
use std::io::{self, BufReader};

use camino::{Utf8Path, Utf8PathBuf};

use super::args::{CheckArgs, Format};
use super::catalogue;
use super::exit_code::Exit;
use super::run::exit_of;
use super::terminal::Terminal;
use crate::check::{Observed, judge};
use crate::history::{History, Limits, ReadError};
use crate::plan::{REVISION, Trial, Workspace, trial_of};
use crate::report::folder::json;
use crate::report::junit;
use crate::report::model::{RUN_SCHEMA, RunReport, TrialReport, counts};
use crate::report::table::{self, Detail};
use crate::run::{TrialOutcome, TrialResult};
use crate::suite::{Scenario, resolve, rows};

/// The file of a trial's history in its folder.
const HISTORY: &str = "history.jsonl";

/// Judges the histories that `args` name. One that can't be read hinders no other.
pub(super) fn command(args: &CheckArgs, detail: Detail) -> Exit {
    let over = match args.scenario.as_deref().map(scenario).transpose() {
        Ok(over) => over,
        Err(exit) => return exit,
    };
    let (paths, mut exit) = found(&args.histories);
    let mut trials = Vec::new();
    for path in &paths {
        match judged(path, over.as_ref()) {
            Ok(trial) => trials.push(trial),
            Err(wrong) => exit = exit.worst(wrong),
        }
    }
    if trials.is_empty() {
        return exit;
    }
    let report = RunReport {
        schema: RUN_SCHEMA.to_owned(),
        tool: concat!("shakedown ", env!("CARGO_PKG_VERSION")).to_owned(),
        revision: REVISION.to_owned(),
        run: "check".to_owned(),
        started: String::new(),
        took: 0,
        provider: String::new(),
        planned: paths.len(),
        interrupted: false,
        counts: counts(&trials),
        never_failed: Vec::new(),
        trials,
    };
    match args.format {
        Format::Human => Terminal.print(&table::render(&report, None, detail)),
        Format::Json => Terminal.print(&json(&report)),
        Format::Junit => Terminal.print(&junit::render(&report)),
    }
    exit.worst(exit_of(&report))
}

/// The histories that are meant: of a folder those in it and in the folders of its trials.
fn found(given: &[Utf8PathBuf]) -> (Vec<Utf8PathBuf>, Exit) {
    let (mut paths, mut exit) = (Vec::new(), Exit::Met);
    for path in given {
        if !path.is_dir() {
            paths.push(path.clone());
            continue;
        }
        match in_folder(path) {
            Ok(inside) if !inside.is_empty() => paths.extend(inside),
            Ok(_) => {
                let help = "give a run, a trial of it, or the file itself";
                Terminal.error(format!("`{path}` holds no `{HISTORY}`"), help);
                exit = Exit::Invalid;
            }
            Err(error) => {
                Terminal.error(format!("`{path}` can't be read: {error}"), "");
                exit = Exit::Invalid;
            }
        }
    }
    (paths, exit)
}

fn in_folder(folder: &Utf8Path) -> io::Result<Vec<Utf8PathBuf>> {
    let entries = folder.read_dir_utf8()?.collect::<io::Result<Vec<_>>>()?;
    let mut found: Vec<_> = entries.iter().map(|entry| entry.path().join(HISTORY)).collect();
    found.push(folder.join(HISTORY));
    found.retain(|path| path.is_file());
    found.sort();
    Ok(found)
}

/// The scenario in `path`, and the catalogues around it.
fn scenario(path: &Utf8Path) -> Result<(Workspace, Scenario), Exit> {
    let opened = Workspace::open(&[path.to_owned()], None);
    let mut workspace = opened.map_err(|found| catalogue::invalid(&found))?;
    match (workspace.scenarios.pop(), workspace.scenarios.is_empty()) {
        (Some(scenario), true) => Ok((workspace, scenario)),
        _ => {
            Terminal.error(format!("`{path}` is not one scenario"), "name one scenario file");
            Err(Exit::Usage)
        }
    }
}

fn judged(path: &Utf8Path, over: Option<&(Workspace, Scenario)>) -> Result<TrialReport, Exit> {
    let history = read(path)?;
    let trial = match over {
        None if history.header.scenario.text.is_empty() => {
            let message = format!("no scenario was run when `{path}` was recorded");
            Terminal.error(message, "name the one to judge it by with --scenario");
            return Err(Exit::Usage);
        }
        None => trial_of(&history.header).map_err(|found| {
            Terminal.error(
                format!("the scenario or subject in `{path}` does not fit this version"),
                "judge it by a scenario of this version with --scenario",
            );
            catalogue::invalid(&found)
        })?,
        Some((workspace, scenario)) => by(scenario, workspace, &history, path)?,
    };
    let judgement = judge(&history, &trial.judge_plan(&Observed::new(&trial.subject)));
    let name = history.header.trial.clone();
    let outcome =
        TrialOutcome::Judged(Box::new(TrialResult { history, judgement, logs: Vec::new() }));
    let mut report = TrialReport::new(&trial, &outcome, None);
    report.name = name;
    report.history = Some(path.to_string());
    Ok(report)
}

/// The trial of a history, with another scenario; its parameters are those of the history.
fn by(
    scenario: &Scenario,
    workspace: &Workspace,
    history: &History,
    path: &Utf8Path,
) -> Result<Trial, Exit> {
    let own = trial_of(&history.header).ok().map(|trial| trial.subject);
    // What was recorded without a scenario is judged as the first subject of this one.
    let first = scenario.subjects.first().and_then(|name| workspace.subject(name));
    let Some(subject) = own.or_else(|| first.cloned()) else {
        Terminal.error(format!("the subject of `{path}` can't be read"), "");
        return Err(Exit::Invalid);
    };
    let wanted = &history.header.params;
    let all = rows(scenario);
    let same = |row: &&crate::suite::Params| {
        row.0.iter().all(|(name, value)| wanted.get(name.as_str()).is_none_or(|w| w == value))
    };
    let Some(row) = all.iter().find(same) else {
        let message = format!("`{path}` has parameters that no row of the scenario has");
        Terminal.error(message, "add the values to its `matrix` or `params`");
        return Err(Exit::Invalid);
    };
    let row = resolve(scenario, row).map_err(|found| catalogue::invalid(&found))?;
    let requirements = workspace.known_requirements();
    let header = &history.header;
    let trial = Trial::new(scenario, row, &subject, &requirements, header.seed);
    Ok(trial.shortened(header.pace.scenario))
}

fn read(path: &Utf8Path) -> Result<History, Exit> {
    let file = File::open(path).map_err(|error| {
        Terminal.error(format!("`{path}` can't be read: {error}"), "");
        Exit::Invalid
    })?;
    History::read(BufReader::new(file), &Limits::default()).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        let message = format!("`{path}`: {error}{}", cause.unwrap_or_default());
        Terminal.error(message, help(&error));
        Exit::Invalid
    })
}

fn help(error: &ReadError) -> &'static str {
    match error {
        ReadError::OtherSchema { .. } => "judge it with the version that recorded it",
        ReadError::NotAHistory { .. } => {
            "histories are the files `history.jsonl` of a run's trials"
        }
        ReadError::Damaged { .. }
        | ReadError::OutOfOrder { .. }
        | ReadError::WrongCount { .. }
        | ReadError::AfterTheEnd { .. } => {
            "the file was changed after it was written; `shakedown replay` of the plan beside it \
             makes it anew"
        }
        ReadError::Io { .. } | ReadError::Empty | ReadError::TooLarge { .. } => "",
    }
}
