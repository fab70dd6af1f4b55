//! What every part of a simulated Kubernetes shares: objects as persistent trees, the requests that
//! travel between actors and the API, and the interface by which an actor is stepped.
//!
//! Nothing here knows a store, a clock or a network. An [`actor::Actor`] is a deterministic state
//! machine: it is given inputs and answers with effects, so the same controller or kubelet runs
//! inside `kubesim`, and over a Kubernetes client on a real cluster.

pub mod actor;
pub mod cache;
pub mod controller;
pub mod host;
pub mod object;
pub mod patch;
pub mod quantity;
pub mod request;
pub mod resource;
pub mod selector;
pub mod share;
pub mod stream;
pub mod tree;
pub mod weight;

/// Virtual time: whole milliseconds since the start of the world.
pub type Millis = u64;

/// The text type of keys, names and values: short texts are held inline, long ones are shared.
pub type Text = smol_str::SmolStr;
