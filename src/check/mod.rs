//! Judging a history: invariants, findings, verdicts.
//!
//! [`judge`] is a pure function of a history, the checks of a scenario and the subject. It goes
//! over the history once, with a [`crate::history::View`] of everything as it was then, and shows
//! every event to every [`Invariant`]. An invariant is one file in [`invariants`] and a line in
//! [`registry()`].

mod bounded;
mod budget;
mod cel;
mod convergence;
mod finding;
mod invariant;
pub mod invariants;
mod judge;
mod lag;
mod observe;
mod observed;
mod pods;
mod registry;
mod release;
mod takedown;
#[cfg(test)]
mod tests;
mod verdict;
mod within;

pub use convergence::{Convergence, State};
pub use finding::{Finding, Findings, Violation};
pub use invariant::{Capability, Definition, Invariant};
pub use judge::{CheckResult, FINDINGS, FaultResult, Judgement, Plan, RequirementResult, judge};
pub use observe::{Observe, ObserveError, Question, Scene};
pub use observed::Observed;
pub use registry::{find, registry};
pub use verdict::{Blame, Outcome, Reason, Verdict};
