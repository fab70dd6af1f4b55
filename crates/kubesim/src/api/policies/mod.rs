//! Policies of admission that the server evaluates itself: ValidatingAdmissionPolicies and their
//! bindings (apiserver v0.36, `admission/plugin/policy`).
//!
//! MutatingAdmissionPolicies are kept as data; nothing applies them. Scale, bindings and evictions
//! are not asked about, and expressions that read `authorizer` are refused.

mod compiled;
mod matching;
mod params;
mod validating;

pub(super) use compiled::{Policies, problems};
pub(super) use matching::Operation;
