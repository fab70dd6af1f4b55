//! Proofs that faults share: what in a history shows that something took effect.

use kubesim_model::object;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::{Millis, Text};

use super::definition::Moment;
use crate::history::{ActorPhase, Body, ContainerFact, Event, HostFact};

/// Without a request of its kubelet for this long, a node is cut off: leases are renewed every 10
/// seconds (kubelet v1.36, `nodeLeaseDurationSeconds: 40`, a quarter of it).
const SILENCE: Millis = 12_000;

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
pub(super) fn running_on(view: &crate::history::View, nodes: &[Text]) -> usize {
    view.hosts.running().filter(|running| nodes.contains(&running.node)).count()
}

/// Proves that the actors on these nodes fell silent.
pub(super) fn silence_of(
    nodes: Vec<Text>,
) -> impl FnMut(&Moment<'_>) -> Option<String> + Send + 'static {
    let mut last_heard = 0;
    move |moment| {
        if let Some(Body::Request(request)) = moment.event.map(|event| &event.body) {
            let by = moment.view.actors.get(&request.actor);
            if by.is_some_and(|actor| nodes.contains(&actor.node)) {
                last_heard = moment.now;
            }
        }
        let quiet = moment.now.saturating_sub(last_heard.max(moment.since));
        let unknown = unknown_node(moment, &nodes).map(|name| format!("node {name} is Unknown"));
        let silent = (quiet >= SILENCE).then(|| format!("{quiet} ms without a sign of life"));
        unknown.or(silent).map(|what| moment.proof(what))
    }
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
