//! Facts about the catalogue of mutants.

use std::collections::BTreeSet;

use super::{MUTANTS, planted_bugs};

#[test]
fn every_planted_bug_is_in_the_catalogue_once() {
    let listed: BTreeSet<_> = MUTANTS.iter().map(|mutant| (mutant.component, mutant.bug)).collect();
    let planted: BTreeSet<_> = planted_bugs().iter().map(|(at, bug, _)| (*at, *bug)).collect();
    assert_eq!(listed, planted);
    assert_eq!(listed.len(), MUTANTS.len());
}
