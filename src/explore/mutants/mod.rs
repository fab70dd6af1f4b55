//! Mutation testing of the harness itself: every planted bug of the simulator and of the reference
//! controllers, with the scenario and the invariant that have to catch it.

mod catalogue;
mod hunt;
mod table;

pub use catalogue::{MUTANTS, Mutant, planted_bugs};
pub use hunt::{Clock, Fate, Hunt, HuntOptions, Prey, PreyError, hunt};
pub use table::table;

#[cfg(test)]
mod tests;
