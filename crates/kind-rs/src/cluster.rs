//! A cluster: its nodes, its kubeconfig, the images in it, and its end.

use camino::{Utf8Path, Utf8PathBuf};

use crate::error::Error;
use crate::inspect;
use crate::kind::Kind;
use crate::node::Node;

/// The label with the name of the cluster that kind puts on its containers.
const CLUSTER_LABEL: &str = "io.x-k8s.kind.cluster";

/// A cluster. Cheap to clone; dropping it deletes nothing.
#[derive(Clone, Debug)]
pub struct Cluster {
    kind: Kind,
    name: String,
    kubeconfig: Option<Utf8PathBuf>,
}

/// From where a kubeconfig reaches the API server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// From the host, at a port of it.
    #[default]
    External,
    /// From the network of the nodes.
    Internal,
}

impl Cluster {
    pub(crate) fn new(kind: Kind, name: String) -> Self {
        Self { kind, name, kubeconfig: None }
    }

    /// The same cluster, whose context is in this kubeconfig file instead of the default one.
    /// It matters when the cluster is deleted.
    #[must_use]
    pub fn with_kubeconfig(mut self, path: Option<Utf8PathBuf>) -> Self {
        self.kubeconfig = path;
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the context that kind writes into kubeconfig files.
    #[must_use]
    pub fn context(&self) -> String {
        format!("kind-{}", self.name)
    }

    /// The kind CLI by which the cluster is handled.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Whether any of its nodes is there, running or not.
    ///
    /// # Errors
    /// What running the container engine may meet.
    pub async fn exists(&self) -> Result<bool, Error> {
        Ok(!self.container_names().await?.is_empty())
    }

    /// Its nodes, ordered by name, with the addresses that they have now.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the cluster has no nodes; what running the container engine may meet.
    pub async fn nodes(&self) -> Result<Vec<Node>, Error> {
        let names = self.container_names().await?;
        if names.is_empty() {
            return Err(Error::NotFound { what: "cluster", name: self.name.clone() });
        }
        let args = std::iter::once("inspect".to_owned()).chain(names);
        let invocation = self.kind.engine_invocation(args, self.kind.timeouts().query);
        let output = self.kind.succeed(&invocation, None).await?;
        let containers = inspect::parse(&output.stdout)
            .map_err(|why| Error::unreadable(invocation.line(), why, &output.stdout))?;
        let make = |container| Node::new(self.kind.clone(), self.name.clone(), container);
        let mut nodes: Vec<Node> = containers.into_iter().map(make).collect();
        nodes.sort_by(|a, b| a.name().cmp(b.name()));
        Ok(nodes)
    }

    /// The node of a name.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the cluster has no such node, and those of [`nodes`](Self::nodes).
    pub async fn node(&self, name: &str) -> Result<Node, Error> {
        let nodes = self.nodes().await?;
        let found = nodes.into_iter().find(|node| node.name() == name);
        found.ok_or_else(|| Error::NotFound { what: "node", name: name.to_owned() })
    }

    /// Loads all images of an archive, as `docker save` writes it, into all nodes.
    ///
    /// # Errors
    /// [`Error::Failed`] and [`Error::TimedOut`] from kind.
    pub async fn load_image_archive(&self, path: &Utf8Path) -> Result<(), Error> {
        self.load(path, &[]).await
    }

    /// Loads all images of an archive, as `docker save` writes it, into some nodes.
    ///
    /// # Errors
    /// [`Error::Failed`] and [`Error::TimedOut`] from kind.
    pub async fn load_image_archive_into(
        &self,
        path: &Utf8Path,
        nodes: &[Node],
    ) -> Result<(), Error> {
        // kind takes no nodes for all nodes.
        if nodes.is_empty() { Ok(()) } else { self.load(path, nodes).await }
    }

    async fn load(&self, path: &Utf8Path, nodes: &[Node]) -> Result<(), Error> {
        let mut args = vec!["load", "image-archive", "--name", &self.name];
        let names: Vec<&str> = nodes.iter().map(Node::name).collect();
        let names = names.join(",");
        if !nodes.is_empty() {
            args.extend(["--nodes", &names]);
        }
        args.extend(["--", path.as_str()]);
        let invocation = self.kind.kind_invocation(args, self.kind.timeouts().load);
        self.kind.succeed(&invocation, None).await.map(drop)
    }

    /// The kubeconfig of the cluster, as YAML. No file is touched.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such cluster; what running kind may meet.
    pub async fn kubeconfig(&self, access: Access) -> Result<String, Error> {
        let mut args = vec!["get", "kubeconfig", "--name", &self.name];
        if access == Access::Internal {
            args.push("--internal");
        }
        let invocation = self.kind.kind_invocation(args, self.kind.timeouts().query);
        let output = self.kind.succeed(&invocation, None).await.map_err(|error| {
            let unknown = "could not locate any control plane nodes";
            match error.failure() {
                Some(failure) if failure.stderr.contains(unknown) => {
                    Error::NotFound { what: "cluster", name: self.name.clone() }
                }
                _ => error,
            }
        })?;
        Ok(output.stdout_text())
    }

    /// Deletes the cluster and its context in the kubeconfig. A cluster that is not there is no
    /// error.
    ///
    /// # Errors
    /// [`Error::Failed`] and [`Error::TimedOut`] from kind.
    pub async fn delete(&self) -> Result<(), Error> {
        let mut args = vec!["delete", "cluster", "--name", &self.name];
        if let Some(path) = &self.kubeconfig {
            args.extend(["--kubeconfig", path.as_str()]);
        }
        let invocation = self.kind.kind_invocation(args, self.kind.timeouts().delete);
        self.kind.succeed(&invocation, None).await.map(drop)
    }

    async fn container_names(&self) -> Result<Vec<String>, Error> {
        let filter = format!("label={CLUSTER_LABEL}={}", self.name);
        let args = ["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"];
        let invocation = self.kind.engine_invocation(args, self.kind.timeouts().query);
        let output = self.kind.succeed(&invocation, None).await?;
        let text = output.stdout_text();
        let names = text.lines().map(str::trim).filter(|name| !name.is_empty());
        Ok(names.map(str::to_owned).collect())
    }
}

/// Holds a name against what kind allows.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
    let why = if name.is_empty() {
        "it is empty"
    } else if !name.chars().all(allowed) {
        "only lower case letters, digits, `.` and `-` are allowed"
    } else if name.starts_with('-') {
        "it would be taken for an option"
    } else {
        return Ok(());
    };
    Err(Error::Invalid { what: "cluster name", value: name.to_owned(), why })
}
