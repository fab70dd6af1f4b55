//! A simulated Kubernetes behind HTTPS on loopback: unmodified programs of any language use it as
//! they use a real one.
//!
//! A [`Server`] drives a [`kubesim::world::World`] on a thread of its own, in which the world's
//! time follows the wall clock, and answers what comes over TLS (HTTP/1.1 and HTTP/2) by
//! kube-apiserver v1.36's rules. What outsiders ask for is carried out at once, for their way has
//! its own latency; what they watch they follow in the API's history.
//!
//! Admission webhooks of the cluster are called, on this machine only: the world never waits for
//! one, a request that does is attempted again when the answer is there.
//!
//! [`Door`] and [`Authority`] stand by themselves: whoever serves something else on loopback uses
//! them too.

mod admittance;
mod audit;
mod certificates;
mod clock;
mod courier;
mod door;
mod furnish;
mod hub;
mod impersonation;
mod logs;
mod notes;
mod routes;
mod server;
mod service;
mod snapshot;
mod stage;
mod stream;
#[cfg(test)]
mod tests;
mod token_file;
mod translation;
mod trust;
mod verifier;
mod watchers;
mod work;

pub use admittance::Admittance;
pub use certificates::{Authority, Pair, token_key};
pub use door::{Caller, Door, DoorError, Listener};
pub use routes::{Route, RouteError};
pub use server::{Options, Recorder, ServeError, Server, controllers};
pub use snapshot::{SnapshotError, read_snapshot, write_snapshot};
pub use token_file::{TokenFileError, read_tokens};
