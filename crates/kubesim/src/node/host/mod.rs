//! The machine: what really runs on a node, whatever the API believes.
//!
//! [`Host`] is a container runtime with an image store and a behaviour model of containers. It is
//! driven from outside (commands of the actors on the node, the advance of time, levers of faults)
//! and answers with events for the actors and with facts for the history.

mod container;
mod fact;
mod image;
mod machine;
mod probe;
mod program;
mod rules;
mod sandbox;
mod script;
mod start;
mod stop;
mod variables;

pub use fact::{HostFact, HostOut};
pub use machine::Host;
pub use rules::ContainerAction;
pub use sandbox::node_address;
