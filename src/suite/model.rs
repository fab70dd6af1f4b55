//! The checked model of a scenario: what the rest of the crate builds on. [`Scenario`] is the file;
//! [`ResolvedScenario`] is one row of its matrix with every `${{ … }}` replaced. Steps, faults,
//! checks and subjects have their own files.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use camino::Utf8PathBuf;
use kubesim_model::tree::{Map, Tree};
use kubesim_model::{Millis, Text};

use super::checks::CheckSpec;
use super::faults::FaultSpec;
use super::located::{Located, Source};
use super::node::Node;
use super::steps::Step;
use super::vocabulary::Vocabulary;

/// The `apiVersion` of every file of this version.
pub const API_VERSION: &str = "shakedown/v1alpha1";

/// A scenario file that was checked for every row of its matrix.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The file.
    pub source: Arc<Source>,
    /// `metadata.name`, unique in a suite.
    pub name: Located<Text>,
    /// `metadata.labels`.
    pub labels: BTreeMap<Text, Text>,
    /// What it is about, in a sentence or two.
    pub description: Option<Text>,
    /// The requirements that it proves.
    pub proves: Vec<Located<Text>>,
    /// The subjects that it runs with.
    pub subjects: Vec<Located<Text>>,
    /// What subject and provider must be able to do.
    pub requires: Requires,
    /// The parameters with their alternatives, in the order of the file.
    pub matrix: Vec<(Located<Text>, Vec<Tree>)>,
    /// The parameters with one value, in the order of the file.
    pub params: Vec<(Located<Text>, Tree)>,
    /// What is expected to fail.
    pub expect: Vec<Expectation>,
    /// The files that its steps apply, by the path that was read.
    pub files: BTreeMap<Utf8PathBuf, Arc<Source>>,
    /// `spec`, unresolved.
    pub(super) spec: Node,
    /// What the names in it mean.
    pub(super) vocabulary: Arc<Vocabulary>,
}

impl Scenario {
    /// What the names in it mean.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }
}

/// Capabilities without which a trial is skipped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Requires {
    /// Of the subject.
    pub subject: Vec<Located<Text>>,
    /// Of the provider.
    pub provider: Vec<Located<Text>>,
}

/// `expect`: requirements that a subject is known not to meet.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// The subject.
    pub subject: Located<Text>,
    /// The requirements that fail.
    pub fails: Vec<Located<Text>>,
    /// When they fail.
    pub across: Across,
    /// Why this is so, for readers of reports.
    pub reason: Option<Text>,
}

/// Over what an expectation speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Across {
    /// In every trial.
    #[default]
    Each,
    /// In at least one seed of a row.
    Seeds,
    /// In some run, now and then: one in which it never fails is as expected, too.
    Runs,
}

/// The parameters of one row: names and values.
#[derive(Clone, Default, PartialEq)]
pub struct Params(pub Map);

impl Params {
    /// As an object, which is what expressions see as `params`.
    pub fn tree(&self) -> Tree {
        Tree::Map(self.0.clone())
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.tree(), to)
    }
}

impl fmt::Display for Params {
    /// `replicas=6,node=worker-1`; nothing if there are none.
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match value.as_str() {
                Some(text) => write!(to, "{comma}{name}={text}")?,
                None => write!(to, "{comma}{name}={value}")?,
            }
        }
        Ok(())
    }
}

/// One row of a scenario: plain typed steps, faults and checks.
#[derive(Clone, Debug)]
pub struct ResolvedScenario {
    /// `metadata.name`.
    pub name: Text,
    /// The parameters of the row.
    pub params: Params,
    /// The requirements that it proves.
    pub proves: Vec<Located<Text>>,
    /// The cluster that it runs in.
    pub cluster: ClusterSpec,
    /// What is done before; failing there is not the subject's fault.
    pub given: Vec<Step>,
    /// What is done while faults are in force.
    pub when: Vec<Step>,
    /// The faults.
    pub faults: Vec<FaultSpec>,
    /// Judged over the whole history.
    pub always: Vec<CheckSpec>,
    /// Judged once the transient faults are healed.
    pub eventually: Vec<CheckSpec>,
    /// What is expected to fail.
    pub expect: Vec<Expectation>,
    /// When to give up.
    pub limits: Limits,
}

/// The cluster of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterSpec {
    /// Its worker nodes.
    pub nodes: Vec<NodeSpec>,
    /// The Kubernetes version, e.g. `1.36`; none means the provider's default.
    pub version: Option<Text>,
}

impl Default for ClusterSpec {
    /// Three worker nodes.
    fn default() -> Self {
        ClusterSpec { nodes: (1..=3).map(NodeSpec::worker).collect(), version: None }
    }
}

/// A node of the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeSpec {
    /// The name.
    pub name: Text,
    /// `worker` or `control-plane`.
    pub role: Text,
    /// The zone, which becomes the label `topology.kubernetes.io/zone`.
    pub zone: Option<Text>,
    /// Further labels.
    pub labels: BTreeMap<Text, Text>,
    /// Taints, as objects of `v1` `Taint`.
    pub taints: Vec<Tree>,
    /// Capacity, as quantities by resource name; none means the provider's default.
    pub capacity: BTreeMap<Text, Text>,
}

impl NodeSpec {
    /// The `number`-th plain worker: `worker-1`, …
    pub fn worker(number: usize) -> NodeSpec {
        NodeSpec {
            name: Text::from(format!("worker-{number}")),
            role: Text::new("worker"),
            zone: None,
            labels: BTreeMap::new(),
            taints: Vec::new(),
            capacity: BTreeMap::new(),
        }
    }
}

/// When to give up on a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time since the start of the trial (virtual time where time is virtual).
    pub time: Millis,
    /// Events in the history.
    pub events: u64,
    /// Bytes of the history.
    pub history_bytes: u64,
    /// Findings that are kept.
    pub findings: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { time: 2 * 3_600_000, events: 2_000_000, history_bytes: 1 << 30, findings: 100 }
    }
}
