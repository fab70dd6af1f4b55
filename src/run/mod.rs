//! One trial: steps and faults conducted over a cluster, everything recorded, and many of them on
//! several threads. Has no clock of its own: it reacts to what a cluster tells, at the cluster's
//! time, and says until when it may go on. Judging is the job of `check`.

mod call;
mod conductor;
mod event;
mod injector;
mod isolate;
mod journal;
mod objects;
mod pool;
mod preparation;
mod pulse;
mod sequence;
mod stage;
mod steps;
mod trial;
mod watchpoint;

pub use event::{Event, TrialOutcome};
pub use isolate::serve_trial;
pub use pool::{RunOptions, run};
pub use trial::{ProgramLog, TrialError, TrialResult, record_trial};

#[cfg(test)]
mod tests;
