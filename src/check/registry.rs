//! The catalogue of invariants. A new one is a file in `invariants/` and a line here.

use super::invariant::Definition;
use super::invariants as all;

static REGISTRY: [Definition; 18] = [
    all::converged_and_stable::DEFINITION,
    all::eviction_honours_budget::DEFINITION,
    all::budget_lets_one_go::DEFINITION,
    all::disruption_bounded::DEFINITION,
    all::max_unavailable::DEFINITION,
    all::available_at_least::DEFINITION,
    all::max_surge::DEFINITION,
    all::in_place_identity_kept::DEFINITION,
    all::bystander_containers_untouched::DEFINITION,
    all::one_restart_per_release::DEFINITION,
    all::no_zombie_containers::DEFINITION,
    all::no_orphans::DEFINITION,
    all::partition_respected::DEFINITION,
    all::status_truthful::DEFINITION,
    all::revision_monotone::DEFINITION,
    all::at_most_one_per_identity::DEFINITION,
    all::no_hot_loop::DEFINITION,
    all::endpoints_follow_readiness::DEFINITION,
];

/// All invariants, in the order in which documents list them.
pub fn registry() -> &'static [Definition] {
    &REGISTRY
}

/// The invariant of this name.
pub fn find(name: &str) -> Option<&'static Definition> {
    REGISTRY.iter().find(|definition| definition.entry.name == name)
}
