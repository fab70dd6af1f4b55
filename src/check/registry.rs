//! The catalogue of invariants. A new one is a file in `invariants/` and a line here.

use super::invariant::Definition;
use super::invariants as all;

static REGISTRY: [Definition; 2] =
    [all::converged_and_stable::DEFINITION, all::disruption_bounded::DEFINITION];

/// All invariants, in the order in which documents list them.
pub fn registry() -> &'static [Definition] {
    &REGISTRY
}

/// The invariant of this name.
pub fn find(name: &str) -> Option<&'static Definition> {
    REGISTRY.iter().find(|definition| definition.entry.name == name)
}
