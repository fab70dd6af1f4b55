//! The state of everything at one point of a history: objects, hosts, faults, steps, actors, and
//! what each role knows. A view takes the events in one after the other; there is no way back.

use std::collections::BTreeMap;

use kubesim_model::{Millis, Text};

use super::event::{ActorEvent, ActorPhase, Body, Event, FaultEvent, FaultPhase, Gap, StepEvent};
use super::event::{Header, StepPhase};
use super::hosts::Hosts;
use super::known::Known;
use super::objects::Objects;

/// The state after the events that were taken in.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The time of the last event, in milliseconds.
    pub now: Millis,
    /// What timestamps of objects say at time 0, in milliseconds since the epoch of virtual time.
    pub began: Millis,
    /// The number of the last event.
    pub n: u64,
    /// The objects of the API.
    pub objects: Objects,
    /// What runs on the hosts.
    pub hosts: Hosts,
    /// What the roles know.
    pub known: Known,
    ignores_known: bool,
    /// The faults that are in force, by their injection.
    pub faults: BTreeMap<Text, FaultState>,
    /// The steps that have begun and not ended, by where they stand.
    pub steps: BTreeMap<Text, StepEvent>,
    /// The actors that ever started, by name.
    pub actors: BTreeMap<Text, ActorEvent>,
    /// What may have been missed so far.
    pub gaps: Vec<Gap>,
    /// Whether a step of `given` began and no later step did: the world is still being prepared.
    pub is_preparing: bool,
    /// Whether deliveries were recorded; without them nobody's knowledge is known.
    pub has_deliveries: bool,
    /// The matrix row of the trial.
    pub params: BTreeMap<String, kubesim_model::tree::Tree>,
}

/// A fault in force.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultState {
    /// As it was injected, with the targets of all its phases.
    pub event: FaultEvent,
    /// Since when, in milliseconds.
    pub since: Millis,
}

impl View {
    /// Nothing has happened yet.
    pub fn new(header: &Header) -> View {
        let has_deliveries = header.capabilities.iter().any(|have| have == "deliveries");
        let (params, began) = (header.params.clone(), header.began);
        let known = Known::by(header.clock);
        View { params, began, has_deliveries, known, ..View::default() }
    }

    /// The same without what the roles know: that is for judging only, and most events are
    /// deliveries.
    pub fn for_conducting(header: &Header) -> View {
        View { ignores_known: true, ..View::new(header) }
    }

    /// The time of the last event as timestamps of objects count it.
    pub fn object_time(&self) -> Millis {
        self.began + self.now
    }

    /// Takes the next event in.
    pub fn take(&mut self, event: &Event) {
        self.now = event.t;
        self.n = event.n;
        if !self.ignores_known {
            self.known.take(event);
        }
        match &event.body {
            Body::Request(request) => {
                request.changes.iter().for_each(|change| self.objects.take(change));
            }
            Body::Host(fact) => self.hosts.take(event.t, fact),
            Body::Actor(actor) => drop(self.actors.insert(actor.actor.clone(), actor.clone())),
            Body::Fault(fault) => self.fault(fault),
            Body::Step(step) => match step.phase {
                StepPhase::Started => {
                    self.is_preparing = step.step.starts_with("given");
                    self.steps.insert(step.step.clone(), step.clone());
                }
                StepPhase::Finished | StepPhase::Failed => drop(self.steps.remove(&step.step)),
            },
            Body::Gap(gap) => self.gaps.push(gap.clone()),
            Body::Deliver(_) | Body::Note(_) => {}
        }
    }

    fn fault(&mut self, fault: &FaultEvent) {
        match fault.phase {
            FaultPhase::Injected | FaultPhase::Bit => {
                let since = self.now;
                let have = self
                    .faults
                    .entry(fault.fault.clone())
                    .or_insert_with(|| FaultState { event: fault.clone(), since });
                merge(&mut have.event.targets, &fault.targets);
                merge(&mut have.event.nodes, &fault.nodes);
                merge(&mut have.event.pods, &fault.pods);
            }
            FaultPhase::Healed | FaultPhase::Missed => drop(self.faults.remove(&fault.fault)),
            FaultPhase::Armed => {}
        }
    }

    /// Whether a fault in force acts on this node.
    pub fn node_fault(&self, node: &str) -> Option<&FaultState> {
        self.faults.values().find(|fault| fault.event.nodes.iter().any(|have| have == node))
    }

    /// Whether a fault in force acts on the pod itself.
    pub fn pod_fault(&self, uid: &str) -> Option<&FaultState> {
        self.faults.values().find(|fault| fault.event.pods.iter().any(|have| have == uid))
    }

    /// Whether a fault in force acts on this actor.
    pub fn actor_fault(&self, actor: &str) -> Option<&FaultState> {
        self.faults.values().find(|fault| {
            fault.event.targets.iter().any(|target| target.strip_prefix("actor ") == Some(actor))
        })
    }

    /// Whether a fault in force on this node stays until the trial is judged.
    pub fn is_lastingly_disturbed(&self, node: &str) -> bool {
        self.faults
            .values()
            .any(|fault| fault.event.lasting && fault.event.nodes.iter().any(|have| have == node))
    }

    /// Whether the actor neither crashed nor stands still.
    pub fn is_alive(&self, actor: &str) -> bool {
        self.actors
            .get(actor)
            .is_none_or(|have| matches!(have.phase, ActorPhase::Started | ActorPhase::Resumed))
    }

    /// The faults in force, as findings name them: `node-crash (node worker-1)`.
    pub fn open_faults(&self) -> Vec<String> {
        let name = |fault: &FaultState| match fault.event.targets.is_empty() {
            true => fault.event.name.to_string(),
            false => format!("{} ({})", fault.event.name, fault.event.targets.join(", ")),
        };
        self.faults.values().map(name).collect()
    }
}

fn merge(into: &mut Vec<Text>, more: &[Text]) {
    for text in more {
        if !into.contains(text) {
            into.push(text.clone());
        }
    }
}
