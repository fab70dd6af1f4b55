//! Policies of admission that the server evaluates itself: ValidatingAdmissionPolicies and their
//! bindings (apiserver v0.36, `admission/plugin/policy`).
//!
//! MutatingAdmissionPolicies are kept as data; nothing applies them. Expressions that read
//! `authorizer` are refused.

mod compiled;
mod matching;
mod params;
mod validating;

pub(super) use compiled::{OF_CONDITIONS, Policies, condition_problems, problems};
pub(super) use matching::{Attributes, Form, Subject};
pub(super) use validating::{asked, request_of};
