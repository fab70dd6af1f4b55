//! The provider: what a local control plane can do.

use camino::Utf8Path;
use kubesim::world::WorldConfig;

use super::binaries::{Binaries, BinariesError};
use super::plane::Plane;
use crate::cluster::real::{RealCluster, Runtime, Setup, Way, capabilities, refuse_bugs};
use crate::cluster::sim::node_config;
use crate::cluster::{Capabilities, Capability, Cluster, ClusterError, ClusterSpec, Provider};
use crate::history::Clock;

/// The provider.
#[derive(Clone, Debug)]
pub struct Local {
    binaries: Binaries,
    /// `1.36`.
    minor: String,
}

impl Local {
    /// With the programs in `folder`, or those that the environment names.
    ///
    /// # Errors
    /// A program is missing.
    pub fn new(folder: Option<&Utf8Path>) -> Result<Local, BinariesError> {
        let binaries = Binaries::find(folder)?;
        let version = binaries.version.trim_start_matches('v').splitn(3, '.').take(2);
        let minor = version.collect::<Vec<_>>().join(".");
        Ok(Local { binaries, minor })
    }
}

impl Provider for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn version(&self) -> Option<&str> {
        Some(&self.minor)
    }

    fn capabilities(&self) -> Capabilities {
        // Its nodes are simulated.
        capabilities(&[Capability::Images, Capability::RuntimeFaults, Capability::PacketLoss])
    }

    fn clock(&self) -> Clock {
        Clock::Wall
    }

    fn provision(&self, spec: &ClusterSpec) -> Result<Box<dyn Cluster>, ClusterError> {
        refuse_bugs("local", spec)?;
        let failed = |error: std::io::Error| ClusterError::Environment(error.to_string());
        let runtime = Runtime::new().map_err(failed)?;
        let mut world = WorldConfig::new(spec.seed, 0);
        world.nodes = spec.nodes.iter().map(node_config).collect();
        let (plane, api, proxy) = Plane::start(&self.binaries, runtime.handle())?;
        let (audit_log, ground) = (Some(plane.audit_log()), Box::new(plane));
        world.record_deliveries_of.clone_from(&spec.record_deliveries_of);
        let proxy = Way::Through(proxy);
        let setup = Setup { provider: "local", api, audit_log, ground, world, runtime, proxy };
        Ok(Box::new(RealCluster::new(setup)?))
    }
}
