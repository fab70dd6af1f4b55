//! `shakedown mutants`: plants every known bug and shows which invariant catches it.

use std::sync::atomic::AtomicBool;

use super::args::MutantsArgs;
use super::catalogue;
use super::exit_code::Exit;
use super::measure::{jobs, since_start};
use super::terminal::Terminal;
use crate::cluster::Sim;
use crate::explore::mutants::{Fate, HuntOptions, MUTANTS, Prey, hunt, table};
use crate::plan::Workspace;

/// Hunts the bugs that are selected; unexpected if one gets away.
pub(super) fn command(args: &MutantsArgs) -> Exit {
    let workspace = match Workspace::open(std::slice::from_ref(&args.scenarios), None) {
        Ok(workspace) => workspace,
        Err(found) => return catalogue::invalid(&found),
    };
    let wanted = |name: &str| args.filter.as_ref().is_none_or(|part| name.contains(part.as_str()));
    let mut preys = Vec::new();
    for mutant in MUTANTS.iter().filter(|mutant| wanted(&mutant.name())) {
        match Prey::new(mutant, &workspace.scenarios, &workspace.subjects) {
            Ok(prey) => preys.push(prey),
            Err(error) => {
                Terminal.error(error, "`--scenarios` names the folder of the mutants' scenarios");
                return Exit::Invalid;
            }
        }
    }
    if preys.is_empty() {
        Terminal.error("no bug is selected, nothing was run", "names are like `kubelet/…`");
        return Exit::Nothing;
    }
    let stop = AtomicBool::new(false);
    let options =
        HuntOptions { jobs: jobs(args.jobs), seeds: args.trials, stop: &stop, clock: &since_start };
    let hunts = hunt(&preys, &Sim, options, &mut |hunt| {
        let fate = match &hunt.fate {
            Fate::Caught { seed, .. } => {
                format!("caught by {} at seed {seed}", hunt.mutant.caught_by)
            }
            _ => format!("not caught in {} seeds", hunt.trials),
        };
        Terminal.note(&format!("{}: {fate}", hunt.mutant.name()));
    });
    Terminal.print(&table(&hunts));
    if hunts.iter().any(|hunt| matches!(hunt.fate, Fate::Broken(_))) {
        return Exit::Environment;
    }
    let met = hunts.iter().all(|hunt| hunt.is_as_expected());
    if met { Exit::Met } else { Exit::Unexpected }
}
