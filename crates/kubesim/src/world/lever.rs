//! The levers by which a world is disturbed. A lever moves once; what heals is another lever.
//!
//! The faults of a harness are made of these. Each is answered with what it touched, so that a
//! fault that found nothing to act on can be told from one that did.

use kubesim_model::request::{Request, Status, Verb};
use kubesim_model::resource::Resource;
use kubesim_model::{Millis, Text};
use serde::{Deserialize, Serialize};

/// One disturbance of the world, or its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Lever {
    /// The machine loses power: containers, kubelet and agents end at once.
    PowerOff {
        /// Which node.
        node: Text,
    },
    /// The machine boots: its containers stay ended until the kubelet starts them again.
    PowerOn {
        /// Which node.
        node: Text,
    },
    /// The machine stands still: nothing on it ends or goes on, no message leaves or enters.
    Freeze {
        /// Which node.
        node: Text,
    },
    /// The machine goes on where it stood; what came meanwhile is delivered now.
    Thaw {
        /// Which node.
        node: Text,
    },
    /// The kubelet process ends; containers go on.
    StopKubelet {
        /// Which node.
        node: Text,
    },
    /// The kubelet process starts anew.
    StartKubelet {
        /// Which node.
        node: Text,
    },
    /// No message passes between the node and the API server.
    Partition {
        /// Which node.
        node: Text,
        /// Which messages.
        direction: Direction,
    },
    /// Messages pass again.
    Join {
        /// Which node.
        node: Text,
    },
    /// Packets between the node and the API server are lost by chance. Not simulated.
    LosePackets {
        /// Which node.
        node: Text,
        /// How many of a hundred, in each direction.
        percent: u64,
    },
    /// No more packets are lost than before.
    KeepPackets {
        /// Which node.
        node: Text,
    },
    /// The container runtime of the node ends; containers go on. Not simulated.
    StopRuntime {
        /// Which node.
        node: Text,
    },
    /// The container runtime of the node starts.
    StartRuntime {
        /// Which node.
        node: Text,
    },
    /// A container's process ends.
    KillContainer {
        /// Which.
        container: ContainerSelector,
        /// With which exit code (137 for SIGKILL).
        exit_code: i32,
    },
    /// A container needs more memory than there is for it, and the kernel ends it.
    OomContainer {
        /// Which.
        container: ContainerSelector,
    },
    /// A container's process hangs, as after SIGSTOP: no probe is answered, no signal heeded but
    /// KILL.
    StickContainer {
        /// Which.
        container: ContainerSelector,
    },
    /// A hanging process goes on.
    UnstickContainer {
        /// Which.
        container: ContainerSelector,
    },
    /// Containers that match behave so from now on, also those that start later.
    Behave {
        /// Names the rule, for [`Lever::Forget`].
        rule: Text,
        /// Which containers.
        container: ContainerSelector,
        /// How.
        behaviour: Behaviour,
    },
    /// Images that match behave so from now on, on every node.
    ImageRule {
        /// Names the rule, for [`Lever::Forget`].
        rule: Text,
        /// The image reference; `*` at its end stands for anything.
        image: Text,
        /// Whether the image can't be had.
        missing: bool,
        /// How much longer a pull takes, in milliseconds.
        slower_by: Millis,
    },
    /// The actor's process ends without warning.
    CrashActor {
        /// The actor's name.
        actor: Text,
    },
    /// The actor's process starts anew, with nothing but what the API holds.
    StartActor {
        /// The actor's name.
        actor: Text,
    },
    /// The actor's process stands still.
    PauseActor {
        /// The actor's name.
        actor: Text,
    },
    /// The actor's process goes on; what came meanwhile is delivered now.
    ResumeActor {
        /// The actor's name.
        actor: Text,
    },
    /// Requests of an actor meet this from now on.
    RequestRule {
        /// Names the rule, for [`Lever::Forget`].
        rule: Text,
        /// The actor's name.
        actor: Text,
        /// Which of its requests.
        requests: RequestSelector,
        /// What becomes of them.
        effect: RequestEffect,
    },
    /// Watches of an actor meet this from now on.
    WatchRule {
        /// Names the rule, for [`Lever::Forget`].
        rule: Text,
        /// The actor's name.
        actor: Text,
        /// Of which resource; all without one.
        resource: Option<Resource>,
        /// What becomes of their events.
        effect: WatchEffect,
    },
    /// The actor's watches break now and are resumed from where they were.
    DropWatches {
        /// The actor's name.
        actor: Text,
        /// Of which resource; all without one.
        resource: Option<Resource>,
        /// Whether the history window has passed meanwhile, so that they must list again (410).
        expired: bool,
    },
    /// The rule of this name ends.
    Forget {
        /// The rule's name.
        rule: Text,
    },
}

/// Which messages between a node and the API server, as the node sees it.
///
/// In the other direction messages pass only as long as connections from before hold: none can be
/// made, and whoever hears nothing gives up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// All.
    #[default]
    Both,
    /// Those to the node.
    In,
    /// Those from the node.
    Out,
}

/// Which containers. Every part that is given must match; an empty text matches all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ContainerSelector {
    /// The node.
    pub node: Text,
    /// The pod's namespace.
    pub namespace: Text,
    /// The pod's name; `*` at its end stands for anything.
    pub pod: Text,
    /// The container's name.
    pub container: Text,
    /// The image; `*` at its end stands for anything.
    pub image: Text,
}

/// How containers behave that a rule matches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Behaviour {
    /// Readiness probes fail.
    NeverReady,
    /// The process needs this much longer before probes succeed, in milliseconds.
    SlowStart(Millis),
    /// The process ends with this exit code this long after each start, in milliseconds.
    CrashAfter(Millis, i32),
    /// SIGTERM is ignored.
    IgnoresTerm,
}

/// Which requests of an actor. Every part that is given must match.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestSelector {
    /// Only these verbs; any when empty.
    pub verbs: Vec<Verb>,
    /// Only requests that write.
    pub writes: bool,
    /// Only of this resource.
    pub resource: Option<Resource>,
    /// Only of this subresource.
    pub subresource: Option<Text>,
    /// Skip this many that match.
    pub skip: u64,
    /// Then apply to this many; 0 for all.
    pub times: u64,
    /// Each with this probability in percent; 0 and 100 mean always.
    pub percent: u64,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RequestEffect {
    /// It is refused with this code and reason before it is carried out.
    Refuse {
        /// The HTTP status.
        code: u16,
        /// The reason, as in `InternalError`.
        reason: Text,
    },
    /// It is refused as if the object had changed meanwhile (409 Conflict).
    Conflict,
    /// It takes this much longer to arrive, in milliseconds.
    Delay(Millis),
    /// It is carried out, but the answer is lost and the connection broken.
    LoseResponse,
    /// It is carried out, and the actor's process ends before the answer.
    CrashAfter,
    /// The actor's process ends before it is carried out.
    CrashBefore,
}

impl RequestEffect {
    /// The answer to a request that is refused before it is carried out; `None` if it is not.
    pub fn refusal(&self, request: &Request) -> Option<Status> {
        match self {
            RequestEffect::Refuse { code, reason } => {
                let text = format!("{reason}: injected by a fault");
                Some(Status { reason: reason.clone(), ..Status::new(*code, "", text) })
            }
            RequestEffect::Conflict => {
                let text = format!(
                    "Operation cannot be fulfilled on {} \"{}\": the object has been modified; \
                     please apply your changes to the latest version and try again",
                    request.resource, request.key.name
                );
                Some(Status::new(409, "Conflict", text))
            }
            _ => None,
        }
    }

    /// What this does to a request that opens a watch: the failure, if it fails.
    pub(super) fn refuses_watch(&self, request: &Request) -> Option<Status> {
        match self {
            RequestEffect::Refuse { .. } => self.refusal(request),
            RequestEffect::LoseResponse => Some(Status::connection_lost()),
            _ => None,
        }
    }
}

/// What becomes of the events of a watch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum WatchEffect {
    /// They come this much later, in milliseconds, in their order.
    Delay(Millis),
    /// They are held back until the rule ends.
    Hold,
}

/// What a lever touched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Touched {
    /// The nodes.
    pub nodes: Vec<Text>,
    /// The uids of the pods, for levers on containers.
    pub pods: Vec<Text>,
    /// The actors.
    pub actors: Vec<Text>,
}

/// Why a lever could not be moved.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LeverError {
    /// No node has this name.
    #[error("there is no node `{0}`")]
    NoSuchNode(Text),
    /// No actor has this name.
    #[error("there is no actor `{0}`")]
    NoSuchActor(Text),
    /// The world has no model of it.
    #[error("{0} is not simulated")]
    NotSimulated(&'static str),
    /// What it acts on does not obey.
    #[error("{0}")]
    Failed(String),
}
