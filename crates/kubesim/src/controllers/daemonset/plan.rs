//! Which daemon pods to create and to delete.
//!
//! Modelled on kube-controller-manager v1.36, `daemon_controller.go` (`podsShouldBeOnNode`) and
//! `daemon/update.go` (`rollingUpdate`).

use std::collections::BTreeMap;

use kubesim_model::object;
use kubesim_model::share::{Rounding, share};
use kubesim_model::stream::Stream;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

use super::control::Bug;
use super::nodes::{self, HASH, Place};
use crate::controllers::owned::status::min_ready_seconds;

/// Pods by node; one that terminates and has ended is none.
pub(super) type ByNode<'a> = BTreeMap<Text, Vec<&'a Tree>>;

/// What a sync of a DaemonSet looks at.
pub(super) struct View<'a> {
    pub set: &'a Tree,
    pub nodes: &'a [Tree],
    pub pods: &'a [Tree],
    /// The hash of the revision to reach.
    pub hash: &'a str,
    pub bug: Option<Bug>,
    pub now: Millis,
}

/// Nodes that need a pod, and pods to be deleted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub create: Vec<Text>,
    pub delete: Vec<Tree>,
    /// Failed pods among the deleted ones, by node: they back off if they are tried again.
    pub failed: Vec<(Text, Tree)>,
}

impl<'a> View<'a> {
    /// The pods on each node, scheduled ones before others, older before younger.
    pub(super) fn by_node(&self) -> ByNode<'a> {
        let mut all: ByNode<'a> = BTreeMap::new();
        let counts = |pod: &&Tree| !(object::is_terminal(pod) && object::is_terminating(pod));
        for pod in self.pods.iter().filter(counts) {
            all.entry(Text::new(nodes::node_of(pod))).or_default().push(pod);
        }
        for pods in all.values_mut() {
            pods.sort_by_key(|pod| {
                let metadata = &pod["metadata"];
                let unscheduled = pod["spec"]["nodeName"].str().is_empty();
                (unscheduled, metadata["creationTimestamp"].text(), metadata["name"].text())
            });
        }
        all
    }

    /// Brings pods to where they belong and takes away what is too much (`manage`).
    pub(super) fn manage(&self) -> Plan {
        let mut plan = Plan::default();
        let by_node = self.by_node();
        for node in self.nodes {
            let here = by_node.get(object::name(node)).map_or(&[][..], Vec::as_slice);
            self.manage_node(node, here, &mut plan);
        }
        let known = |name: &str| self.nodes.iter().any(|node| object::name(node) == name);
        let lost = by_node.iter().filter(|(name, _)| !known(name)).flat_map(|(_, pods)| pods);
        let unscheduled = |pod: &&&Tree| pod["spec"]["nodeName"].str().is_empty();
        plan.delete.extend(lost.filter(unscheduled).filter(|p| !gone(p)).map(|pod| (*pod).clone()));
        plan
    }

    fn manage_node(&self, node: &Tree, here: &[&Tree], plan: &mut Plan) {
        match nodes::place(self.set, node) {
            Place::Wanted if here.is_empty() => plan.create.push(Text::new(object::name(node))),
            Place::Foreign => {
                let pods = here.iter().filter(|pod| !gone(pod));
                plan.delete.extend(pods.map(|pod| (*pod).clone()));
            }
            Place::Wanted | Place::Kept => {
                let mut running = Vec::new();
                for pod in here.iter().copied().filter(|pod| !gone(pod)) {
                    match pod["status"]["phase"].str() {
                        "Failed" => plan.failed.push((Text::new(object::name(node)), pod.clone())),
                        "Succeeded" => plan.delete.push(pod.clone()),
                        _ => running.push(pod),
                    }
                }
                // With surge, a node must always have a pod that stays.
                let surges = self.surge_and_unavailable().0 > 0;
                if surges && running.is_empty() && nodes::place(self.set, node) == Place::Wanted {
                    plan.create.push(Text::new(object::name(node)));
                }
                plan.delete.extend(self.too_many(&running).into_iter().cloned());
            }
        }
    }

    /// Of several pods on a node the oldest stays; with surge the oldest new and the oldest old
    /// one, until the new one is available or the old one isn't ready.
    fn too_many(&self, running: &[&'a Tree]) -> Vec<&'a Tree> {
        if self.surge_and_unavailable().0 == 0 {
            return running.iter().skip(1).copied().collect();
        }
        let (new, old): (Vec<&Tree>, Vec<&Tree>) =
            running.iter().copied().partition(|pod| self.is_new(pod));
        let mut surplus: Vec<&Tree> =
            new.iter().skip(1).chain(old.iter().skip(1)).copied().collect();
        if let (Some(new), Some(old)) = (new.first(), old.first())
            && (!object::is_ready(old) || self.is_available(new))
        {
            surplus.push(old);
        }
        surplus
    }

    /// The next steps of a rolling update. Which node comes first is drawn from `rng`: upstream
    /// it is the order of a Go map.
    pub(super) fn update(&self, rng: &mut Stream) -> Plan {
        let mut by_node: Vec<(Text, Vec<&Tree>)> = self.by_node().into_iter().collect();
        for at in (1..by_node.len()).rev() {
            by_node.swap(at, rng.index(at + 1));
        }
        match self.surge_and_unavailable() {
            (0, unavailable) => self.replace(&by_node, unavailable),
            (surge, _) => self.surge(&by_node, surge),
        }
    }

    /// Deletes old pods: all that are not available, and others as far as the limit goes.
    fn replace(&self, by_node: &[(Text, Vec<&Tree>)], max_unavailable: usize) -> Plan {
        let mut unavailable = 0;
        let (mut delete, mut candidates) = (Vec::new(), Vec::new());
        for (_, pods) in by_node {
            match self.new_and_old(pods) {
                Some((Some(new), None)) if self.is_available(new) => {}
                Some((None, Some(old))) if self.is_available(old) => candidates.push(old.clone()),
                Some((None, Some(old))) => {
                    unavailable += 1;
                    delete.push(old.clone());
                }
                _ => unavailable += 1,
            }
        }
        let room = max_unavailable.saturating_sub(unavailable);
        delete.extend(candidates.into_iter().take(room));
        Plan { delete, ..Plan::default() }
    }

    /// Makes new pods beside old ones, and deletes the old ones when the new ones are available. On
    /// a node where no pod is made any more, an old one goes when it is not available, or when
    /// enough others are.
    fn surge(&self, by_node: &[(Text, Vec<&Tree>)], max_surge: usize) -> Plan {
        let (mut surging, mut available) = (0, 0);
        let (mut plan, mut candidates, mut retired) = (Plan::default(), Vec::new(), Vec::new());
        for (node, pods) in by_node {
            let Some((new, old)) = self.new_and_old(pods) else {
                surging += 1;
                continue;
            };
            let works = old.or(new).is_some_and(|pod| self.is_available(pod));
            available += usize::from(works);
            match (new, old) {
                (_, None) => {}
                (None, Some(old)) => match (works, self.is_wanted_on(node)) {
                    (true, true) => candidates.push(node.clone()),
                    (true, false) => retired.push(old.clone()),
                    (false, true) => plan.create.push(node.clone()),
                    (false, false) => plan.delete.push(old.clone()),
                },
                (Some(new), Some(_)) if !self.is_available(new) => surging += 1,
                (Some(_), Some(old)) => plan.delete.push(old.clone()),
            }
        }
        let spare = available.saturating_sub(self.wanted());
        plan.delete.extend(retired.into_iter().take(spare));
        let room = max_surge.saturating_sub(surging);
        plan.create.extend(candidates.into_iter().take(room));
        plan
    }

    /// Whether a pod belongs on the node of this name.
    fn is_wanted_on(&self, name: &str) -> bool {
        let mut nodes = self.nodes.iter();
        let node = nodes.find(|node| object::name(node) == name);
        node.is_some_and(|node| nodes::place(self.set, node) == Place::Wanted)
    }

    /// On how many nodes a pod belongs.
    fn wanted(&self) -> usize {
        self.nodes.iter().filter(|node| nodes::place(self.set, node) == Place::Wanted).count()
    }

    /// The new and the old pod of a node; `None` if there are two of a kind.
    fn new_and_old<'p>(&self, pods: &[&'p Tree]) -> Option<(Option<&'p Tree>, Option<&'p Tree>)> {
        let (new, old): (Vec<&Tree>, Vec<&Tree>) =
            pods.iter().copied().filter(|pod| !gone(pod)).partition(|pod| self.is_new(pod));
        (new.len() <= 1 && old.len() <= 1).then(|| (new.first().copied(), old.first().copied()))
    }

    /// `maxSurge` and `maxUnavailable` in pods; both are rounded up, and not both are 0.
    fn surge_and_unavailable(&self) -> (usize, usize) {
        let wanted = self.wanted();
        let total = i64::try_from(wanted).unwrap_or(i64::MAX);
        let rolling = &self.set["spec"]["updateStrategy"]["rollingUpdate"];
        let of = |field: &str, default: i64| {
            let value =
                if rolling[field].is_null() { Tree::Int(default) } else { rolling[field].clone() };
            let count = share(&value, total, Rounding::Up).unwrap_or(default);
            usize::try_from(count).unwrap_or(0)
        };
        if self.bug == Some(Bug::MaxUnavailableIgnored) {
            return (0, wanted.max(1));
        }
        match (of("maxSurge", 0), of("maxUnavailable", 1)) {
            (0, 0) => (0, 1),
            limits => limits,
        }
    }

    pub(super) fn is_new(&self, pod: &Tree) -> bool {
        object::label(pod, HASH) == self.hash
    }

    pub(super) fn is_available(&self, pod: &Tree) -> bool {
        object::is_available(pod, min_ready_seconds(self.set), self.now)
    }
}

/// Whether the pod's deletion was asked for.
fn gone(pod: &Tree) -> bool {
    object::is_terminating(pod)
}
