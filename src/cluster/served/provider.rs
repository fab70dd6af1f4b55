//! The provider: what a served cluster can do, and when it is taken without being asked for.

use super::cluster::ServedCluster;
use crate::cluster::real::capabilities;
use crate::cluster::sim::{VERSION, world_config};
use crate::cluster::{Capabilities, Capability, Cluster, ClusterError, ClusterSpec, Provider, Sim};
use crate::history::Clock;

/// The provider.
#[derive(Clone, Copy, Debug, Default)]
pub struct Served;

impl Provider for Served {
    fn name(&self) -> &'static str {
        "served"
    }

    fn version(&self) -> Option<&str> {
        Some(VERSION)
    }

    fn capabilities(&self) -> Capabilities {
        // Its nodes are simulated.
        capabilities(&[Capability::Images, Capability::RuntimeFaults, Capability::PacketLoss])
    }

    fn clock(&self) -> Clock {
        Clock::Wall
    }

    fn provision(&self, spec: &ClusterSpec) -> Result<Box<dyn Cluster>, ClusterError> {
        Ok(Box::new(ServedCluster::new(world_config(spec))?))
    }
}

/// Where trials run if nobody says: in the simulation, and where a program is to run beside the
/// cluster, in a simulation that is served.
#[derive(Clone, Copy, Debug, Default)]
pub struct Simulation;

impl Provider for Simulation {
    fn name(&self) -> &'static str {
        Sim.name()
    }

    fn version(&self) -> Option<&str> {
        Some(VERSION)
    }

    fn capabilities(&self) -> Capabilities {
        Sim.capabilities()
    }

    fn clock(&self) -> Clock {
        Sim.clock()
    }

    fn provision(&self, spec: &ClusterSpec) -> Result<Box<dyn Cluster>, ClusterError> {
        Sim.provision(spec)
    }

    fn stand_in(&self) -> Option<&dyn Provider> {
        Some(&Served)
    }
}
