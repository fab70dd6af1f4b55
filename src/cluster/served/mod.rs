//! The provider `served`: simulated clusters behind HTTPS on loopback, in wall-clock time, for
//! programs of any language beside them.

mod cast;
mod cluster;
mod heard;
mod provider;
mod recording;
mod telling;

pub use provider::{Served, Simulation};
pub(crate) use recording::Recording;
