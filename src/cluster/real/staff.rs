//! The actors that live in real processes: all controllers in one, the scheduler in another. What
//! is done to one of them is done to its process.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::Text;

use super::ground::{Component, Ground, turn_of};
use crate::cluster::{Lever, Touched};
use crate::history::{ActorEvent, ActorPhase, Body};

/// What is known of them.
#[derive(Default)]
pub(super) struct Staff {
    members: BTreeMap<Text, ActorEvent>,
    /// Those who were introduced before they did anything.
    introduced: BTreeSet<Text>,
}

impl Staff {
    /// Somebody was seen; `None` if he was seen before.
    pub(super) fn arrived(&mut self, actor: Text, user: Text, user_agent: Text) -> Option<Body> {
        if self.members.contains_key(&actor) {
            return None;
        }
        let node = Text::new(user.strip_prefix("system:node:").unwrap_or_default());
        let phase = ActorPhase::Started;
        let event =
            ActorEvent { actor: actor.clone(), user, user_agent, node, incarnation: 1, phase };
        self.members.insert(actor, event.clone());
        Some(Body::Actor(event))
    }

    /// The program that an actor is part of, if it is part of one.
    pub(super) fn component_of(&self, actor: &str) -> Option<Component> {
        component_of(self.members.get(actor)?)
    }

    /// Somebody is there, whether he does anything or not.
    pub(super) fn introduced(&mut self, actor: Text, user: Text, user_agent: Text) -> Option<Body> {
        self.introduced.insert(actor.clone());
        self.arrived(actor, user, user_agent)
    }

    /// The actors that are part of a program and were introduced: what others know of is nothing
    /// that any check asks for.
    pub(super) fn members_of(&self, component: Component) -> impl Iterator<Item = &Text> {
        self.introduced.iter().filter(move |name| self.component_of(name) == Some(component))
    }

    /// Which incarnation of an actor lives.
    pub(super) fn incarnation(&self, actor: &str) -> u32 {
        self.members.get(actor).map_or(1, |member| member.incarnation)
    }

    /// The kubelet of a real node was ended, started or made to stand still or go on.
    pub(super) fn kubelet(&mut self, lever: &Lever) -> Option<ActorEvent> {
        let of = |node: &str| Text::from(format!("kubelet/{node}"));
        let (actor, phase) = match lever {
            Lever::StopKubelet { node } => (of(node), ActorPhase::Crashed),
            Lever::StartKubelet { node } => (of(node), ActorPhase::Started),
            Lever::PauseActor { actor } => (actor.clone(), ActorPhase::Paused),
            Lever::ResumeActor { actor } => (actor.clone(), ActorPhase::Resumed),
            _ => return None,
        };
        // One that was not heard of yet works all the same.
        let kubelet = self.members.entry(actor.clone()).or_insert_with(|| {
            let node = Text::new(actor.strip_prefix("kubelet/").unwrap_or_default());
            ActorEvent {
                actor,
                user: Text::from(format!("system:node:{node}")),
                user_agent: Text::new_static("kubelet"),
                node,
                incarnation: 1,
                phase: ActorPhase::Started,
            }
        });
        (kubelet.phase != phase).then(|| turned(kubelet, phase))
    }

    /// Moves a lever that acts on one of them; `None` if it does not.
    pub(super) fn pull(
        &mut self,
        lever: &Lever,
        ground: &mut dyn Ground,
    ) -> Option<(Touched, Vec<ActorEvent>)> {
        let (actor, phase) = turn_of(lever)?;
        let component = component_of(self.members.get(actor)?)?;
        let was = self.members[actor].phase;
        let did = was != phase && ground.act(component, phase);
        let mut events = Vec::new();
        if did || was == phase {
            for member in self.members.values_mut() {
                if component_of(member) == Some(component) && member.phase != phase {
                    events.push(turned(member, phase));
                }
            }
        }
        // All of a process stand still together: whoever is named after the first is touched too.
        let actors = if did || was == phase { vec![actor.clone()] } else { Vec::new() };
        Some((Touched { actors, ..Touched::default() }, events))
    }
}

/// The component that an actor is part of.
fn component_of(member: &ActorEvent) -> Option<Component> {
    let all = [Component::ControllerManager, Component::Scheduler];
    all.into_iter().find(|component| member.user_agent.starts_with(component.as_str()))
}

fn turned(member: &mut ActorEvent, phase: ActorPhase) -> ActorEvent {
    member.incarnation += u32::from(phase == ActorPhase::Started);
    member.phase = phase;
    member.clone()
}
