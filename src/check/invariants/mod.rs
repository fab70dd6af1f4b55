//! The invariants, one a file. Each file says what holds, what is exempt, and why its default times
//! are what they are.

pub mod converged_and_stable;
pub mod disruption_bounded;
