//! Admission webhooks (apiserver v0.36, `admission/plugin/webhook`): which of them a request
//! concerns, what they are sent, and what their answers do to it.
//!
//! The API calls nobody. A request for which an answer is missing leaves no trace:
//! [`Api::attempt`](super::Api::attempt) tells the calls that it needs, and whoever drives the API
//! makes them and attempts the same request again. Expressions that read `authorizer` are refused;
//! annotations for the audit log are ignored.

mod answer;
mod attempt;
mod chosen;
mod dialog;
mod mutating;
mod pass;
mod reply;
mod review;
mod target;
#[cfg(test)]
mod tests;
mod validating;
mod views;

pub use attempt::{Attempt, Progress};
pub use dialog::{Errand, Heard, Reply};
pub use target::Destination;

pub(super) use answer::internal;
pub(super) use dialog::{Dialog, Outside, waits};
pub(super) use pass::Reinvocation;
pub(super) use reply::Reviews;
pub(super) use target::Target;
