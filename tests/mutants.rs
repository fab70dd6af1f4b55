//! For each invariant one planted bug that it catches; `shakedown mutants` hunts them all.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use shakedown::cluster::Sim;
use shakedown::explore::mutants::{Fate, HuntOptions, MUTANTS, Mutant, Prey, hunt};
use shakedown::plan::Workspace;

fn preys(wanted: impl Fn(&Mutant) -> bool) -> Vec<Prey> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/mutants");
    let workspace = Workspace::open(&[folder.into()], None).expect("the catalogue is valid");
    let make = |mutant| {
        Prey::new(mutant, &workspace.scenarios, &workspace.subjects)
            .expect("the catalogue is valid")
    };
    MUTANTS.iter().filter(|mutant| wanted(mutant)).map(make).collect()
}

fn fates(preys: &[Prey], jobs: usize) -> Vec<Fate> {
    let (stop, clock) = (AtomicBool::new(false), || Duration::ZERO);
    let options = HuntOptions { jobs, seeds: 200, stop: &stop, clock: &clock };
    hunt(preys, &Sim, options, &mut |_| {}).into_iter().map(|hunt| hunt.fate).collect()
}

#[test]
fn every_mutant_has_its_scenario_subject_and_check() {
    assert_eq!(preys(|_| true).len(), MUTANTS.len());
}

#[test]
fn each_check_of_the_catalogue_catches_its_first_mutant() {
    let mut seen = BTreeSet::new();
    let first: Vec<&Mutant> = MUTANTS.iter().filter(|m| seen.insert(m.caught_by)).collect();
    let preys = preys(|mutant| first.contains(&mutant));
    for (prey, fate) in preys.iter().zip(fates(&preys, 2)) {
        assert!(matches!(fate, Fate::Caught { .. }), "{}: {fate:?}", prey.mutant.name());
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let preys = preys(|mutant| mutant.component == "disruption-controller");
    assert_eq!(fates(&preys, 1), fates(&preys, 3));
}
