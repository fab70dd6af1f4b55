//! Who owns which fields: `metadata.managedFields`, and server-side apply.
//!
//! Every write that is tracked gives the fields that it changes to its manager; an apply takes its
//! configuration as all that its manager owns, conflicts with others, and takes away what the
//! manager gives up. Objects are taken apart by the [`schema`] of their type.
//!
//! # What is tracked, and when
//!
//! Kubernetes tracks every object from its creation on. Nobody in a simulated cluster reads that,
//! and working it out would cost more than the write itself. So an object is tracked from the
//! moment at which somebody first applies it; what is there then belongs to the manager
//! `before-first-apply`, which is what Kubernetes itself does with objects that have no managers
//! (and did with all, before it tracked them from their creation on). Where nobody applies, nothing
//! of this is done, and histories are as if it did not exist; where somebody does, it follows from
//! the requests alone, so that replays stay exact. With
//! [`ApiConfig::tracks_from_creation`](super::ApiConfig), for clients outside of the simulation,
//! every object is tracked from its creation on.

mod builtin;
mod change;
mod check;
mod compare;
mod configured;
mod last_applied;
mod members;
mod merge;
mod options;
mod owners;
mod prune;
mod reset;
mod scale;
mod schema;
mod set;
mod step;
mod structural;
#[cfg(test)]
mod tests;
mod tracking;
mod versions;

pub(super) use configured::configured;
pub(super) use options::check_options;
pub(super) use structural::Structural;
pub(super) use tracking::{check_owners, name_resets};
