//! kube-rs clients of a simulated Kubernetes: unmodified controllers run inside a
//! [`kubesim::world::World`], in its virtual time.
//!
//! A [`Programs`] owns a paused tokio runtime on the thread of its caller. Each program gets an
//! ordinary `kube::Client` whose requests and watches go over the world's links, so that they meet
//! the same latency, faults and crashes as every actor's. [`exactly`] makes the whole of it
//! repeatable: the same seed gives the same records, in any process.
//!
//! What programs can't do here: open a socket (the runtime has no I/O: binding a port panics, since
//! paused time would pass days while a peer answers), block a thread, or call
//! `Client::connect`.

mod body;
mod exactly;
mod hub;
mod life;
mod programs;
mod service;
#[cfg(test)]
mod tests;

pub use exactly::exactly;
pub use life::Start;
pub use programs::{ProgramSpec, Programs};
