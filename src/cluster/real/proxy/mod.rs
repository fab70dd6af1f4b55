//! A proxy in front of an API server, for the actors that are no part of this process: it knows who
//! asks, lets the faults of the API happen to him, and tells what he was told. Whoever comes
//! through it needs nothing but another server address and a token.
//!
//! Answers are asked for in JSON, whatever a client prefers; what clients send is passed on as it
//! is.

mod asked;
mod door;
mod gate;
mod pass;
mod stream;
mod told;

pub(in crate::cluster) use door::Proxy;
pub(super) use gate::Guest;
pub(in crate::cluster) use gate::{Happened, Who};

#[cfg(test)]
mod tests;
