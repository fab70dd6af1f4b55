//! The provider `kind`: clusters of real Kubernetes nodes in containers, on each of which trials
//! run one after another. Hosts are broken with the container engine and inside the nodes; what
//! runs on them is asked of their container runtimes.

mod config;
mod ground;
mod guard;
mod hosts;
mod images;
mod inventory;
mod link;
mod objects;
mod passage;
mod pool;
mod provider;
mod reset;
mod site;
mod tools;
mod traces;
mod undo;

pub use provider::{Kind, KindOptions};
pub(super) use undo::KindReach;
