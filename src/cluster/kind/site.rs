//! A cluster on which trials run, one after another: how it is made, found again, and deleted.

use std::collections::BTreeMap;
use std::fs::File;

use camino::Utf8PathBuf;
use kind_rs::{Access, Cluster, CreateOptions, Error, Exec, Kind, Node, Signal};
use kubesim_model::Text;
use tokio::runtime::Handle;

use super::config::{AUDIT_LOG, config, workers, write_files};
use super::ground::{name_host, signal_component};
use super::inventory::Inventory;
use super::passage;
use super::provider::KindOptions;
use super::reset::{ResetError, reset, settle, take_inventory};
use super::undo::KindReach;
use crate::cluster::real::{Api, Component, Folder, Header, Journal, Proxy};
use crate::cluster::{ClusterError, ClusterSpec};

/// Where kubeadm's static pods are written down, and where faults put them aside.
pub(super) const MANIFESTS: &str = "/etc/kubernetes/manifests";
pub(super) const ASIDE: &str = "/etc/kubernetes";

/// How programs reach the API, and what there was when the cluster was new, in its folder.
const KUBECONFIG: &str = "kubeconfig";
const NEW: &str = "new.json";

/// A cluster; it is deleted when this is dropped, unless it stays.
pub(super) struct Site {
    stays: bool,
    cluster: Cluster,
    /// What its nodes are, and how they were made: two clusters of one shape are the same.
    pub(super) shape: String,
    pub(super) control_plane: Node,
    /// By the names under which they are registered, without the control plane's.
    pub(super) nodes: BTreeMap<Text, Node>,
    pub(super) connection: kube::Config,
    /// What there was when it was new.
    pub(super) new: Inventory,
    control_plane_name: Text,
    /// Through which its controllers reach the API, or why they do not.
    pub(super) proxy: Result<Proxy, String>,
    runtime: Handle,
    /// After the cluster, whose control plane writes into it.
    folder: Folder,
    /// Keeps others away from the place of a cluster that was to stay, until nothing is there.
    lock: Option<File>,
}

/// Where a cluster is to be: its folder, and the lock on it if it is to stay.
pub(super) type Place = (Folder, Option<File>);

/// What was found in a place.
pub(super) enum Adopted {
    /// A cluster that is as it was when it was new.
    Site(Box<Site>),
    /// Nothing, or nothing of use any more, and then why.
    Vacant(Place, Option<String>),
}

impl Site {
    /// Makes a cluster and waits until everything in it is at rest.
    pub(super) fn make(
        (kind, options, pace, runtime): (&Kind, &KindOptions, u64, &Handle),
        spec: &ClusterSpec,
        shape: String,
        (folder, lock): Place,
    ) -> Result<Site, ClusterError> {
        let path = folder.path();
        write_files(path).map_err(io)?;
        let config = config(folder.name(), spec, path, pace)?;
        let create = CreateOptions {
            image: options.node_image.clone(),
            kubeconfig: Some(path.join(KUBECONFIG)),
            ..CreateOptions::default()
        };
        let cluster = runtime.block_on(kind.create(&config, create)).map_err(failed)?;
        let made = runtime.block_on(async {
            for images in &options.images {
                cluster.load_image_archive(images).await.map_err(failed)?;
            }
            let parts = parts(&cluster, spec).await?;
            let (_, _, (_, nodes)) = &parts;
            for (name, node) in nodes {
                name_host(node, name).await.map_err(failed)?;
            }
            Ok(parts)
        });
        let parts = made.inspect_err(|_| {
            // What went wrong first is what matters.
            let _ = runtime.block_on(cluster.delete());
        })?;
        let mut site = Site::of(cluster, shape, parts, (folder, lock), runtime.clone());
        let client = site.client()?;
        site.open_passage(&client)?;
        let taken = async {
            settle(&client, &site.names()).await?;
            take_inventory(&site, &client).await
        };
        site.new = match runtime.block_on(taken) {
            Ok(new) => new,
            Err(error) => {
                site.give_up();
                return Err(unsettled(error));
            }
        };
        if site.stays {
            let text = serde_json::to_string(&site.new).unwrap_or_default();
            std::fs::write(site.folder.path().join(NEW), text).map_err(io)?;
        }
        Ok(site)
    }

    /// Finds the cluster that stayed in this place, and makes it what it was.
    pub(super) fn adopt(
        (kind, runtime): (&Kind, &Handle),
        spec: &ClusterSpec,
        shape: &str,
        (folder, lock): Place,
    ) -> Result<Adopted, ClusterError> {
        let mut all = runtime.block_on(kind.clusters()).map_err(failed)?;
        all.retain(|cluster| cluster.name() == folder.name());
        let Some(cluster) = all.pop() else { return Ok(Adopted::Vacant((folder, lock), None)) };
        let cluster = cluster.with_kubeconfig(Some(folder.path().join(KUBECONFIG)));
        let text = std::fs::read_to_string(folder.path().join(NEW)).unwrap_or_default();
        let found = serde_json::from_str::<Inventory>(&text).map_err(|error| error.to_string());
        let found = found.and_then(|new| {
            let parts = runtime.block_on(parts(&cluster, spec));
            Ok((new, parts.map_err(|error| error.to_string())?))
        });
        let (new, parts) = match found {
            Ok(found) => found,
            Err(why) => {
                runtime.block_on(cluster.delete()).map_err(failed)?;
                return Ok(Adopted::Vacant((folder, lock), Some(why)));
            }
        };
        let place = (folder, lock);
        let mut site = Site::of(cluster, shape.to_owned(), parts, place, runtime.clone());
        site.new = new;
        // A harness that was killed has left its controllers without a way.
        let closed = runtime.block_on(passage::close(&site.control_plane));
        let opened = closed.map_err(failed).and_then(|()| site.open_passage(&site.client()?));
        match opened.map_err(|error| error.to_string()).and_then(|()| site.reset()) {
            Ok(()) => Ok(Adopted::Site(Box::new(site))),
            Err(why) => Ok(Adopted::Vacant(site.vacate().map_err(io)?, Some(why))),
        }
    }

    fn of(
        cluster: Cluster,
        shape: String,
        (connection, control_plane, (control_plane_name, nodes)): Parts,
        (folder, lock): Place,
        runtime: Handle,
    ) -> Site {
        let new = Inventory::default();
        Site {
            cluster,
            shape,
            control_plane,
            nodes,
            connection,
            new,
            control_plane_name,
            proxy: Err(String::new()),
            runtime,
            folder,
            stays: lock.is_some(),
            lock,
        }
    }

    /// Has the controllers reach the API through a proxy, if that can be.
    fn open_passage(&mut self, client: &kube::Client) -> Result<(), ClusterError> {
        let api = Api::new(self.connection.clone(), self.runtime.clone())?;
        let ways = (&api, client, &self.runtime);
        let opened = passage::open(ways, &self.control_plane, self.folder.path());
        self.proxy = opened.map_err(|error| error.to_string());
        match self.proxy {
            Ok(_) => Ok(()),
            Err(_) => self.runtime.block_on(passage::close(&self.control_plane)).map_err(failed),
        }
    }

    /// Makes the cluster what it was when it was new.
    pub(super) fn reset(&mut self) -> Result<(), String> {
        self.proxy.iter().for_each(Proxy::end);
        let client = self.client().map_err(|error| error.to_string())?;
        let left =
            self.runtime.block_on(reset(self, &client)).map_err(|error| error.to_string())?;
        if !left.is_empty() {
            return Err(left.join("; "));
        }
        // What it holds is of trials that are over.
        let log = File::options().write(true).open(self.audit_log());
        log.and_then(|log| log.set_len(0)).map_err(|error| error.to_string())
    }

    /// Deletes the cluster; its place is free.
    fn vacate(mut self) -> std::io::Result<Place> {
        let (name, lock) = (self.folder.name().to_owned(), self.lock.take());
        self.stays = false;
        drop(self);
        Ok((Folder::lasting(&name)?, lock))
    }

    /// Sees to it that it is deleted when it is dropped.
    pub(super) fn give_up(&mut self) {
        self.stays = false;
        self.folder.go();
    }

    /// Its name, if it stays when the harness ends.
    pub(super) fn stays(&self) -> Option<&str> {
        self.stays.then(|| self.cluster.name())
    }

    pub(super) fn name(&self) -> &str {
        self.cluster.name()
    }

    pub(super) fn kubeconfig(&self) -> Utf8PathBuf {
        self.folder.path().join(KUBECONFIG)
    }

    /// A journal of what a trial does to it. Resetting or deleting the cluster heals everything, so
    /// that nothing outlives it.
    pub(super) fn journal(&self) -> std::io::Result<Journal> {
        let header = Header::new("kind", &KindReach::new(&self.control_plane, &self.nodes), false);
        Journal::renew(self.folder.path(), header)
    }

    pub(super) fn audit_log(&self) -> Utf8PathBuf {
        self.folder.path().join(AUDIT_LOG)
    }

    /// The names under which all nodes are registered.
    pub(super) fn names(&self) -> Vec<String> {
        self.all_nodes().map(|(name, _)| name.to_owned()).collect()
    }

    /// All nodes by name, with the control plane's.
    pub(super) fn all_nodes(&self) -> impl Iterator<Item = (&str, &Node)> {
        let own = (self.control_plane_name.as_str(), &self.control_plane);
        std::iter::once(own).chain(self.nodes.iter().map(|(name, node)| (name.as_str(), node)))
    }

    /// Starts the parts of the control plane that were ended or stand still.
    pub(super) async fn restart_components(&self) -> Result<(), Error> {
        for component in [Component::ControllerManager, Component::Scheduler] {
            let name = component.as_str();
            let back =
                format!("[ ! -e {ASIDE}/{name}.yaml ] || mv {ASIDE}/{name}.yaml {MANIFESTS}/");
            self.control_plane.exec_checked(Exec::sh(back)).await?;
            signal_component(&self.control_plane, name, Signal::Cont).await?;
        }
        Ok(())
    }

    /// An administrator's client, for between the trials.
    fn client(&self) -> Result<kube::Client, ClusterError> {
        let _inside = self.runtime.enter();
        let client = kube::Client::try_from(self.connection.clone());
        client.map_err(|error| ClusterError::Environment(error.to_string()))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if self.stays {
            // If this fails, the next run makes the cluster anew.
            let _ = self.runtime.block_on(passage::close(&self.control_plane));
        } else {
            // One that can't be deleted now is deleted by the next run.
            let _ = self.runtime.block_on(self.cluster.delete());
        }
    }
}

/// How the API is reached, the control plane's node, and its name and the others.
type Parts = (kube::Config, Node, (Text, BTreeMap<Text, Node>));

async fn parts(cluster: &Cluster, spec: &ClusterSpec) -> Result<Parts, ClusterError> {
    let text = cluster.kubeconfig(Access::External).await.map_err(failed)?;
    let connection = connection(&text).await.map_err(ClusterError::Environment)?;
    let control_plane = cluster.node(&format!("{}-control-plane", cluster.name())).await;
    let control_plane = control_plane.map_err(failed)?;
    let named = spec.nodes.iter().find(|node| node.is_control_plane);
    let name = named.map_or_else(|| Text::new(control_plane.name()), |node| node.name.clone());
    let nodes = named_nodes(cluster, spec).await.map_err(failed)?;
    Ok((connection, control_plane, (name, nodes)))
}

async fn connection(text: &str) -> Result<kube::Config, String> {
    let kubeconfig =
        kube::config::Kubeconfig::from_yaml(text).map_err(|error| error.to_string())?;
    let options = kube::config::KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
    config.map_err(|error| error.to_string())
}

/// The nodes by the names under which they are registered, but for the control plane's: kind
/// numbers them in the order of the configuration.
async fn named_nodes(cluster: &Cluster, spec: &ClusterSpec) -> Result<BTreeMap<Text, Node>, Error> {
    let mut named = BTreeMap::new();
    for (index, worker) in workers(spec).enumerate() {
        let number = if index == 0 { String::new() } else { (index + 1).to_string() };
        let node = cluster.node(&format!("{}-worker{number}", cluster.name())).await?;
        named.insert(worker.name.clone(), node);
    }
    Ok(named)
}

pub(super) fn failed(error: Error) -> ClusterError {
    ClusterError::Environment(error.to_string())
}

pub(super) fn io(error: std::io::Error) -> ClusterError {
    ClusterError::Environment(error.to_string())
}

fn unsettled(error: ResetError) -> ClusterError {
    ClusterError::Environment(format!("the cluster does not get ready: {error}"))
}
