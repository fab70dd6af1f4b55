//! The interface of a provider and of a cluster that it made. Everything that the runner needs of
//! a cluster goes through here; it has no clock of its own but the cluster's.

use std::fmt;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use kubesim_model::actor::Actor;
use kubesim_model::request::{Answer, Request};
use kubesim_model::resource::ObjectKey;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};
use thiserror::Error;

use super::{Capabilities, Lever, LeverError, Touched};
use crate::history::{Body, Clock};

/// Makes clusters of one kind.
pub trait Provider: Send + Sync {
    /// `sim`, `served`, `local`, `kind` or `kubeconfig`.
    fn name(&self) -> &'static str;

    /// The one version of Kubernetes that it has, e.g. `1.36`; `None` if it takes any.
    fn version(&self) -> Option<&str>;

    /// What its clusters can do and record.
    fn capabilities(&self) -> Capabilities;

    /// What the clusters' time is.
    fn clock(&self) -> Clock;

    /// Why no cluster that it has is as this one is to be; `None` if it can make one, as far as it
    /// knows.
    fn unfit(&self, _: &ClusterSpec) -> Option<String> {
        None
    }

    /// How many times as fast as by default its clusters notice that a node is lost.
    fn pace(&self) -> u64 {
        1
    }

    /// Makes a cluster.
    ///
    /// # Errors
    /// What the environment lacks.
    fn provision(&self, spec: &ClusterSpec) -> Result<Box<dyn Cluster>, ClusterError>;

    /// Who runs the subjects that it can't run; `None` if they are skipped.
    fn stand_in(&self) -> Option<&dyn Provider> {
        None
    }

    /// What is to be told of its clusters that concerns no trial, since the last call.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A cluster in which one trial runs. It is given back by dropping it.
pub trait Cluster: Send {
    /// The time.
    fn now(&self) -> Millis;

    /// What a timestamp in an object says when [`Cluster::now`] is 0, in milliseconds since the
    /// epoch of virtual time.
    fn began(&self) -> Millis {
        0
    }

    /// Goes on until something was observed, an answer came or it is `until`, whichever is first.
    ///
    /// # Errors
    /// The environment failed.
    fn advance(&mut self, until: Millis) -> Result<Advance, ClusterError>;

    /// What was observed and not told yet, once nothing more is asked for.
    ///
    /// # Errors
    /// The environment failed.
    fn finish(&mut self) -> Result<Vec<Observation>, ClusterError> {
        Ok(Vec::new())
    }

    /// What its time is.
    fn clock(&self) -> Clock {
        Clock::Virtual
    }

    /// Starts a program under test.
    ///
    /// # Errors
    /// The provider can't run programs of this kind, or it does not start.
    fn install(&mut self, program: &Program) -> Result<(), ClusterError>;

    /// Sends a request as the person who operates the cluster.
    fn submit(&mut self, request: Request) -> Ticket;

    /// The answer to a request, once it is there; it is answered once.
    fn take_answer(&mut self, ticket: Ticket) -> Option<Answer>;

    /// Moves a lever.
    ///
    /// # Errors
    /// It acts on what does not exist.
    fn pull(&mut self, lever: &Lever) -> Result<Touched, LeverError>;

    /// What the programs under test have printed.
    fn logs(&self) -> Vec<ProgramLog> {
        Vec::new()
    }

    /// The file that tells programs how to reach its API; `None` if it has no address.
    fn kubeconfig(&self) -> Option<&Utf8Path> {
        None
    }

    /// A copy with all that runs in it; `None` if the provider can't.
    fn fork(&self) -> Option<Box<dyn Cluster>>;
}

/// What a cluster is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterSpec {
    /// The entropy of all that the provider draws.
    pub seed: u64,
    /// The nodes that run pods.
    pub nodes: Vec<NodeSpec>,
    /// Planted bugs: a component of the cluster, and the name of its bug. Simulation only.
    pub bugs: Vec<(Text, Text)>,
    /// Of which actors deliveries are recorded; `None` for all.
    pub record_deliveries_of: Option<Vec<Text>>,
}

/// The label, and the key of the taint, of the control plane's nodes (kubeadm v1.36).
pub const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeSpec {
    /// Its name.
    pub name: Text,
    /// Whether it is one of the control plane's.
    pub is_control_plane: bool,
    /// Its labels.
    pub labels: Vec<(Text, Text)>,
    /// Its zone, if it has one.
    pub zone: Option<Text>,
    /// Its taints, as `v1` `Taint`s.
    pub taints: Vec<Tree>,
    /// What it has, as quantities by the resource's name; for what is not named, the provider's
    /// default.
    pub capacity: Vec<(Text, Text)>,
}

impl NodeSpec {
    /// A node that runs pods, with the provider's capacity and nothing else to it.
    pub fn worker(name: impl Into<Text>) -> NodeSpec {
        NodeSpec {
            name: name.into(),
            is_control_plane: false,
            labels: Vec::new(),
            zone: None,
            taints: Vec::new(),
            capacity: Vec::new(),
        }
    }
}

/// A program under test that a provider is to run.
#[derive(Clone)]
pub enum Program {
    /// An actor in this process.
    InProcess {
        /// Its name in the history.
        name: Text,
        /// The user that the API sees.
        user: Text,
        /// The user agent that the API sees.
        user_agent: Text,
        /// The node whose container runtime it may use.
        node: Option<Text>,
        /// Makes a new incarnation.
        start: Arc<dyn Fn() -> Box<dyn Actor> + Send + Sync>,
    },
    /// A kube-rs program in this process: it gets a `kube::Client` and virtual time.
    Client {
        /// Its name in the history.
        name: Text,
        /// The user that the API sees.
        user: Text,
        /// The user agent that the API sees.
        user_agent: Text,
        /// Starts an incarnation of it.
        start: kubesim_client::Start,
    },
    /// A program beside the cluster, with a kubeconfig of a service account of its own.
    Command {
        /// Its name in the history.
        name: Text,
        /// Program and arguments.
        argv: Vec<Text>,
        /// Its environment, on top of the harness's.
        env: Vec<(Text, Text)>,
        /// The folder that it runs in, if it is there; a program with a slash stands in it.
        folder: Utf8PathBuf,
        /// Its service account.
        account: ObjectKey,
        /// The account and its permissions.
        objects: Vec<Tree>,
    },
    /// Programs in containers of the cluster.
    Objects {
        /// What all of it is called.
        name: Text,
        /// The objects to create.
        objects: Vec<Tree>,
    },
}

impl fmt::Debug for Program {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match self {
            Program::InProcess { name, .. } => ("in-process", name),
            Program::Client { name, .. } => ("kube-rs", name),
            Program::Command { name, .. } => ("command", name),
            Program::Objects { name, .. } => ("objects", name),
        };
        write!(to, "{kind} {name}")
    }
}

/// What a program under test has printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramLog {
    /// Its name in the history.
    pub program: Text,
    /// The end of it.
    pub text: Vec<u8>,
}

/// What would lead a program to another cluster than the one that it is told of.
pub(crate) const OTHER_CLUSTERS: [&str; 3] =
    ["KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"];

/// A request that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What came of letting a cluster go on.
#[derive(Clone, Debug, Default)]
pub struct Advance {
    /// What was observed, in order.
    pub observed: Vec<Observation>,
    /// Whether nothing more will ever happen unless somebody asks for it.
    pub idle: bool,
}

/// Something that a cluster tells. The recorder gives it its number in the history.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The cluster's own number for it; rises.
    pub id: u64,
    /// When.
    pub at: Millis,
    /// By how much earlier it may have happened.
    pub uncertainty: Millis,
    /// The number of the observation that led to it.
    pub cause: Option<u64>,
    /// What.
    pub body: Body,
}

/// The environment could not do what was asked. Never a fault of the subject.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum ClusterError {
    /// The provider can't do this.
    #[error("the provider `{provider}` can't {what}")]
    Unsupported {
        /// Which provider.
        provider: &'static str,
        /// What, as in `run container images`.
        what: String,
    },
    /// The environment failed.
    #[error("{0}")]
    Environment(String),
}
