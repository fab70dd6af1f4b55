//! What can only be said about a scenario as a whole: names that must exist elsewhere, and parts
//! that must fit together.

mod names;
mod parts;

use std::collections::BTreeSet;

use kubesim_model::Text;

use super::diagnostic::Diagnostic;
use super::model::{ResolvedScenario, Scenario};

/// Checks what is the same in every row. Without `used`, the use of parameters is not judged.
pub(super) fn scenario(
    scenario: &Scenario,
    rows: &[ResolvedScenario],
    used: Option<&BTreeSet<Text>>,
    found: &mut Vec<Diagnostic>,
) {
    names::requirements(scenario, found);
    names::subjects(scenario, found);
    names::expectations(scenario, found);
    if let Some(used) = used {
        names::parameters(scenario, used, found);
    }
    parts::decided(scenario, rows, found);
}

/// Checks what one row does.
pub(super) fn row(scenario: &Scenario, row: &ResolvedScenario, found: &mut Vec<Diagnostic>) {
    parts::workloads(row, found);
    parts::step_names(row, found);
    names::operations(scenario, row, found);
}
