//! The provider: making a cluster for a trial.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use kind_rs::{Access, CreateOptions, Error, Node};
use kubesim::world::WorldConfig;
use kubesim_model::Text;

use super::config::{AUDIT_LOG, AUDIT_POLICY_FILE, config, workers};
use super::ground::{KindGround, Owned, name_host};
use super::tools::detect;
use super::undo::KindReach;
use crate::cluster::real::{
    AUDIT_POLICY, Api, Folder, Header, Journal, RealCluster, Runtime, Setup, SharedJournal,
    Undoable, capabilities, is_left_behind, refuse_bugs,
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
}

/// The provider.
#[derive(Clone)]
pub struct Kind {
    kind: kind_rs::Kind,
    options: KindOptions,
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
        let detect = async {
            let kind = detect().await?;
            sweep(&kind).await?;
            Ok(kind)
        };
        let kind = Runtime::new().map_err(io)?.block_on(detect).map_err(failed)?;
        Ok(Kind { kind, options })
    }

    /// Deletes the clusters of harnesses that are gone; answers their names.
    ///
    /// # Errors
    /// There is no `kind`, or a cluster can't be deleted.
    pub fn sweep() -> Result<Vec<String>, ClusterError> {
        let all = async { sweep(&detect().await?).await };
        Runtime::new().map_err(io)?.block_on(all).map_err(failed)
    }

    /// Makes a cluster; it is deleted if it is not finished.
    async fn make(&self, spec: &ClusterSpec, folder: &Folder) -> Result<Made, ClusterError> {
        let kubeconfig = folder.path().join("kubeconfig");
        let config = config(folder.name(), spec, folder.path())?;
        let options = CreateOptions {
            image: self.options.node_image.clone(),
            kubeconfig: Some(kubeconfig.clone()),
            ..CreateOptions::default()
        };
        let cluster = self.kind.create(&config, options).await.map_err(failed)?;
        match self.finish(&cluster, spec).await {
            Ok((connection, control_plane, nodes)) => {
                Ok(Made { cluster, kubeconfig, connection, control_plane, nodes })
            }
            Err(error) => {
                // What went wrong first is what matters.
                let _ = cluster.delete().await;
                Err(error)
            }
        }
    }

    async fn finish(
        &self,
        cluster: &kind_rs::Cluster,
        spec: &ClusterSpec,
    ) -> Result<(kube::Config, Node, BTreeMap<Text, Node>), ClusterError> {
        for images in &self.options.images {
            cluster.load_image_archive(images).await.map_err(failed)?;
        }
        let text = cluster.kubeconfig(Access::External).await.map_err(failed)?;
        let connection = connection(&text).await.map_err(ClusterError::Environment)?;
        let (control_plane, nodes) = nodes(cluster, spec).await.map_err(failed)?;
        Ok((connection, control_plane, nodes))
    }
}

async fn sweep(kind: &kind_rs::Kind) -> Result<Vec<String>, Error> {
    let mut swept = Vec::new();
    for cluster in kind.clusters().await? {
        if is_left_behind(cluster.name()) {
            cluster.delete().await?;
            swept.push(cluster.name().to_owned());
        }
    }
    Ok(swept)
}

/// A cluster that was made.
struct Made {
    cluster: kind_rs::Cluster,
    kubeconfig: Utf8PathBuf,
    connection: kube::Config,
    control_plane: Node,
    /// By the names under which they are registered.
    nodes: BTreeMap<Text, Node>,
}

async fn connection(text: &str) -> Result<kube::Config, String> {
    let kubeconfig =
        kube::config::Kubeconfig::from_yaml(text).map_err(|error| error.to_string())?;
    let options = kube::config::KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
    config.map_err(|error| error.to_string())
}

fn failed(error: Error) -> ClusterError {
    ClusterError::Environment(error.to_string())
}

fn io(error: std::io::Error) -> ClusterError {
    ClusterError::Environment(error.to_string())
}

/// The control plane's node, and the others by the names under which they are registered: kind
/// numbers them in the order of the configuration.
async fn nodes(
    cluster: &kind_rs::Cluster,
    spec: &ClusterSpec,
) -> Result<(Node, BTreeMap<Text, Node>), Error> {
    let control_plane = cluster.node(&format!("{}-control-plane", cluster.name())).await?;
    let mut named = BTreeMap::new();
    for (index, worker) in workers(spec).enumerate() {
        let number = if index == 0 { String::new() } else { (index + 1).to_string() };
        let name = format!("{}-worker{number}", cluster.name());
        let node = cluster.node(&name).await?;
        name_host(&node, &worker.name).await?;
        named.insert(worker.name.clone(), node);
    }
    Ok((control_plane, named))
}

impl Provider for Kind {
    fn name(&self) -> &'static str {
        "kind"
    }

    fn version(&self) -> Option<&str> {
        None
    }

    fn capabilities(&self) -> Capabilities {
        // The controllers of its control plane reach the API past any proxy.
        capabilities(&[
            Capability::ContainerBehaviour,
            Capability::ImageFaults,
            Capability::Deliveries,
            Capability::ApiFaults,
        ])
    }

    fn clock(&self) -> Clock {
        Clock::Wall
    }

    fn provision(&self, spec: &ClusterSpec) -> Result<Box<dyn Cluster>, ClusterError> {
        refuse_bugs("kind", spec)?;
        let runtime = Runtime::new().map_err(io)?;
        let folder = Folder::new().map_err(io)?;
        write(&folder.path().join(AUDIT_POLICY_FILE), AUDIT_POLICY).map_err(io)?;
        write(&folder.path().join(AUDIT_LOG), "").map_err(io)?;
        let Made { cluster, kubeconfig, connection, control_plane, nodes } =
            runtime.block_on(self.make(spec, &folder))?;
        let cluster = Owned { cluster, runtime: runtime.handle().clone() };
        let api = Api::new(connection, runtime.handle().clone())?;
        let audit_log = Some(folder.path().join(AUDIT_LOG));
        // Deleting the cluster heals everything in it.
        let header = Header::new("kind", &KindReach::new(&control_plane, &nodes), false);
        let journal = SharedJournal::new(Journal::create(folder.path(), header).map_err(io)?);
        let ground = KindGround::new(cluster, control_plane, nodes, (kubeconfig, folder));
        let world = WorldConfig::new(spec.seed, 0);
        let ground = Box::new(Undoable::new(ground, journal));
        let proxy = None;
        let setup = Setup { provider: "kind", api, audit_log, ground, world, runtime, proxy };
        Ok(Box::new(RealCluster::new(setup)?))
    }
}

fn write(path: &Utf8Path, text: &str) -> std::io::Result<()> {
    std::fs::write(path, text)
}
