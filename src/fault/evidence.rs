//! Proofs that faults share: what in a history shows that something took effect.

use std::collections::BTreeMap;

use kubesim_model::object;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::{Millis, Text};

use super::definition::Moment;
use crate::cluster::Direction;
use crate::history::{ActorPhase, Body, ContainerFact, Event, HostFact, View};

/// A kubelet that runs renews its lease every 10 seconds (v1.36, a quarter of
/// `nodeLeaseDurationSeconds: 40`; as many times as fast as the cluster's pace says), so a link
/// that is cut for longer has lost a renewal at least.
const RENEWAL: Millis = 12_000;

/// The fact of this event, if it happened on one of `nodes`.
pub(super) fn fact_on<'a>(event: Option<&'a Event>, nodes: &[Text]) -> Option<&'a HostFact> {
    match &event?.body {
        Body::Host(host) if nodes.contains(&host.node) => Some(&host.fact),
        _ => None,
    }
}

/// The fact of this event.
pub(super) fn fact(event: Option<&Event>) -> Option<&HostFact> {
    match &event?.body {
        Body::Host(host) => Some(&host.fact),
        _ => None,
    }
}

/// A node of `nodes` whose `Ready` condition is `Unknown`.
pub(super) fn unknown_node<'a>(moment: &Moment<'_>, nodes: &'a [Text]) -> Option<&'a Text> {
    nodes.iter().find(|name| {
        let node = moment.view.objects.get(&Resource::NODES, &ObjectKey::new("", (*name).clone()));
        let ready = node.and_then(|node| object::condition(node, "Ready"));
        ready.is_some_and(|ready| ready["status"] == "Unknown")
    })
}

/// How many containers run on these nodes.
pub(super) fn running_on(view: &View, nodes: &[Text]) -> usize {
    view.hosts.running().filter(|running| nodes.contains(&running.node)).count()
}

/// Proves that a pod needs a machine of `nodes` that is down: no container may run on it just then,
/// because they are still to be started or are being replaced.
pub(super) fn pod_bound(moment: &Moment<'_>, nodes: &[Text]) -> Option<String> {
    let mut pods = moment.view.objects.all(&Resource::PODS);
    let (key, pod) = pods.find(|(_, pod)| {
        let node = pod["spec"]["nodeName"].str();
        nodes.iter().any(|have| have == node)
            && moment.view.hosts.is_down(node)
            && !object::is_terminal(pod)
    })?;
    let node = pod["spec"]["nodeName"].str();
    Some(moment.proof(format!("pod {key} is bound to {node}, which is down")))
}

/// Proves that a living kubelet on these nodes lost a renewal of its lease. Renewals need not be
/// recorded, so silence alone proves nothing: the kubelet must have been alive all the time, and
/// no other request of the node may have come through.
pub(super) fn renewal_lost(
    nodes: Vec<Text>,
    direction: Direction,
    pace: u64,
) -> impl FnMut(&Moment<'_>) -> Option<String> + Send + 'static {
    let mut alive_since: BTreeMap<Text, Millis> = BTreeMap::new();
    move |moment| {
        let heard = match moment.event.map(|event| &event.body) {
            Some(Body::Request(request)) => moment.view.actors.get(&request.actor),
            _ => None,
        };
        for node in &nodes {
            // What a node that hears nothing asks for is carried out, and its answer lost.
            let is_heard =
                direction != Direction::In && heard.is_some_and(|actor| actor.node == *node);
            if is_heard || !has_living_kubelet(moment.view, node) {
                alive_since.insert(node.clone(), moment.now);
            }
            let since = *alive_since.entry(node.clone()).or_insert(moment.since);
            if moment.now.saturating_sub(since) >= RENEWAL / pace {
                let seconds = (moment.now - since) / 1000;
                let what = format!("node {node} is cut off from a living kubelet for {seconds} s");
                return Some(moment.proof(what));
            }
        }
        let unknown = unknown_node(moment, &nodes)?;
        Some(moment.proof(format!("node {unknown} is Unknown")))
    }
}

/// Whether the machine works and the kubelet on it runs.
fn has_living_kubelet(view: &View, node: &str) -> bool {
    let mut here = view.actors.values().filter(|actor| actor.node == node);
    let kubelet = here.find(|actor| actor.actor.starts_with("kubelet/"));
    !view.hosts.is_down(node) && kubelet.is_some_and(|kubelet| view.is_alive(&kubelet.actor))
}

/// Proves that one of these actors went through `phase`.
pub(super) fn actor_went(
    actors: Vec<Text>,
    phase: ActorPhase,
    what: &'static str,
) -> impl FnMut(&Moment<'_>) -> Option<String> + Send + 'static {
    move |moment| match &moment.event?.body {
        Body::Actor(actor) if actor.phase == phase && actors.contains(&actor.actor) => {
            Some(moment.proof(format!("{} {what}", actor.actor)))
        }
        _ => None,
    }
}

/// The container of a fact that says that one started.
pub(super) fn started(fact: &HostFact) -> Option<&ContainerFact> {
    match fact {
        HostFact::ContainerStarted(container) => Some(container),
        _ => None,
    }
}

/// Whether a pattern that may end in `*` matches.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => pattern == text,
    }
}
