//! Pods, containers and images as a node's container runtime describes them, read from JSON.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::{DeserializeOwned, Deserializer};
use serde::{Deserialize, de};

use crate::inspect::time;

const POD_NAME: &str = "io.kubernetes.pod.name";
const POD_NAMESPACE: &str = "io.kubernetes.pod.namespace";
const POD_UID: &str = "io.kubernetes.pod.uid";

/// The pod that a container belongs to, as the kubelet wrote it on the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodRef {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID. That of a static pod is a digest of its file.
    pub uid: String,
}

/// Where a container is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// It was created and not started.
    Created,
    /// It runs.
    Running,
    /// It ended.
    Exited,
    /// The runtime can't tell.
    Unknown,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Container {
    /// Its ID, 64 hexadecimal digits.
    pub id: String,
    /// The ID of its pod sandbox.
    pub sandbox_id: String,
    /// Its name in the pod.
    pub name: String,
    /// How many containers of that name the pod had before.
    pub attempt: u32,
    /// Its pod.
    pub pod: PodRef,
    /// The image as the pod writes it; where the runtime does not know that, its digest.
    pub image: String,
    /// The digest of the image's configuration, or what else the runtime calls the image by.
    pub image_ref: String,
    /// Where it is in its life.
    pub state: ContainerState,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// All its labels.
    pub labels: BTreeMap<String, String>,
}

/// More of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContainerStatus {
    /// Its ID.
    pub id: String,
    /// Its name in the pod.
    pub name: String,
    /// How many containers of that name the pod had before.
    pub attempt: u32,
    /// Its pod.
    pub pod: PodRef,
    /// The image as the pod writes it, or else its name or digest.
    pub image: String,
    /// Where it is in its life.
    pub state: ContainerState,
    /// The process ID of its first process in the node, while it runs.
    pub pid: Option<u32>,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// When it was started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Its exit code, if it ended.
    pub exit_code: Option<i32>,
    /// Why it ended, in a word: `Completed`, `Error`, `OOMKilled`.
    pub reason: String,
}

/// What stands for a pod in the runtime, and holds its network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PodSandbox {
    /// Its ID.
    pub id: String,
    /// The pod.
    pub pod: PodRef,
    /// How many sandboxes the pod had before.
    pub attempt: u32,
    /// Whether it is ready for containers.
    pub ready: bool,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// The labels of the pod, and those of the kubelet.
    pub labels: BTreeMap<String, String>,
}

/// An image in a node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Image {
    /// The digest of its configuration.
    pub id: String,
    /// Its names with tags.
    pub repo_tags: Vec<String>,
    /// Its names with digests.
    pub repo_digests: Vec<String>,
    /// Its size in bytes.
    pub size: u64,
    /// Whether the runtime keeps it even if nothing uses it.
    pub pinned: bool,
}

/// What a process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcessState {
    /// It runs or could.
    Running,
    /// It waits for something.
    Sleeping,
    /// It waits for a device and can't be interrupted.
    Blocked,
    /// A signal stopped it.
    Stopped,
    /// It ended and nobody has taken note.
    Zombie,
    /// Another letter of `/proc/PID/stat`.
    Other(char),
}

impl Container {
    /// Reads what `crictl ps --output json` wrote, wherever it ran.
    ///
    /// # Errors
    /// What can't be understood in it.
    pub fn read_list(json: &[u8]) -> Result<Vec<Self>, String> {
        parse_containers(json)
    }
}

impl ContainerStatus {
    /// Reads what `crictl inspect --output json` wrote, wherever it ran.
    ///
    /// # Errors
    /// What can't be understood in it.
    pub fn read(json: &[u8]) -> Result<Self, String> {
        parse_status(json)
    }
}

fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

pub(crate) fn parse_containers(bytes: &[u8]) -> Result<Vec<Container>, String> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        containers: Vec<ContainerJson>,
    }
    let list: List = json(bytes)?;
    Ok(list.containers.into_iter().map(Container::from).collect())
}

pub(crate) fn parse_sandboxes(bytes: &[u8]) -> Result<Vec<PodSandbox>, String> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        items: Vec<SandboxJson>,
    }
    let list: List = json(bytes)?;
    Ok(list.items.into_iter().map(PodSandbox::from).collect())
}

pub(crate) fn parse_images(bytes: &[u8]) -> Result<Vec<Image>, String> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        images: Vec<ImageJson>,
    }
    let list: List = json(bytes)?;
    Ok(list.images.into_iter().map(Image::from).collect())
}

pub(crate) fn parse_status(bytes: &[u8]) -> Result<ContainerStatus, String> {
    json::<StatusJson>(bytes).map(ContainerStatus::from)
}

/// The letter after the name in `/proc/PID/stat`; the name is in brackets and may hold any.
pub(crate) fn parse_process_state(bytes: &[u8]) -> Result<ProcessState, String> {
    let text = String::from_utf8_lossy(bytes);
    let letter = text.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    Ok(match letter.ok_or("there is no state in it")? {
        'R' => ProcessState::Running,
        'S' | 'I' => ProcessState::Sleeping,
        'D' => ProcessState::Blocked,
        'T' | 't' => ProcessState::Stopped,
        'Z' => ProcessState::Zombie,
        other => ProcessState::Other(other),
    })
}

impl ContainerState {
    fn of(text: &str) -> Self {
        match text {
            "CONTAINER_CREATED" => Self::Created,
            "CONTAINER_RUNNING" => Self::Running,
            "CONTAINER_EXITED" => Self::Exited,
            _ => Self::Unknown,
        }
    }
}

impl PodRef {
    fn of_labels(labels: &BTreeMap<String, String>) -> Self {
        let label = |key| labels.get(key).cloned().unwrap_or_default();
        Self { namespace: label(POD_NAMESPACE), name: label(POD_NAME), uid: label(POD_UID) }
    }
}

#[derive(Deserialize, Default)]
struct Metadata {
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    attempt: u32,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct ImageSpec {
    #[serde(default)]
    image: String,
    #[serde(default)]
    user_specified_image: String,
}

impl ImageSpec {
    fn written(self) -> String {
        if self.user_specified_image.is_empty() { self.image } else { self.user_specified_image }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerJson {
    id: String,
    #[serde(default)]
    pod_sandbox_id: String,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    image: ImageSpec,
    #[serde(default)]
    image_ref: String,
    #[serde(default)]
    state: String,
    #[serde(default, deserialize_with = "number")]
    created_at: i128,
    labels: Option<BTreeMap<String, String>>,
}

impl From<ContainerJson> for Container {
    fn from(json: ContainerJson) -> Self {
        let labels = json.labels.unwrap_or_default();
        Self {
            id: json.id,
            sandbox_id: json.pod_sandbox_id,
            name: json.metadata.name,
            attempt: json.metadata.attempt,
            pod: PodRef::of_labels(&labels),
            image: json.image.written(),
            image_ref: json.image_ref,
            state: ContainerState::of(&json.state),
            created_at: nanoseconds(json.created_at),
            labels,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SandboxJson {
    id: String,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    state: String,
    #[serde(default, deserialize_with = "number")]
    created_at: i128,
    labels: Option<BTreeMap<String, String>>,
}

impl From<SandboxJson> for PodSandbox {
    fn from(json: SandboxJson) -> Self {
        let Metadata { name, namespace, uid, attempt } = json.metadata;
        Self {
            id: json.id,
            pod: PodRef { namespace, name, uid },
            attempt,
            ready: json.state == "SANDBOX_READY",
            created_at: nanoseconds(json.created_at),
            labels: json.labels.unwrap_or_default(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImageJson {
    id: String,
    repo_tags: Option<Vec<String>>,
    repo_digests: Option<Vec<String>>,
    #[serde(default, deserialize_with = "number")]
    size: i128,
    #[serde(default)]
    pinned: bool,
}

impl From<ImageJson> for Image {
    fn from(json: ImageJson) -> Self {
        Self {
            id: json.id,
            repo_tags: json.repo_tags.unwrap_or_default(),
            repo_digests: json.repo_digests.unwrap_or_default(),
            size: u64::try_from(json.size).unwrap_or_default(),
            pinned: json.pinned,
        }
    }
}

#[derive(Deserialize)]
struct StatusJson {
    status: StatusPart,
    #[serde(default)]
    info: Info,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusPart {
    id: String,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    image: ImageSpec,
    #[serde(default)]
    state: String,
    #[serde(default)]
    created_at: String,
    #[serde(default)]
    started_at: String,
    #[serde(default)]
    finished_at: String,
    #[serde(default)]
    exit_code: i32,
    #[serde(default)]
    reason: String,
    labels: Option<BTreeMap<String, String>>,
}

/// What containerd adds; another runtime may add something else.
#[derive(Deserialize, Default)]
struct Info {
    #[serde(default)]
    pid: i64,
    config: Option<InfoConfig>,
}

#[derive(Deserialize)]
struct InfoConfig {
    image: Option<InfoImage>,
}

#[derive(Deserialize)]
struct InfoImage {
    #[serde(default)]
    user_specified_image: String,
}

impl From<StatusJson> for ContainerStatus {
    fn from(json: StatusJson) -> Self {
        let StatusJson { status, info } = json;
        let state = ContainerState::of(&status.state);
        let pid = u32::try_from(info.pid).ok().filter(|pid| *pid > 0);
        let written = info.config.and_then(|config| config.image);
        let written = written.map(|image| image.user_specified_image);
        Self {
            id: status.id,
            name: status.metadata.name,
            attempt: status.metadata.attempt,
            pod: PodRef::of_labels(&status.labels.unwrap_or_default()),
            image: written
                .filter(|image| !image.is_empty())
                .unwrap_or_else(|| status.image.written()),
            pid: pid.filter(|_| state == ContainerState::Running),
            created_at: time(&status.created_at),
            started_at: time(&status.started_at),
            finished_at: time(&status.finished_at),
            exit_code: (state == ContainerState::Exited).then_some(status.exit_code),
            reason: status.reason,
            state,
        }
    }
}

fn nanoseconds(number: i128) -> Option<Timestamp> {
    Timestamp::from_nanosecond(number).ok().filter(|time| *time > Timestamp::UNIX_EPOCH)
}

/// Protobuf's JSON writes 64-bit numbers as text; not everyone keeps to that.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Text(String),
    }
    match Either::deserialize(deserializer)? {
        Either::Number(number) => Ok(number.into()),
        Either::Text(text) => text.parse().map_err(de::Error::custom),
    }
}

#[cfg(test)]
mod tests;
