//! From scenarios, subjects and seeds to trials: every choice resolved before anything runs.
//! Knows no clock and runs nothing.

mod catalogue;
mod trial;

pub use catalogue::{known_requirement, vocabulary};
pub use trial::Trial;
