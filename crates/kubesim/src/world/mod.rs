//! The world: API server, hosts and actors, stepped one delivery at a time in virtual time.

mod lever;

pub use lever::{
    Behaviour, ContainerSelector, Lever, LeverError, RequestEffect, RequestSelector, Touched,
    WatchEffect,
};
