//! What an actor on a node asks of its container runtime, and what the runtime tells it.
//!
//! The runtime outlives the kubelet: containers go on running while the kubelet is stopped, and a
//! started kubelet learns of them through [`HostCommand::List`]. What runs there is host truth.

use crate::Text;
use crate::resource::ObjectKey;
use crate::tree::Tree;

/// Names one command of one actor; comes back with the event that answers it.
pub type OpId = u64;

/// A command to the container runtime of the actor's node.
#[derive(Clone, Debug, PartialEq)]
pub enum HostCommand {
    /// Makes sure that an image is there. Answered by [`HostEvent::ImageReady`] or `ImageFailed`.
    PullImage {
        /// Comes back with the answer.
        op: OpId,
        /// The image reference.
        image: Text,
        /// `Always`, `IfNotPresent` or `Never`.
        policy: Text,
    },
    /// Makes the pod's sandbox and address. Answered by [`HostEvent::SandboxReady`].
    RunSandbox {
        /// Comes back with the answer.
        op: OpId,
        /// The pod's uid.
        pod_uid: Text,
        /// The pod's namespace and name.
        pod: ObjectKey,
        /// Whether the pod has the node's own address.
        host_network: bool,
    },
    /// Takes the sandbox away with all containers in it. Answered by [`HostEvent::SandboxStopped`].
    StopSandbox {
        /// Comes back with the answer.
        op: OpId,
        /// The pod's uid.
        pod_uid: Text,
    },
    /// Starts a container in the pod's sandbox, its postStart hook included; an image that is not
    /// there is pulled. Answered by [`HostEvent::ContainerStarted`] or `StartFailed`.
    StartContainer {
        /// Comes back with the answer.
        op: OpId,
        /// The pod's uid.
        pod_uid: Text,
        /// The container of the pod's spec: name, image, command, lifecycle.
        spec: Tree,
        /// How many times this container was started before in this pod.
        attempt: u32,
    },
    /// Runs preStop, sends SIGTERM, and SIGKILL when the grace is spent. Answered by
    /// [`HostEvent::ContainerExited`]; at once if it does not run.
    StopContainer {
        /// Comes back with the answer.
        op: OpId,
        /// Which.
        container_id: Text,
        /// The grace, preStop included, in milliseconds.
        grace: u64,
    },
    /// Asks a probe of a container. Answered by [`HostEvent::Probed`].
    Probe {
        /// Comes back with the answer.
        op: OpId,
        /// Which.
        container_id: Text,
        /// Of which kind.
        kind: ProbeKind,
        /// The probe of the container's spec.
        probe: Tree,
    },
    /// Asks what is there. Answered by [`HostEvent::Inventory`].
    List {
        /// Comes back with the answer.
        op: OpId,
    },
}

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProbeKind {
    /// Holds the other two back until it succeeded once.
    Startup,
    /// Its failure restarts the container.
    Liveness,
    /// Decides whether the container is ready.
    Readiness,
}

/// What the runtime tells. Exits reach every actor on the node, answers only who asked.
#[derive(Clone, Debug, PartialEq)]
pub enum HostEvent {
    /// The image is there.
    ImageReady {
        /// Of which command.
        op: OpId,
        /// Its digest, as in `sha256:…`.
        image_id: Text,
        /// How long the pull took, in milliseconds; 0 if it was there.
        took: u64,
    },
    /// The image can't be had.
    ImageFailed {
        /// Of which command.
        op: OpId,
        /// The text of the error.
        message: Text,
    },
    /// The sandbox runs.
    SandboxReady {
        /// Of which command.
        op: OpId,
        /// The pod's address.
        ip: Text,
    },
    /// The sandbox and its containers are gone.
    SandboxStopped {
        /// Of which command.
        op: OpId,
    },
    /// The container runs.
    ContainerStarted {
        /// Of which command.
        op: OpId,
        /// Its id.
        container_id: Text,
    },
    /// The container does not run: no sandbox, no image, or its postStart hook failed.
    StartFailed {
        /// Of which command.
        op: OpId,
        /// The machine-readable reason, as in `ErrImagePull`.
        reason: Text,
        /// The text of the error.
        message: Text,
    },
    /// Another actor on the node started a container.
    ContainerAppeared(ContainerInfo),
    /// A container ended, by itself or because it was stopped.
    ContainerExited {
        /// Of which container.
        container_id: Text,
        /// The pod's uid.
        pod_uid: Text,
        /// The container's name in the pod.
        name: Text,
        /// Its exit code; 137 after SIGKILL, 143 after SIGTERM.
        exit_code: i32,
        /// `Completed`, `Error` or `OOMKilled`.
        reason: Text,
    },
    /// The answer of a probe.
    Probed {
        /// Of which command.
        op: OpId,
        /// Whether it succeeded.
        success: bool,
    },
    /// Probes of this container may answer otherwise from now on. Until it comes, they answer what
    /// they answered last, so nobody needs to ask again.
    ProbesChanged {
        /// Which.
        container_id: Text,
    },
    /// What is there.
    Inventory {
        /// Of which command.
        op: OpId,
        /// Names this boot of the machine.
        boot_id: Text,
        /// The sandboxes that run.
        sandboxes: Vec<SandboxInfo>,
        /// All containers, also ended ones that were not yet taken away with their sandbox.
        containers: Vec<ContainerInfo>,
    },
}

/// A running sandbox.
#[derive(Clone, Debug, PartialEq)]
pub struct SandboxInfo {
    /// The pod's uid.
    pub pod_uid: Text,
    /// The pod's namespace and name.
    pub pod: ObjectKey,
    /// Its address.
    pub ip: Text,
}

/// A container on a host.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerInfo {
    /// Its id.
    pub container_id: Text,
    /// The pod's uid.
    pub pod_uid: Text,
    /// The pod's namespace and name.
    pub pod: ObjectKey,
    /// The container's name in the pod.
    pub name: Text,
    /// The image it was started from.
    pub image: Text,
    /// The digest of that image.
    pub image_id: Text,
    /// How many times this container was started before in this pod.
    pub attempt: u32,
    /// When it started, in virtual milliseconds.
    pub started_at: u64,
    /// Its end, if it ended: when, exit code, reason.
    pub exited: Option<(u64, i32, Text)>,
}
