//! What really runs on the hosts at one point of a history.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::{Millis, Text};

use super::event::{ContainerFact, HostEvent, HostFact};

/// What runs where, by host truth.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    running: BTreeMap<Text, Running>,
    stuck: BTreeSet<Text>,
    off: BTreeSet<Text>,
    frozen: BTreeSet<Text>,
}

/// A container that runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    /// On which node.
    pub node: Text,
    /// Since when, in milliseconds.
    pub since: Millis,
    /// What it is.
    pub container: ContainerFact,
}

impl Hosts {
    /// The containers that run, by id; those that are stuck or on a frozen machine too.
    pub fn running(&self) -> impl Iterator<Item = &Running> {
        self.running.values()
    }

    /// The running container with this id.
    pub fn container(&self, id: &str) -> Option<&Running> {
        self.running.get(id)
    }

    /// Whether the container hangs, by itself or with its machine.
    pub fn is_stuck(&self, running: &Running) -> bool {
        self.stuck.contains(&running.container.container_id) || self.frozen.contains(&running.node)
    }

    /// Whether the machine has no power or stands still.
    pub fn is_down(&self, node: &str) -> bool {
        self.off.contains(node) || self.frozen.contains(node)
    }

    pub(super) fn take(&mut self, t: Millis, event: &HostEvent) {
        let node = &event.node;
        match &event.fact {
            HostFact::ContainerStarted(container) => {
                let id = container.container_id.clone();
                let container = container.clone();
                self.running.insert(id, Running { node: node.clone(), since: t, container });
            }
            HostFact::ContainerExited { container, .. } => {
                self.running.remove(&container.container_id);
                self.stuck.remove(&container.container_id);
            }
            HostFact::ContainerStuck { container, stuck: true } => {
                self.stuck.insert(container.container_id.clone());
            }
            HostFact::ContainerStuck { container, stuck: false } => {
                self.stuck.remove(&container.container_id);
            }
            HostFact::PoweredOff => {
                self.running.retain(|_, running| running.node != *node);
                self.off.insert(node.clone());
                self.frozen.remove(node);
            }
            HostFact::PoweredOn => drop(self.off.remove(node)),
            HostFact::Frozen => drop(self.frozen.insert(node.clone())),
            HostFact::Thawed => drop(self.frozen.remove(node)),
            HostFact::SandboxStarted { .. }
            | HostFact::SandboxStopped { .. }
            | HostFact::ImagePulled { .. }
            | HostFact::ImageFailed { .. }
            | HostFact::RuntimeStopped
            | HostFact::RuntimeStarted
            | HostFact::PacketsLost { .. } => {}
        }
    }
}
