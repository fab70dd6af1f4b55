//! Where scenarios run: what a provider can do, and the one interface through which the runner
//! steps, asks and disturbs a cluster. One file per provider. Knows no scenario and no verdict.

mod capability;
mod cleanup;
mod daemon;
mod kind;
mod kubeconfig;
mod local;
pub(crate) mod process;
mod provider;
mod real;
mod served;
mod sim;
mod sim_record;

pub use capability::{Capabilities, Capability};
pub use cleanup::{Healed, heal_left_behind};
pub use kind::{Kind, KindOptions};
pub use kubeconfig::{Kubeconfig, KubeconfigError, KubeconfigOptions};
pub use kubesim::world::{
    Behaviour, ContainerSelector, Direction, Lever, LeverError, RequestEffect, RequestSelector,
    Touched, WatchEffect,
};
pub use local::{Binaries, BinariesError, Local, become_guarded};
pub(crate) use local::{guarded, this_executable};
pub(crate) use provider::OTHER_CLUSTERS;
pub use provider::{
    Advance, CONTROL_PLANE, Cluster, ClusterError, ClusterSpec, NodeSpec, Observation, Program,
    ProgramLog, Provider, Ticket,
};
pub use real::sweep_folders;
pub(crate) use real::{Credentials, Endpoint, Folder};
pub(crate) use served::Recording;
pub use served::{Served, Simulation};
pub use sim::Sim;
