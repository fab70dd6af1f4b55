//! What to act on, and when: selectors, event filters and triggers, which steps and faults share.

use std::collections::BTreeMap;

use kubesim_model::{Millis, Text};

use super::cel::Program;
use super::located::Located;

/// What a fault or step acts on. All given fields must match; none given means everything of the
/// kind that the fault or step acts on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Select {
    /// How many of the candidates.
    pub mode: Mode,
    /// The role of a node: `worker` or `control-plane`.
    pub role: Option<Text>,
    /// The name of a node; for pods, the node on which they are.
    pub node: Option<Text>,
    /// The zone of a node.
    pub zone: Option<Text>,
    /// The name of a workload whose pods are meant, or on whose nodes.
    pub workload: Option<Text>,
    /// The name of a pod.
    pub pod: Option<Text>,
    /// Labels of a pod (of a node, where nodes are meant).
    pub labels: BTreeMap<Text, Text>,
    /// The name of a container.
    pub container: Option<Text>,
    /// An actor: `subject`, or the role of a component such as `kubelet` or `scheduler`.
    pub actor: Option<Text>,
    /// A condition over a candidate, which is `object` in it.
    pub where_: Option<Program>,
}

/// How many of the candidates are taken. Which ones is drawn from the seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// One.
    #[default]
    One,
    /// All.
    All,
    /// So many; all if there are fewer.
    Count(u32),
    /// So many percent, rounded up.
    Percent(u32),
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Change {
    /// Anything.
    #[default]
    Any,
    /// It was created.
    Create,
    /// It was changed.
    Update,
    /// It is gone.
    Delete,
}

/// Which events count.
#[derive(Clone, Debug, PartialEq)]
pub struct EventFilter {
    /// The kind of the object.
    pub kind: Located<Text>,
    /// What happened to it.
    pub on: Change,
    /// Its name.
    pub name: Option<Text>,
    /// Its namespace; none means the trial's.
    pub namespace: Option<Text>,
    /// The role of the actor that wrote.
    pub actor: Option<Text>,
    /// `status`, `scale` or another subresource through which was written.
    pub subresource: Option<Text>,
    /// A condition; sees `object`, `oldObject`, `event` and `params`.
    pub where_: Option<Program>,
    /// The how-manieth such event, from 1.
    pub nth: u32,
}

/// When a step or fault starts. Faults without a trigger start when `when` starts, at a moment
/// drawn from the seed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trigger {
    /// So long after `when` starts (`given`, for steps of `given`).
    pub at: Option<Millis>,
    /// At this event.
    pub event: Option<EventFilter>,
    /// When the step of this name has ended.
    pub step: Option<Located<Text>>,
    /// So long after all of the above.
    pub after: Option<Millis>,
}
