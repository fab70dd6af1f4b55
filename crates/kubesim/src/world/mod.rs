//! The world: API server, hosts and actors, stepped one delivery at a time in virtual time.

mod actors;
mod boot;
mod client;
mod config;
mod core;
mod hooks;
mod hosts;
mod lever;
mod link;
mod outside;
mod pull;
mod queue;
mod record;
mod remote;
mod rules;
mod watch;

pub use client::RawEvent;
pub use config::{ActorSpec, Clients, NodeConfig, Staff, WorldConfig};
pub use core::World;
pub use hooks::Calls;
pub use lever::{
    Behaviour, ContainerSelector, Direction, Lever, LeverError, RequestEffect, RequestSelector,
    Touched, WatchEffect,
};
pub use outside::Asked;
pub use record::{HostRecord, Phase, Record, RequestRecord, What};
pub use remote::{Mirrored, Outgoing};
pub use rules::Rules;
