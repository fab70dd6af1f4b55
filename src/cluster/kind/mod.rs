//! The provider `kind`: clusters of real Kubernetes nodes in containers, made for a trial and
//! deleted after it. Hosts are broken with the container engine and inside the nodes; what runs on
//! them is asked of their container runtimes.

mod config;
mod ground;
mod hosts;
mod provider;
mod tools;
mod undo;

pub use provider::{Kind, KindOptions};
pub(super) use undo::KindReach;
