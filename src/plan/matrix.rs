//! Scenario × row × subject × seed: the trials of a run, in a stable order.

use std::sync::Arc;

use kubesim_model::Text;

use super::Trial;
use crate::suite::vocabulary::KnownRequirement;
use crate::suite::{Diagnostic, Scenario, Subject, resolve, rows};

/// Which trials are wanted.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Only scenarios with this in their name, a label's value or their path.
    pub filter: Option<String>,
    /// These subjects instead of those that the scenarios name.
    pub subjects: Vec<String>,
    /// The first seed.
    pub seed: u64,
    /// How many seeds.
    pub seeds: u64,
    /// Only the `0`-th of `1` parts: every so manieth trial.
    pub shard: (u64, u64),
}

impl Default for Selection {
    fn default() -> Self {
        Selection { filter: None, subjects: Vec::new(), seed: 1, seeds: 1, shard: (0, 1) }
    }
}

/// What trials are made of.
#[derive(Clone, Copy, Debug)]
pub struct Material<'a> {
    /// The scenarios.
    pub scenarios: &'a [Scenario],
    /// The subjects that there are.
    pub subjects: &'a [Arc<Subject>],
    /// The requirements that there are.
    pub requirements: &'a [KnownRequirement],
}

/// The trials that `selection` wants: by scenario, row, subject, seed.
///
/// # Errors
/// What is wrong with a row; none for scenarios that were loaded.
pub fn trials(
    material: Material<'_>,
    selection: &Selection,
) -> Result<Vec<Trial>, Vec<Diagnostic>> {
    let mut trials = Vec::new();
    for scenario in material.scenarios.iter().filter(|scenario| selection.wants(scenario)) {
        for params in rows(scenario) {
            let row = resolve(scenario, &params)?;
            for subject in selection.subjects_of(scenario, material.subjects) {
                for seed in (0..selection.seeds).map(|n| selection.seed.wrapping_add(n)) {
                    let row = row.clone();
                    let catalogue = material.requirements;
                    trials.push(Trial::new(scenario, row, subject, catalogue, seed));
                }
            }
        }
    }
    let (part, parts) = (selection.shard.0, selection.shard.1.max(1));
    let numbered = (0_u64..).zip(trials);
    Ok(numbered.filter(|(n, _)| n % parts == part).map(|(_, trial)| trial).collect())
}

impl Selection {
    /// Whether the scenario is among those that are wanted.
    pub fn wants(&self, scenario: &Scenario) -> bool {
        let Some(filter) = self.filter.as_deref() else { return true };
        scenario.name.contains(filter)
            || scenario.labels.values().any(|value| value.contains(filter))
            || scenario.source.path.as_str().contains(filter)
    }

    fn subjects_of<'s>(
        &self,
        scenario: &Scenario,
        known: &'s [Arc<Subject>],
    ) -> Vec<&'s Arc<Subject>> {
        let named: Vec<Text> = match self.subjects.is_empty() {
            true => scenario.subjects.iter().map(|name| name.value.clone()).collect(),
            false => self.subjects.iter().map(Text::new).collect(),
        };
        let find = |name: &Text| known.iter().find(|subject| subject.name.value == *name);
        named.iter().filter_map(find).collect()
    }
}
