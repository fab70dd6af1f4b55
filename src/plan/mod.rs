//! From scenarios, subjects and seeds to trials: every choice resolved before anything runs.
//! Knows no clock and runs nothing.

mod catalogue;
mod stored;
mod trial;

pub use catalogue::{known_requirement, vocabulary};
pub use stored::{PLAN_SCHEMA, PlanError, REVISION, StoredPlan, trial_of};
pub use trial::Trial;
