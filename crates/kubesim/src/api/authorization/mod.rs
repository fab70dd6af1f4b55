//! Who may do what: roles, bindings, and what they allow (kube-apiserver v1.36,
//! `--authorization-mode`).
//!
//! Whoever stands in front of the API asks before it has a request carried out: [`Api::permit`].
//! Those who live in a world are not asked: they do what their components do.
//!
//! [`Api::permit`]: super::Api::permit

mod access;
mod bootstrap;
mod decision;
mod escalation;
mod grants;
mod reviews;
mod rules;

pub use access::Access;
pub use decision::{Authorization, Decision};
