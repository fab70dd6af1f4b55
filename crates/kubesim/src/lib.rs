//! A simulated Kubernetes cluster: one synchronous core, stepped one delivery at a time in virtual
//! time.

pub mod api;
pub mod controllers;
pub mod node;
mod quota;
pub mod scheduler;
#[cfg(test)]
mod testbed;
pub mod world;
