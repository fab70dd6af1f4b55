//! `shakedown run`: runs trials, prints what came of them and writes it down.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::args::{Format, RunArgs};
use super::catalogue;
use super::exit_code::Exit;
use super::progress::Progress;
use super::provider::{chosen, note_undecidable};
use super::terminal::Terminal;
use crate::check::{Blame, Outcome};
use crate::cluster::Provider;
use crate::plan::{REVISION, StoredPlan, Trial};
use crate::report::folder::{RunFolder, WriteError, json, point_at};
use crate::report::model::{RUN_SCHEMA, RunReport, TrialReport, counts, never_failed};
use crate::report::table::{self, Detail};
use crate::report::{junit, text};
use crate::run::{Event, RunOptions, TrialOutcome, run};

/// Set by Ctrl-C: no further trial begins.
pub(super) static STOP: AtomicBool = AtomicBool::new(false);

/// Runs what `args` say.
pub(super) fn command(args: &RunArgs, detail: Detail) -> Exit {
    let provider = match chosen(args.provider.as_deref(), &args.real) {
        Ok(provider) => provider,
        Err(exit) => return exit,
    };
    let workspace = match catalogue::open(&args.select) {
        Ok(workspace) => workspace,
        Err(exit) => return exit,
    };
    let selection = catalogue::selection(&args.select, args.seed, args.trials);
    let trials = match workspace.trials(&selection) {
        Ok(trials) => trials,
        Err(found) => return catalogue::invalid(&found),
    };
    if trials.is_empty() {
        return catalogue::nothing(&workspace, &args.select);
    }
    note_undecidable(&trials, provider.as_ref());
    stop_at_interrupt();
    let mut writing = Writing::begin(args);
    let report = conduct(&trials, provider.as_ref(), args, detail, &mut writing);
    provider.notes().iter().for_each(|note| Terminal.note(note));
    writing.finish(&report);
    let folder = writing.shown();
    match args.format {
        Format::Human => Terminal.print(&table::render(&report, folder.as_deref(), detail)),
        Format::Json => Terminal.print(&json(&report)),
        Format::Junit => Terminal.print(&junit::render(&report)),
    }
    let left_out = writing.folder.as_ref().map_or(0, RunFolder::left_out);
    if left_out > 0 && detail != Detail::Quiet {
        let histories = text::count(left_out, "history").replace("historys", "histories");
        Terminal.note(&format!("{histories} of met trials not kept, for space; plans repeat them"));
    }
    let written = match writing.failed {
        None => Exit::Met,
        Some(error) => {
            let help = "what was judged stands above; give another folder with --reports";
            Terminal.error(&error, help);
            Exit::Environment
        }
    };
    exit_of(&report).worst(written)
}

/// How many trials run side by side if nobody says.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Lets Ctrl-C end a run early, with a report of what was done.
pub(super) fn stop_at_interrupt() {
    // The second time it ends the process, as people expect.
    let _ = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        Terminal.note("\ninterrupted: the trials at work are ended, then all is reported");
    });
}

fn conduct(
    trials: &[Trial],
    provider: &dyn Provider,
    args: &RunArgs,
    detail: Detail,
    writing: &mut Writing,
) -> RunReport {
    let clock = Clock::start();
    let mut progress = Progress::new(trials.len(), detail != Detail::Quiet);
    let mut reports = Vec::new();
    let mut ended_early = false;
    let options = RunOptions {
        jobs: args.jobs.unwrap_or_else(cores),
        fail_fast: args.fail_fast,
        baselines: true,
        stop: &STOP,
    };
    run(trials, provider, options, &mut |event| match event {
        Event::RunStarted { .. } | Event::TrialStarted { .. } => {}
        Event::TrialFinished { index, outcome, .. } => {
            let trial = &trials[index];
            let own = trial.runs_on(provider);
            let folder = writing.trial(trial, outcome, own);
            let mut report = TrialReport::new(trial, outcome, folder);
            report.provider = (own.name() != provider.name()).then(|| own.name().to_owned());
            progress.finished(report.outcome);
            reports.push(report);
        }
        Event::RunFinished { interrupted, .. } => ended_early = interrupted,
    });
    progress.done();
    RunReport {
        schema: RUN_SCHEMA.to_owned(),
        tool: concat!("shakedown ", env!("CARGO_PKG_VERSION")).to_owned(),
        revision: REVISION.to_owned(),
        run: writing.name.clone(),
        started: writing.started.clone(),
        took: if args.name.is_some() { 0 } else { clock.millis() },
        provider: provider.name().to_owned(),
        planned: trials.len(),
        interrupted: ended_early,
        counts: counts(&reports),
        never_failed: never_failed(&reports),
        trials: reports,
    }
}

/// The exit code that a run deserves.
pub(super) fn exit_of(report: &RunReport) -> Exit {
    let mut exit = report.trials.iter().map(exit_of_trial).fold(Exit::Met, Exit::worst);
    if !report.never_failed.is_empty() {
        exit = exit.worst(Exit::Unexpected);
    }
    if report.interrupted {
        exit = exit.worst(Exit::Unknown);
    }
    if report.counts.skipped == report.trials.len() {
        exit = exit.worst(Exit::Nothing);
    }
    exit
}

/// The exit code that a trial deserves.
pub(super) fn exit_of_trial(trial: &TrialReport) -> Exit {
    let blamed = |blame| trial.reasons().iter().any(|reason| reason.blame == blame);
    match trial.outcome {
        _ if trial.reason.as_ref().is_some_and(|reason| reason.blame == Blame::Harness) => {
            Exit::Internal
        }
        Outcome::Met | Outcome::Skipped => Exit::Met,
        Outcome::Unexpected => Exit::Unexpected,
        Outcome::Unknown if blamed(Blame::Environment) => Exit::Environment,
        Outcome::Unknown => Exit::Unknown,
    }
}

/// The folder of a run, for as long as it can be written.
struct Writing {
    name: String,
    started: String,
    reports: camino::Utf8PathBuf,
    folder: Option<RunFolder>,
    failed: Option<WriteError>,
    /// The folders of baselines that failed, by case: they are written once.
    baselines: std::collections::BTreeMap<String, String>,
}

impl Writing {
    fn begin(args: &RunArgs) -> Writing {
        let now = jiff::Timestamp::now();
        let tail = now.subsec_nanosecond() as u32 ^ std::process::id().rotate_left(16);
        let (name, started) = match &args.name {
            Some(name) => {
                // What can't be removed is said when it can't be made anew.
                let _ = std::fs::remove_dir_all(args.reports.join(name));
                (name.clone(), String::new())
            }
            None => (
                format!("{}-{:06x}", now.strftime("%Y%m%dT%H%M%SZ"), tail & 0x00ff_ffff),
                now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            ),
        };
        let mut writing = Writing {
            name,
            started,
            reports: args.reports.clone(),
            folder: None,
            failed: None,
            baselines: std::collections::BTreeMap::new(),
        };
        let made = RunFolder::create(&args.reports, &writing.name);
        writing.folder = writing.keep(made);
        writing
    }

    /// The value, or the first error of all.
    fn keep<T>(&mut self, result: Result<T, WriteError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.failed.get_or_insert(error);
                None
            }
        }
    }

    /// Writes what came of a trial; answers the name of its folder.
    fn trial(
        &mut self,
        trial: &Trial,
        outcome: &TrialOutcome,
        provider: &dyn Provider,
    ) -> Option<String> {
        if self.failed.is_some() {
            return None;
        }
        let (result, baseline) = match outcome {
            TrialOutcome::Skipped(_) => return None,
            TrialOutcome::Judged(result) => (Some(result), false),
            TrialOutcome::BaselineFailed(result) => (Some(result), true),
            TrialOutcome::Environment(_) | TrialOutcome::Broken(_) => (None, false),
        };
        if let Some(written) = self.baselines.get(&trial.case()).filter(|_| baseline) {
            return Some(written.clone());
        }
        let mut folder = self.folder.take()?;
        let plan = StoredPlan::of(trial, baseline, provider);
        let written = folder.plan(&plan).and_then(|name| match result {
            Some(result) => folder.result(&name, result).map(|()| name),
            None => Ok(name),
        });
        self.folder = Some(folder);
        let name = self.keep(written)?;
        if baseline {
            self.baselines.insert(trial.case(), name.clone());
        }
        Some(name)
    }

    /// Writes the reports of the run.
    fn finish(&mut self, report: &RunReport) {
        let Some(folder) = self.folder.take() else { return };
        if self.failed.is_none() {
            let latest = || match self.started.is_empty() {
                true => Ok(()),
                false => point_at(&self.reports, &self.name),
            };
            let done = folder.finish(report).and_then(|()| latest());
            self.keep(done);
        }
        self.folder = Some(folder);
    }

    /// The folder as a user types it, if all is in it.
    fn shown(&self) -> Option<String> {
        let folder = self.folder.as_ref().filter(|_| self.failed.is_none())?;
        Some(folder.path().to_string())
    }
}

/// How long something takes.
struct Clock(Instant);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "for people: how long the run took")]
    fn start() -> Clock {
        Clock(Instant::now())
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
