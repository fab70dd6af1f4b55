//! `shakedown fidelity`: the same trials in the simulation and on a real cluster.

use std::collections::BTreeSet;

use super::args::FidelityArgs;
use super::catalogue;
use super::exit_code::Exit;
use super::measure::since_start;
use super::progress::Progress;
use super::provider::provider;
use super::run::{STOP, stop_at_interrupt};
use super::terminal::Terminal;
use crate::check::Outcome;
use crate::cluster::Sim;
use crate::explore::fidelity::{Pair, compare};
use crate::report::fidelity::page;
use crate::run::RunOptions;

/// Runs the trials on both and prints the page.
pub(super) fn command(args: &FidelityArgs, quiet: bool) -> Exit {
    let real = match provider(&args.against, &args.real) {
        Ok(provider) => provider,
        Err(exit) => return exit,
    };
    let workspace = match catalogue::open(&args.select) {
        Ok(workspace) => workspace,
        Err(exit) => return exit,
    };
    let selection = catalogue::selection(&args.select, args.seed, 1);
    let mut trials = match workspace.trials(&selection) {
        Ok(trials) => trials,
        Err(found) => return catalogue::invalid(&found),
    };
    if args.one_row {
        let mut seen = BTreeSet::new();
        trials.retain(|trial| {
            seen.insert((trial.scenario.name.clone(), trial.subject.name.value.clone()))
        });
    }
    if trials.is_empty() {
        return catalogue::nothing(&workspace, &args.select);
    }
    stop_at_interrupt();
    let mut progress = Progress::new(trials.len(), !quiet);
    let options = RunOptions { jobs: args.jobs, fail_fast: false, baselines: false, stop: &STOP };
    let fidelity = compare(&trials, &Sim, real.as_ref(), options, &since_start, &mut |pair| {
        progress.finished(match (pair.differs(), pair.is_decided()) {
            (true, _) => Outcome::Unexpected,
            (_, true) => Outcome::Met,
            _ => Outcome::Unknown,
        });
    });
    progress.done();
    real.notes().iter().for_each(|note| Terminal.note(note));
    let version = real.version().unwrap_or_default();
    let text = page(&fidelity, &format!("`{}`, Kubernetes {version}", real.name()));
    match &args.output {
        None => Terminal.print(&text),
        Some(path) => {
            if let Err(error) = std::fs::write(path, &text) {
                Terminal.print(&text);
                Terminal.error(format!("`{path}` can't be written: {error}"), "");
                return Exit::Environment;
            }
        }
    }
    let pairs = &fidelity.pairs;
    let is_open = |pair: &Pair| pair.real.verdict != "skipped" && !pair.is_decided();
    if pairs.iter().any(Pair::differs) {
        Exit::Unexpected
    } else if pairs.len() < trials.len() || pairs.iter().any(is_open) {
        Exit::Unknown
    } else {
        Exit::Met
    }
}
