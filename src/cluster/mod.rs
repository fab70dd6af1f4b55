//! Where scenarios run: what a provider can do, and the one interface through which the runner
//! steps, asks and disturbs a cluster. One file per provider. Knows no scenario and no verdict.

mod capability;
mod kind;
mod local;
mod provider;
mod real;
mod sim;
mod sim_record;

pub use capability::{Capabilities, Capability};
pub use kind::{Kind, KindOptions};
pub use kubesim::world::{
    Behaviour, ContainerSelector, Direction, Lever, LeverError, RequestEffect, RequestSelector,
    Touched, WatchEffect,
};
pub(crate) use local::guarded;
pub use local::{Binaries, BinariesError, Local, become_guarded};
pub use provider::{
    Advance, CONTROL_PLANE, Cluster, ClusterError, ClusterSpec, NodeSpec, Observation, Program,
    Provider, Ticket,
};
pub use real::sweep_folders;
pub use sim::Sim;
