//! From scenarios, subjects and seeds to trials: every choice resolved before anything runs.
//! Knows no clock and runs nothing.

mod builtin;
mod catalogue;
mod matrix;
mod pace;
mod stored;
mod trial;
mod workspace;

pub use catalogue::{known_requirement, vocabulary};
pub use matrix::{Material, Selection, trials};
pub use stored::{PLAN_SCHEMA, PlanError, REVISION, StoredPlan, trial_of};
pub use trial::Trial;
pub use workspace::Workspace;
