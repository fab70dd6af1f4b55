//! What objects use of what quotas limit, and which objects a quota is about: known to admission,
//! which charges what is made, and to the controller, which counts what is there.
//!
//! Modelled on `pkg/quota/v1` of Kubernetes v1.36.

mod amount;
mod pod;
mod scope;
mod usage;

pub(crate) use amount::{Amount, Amounts, add, amounts_of};
pub(crate) use pod::{all_of, unnamed, uses_compute};
pub(crate) use scope::covers;
pub(crate) use usage::{counted_by, usage};
