//! The events of a history and its header. How they are stored is `file.rs`'s business.

use std::collections::BTreeMap;

use kubesim_model::request::Verb;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};
use serde::{Deserialize, Serialize};

/// The version of the history's form; another one is refused with a clear error.
pub const SCHEMA: &str = "shakedown/history-v1";

/// What is [missing](Gap::missing) where the machine was too slow: all was recorded, but how long
/// something took says nothing of who did it.
pub const TIME: &str = "time";

/// Everything observed in a trial.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// What was run, where and how.
    pub header: Header,
    /// What happened, by rising `n`; `t` never falls.
    pub events: Vec<Event>,
}

/// The first line of a history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`SCHEMA`].
    pub schema: String,
    /// Name and version of the program that recorded, as in `shakedown 0.1.0`.
    pub tool: String,
    /// The trial's name: scenario, parameters, subject and seed.
    pub trial: String,
    /// The scenario file as it was.
    pub scenario: Source,
    /// The subject file as it was.
    pub subject: Source,
    /// Files that the scenario refers to, by the path it uses.
    pub files: BTreeMap<String, String>,
    /// The matrix row of this trial.
    pub params: BTreeMap<String, Tree>,
    /// `sim`, `local`, `kind` or `kubeconfig`.
    pub provider: String,
    /// What the provider can do and what was recorded: `actors`, `host`, `deliveries`, `evictions`.
    pub capabilities: Vec<String>,
    /// The seed of the trial.
    pub seed: u64,
    /// Whether faults were injected, or this is the baseline.
    pub baseline: bool,
    /// The clock of `t`.
    pub clock: Clock,
    /// What a timestamp in an object says when `t` is 0, in milliseconds since the epoch of virtual
    /// time (2026-01-01T00:00:00Z); 0 in simulation.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub began: Millis,
    /// How much faster than by default things went; nothing is said of what is as by default.
    #[serde(default, skip_serializing_if = "Pace::is_ordinary")]
    pub pace: Pace,
    /// What the names in the scenario meant.
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub names: Names,
}

/// How much faster than with Kubernetes' own settings things went in a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// How many times as fast the cluster notices that a node is lost, and gives up its pods.
    pub cluster: u64,
    /// By what the outages, waits and holds of the scenario were divided.
    pub scenario: u64,
}

impl Pace {
    /// Whether all is as by default.
    pub fn is_ordinary(&self) -> bool {
        *self == Pace::default()
    }
}

impl Default for Pace {
    fn default() -> Self {
        Pace { cluster: 1, scenario: 1 }
    }
}

/// What the names in a scenario file meant when it was run: without it, the file could not be read
/// again where the catalogues are others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// Requirements, each with the invariants that decide it.
    #[serde(default)]
    pub requirements: BTreeMap<String, Vec<String>>,
    /// Subjects, each with the operations that its file describes.
    #[serde(default)]
    pub subjects: BTreeMap<String, Vec<String>>,
}

impl Names {
    /// Whether there are none: the history is not of a scenario.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty() && self.subjects.is_empty()
    }
}

/// A file that was read: where from, and its text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The path as the user gave it.
    pub path: String,
    /// The text.
    pub text: String,
}

/// What `t` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// Virtual milliseconds since the world began.
    Virtual,
    /// Wall-clock milliseconds since the trial began.
    Wall,
}

/// One thing that was observed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the history, from 0.
    pub n: u64,
    /// When, in milliseconds of the header's clock.
    pub t: Millis,
    /// By how much it may have happened earlier than `t`, in milliseconds; 0 in simulation.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub uncertainty: Millis,
    /// The event that led to this one, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<u64>,
    /// What happened.
    #[serde(flatten)]
    pub body: Body,
}

fn is_zero(value: &Millis) -> bool {
    *value == 0
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Body {
    /// The API took a request, with the changes it made.
    Request(Box<RequestEvent>),
    /// An actor learned the state of an object.
    Deliver(Delivery),
    /// Something happened on a host, whatever the API believes.
    Host(HostEvent),
    /// An actor came or went.
    Actor(ActorEvent),
    /// A fault changed its phase.
    Fault(FaultEvent),
    /// A step of the scenario began or ended.
    Step(StepEvent),
    /// A Kubernetes Event: for people.
    Note(NoteEvent),
    /// Something may have been missed.
    Gap(Gap),
}

/// A request as the API server saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestEvent {
    /// The actor, by the name of its [`ActorEvent`].
    pub actor: Text,
    /// Which incarnation of the actor.
    pub incarnation: u32,
    /// What it asked for.
    pub verb: Verb,
    /// Of which resource.
    pub resource: Resource,
    /// Of which object; the name is empty for lists.
    #[serde(flatten)]
    pub key: ObjectKey,
    /// The subresource; empty for the object itself.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub subresource: Text,
    /// The HTTP status that the server gave.
    pub code: u16,
    /// The reason of a failure.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
    /// The message of a failure.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Whether the request failed or was answered by a fault rather than by the server.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub injected: bool,
    /// What it changed, by resourceVersion. An eviction changes a budget and a pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// One object before and after a write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The resourceVersion of the write.
    pub rv: u64,
    /// Of which resource.
    pub resource: Resource,
    /// Of which object.
    #[serde(flatten)]
    pub key: ObjectKey,
    /// The object before; `None` if the write made it.
    pub before: Option<Tree>,
    /// The object after; `None` if the write removed it.
    pub after: Option<Tree>,
}

/// An actor learned the state of an object: from a watch, or from the answer to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Who was told.
    pub actor: Text,
    /// Which incarnation.
    pub incarnation: u32,
    /// Of which resource.
    pub resource: Resource,
    /// About which object; without a name: a whole list up to `rv`.
    #[serde(flatten)]
    pub key: ObjectKey,
    /// The resourceVersion of what was told.
    pub rv: u64,
    /// Whether this is the answer to a request of the actor (which `cause` names).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answer: bool,
}

/// A fact of a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostEvent {
    /// The node's name.
    pub node: Text,
    /// What happened there.
    pub fact: HostFact,
}

/// What really happened on a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostFact {
    /// A container runs.
    ContainerStarted(ContainerFact),
    /// A container ended.
    ContainerExited {
        /// Which.
        #[serde(flatten)]
        container: ContainerFact,
        /// Its exit code.
        exit_code: i32,
        /// `Completed`, `Error` or `OOMKilled`.
        reason: Text,
    },
    /// A container's process hangs (`true`) or goes on (`false`).
    ContainerStuck {
        /// Which.
        #[serde(flatten)]
        container: ContainerFact,
        /// Whether it hangs now.
        stuck: bool,
    },
    /// A pod's sandbox runs, with this address.
    SandboxStarted {
        /// The pod's uid.
        pod_uid: Text,
        /// The pod.
        pod: ObjectKey,
        /// Its address.
        ip: Text,
    },
    /// A pod's sandbox is gone.
    SandboxStopped {
        /// The pod's uid.
        pod_uid: Text,
        /// The pod.
        pod: ObjectKey,
    },
    /// An image arrived.
    ImagePulled {
        /// The reference.
        image: Text,
        /// Its digest.
        image_id: Text,
    },
    /// An image could not be had.
    ImageFailed {
        /// The reference.
        image: Text,
        /// Why.
        message: Text,
    },
    /// The machine lost its power; every container on it ended.
    PoweredOff,
    /// The machine runs again.
    PoweredOn,
    /// The machine stands still; its containers neither work nor end.
    Frozen,
    /// The machine goes on where it stood.
    Thawed,
    /// The container runtime ended; containers go on.
    RuntimeStopped,
    /// The container runtime runs again.
    RuntimeStarted,
    /// Packets to or from the machine were lost.
    PacketsLost {
        /// How many so far.
        packets: u64,
    },
}

/// A container on a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerFact {
    /// Its id.
    pub container_id: Text,
    /// The pod's uid.
    pub pod_uid: Text,
    /// The pod.
    pub pod: ObjectKey,
    /// The container's name in the pod.
    pub name: Text,
    /// The image it was started from.
    pub image: Text,
    /// The digest of that image.
    pub image_id: Text,
}

/// An actor came or went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActorEvent {
    /// Its name, unique in the history.
    pub actor: Text,
    /// The user that the API server sees.
    pub user: Text,
    /// The user agent that the API server sees.
    pub user_agent: Text,
    /// The node it runs on, for those that have one.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub node: Text,
    /// Which incarnation this is about.
    pub incarnation: u32,
    /// What happened.
    pub phase: ActorPhase,
}

/// How an actor came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActorPhase {
    /// An incarnation began.
    Started,
    /// The incarnation ended without warning.
    Crashed,
    /// It stands still.
    Paused,
    /// It goes on.
    Resumed,
}

/// A fault changed its phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultEvent {
    /// The injection, unique in the history: `faults[0]`, and `faults[0]#2` when repeated.
    pub fault: Text,
    /// The catalogue's name: `node-crash`.
    pub name: Text,
    /// The phase that begins.
    pub phase: FaultPhase,
    /// Whether it stays in force until the trial is judged.
    pub lasting: bool,
    /// What it acts on: `node worker-1`, `pod default/web-0 container app`, `actor cloneset`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Text>,
    /// The nodes whose pods it may take down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<Text>,
    /// The uids of the pods that it acts on, other than through a node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<Text>,
    /// What proves the phase: for `bit`, what was seen and at which event.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub evidence: String,
}

/// The life of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultPhase {
    /// It waits for its trigger.
    Armed,
    /// It is in force.
    Injected,
    /// It took effect.
    Bit,
    /// It was taken back.
    Healed,
    /// It could not be injected: nothing to act on, or its trigger never came.
    Missed,
}

/// A step began or ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepEvent {
    /// Where it stands in the scenario: `when[0].parallel[1][0]`.
    pub step: Text,
    /// Its name: `release`.
    pub name: Text,
    /// Began or ended.
    pub phase: StepPhase,
    /// What it acts on: `deployments.apps default/web`; empty for steps such as `wait`.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub target: Text,
    /// For failures, why; else what it did, in a few words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// A step began or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepPhase {
    /// It began.
    Started,
    /// It was carried out.
    Finished,
    /// It could not be carried out, or its time was over.
    Failed,
}

/// A Kubernetes Event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoteEvent {
    /// Who emitted it.
    pub actor: Text,
    /// The object, as in `pods default/web-0`.
    pub about: Text,
    /// The machine-readable reason.
    pub reason: Text,
    /// The text.
    pub message: Text,
}

/// Something may have been missed: invariants that need it are undecided over this interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// From when, in milliseconds; it ends with the event's `t`.
    pub from: Millis,
    /// The capability that is missing: `actors`, `host`, `deliveries`, `objects`, or [`TIME`].
    pub missing: Text,
    /// Why.
    pub reason: String,
}
