//! `shakedown soak`: many seeds, and what they say together.

use std::sync::atomic::AtomicBool;

use super::args::SoakArgs;
use super::catalogue;
use super::exit_code::Exit;
use super::measure::{jobs, since_start};
use super::terminal::Terminal;
use crate::cluster::Sim;
use crate::explore::soak::Tally;
use crate::run::{Event, RunOptions, run};

/// Runs the selected trials and counts.
pub(super) fn command(args: &SoakArgs) -> Exit {
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
    let stop = AtomicBool::new(false);
    let options =
        RunOptions { jobs: jobs(args.jobs), fail_fast: false, baselines: false, stop: &stop };
    let (began, mut tally) = (since_start(), Tally::default());
    run(&trials, &Sim, options, &mut |event| {
        if let Event::TrialFinished { name, outcome, .. } = event {
            tally.take(name, outcome);
        }
    });
    let seconds = since_start().saturating_sub(began).as_secs_f64();
    Terminal.print(&tally.text());
    Terminal.print(&format!("{:.1} trials per second\n", trials.len() as f64 / seconds.max(0.001)));
    match (tally.unexpected.is_empty(), tally.unknown) {
        (false, _) => Exit::Unexpected,
        (true, 0) => Exit::Met,
        (true, _) => Exit::Unknown,
    }
}
