//! A node: who it is, the life of its container, and its place in the network.

use std::time::Duration;

use crate::cri::Cri;
use crate::error::Error;
use crate::inspect::{self, Addresses, Inspected, NodeState, Role};
use crate::kind::Kind;
use crate::unit::Unit;

/// A node of a cluster, which is a container of the container engine. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Node {
    kind: Kind,
    cluster: String,
    name: String,
    role: Role,
    image: String,
    addresses: Addresses,
}

impl Node {
    pub(crate) fn new(kind: Kind, cluster: String, container: Inspected) -> Self {
        let addresses = container.state.networks.get(kind.network()).copied();
        Self {
            cluster,
            name: container.name,
            role: container.role,
            image: container.image,
            addresses: addresses.unwrap_or_default(),
            kind,
        }
    }

    /// Its name: that of the container, its host name, and the name of the Kubernetes node.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of its cluster.
    #[must_use]
    pub fn cluster_name(&self) -> &str {
        &self.cluster
    }

    /// What it is for.
    #[must_use]
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// Its node image.
    #[must_use]
    pub fn image(&self) -> &str {
        &self.image
    }

    /// The addresses that it had in the network of the nodes when it was listed. A node that is
    /// started or connected again may get others: see [`state`](Self::state).
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The kind CLI by which the node is handled.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// What its container is doing now.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the container is gone; what running the container engine may meet.
    pub async fn state(&self) -> Result<NodeState, Error> {
        let args = ["container", "inspect", &self.name];
        let invocation = self.kind.engine_invocation(args, self.kind.timeouts().query);
        let output = self.kind.succeed(&invocation, None).await.map_err(|error| {
            let gone = |stderr: &str| stderr.to_lowercase().contains("no such container");
            match error.failure() {
                Some(failure) if gone(&failure.stderr) => self.not_found(),
                _ => error,
            }
        })?;
        let containers = inspect::parse(&output.stdout)
            .map_err(|why| Error::unreadable(invocation.line(), why, &output.stdout))?;
        let found = containers.into_iter().find(|container| container.name == self.name);
        found.map(|container| container.state).ok_or_else(|| self.not_found())
    }

    fn not_found(&self) -> Error {
        Error::NotFound { what: "node", name: self.name.clone() }
    }

    /// Lets all its processes stand still. Its clocks go on.
    ///
    /// # Errors
    /// [`Error::Failed`] if it is paused already or does not run.
    pub async fn pause(&self) -> Result<(), Error> {
        self.engine(&["pause", &self.name], Duration::ZERO).await
    }

    /// Lets its processes go on.
    ///
    /// # Errors
    /// [`Error::Failed`] if it is not paused.
    pub async fn unpause(&self) -> Result<(), Error> {
        self.engine(&["unpause", &self.name], Duration::ZERO).await
    }

    /// Kills all its processes at once, as a power failure does, also if it is paused. It stays
    /// down until [`start`](Self::start).
    ///
    /// # Errors
    /// [`Error::Failed`] if it does not run.
    pub async fn kill(&self) -> Result<(), Error> {
        self.engine(&["kill", &self.name], Duration::ZERO).await
    }

    /// Shuts it down, and kills what has not ended after `grace`, in whole seconds.
    ///
    /// # Errors
    /// [`Error::Failed`] from the container engine; a node that does not run is no error.
    pub async fn stop(&self, grace: Duration) -> Result<(), Error> {
        let seconds = grace.as_secs().to_string();
        self.engine(&["stop", "-t", &seconds, &self.name], grace).await
    }

    /// Boots it. It returns when the container runs, which is before Kubernetes does.
    ///
    /// # Errors
    /// [`Error::Failed`] from the container engine; a node that runs already is no error.
    pub async fn start(&self) -> Result<(), Error> {
        self.engine(&["start", &self.name], Duration::ZERO).await
    }

    /// Shuts it down as [`stop`](Self::stop) does, and boots it.
    ///
    /// # Errors
    /// [`Error::Failed`] from the container engine.
    pub async fn restart(&self, grace: Duration) -> Result<(), Error> {
        let seconds = grace.as_secs().to_string();
        self.engine(&["restart", "-t", &seconds, &self.name], grace).await
    }

    /// Takes it out of the network of the nodes: its interface is gone. Programs can still be run
    /// in it.
    ///
    /// # Errors
    /// [`Error::Failed`] if it is not in the network.
    pub async fn disconnect(&self) -> Result<(), Error> {
        let args = ["network", "disconnect", self.kind.network(), &self.name];
        self.engine(&args, Duration::ZERO).await
    }

    /// Puts it back into the network of the nodes. The interface may have another name than
    /// before, and nothing promises the same address.
    ///
    /// # Errors
    /// [`Error::Failed`] if it is in the network.
    pub async fn connect(&self) -> Result<(), Error> {
        let args = ["network", "connect", self.kind.network(), &self.name];
        self.engine(&args, Duration::ZERO).await
    }

    /// A unit of its systemd, for instance `kubelet` or `containerd`.
    #[must_use]
    pub fn unit(&self, name: impl Into<String>) -> Unit<'_> {
        Unit::new(self, name.into())
    }

    /// Its container runtime, in which the pods are.
    #[must_use]
    pub fn cri(&self) -> Cri<'_> {
        Cri::new(self)
    }

    async fn engine(&self, args: &[&str], grace: Duration) -> Result<(), Error> {
        let timeout = self.kind.timeouts().lifecycle.saturating_add(grace);
        let invocation = self.kind.engine_invocation(args.iter().copied(), timeout);
        self.kind.succeed(&invocation, None).await.map(drop)
    }
}
