//! The container runtime of a node, which knows what really runs there: `crictl`.

use std::time::Duration;

use crate::error::Error;
use crate::exec::Exec;
use crate::node::Node;
use crate::pods::{self, Container, ContainerStatus, Image, PodSandbox, ProcessState};
use crate::unit::Signal;

/// The exit code of our scripts for a process that is not, or no longer, the container's.
const NO_PROCESS: i32 = 66;

/// Signals `$1` to the process `$0` if it belongs to the container `$2`: in the meantime the
/// container may have ended, and its number may be another process's.
const SIGNAL: &str = r#"grep -qsF -- "$2" "/proc/$0/cgroup" || exit 66; kill -s "$1" "$0""#;

/// The container runtime of a node.
///
/// It is asked with `crictl`, so the answers hold even when the kubelet or the API server does not
/// know yet, or can't be reached.
#[derive(Clone, Copy, Debug)]
pub struct Cri<'a> {
    node: &'a Node,
}

impl<'a> Cri<'a> {
    pub(crate) fn new(node: &'a Node) -> Self {
        Self { node }
    }

    /// All containers, also those that ended and are not removed yet; the newest first.
    ///
    /// # Errors
    /// Those of [`Node::exec_checked`]; [`Error::Unreadable`].
    pub async fn containers(&self) -> Result<Vec<Container>, Error> {
        let exec = Exec::from(["crictl", "ps", "--all", "--output", "json"]);
        self.node.exec_parsed(exec, pods::parse_containers).await
    }

    /// All pod sandboxes, also those that are not ready.
    ///
    /// # Errors
    /// Those of [`Node::exec_checked`]; [`Error::Unreadable`].
    pub async fn pods(&self) -> Result<Vec<PodSandbox>, Error> {
        let exec = Exec::from(["crictl", "pods", "--output", "json"]);
        self.node.exec_parsed(exec, pods::parse_sandboxes).await
    }

    /// The images in the node.
    ///
    /// # Errors
    /// Those of [`Node::exec_checked`]; [`Error::Unreadable`].
    pub async fn images(&self) -> Result<Vec<Image>, Error> {
        let exec = Exec::from(["crictl", "images", "--output", "json"]);
        self.node.exec_parsed(exec, pods::parse_images).await
    }

    /// More of one container: its process, its times, its end.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it is not there; those of [`Node::exec_checked`];
    /// [`Error::Unreadable`].
    pub async fn inspect(&self, container: &str) -> Result<ContainerStatus, Error> {
        check_id(container)?;
        let exec = Exec::from(["crictl", "inspect", "--output", "json", container]);
        let status = self.node.exec_parsed(exec, pods::parse_status).await;
        status.map_err(|error| not_found(error, container))
    }

    /// Sends the first process of a container a signal, and returns its process ID in the node.
    ///
    /// [`Signal::Stop`] lets it stand still until [`Signal::Cont`], while the runtime says that the
    /// container runs. Other processes of the container are left alone.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the container is not there or does not run, and those of
    /// [`Node::exec_checked`].
    pub async fn signal(&self, container: &str, signal: Signal) -> Result<u32, Error> {
        let pid = self.pid(container).await?;
        let exec = Exec::sh(SIGNAL).args([&pid.to_string(), signal.name(), container]);
        match self.node.exec_checked(exec).await {
            Ok(_) => Ok(pid),
            Err(Error::Failed(failure)) if failure.code == Some(NO_PROCESS) => Err(gone(container)),
            Err(error) => Err(error),
        }
    }

    /// What the first process of a container is doing: the proof that a signal took effect.
    ///
    /// # Errors
    /// Those of [`signal`](Self::signal); [`Error::Unreadable`].
    pub async fn process_state(&self, container: &str) -> Result<ProcessState, Error> {
        let pid = self.pid(container).await?;
        let exec = Exec::from(["cat", &format!("/proc/{pid}/stat")]);
        let state = self.node.exec_parsed(exec, pods::parse_process_state).await;
        state.map_err(|error| match &error {
            Error::Failed(failure) if failure.code == Some(1) => gone(container),
            _ => error,
        })
    }

    /// Stops a container behind the kubelet's back, and kills it after `grace`, in whole seconds.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it is not there; those of [`Node::exec_checked`].
    pub async fn stop(&self, container: &str, grace: Duration) -> Result<(), Error> {
        check_id(container)?;
        let seconds = grace.as_secs().to_string();
        let timeout = self.node.kind().timeouts().exec.saturating_add(grace);
        let exec = Exec::from(["crictl", "stop", "--timeout", &seconds, container]);
        let stopped = self.node.exec_checked(exec.timeout(timeout)).await;
        stopped.map(drop).map_err(|error| not_found(error, container))
    }

    async fn pid(&self, container: &str) -> Result<u32, Error> {
        self.inspect(container).await?.pid.ok_or_else(|| gone(container))
    }
}

fn gone(container: &str) -> Error {
    Error::NotFound { what: "running container", name: container.to_owned() }
}

fn not_found(error: Error, container: &str) -> Error {
    match error.failure() {
        Some(failure) if failure.stderr.contains("code = NotFound") => {
            Error::NotFound { what: "container", name: container.to_owned() }
        }
        _ => error,
    }
}

/// IDs of containers are hexadecimal, so nothing else is passed on.
fn check_id(id: &str) -> Result<(), Error> {
    if !id.is_empty() && id.chars().all(|c| c.is_ascii_hexdigit()) {
        return Ok(());
    }
    let why = "it must be hexadecimal";
    Err(Error::Invalid { what: "container ID", value: id.to_owned(), why })
}
