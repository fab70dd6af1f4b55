//! The provider: which clusters there are to be had, and what they can do.

use std::sync::Arc;

use camino::Utf8PathBuf;
use kind_rs::{Error, Kind as Tool};
use kubesim::world::WorldConfig;

use super::ground::KindGround;
use super::pool::Pool;
use super::site::{failed, io};
use super::tools::detect;
use crate::cluster::real::{
    Api, RealCluster, Runtime, Setup, SharedJournal, Undoable, Way, capabilities, is_left_behind,
    refuse_bugs,
};
use crate::cluster::{Capabilities, Capability, Cluster, ClusterError, ClusterSpec, Provider};
use crate::history::Clock;

/// What clusters are made with.
#[derive(Clone, Debug, Default)]
pub struct KindOptions {
    /// The node image; kind's own default if there is none.
    pub node_image: Option<String>,
    /// Archives of images that are loaded into all nodes.
    pub images: Vec<Utf8PathBuf>,
    /// Whether clusters stay when the provider is dropped, for the next one that keeps its own.
    pub keep: bool,
    /// Whether nodes that are lost are noticed, and given up, in a fifth of the time.
    pub short_timings: bool,
}

/// The provider. A cluster serves one trial after another, and is made what it was in between.
#[derive(Clone)]
pub struct Kind {
    pool: Arc<Pool>,
}

impl Kind {
    /// With the `kind` command and the container engine that there are. What a harness that was
    /// killed has left behind is deleted.
    ///
    /// # Errors
    /// One of them is missing or too old.
    pub fn new(options: KindOptions) -> Result<Kind, ClusterError> {
        if let Some(images) = options.images.iter().find(|images| !images.is_file()) {
            return Err(ClusterError::Environment(format!("there is no file `{images}`")));
        }
        let runtime = Runtime::new().map_err(io)?;
        let detect = async {
            let kind = detect().await?;
            sweep(&kind).await?;
            Ok(kind)
        };
        let kind = runtime.block_on(detect).map_err(failed)?;
        Ok(Kind { pool: Arc::new(Pool::new(kind, options, runtime)) })
    }

    /// Deletes the clusters of harnesses that are gone; answers their names.
    ///
    /// # Errors
    /// There is no `kind`, or a cluster can't be deleted.
    pub fn sweep() -> Result<Vec<String>, ClusterError> {
        let all = async { sweep(&detect().await?).await };
        Runtime::new().map_err(io)?.block_on(all).map_err(failed)
    }
}

async fn sweep(kind: &Tool) -> Result<Vec<String>, Error> {
    let mut swept = Vec::new();
    for cluster in kind.clusters().await? {
        if is_left_behind(cluster.name()) {
            cluster.delete().await?;
            swept.push(cluster.name().to_owned());
        }
    }
    Ok(swept)
}

impl Provider for Kind {
    fn name(&self) -> &'static str {
        "kind"
    }

    fn version(&self) -> Option<&str> {
        None
    }

    fn capabilities(&self) -> Capabilities {
        capabilities(&[Capability::ContainerBehaviour, Capability::SlowImages])
    }

    fn clock(&self) -> Clock {
        Clock::Wall
    }

    fn pace(&self) -> u64 {
        self.pool.pace()
    }

    fn provision(&self, spec: &ClusterSpec) -> Result<Box<dyn Cluster>, ClusterError> {
        refuse_bugs("kind", spec)?;
        let lease = self.pool.take(spec)?;
        let runtime = Runtime::new().map_err(io)?;
        let site = lease.site();
        let api = Api::new(site.connection.clone(), runtime.handle().clone())?;
        let audit_log = Some(site.audit_log());
        let proxy = match &site.proxy {
            Ok(proxy) => Way::Through(proxy.clone()),
            Err(why) => Way::Blocked(why.clone()),
        };
        let journal = SharedJournal::new(site.journal().map_err(io)?);
        let ground = KindGround::new(lease, runtime.handle().clone());
        let ground = Box::new(Undoable::new(ground, journal));
        let world = WorldConfig::new(spec.seed, 0);
        let setup = Setup { provider: "kind", api, audit_log, ground, world, runtime, proxy };
        Ok(Box::new(RealCluster::new(setup)?))
    }

    fn notes(&self) -> Vec<String> {
        self.pool.notes()
    }
}
