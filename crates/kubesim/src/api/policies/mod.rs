//! Policies of admission that the server evaluates itself: ValidatingAdmissionPolicies,
//! MutatingAdmissionPolicies and their bindings (apiserver v0.36, `admission/plugin/policy`).
//!
//! Expressions that read `authorizer` are refused.

mod bound;
mod compiled;
mod matching;
mod mutating;
mod params;
mod patches;
mod validating;

pub(super) use compiled::{CONDITIONS, Policies, condition_problems, problems};
pub(super) use matching::{Attributes, Form, Subject};
pub(super) use validating::{asked, request_of};
