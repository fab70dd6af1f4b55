//! `shakedown soak`: many seeds, and what they say together.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::args::SoakArgs;
use super::catalogue;
use super::exit_code::Exit;
use super::measure::{jobs, since_start};
use super::progress::Progress;
use super::run::{STOP, exit_of_trial, stop_at_interrupt};
use super::terminal::Terminal;
use crate::cluster::Sim;
use crate::explore::soak::Tally;
use crate::plan::Trial;
use crate::report::model::TrialReport;
use crate::run::{Event, RunOptions, TrialOutcome, run};

/// Runs the selected trials, seed after seed, and counts.
pub(super) fn command(args: &SoakArgs, quiet: bool) -> Exit {
    let workspace = match catalogue::open(&args.select) {
        Ok(workspace) => workspace,
        Err(exit) => return exit,
    };
    let mut soak = Soak { tally: Tally::default(), exit: Exit::Met, unsound: BTreeSet::new() };
    let (began, mut progress) = (since_start(), None);
    stop_at_interrupt();
    for round in 0..args.trials {
        if STOP.load(Ordering::SeqCst) {
            soak.exit = soak.exit.worst(Exit::Unknown);
            break;
        }
        let selection = catalogue::selection(&args.select, args.seed.saturating_add(round), 1);
        let mut trials = match workspace.trials(&selection) {
            Ok(trials) => trials,
            Err(found) => return catalogue::invalid(&found),
        };
        if trials.is_empty() {
            return catalogue::nothing(&workspace, &args.select);
        }
        let planned = trials.len().saturating_mul(usize::try_from(args.trials).unwrap_or(1));
        let progress = progress.get_or_insert_with(|| Progress::new(planned, !quiet));
        trials.retain(|trial| !soak.unsound.contains(&trial.case()));
        soak.round(&trials, jobs(args.jobs), round == 0, progress);
    }
    if let Some(progress) = progress {
        progress.done();
    }
    let seconds = since_start().saturating_sub(began).as_secs_f64();
    Terminal.print(&soak.tally.text());
    let speed = soak.tally.trials as f64 / seconds.max(0.001);
    Terminal.print(&format!("\n{speed:.1} trials per second\n"));
    let never = soak.tally.never_failed().next().map_or(Exit::Met, |_| Exit::Unexpected);
    soak.exit.worst(never)
}

struct Soak {
    tally: Tally,
    exit: Exit,
    /// Cases of which the baseline failed: their trials prove nothing.
    unsound: BTreeSet<String>,
}

impl Soak {
    /// Runs one seed of everything. Baselines do not depend on the seed of a trial, so they are run
    /// in the first round.
    fn round(&mut self, trials: &[Trial], jobs: usize, baselines: bool, progress: &mut Progress) {
        let options = RunOptions { jobs, fail_fast: false, baselines, stop: &STOP };
        run(trials, &Sim, options, &mut |event| {
            let Event::TrialFinished { index, outcome, .. } = event else { return };
            let trial = &trials[index];
            self.tally.take(trial, outcome);
            let report = TrialReport::new(trial, outcome, None);
            self.exit = self.exit.worst(exit_of_trial(&report));
            progress.finished(report.outcome);
            if matches!(outcome, TrialOutcome::BaselineFailed(_)) {
                self.unsound.insert(trial.case());
            }
        });
    }
}
