//! The world itself: its clock, its queue, and the step that carries out what is due next.

use std::collections::BTreeMap;

use kubesim_model::actor::{Effect, Input, Io, RequestId};
use kubesim_model::request::{Answer, Remarks};
use kubesim_model::resource::Resource;
use kubesim_model::{Millis, Text};

use super::actors::Slot;
use super::config::WorldConfig;
use super::hooks::Waiting;
use super::hosts::Machine;
use super::queue::{ActorId, Due, Queue};
use super::record::{Record, What};
use super::remote::Remote;
use super::rules::Rules;
use crate::api::Api;

/// A simulated cluster. Cloning it forks it: both go on alike until they are treated differently.
#[derive(Clone)]
pub struct World {
    pub(super) config: WorldConfig,
    pub(super) now: Millis,
    pub(super) api: Api,
    pub(super) slots: Vec<Slot>,
    pub(super) names: BTreeMap<Text, ActorId>,
    pub(super) machines: Vec<Machine>,
    pub(super) watchers: BTreeMap<Resource, Vec<(ActorId, usize)>>,
    pub(super) rules: Rules<ActorId>,
    pub(super) queue: Queue,
    pub(super) answers: BTreeMap<(ActorId, RequestId), (Answer, Remarks)>,
    /// Of the request that was carried out last, until they are on their way.
    pub(super) remarks: Remarks,
    pub(super) records: Vec<Record>,
    pub(super) next_record: u64,
    /// The record that led to what is being done.
    pub(super) cause: Option<u64>,
    pub(super) compact_to: u64,
    /// What is under way to the API server if it is a real one.
    pub(super) remote: Option<Remote>,
    pub(super) steps: u64,
    /// The requests for which webhooks are called.
    pub(super) waiting: Waiting,
}

impl World {
    /// The time.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// When the next thing happens; `None` if nothing ever will.
    pub fn next_event(&self) -> Option<Millis> {
        self.queue.next()
    }

    /// How many things have happened.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The API server, to look at. Whoever takes part asks it through requests.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Moves the clock on without anything happening: to `at`, at most to the next event.
    pub fn advance_to(&mut self, at: Millis) {
        let limit = self.queue.next().unwrap_or(at);
        self.now = self.now.max(at.min(limit));
    }

    /// Carries out what is due next, at its time. Answers whether there was anything.
    pub fn step(&mut self) -> bool {
        let Some((at, due)) = self.queue.pop() else { return false };
        self.now = self.now.max(at);
        self.steps += 1;
        self.cause = None;
        self.carry_out_due(due);
        true
    }

    fn carry_out_due(&mut self, due: Due) {
        match due {
            Due::Start(actor) => self.start(actor),
            Due::Input(actor, incarnation, input) => {
                if !self.lives(actor, incarnation) {
                    return;
                }
                if self.slots[actor].stands_still() {
                    self.slots[actor].backlog.push(Due::Input(actor, incarnation, input));
                } else {
                    self.feed(actor, *input);
                }
            }
            Due::Request(actor, incarnation, message) => {
                self.request_arrives(actor, incarnation, *message);
            }
            Due::Answer(actor, incarnation, id, delivered) => {
                self.answer_arrives(actor, incarnation, id, delivered);
            }
            Due::GiveUp(actor, incarnation, id) => self.give_up(actor, incarnation, id),
            Due::Connect(actor, incarnation, id) => self.connect(actor, incarnation, id),
            Due::Watch(actor, incarnation, id) => self.deliver(actor, incarnation, id),
            Due::Host(machine) => self.host_due(machine),
            Due::Compact => self.compact(),
        }
    }

    /// Gives an input to a living actor and carries its effects out.
    pub(super) fn feed(&mut self, actor: ActorId, input: Input) {
        let slot = &mut self.slots[actor];
        let Some(state) = slot.actor.as_mut() else { return };
        let mut effects = Vec::new();
        let mut io = Io::new(self.now, &mut slot.rng, &mut slot.next_request, &mut effects);
        state.on(input, &mut io);
        for effect in effects {
            self.carry_out_effect(actor, effect);
        }
    }

    fn carry_out_effect(&mut self, actor: ActorId, effect: Effect) {
        match effect {
            Effect::Request { id, request } => self.send(actor, id, *request),
            Effect::Timer { token, at } => {
                let incarnation = self.slots[actor].incarnation;
                let due = Due::Input(actor, incarnation, Box::new(Input::Timer(token)));
                self.queue.book(at.max(self.now), 0, due);
            }
            Effect::Watch(spec) => {
                self.open_watch(actor, super::watch::Watch::new(spec));
            }
            Effect::Host(command) => self.host_command(actor, command),
            Effect::Event { about, reason, message } => {
                let actor = self.slots[actor].name.clone();
                self.record(What::Event { actor, about, reason, message });
            }
        }
    }

    /// What happened since the last call, in order.
    pub fn take_records(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.records)
    }

    pub(super) fn record(&mut self, what: What) -> u64 {
        self.record_caused(self.cause, what)
    }

    pub(super) fn record_caused(&mut self, cause: Option<u64>, what: What) -> u64 {
        let n = self.next_record;
        self.next_record += 1;
        self.records.push(Record { n, at: self.now, cause, what });
        n
    }

    pub(super) fn records_deliveries_of(&self, actor: ActorId) -> bool {
        let name = &self.slots[actor].name;
        self.config.record_deliveries_of.as_ref().is_none_or(|only| only.contains(name))
    }

    fn compact(&mut self) {
        let newest = self.api.version();
        self.api.compact(self.compact_to);
        self.compact_to = newest;
        self.queue.book(self.now + self.config.window, 0, Due::Compact);
    }
}
