//! The container runtime of a node, which knows what really runs there: `crictl`.

use std::time::Duration;

use crate::error::Error;
use crate::exec::Exec;
use crate::node::Node;
use crate::pods::{self, Container, ContainerStatus, Image, PodSandbox, ProcessState};
use crate::unit::Signal;

/// The exit code of our scripts for a process that is not, or no longer, the container's.
const NO_PROCESS: i32 = 66;

/// What the topics of events begin with that are about processes (containerd v2).
const TASKS: &str = "/tasks/";

/// How much is kept of what a runtime says.
const LAST_WORDS: usize = 4096;

/// Signals `$1` to the process `$0` if it belongs to the container `$2`: in the meantime the
/// container may have ended, and its number may be another process's.
const SIGNAL: &str = r#"grep -qsF -- "$2" "/proc/$0/cgroup" || exit 66; kill -s "$1" "$0""#;

/// Lets the container `$1` of the process `$0` need more memory than it may have: its limit is set
/// a little above what it uses, and a program in its control group takes the rest. Of all there the
/// kernel prefers to end the container's own process. Both versions of control groups are known.
const EXHAUST: &str = r#"
grep -qsF -- "$1" "/proc/$0/cgroup" || exit 66
group=$(sed -n 's/^[0-9]*:memory://p' "/proc/$0/cgroup")
if [ -n "$group" ]; then
    cd "/sys/fs/cgroup/memory$group" || exit 1
    limit=memory.limit_in_bytes used=memory.usage_in_bytes
else
    cd "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$0/cgroup")" || exit 1
    limit=memory.max used=memory.current
fi
echo 1000 >"/proc/$0/oom_score_adj" || exit 1
echo $(($(cat $used) + 8388608)) >$limit || exit 1
sh -c 'echo 0 >cgroup.procs && exec tail /dev/zero' >/dev/null 2>&1
[ ! -e "/proc/$0/cgroup" ] || ! grep -qsF -- "$1" "/proc/$0/cgroup"
"#;

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

    /// Tells whenever something becomes of the process of a container, for as long as `within`, and
    /// once when it begins to listen. What becomes of it is then to be asked for.
    ///
    /// # Errors
    /// Those of [`Node::exec`]; [`Error::Failed`] if the runtime ends or says nothing (containerd's
    /// `ctr` is needed).
    pub async fn listen(
        &self,
        within: Duration,
        mut tell: impl FnMut() + Send,
    ) -> Result<(), Error> {
        let script = format!("echo {TASKS} >&2; exec ctr --namespace k8s.io events >&2");
        let exec = Exec::sh(script).timeout(within).output_limit(LAST_WORDS);
        let mut on_line = |line: &str| {
            if line.contains(TASKS) {
                tell();
            }
        };
        match self.node.exec_lines(exec, &mut on_line).await {
            Err(error) if error.is_timeout() => Ok(()),
            ended => ended,
        }
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

    /// Lets a container run out of memory, so that the kernel ends its first process.
    ///
    /// # Errors
    /// Those of [`signal`](Self::signal); [`Error::Failed`] also if the process lives on.
    pub async fn exhaust_memory(&self, container: &str) -> Result<(), Error> {
        let pid = self.pid(container).await?.to_string();
        match self.node.exec_checked(Exec::sh(EXHAUST).args([&pid, container])).await {
            Ok(_) => Ok(()),
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

    /// Removes a pod sandbox that is not ready, with its containers, behind the kubelet's back;
    /// with `force` also one that is in use. The kubelet itself does so a minute after its end.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it is not there; those of [`Node::exec_checked`].
    pub async fn remove_pod(&self, sandbox: &str, force: bool) -> Result<(), Error> {
        check_id(sandbox)?;
        let exec = Exec::from(["crictl", "rmp"]);
        let exec = if force { exec.arg("--force") } else { exec };
        let removed = self.node.exec_checked(exec.arg(sandbox)).await;
        removed.map(drop).map_err(|error| not_found(error, sandbox))
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
