//! Facts about the catalogue of mutants.

use std::collections::BTreeSet;

use super::{MUTANTS, planted_bugs};
use crate::check::registry;

#[test]
fn every_planted_bug_is_in_the_catalogue_once() {
    let listed: BTreeSet<_> = MUTANTS.iter().map(|mutant| (mutant.component, mutant.bug)).collect();
    let planted: BTreeSet<_> = planted_bugs().iter().map(|(at, bug, _)| (*at, *bug)).collect();
    assert_eq!(listed, planted);
    assert_eq!(listed.len(), MUTANTS.len());
}

#[test]
fn every_invariant_has_a_planted_bug_that_it_catches() {
    for invariant in registry() {
        let name = invariant.entry.name;
        let mut mutants = MUTANTS.iter().filter(|mutant| mutant.survives.is_none());
        assert!(mutants.any(|mutant| mutant.caught_by == name), "{name} catches no mutant");
    }
}
