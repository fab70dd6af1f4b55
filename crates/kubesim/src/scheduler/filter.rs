//! Which nodes a pod may go to: the filters of the default profile, in their order
//! (kube-scheduler v1.36, `framework/plugins`).

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::cache::Cache;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, map, selector};

use super::affinity;
use super::queue::Plugin;
use super::snapshot::{NodeInfo, Placed, Snapshot};
use super::spread::{self, Spread};

/// Why a node was rejected.
#[derive(Clone, Debug)]
pub(super) struct Rejection {
    pub(super) plugin: Plugin,
    pub(super) reasons: Vec<Text>,
    /// Whether removing other pods could help.
    pub(super) is_resolvable: bool,
}

impl Rejection {
    fn new(plugin: Plugin, is_resolvable: bool, reason: &'static str) -> Self {
        Rejection { plugin, reasons: vec![Text::new_static(reason)], is_resolvable }
    }
}

/// A pod with all that its filters need to know once.
pub(super) struct Filters<'a> {
    placed: Placed,
    ports: BTreeSet<Port>,
    spread: Spread<'a>,
    affinity: affinity::Required<'a>,
}

/// Address, protocol and number.
type Port = (Text, Text, i64);

impl<'a> Filters<'a> {
    pub(super) fn new(pod: &'a Tree, snapshot: &Snapshot, cache: &Cache) -> Self {
        Filters {
            placed: Placed::new(pod),
            ports: host_ports(pod).collect(),
            spread: Spread::hard(pod, snapshot),
            affinity: affinity::Required::new(pod, snapshot, cache),
        }
    }

    /// Whether the pod may go to this node.
    pub(super) fn check(&self, info: &NodeInfo) -> Result<(), Rejection> {
        let pod = &self.placed.pod;
        check_node(pod, &info.node)?;
        if conflicts(&self.ports, info) {
            let reason = "node(s) didn't have free ports for the requested pod ports";
            return Err(Rejection::new(Plugin::Ports, true, reason));
        }
        self.check_fit(info)?;
        self.spread.check(info).map_err(|misfit| match misfit {
            spread::Misfit::NoLabel => Rejection::new(
                Plugin::Spread,
                false,
                "node(s) didn't match pod topology spread constraints (missing required label)",
            ),
            spread::Misfit::Skew => Rejection::new(
                Plugin::Spread,
                true,
                "node(s) didn't match pod topology spread constraints",
            ),
        })?;
        self.affinity.check(info).map_err(|misfit| {
            let (is_resolvable, reason) = match misfit {
                affinity::Misfit::Affinity => (false, "node(s) didn't match pod affinity rules"),
                affinity::Misfit::AntiAffinity => {
                    (true, "node(s) didn't match pod anti-affinity rules")
                }
                affinity::Misfit::ExistingAntiAffinity => {
                    (true, "node(s) didn't satisfy existing pods anti-affinity rules")
                }
            };
            Rejection::new(Plugin::PodAffinity, is_resolvable, reason)
        })
    }

    fn check_fit(&self, info: &NodeInfo) -> Result<(), Rejection> {
        let (mut reasons, mut is_resolvable) = (Vec::new(), true);
        if (info.pods.len() as i64 + 1) * 1000 > info.allocatable("pods") {
            reasons.push(Text::new_static("Too many pods"));
        }
        for (resource, wanted) in self.placed.requests.iter().filter(|(_, wanted)| **wanted > 0) {
            let there = info.allocatable(resource);
            let taken = info.requested.get(resource).copied().unwrap_or(0);
            if *wanted > there.saturating_sub(taken) {
                reasons.push(Text::from(format!("Insufficient {resource}")));
                is_resolvable &= *wanted <= there;
            }
        }
        if reasons.is_empty() {
            return Ok(());
        }
        Err(Rejection { plugin: Plugin::Fit, reasons, is_resolvable })
    }
}

/// What depends on the node alone.
fn check_node(pod: &Tree, node: &Tree) -> Result<(), Rejection> {
    let spec = &pod["spec"];
    let tolerations = &spec["tolerations"];
    let cordon = map! { "key" => "node.kubernetes.io/unschedulable", "effect" => "NoSchedule" };
    if node["spec"]["unschedulable"].is_true() && !selector::tolerates(tolerations, &cordon) {
        let reason = "node(s) were unschedulable";
        return Err(Rejection::new(Plugin::Unschedulable, false, reason));
    }
    let wanted = spec["nodeName"].str();
    if !wanted.is_empty() && wanted != node["metadata"]["name"].str() {
        let reason = "node(s) didn't match the requested node name";
        return Err(Rejection::new(Plugin::NodeName, false, reason));
    }
    let repels = |taint: &Tree| {
        matches!(taint["effect"].str(), "NoSchedule" | "NoExecute")
            && !selector::tolerates(tolerations, taint)
    };
    if node["spec"]["taints"].items().iter().any(repels) {
        return Err(Rejection::new(Plugin::Taints, false, "node(s) had untolerated taint(s)"));
    }
    if !selector::admits_node(spec, node) {
        let reason = "node(s) didn't match Pod's node affinity/selector";
        return Err(Rejection::new(Plugin::NodeAffinity, false, reason));
    }
    Ok(())
}

/// The ports of the host that a pod takes: of containers and of sidecars.
fn host_ports(pod: &Tree) -> impl Iterator<Item = Port> {
    let spec = &pod["spec"];
    let sidecars = spec["initContainers"].items().iter();
    let sidecars = sidecars.filter(|container| container["restartPolicy"] == "Always");
    spec["containers"].items().iter().chain(sidecars).flat_map(|container| {
        container["ports"].items().iter().filter_map(|port| {
            let number = port["hostPort"].as_i64().filter(|number| *number > 0)?;
            let or =
                |text: Text, other| if text.is_empty() { Text::new_static(other) } else { text };
            Some((or(port["hostIP"].text(), "0.0.0.0"), or(port["protocol"].text(), "TCP"), number))
        })
    })
}

fn conflicts(wanted: &BTreeSet<Port>, info: &NodeInfo) -> bool {
    !wanted.is_empty()
        && info.pods.values().flat_map(|placed| host_ports(&placed.pod)).any(|taken| {
            wanted.iter().any(|port| {
                let everywhere = port.0 == "0.0.0.0" || taken.0 == "0.0.0.0";
                (port.1 == taken.1 && port.2 == taken.2) && (everywhere || port.0 == taken.0)
            })
        })
}

/// The message that says of how many nodes each reason held.
pub(super) fn message(rejections: &BTreeMap<Text, Rejection>) -> String {
    let reasons = rejections.values().flat_map(|rejection| rejection.reasons.iter());
    count_reasons(rejections.len(), reasons.map(Text::as_str))
}

/// `0/5 nodes are available: 2 Insufficient cpu, 3 Too many pods.`
pub(super) fn count_reasons<'a>(nodes: usize, reasons: impl Iterator<Item = &'a str>) -> String {
    if nodes == 0 {
        return "no nodes available to schedule pods".to_owned();
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    reasons.for_each(|reason| *counts.entry(reason).or_default() += 1);
    let mut parts: Vec<String> = counts.iter().map(|(r, count)| format!("{count} {r}")).collect();
    parts.sort();
    format!("0/{nodes} nodes are available: {}.", parts.join(", "))
}
