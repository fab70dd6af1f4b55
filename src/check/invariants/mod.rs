//! The invariants, one a file. Each file says what holds, what is exempt, and why its default times
//! are what they are.

pub mod at_most_one_per_identity;
pub mod available_at_least;
pub mod budget_lets_one_go;
pub mod bystander_containers_untouched;
pub mod converged_and_stable;
pub mod disruption_bounded;
pub mod endpoints_follow_readiness;
pub mod eviction_honours_budget;
pub mod in_place_identity_kept;
pub mod max_surge;
pub mod max_unavailable;
pub mod no_hot_loop;
pub mod no_orphans;
pub mod no_zombie_containers;
pub mod one_restart_per_release;
pub mod partition_respected;
pub mod revision_monotone;
pub mod status_truthful;
