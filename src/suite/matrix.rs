//! The rows of a scenario: every combination of the values of its matrix.

use kubesim_model::tree::Map;

use super::model::{Params, Scenario};

/// The most rows of a scenario.
pub const MAX_ROWS: usize = 1_000;

/// The rows in a stable order: the last dimension of the file changes fastest. A scenario without
/// a matrix has one row.
pub fn rows(scenario: &Scenario) -> Vec<Params> {
    let mut constants = Map::default();
    for (name, value) in &scenario.params {
        constants.insert(name, value.clone());
    }
    let mut rows = vec![constants];
    for (name, values) in &scenario.matrix {
        let mut next = Vec::new();
        for row in &rows {
            for value in values.iter().take(MAX_ROWS.saturating_sub(next.len())) {
                let mut row = row.clone();
                row.insert(name, value.clone());
                next.push(row);
            }
        }
        rows = next;
    }
    rows.into_iter().map(Params).collect()
}

/// How many rows there would be without the limit.
pub(super) fn count(scenario: &Scenario) -> usize {
    let sizes = scenario.matrix.iter().map(|(_, values)| values.len());
    sizes.fold(1, usize::saturating_mul)
}
