//! The rules that faults lay over containers and images of a host.

use std::collections::BTreeMap;

use kubesim_model::host::ContainerInfo;
use kubesim_model::{Millis, Text};

use crate::world::{Behaviour, ContainerSelector};

/// What is done to a container's process from outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ContainerAction {
    /// It ends with this exit code; 137 as after SIGKILL.
    Kill {
        /// The exit code.
        exit_code: i32,
        /// Whether the kernel killed it for its memory (`OOMKilled`).
        oom: bool,
    },
    /// It hangs, as after SIGSTOP.
    Stick,
    /// A hanging process goes on.
    Unstick,
}

#[derive(Clone, Default)]
pub(super) struct Rules {
    behaviours: BTreeMap<Text, (ContainerSelector, Behaviour)>,
    images: BTreeMap<Text, ImageRule>,
}

#[derive(Clone)]
struct ImageRule {
    image: Text,
    missing: bool,
    slower_by: Millis,
}

impl Rules {
    pub(super) fn behave(&mut self, rule: &str, which: ContainerSelector, how: Behaviour) {
        self.behaviours.insert(rule.into(), (which, how));
    }

    pub(super) fn image(&mut self, rule: &str, image: &str, missing: bool, slower_by: Millis) {
        self.images.insert(rule.into(), ImageRule { image: image.into(), missing, slower_by });
    }

    pub(super) fn forget(&mut self, rule: &str) -> bool {
        self.behaviours.remove(rule).is_some() | self.images.remove(rule).is_some()
    }

    /// The rules on a container, by name.
    pub(super) fn on<'a>(
        &'a self,
        node: &'a str,
        info: &'a ContainerInfo,
    ) -> impl Iterator<Item = (&'a Text, &'a Behaviour)> {
        self.behaviours
            .iter()
            .filter(move |(_, (which, _))| selects(which, node, info))
            .map(|(rule, (_, how))| (rule, how))
    }

    /// Whether the image can't be had, and how much longer a pull takes.
    pub(super) fn of_image(&self, image: &str) -> (bool, Millis) {
        let rules = self.images.values().filter(|rule| matches(&rule.image, image));
        rules.fold((false, 0), |(missing, slower), rule| {
            (missing | rule.missing, slower.max(rule.slower_by))
        })
    }
}

/// Whether a selector takes in this container of `node`.
pub(super) fn selects(which: &ContainerSelector, node: &str, info: &ContainerInfo) -> bool {
    let is = |pattern: &Text, text: &str| pattern.is_empty() || matches(pattern, text);
    (which.node.is_empty() || which.node == node)
        && (which.namespace.is_empty() || which.namespace == info.pod.namespace)
        && is(&which.pod, &info.pod.name)
        && (which.container.is_empty() || which.container == info.name)
        && is(&which.image, &info.image)
}

fn matches(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => text.starts_with(prefix),
        None => pattern == text,
    }
}
