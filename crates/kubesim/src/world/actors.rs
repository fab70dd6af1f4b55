//! The actors of a world: how their incarnations begin, end, stand still and go on.

use std::collections::{BTreeSet, VecDeque};

use kubesim_model::actor::{Actor, Input, RequestId};
use kubesim_model::request::Request;
use kubesim_model::stream::Stream;
use kubesim_model::{Millis, Text};

use super::World;
use super::client::RawEvent;
use super::config::ActorSpec;
use super::link::RateLimit;
use super::queue::{ActorId, Due};
use super::record::{Phase, What};
use super::watch::Watch;
use crate::api::{Identity, User};

/// An actor and its link to the API.
#[derive(Clone)]
pub(super) struct Slot {
    pub(super) name: Text,
    pub(super) identity: Identity,
    pub(super) machine: Option<usize>,
    pub(super) is_client: bool,
    spec: Option<ActorSpec>,
    pub(super) actor: Option<Box<dyn Actor>>,
    running: bool,
    paused: bool,
    frozen: bool,
    pub(super) incarnation: u32,
    pub(super) rng: Stream,
    pub(super) link: Stream,
    /// The longest time that a watch event takes, drawn anew for each incarnation.
    pub(super) lag: Millis,
    pub(super) rate: Option<RateLimit>,
    pub(super) next_request: RequestId,
    pub(super) outstanding: BTreeSet<RequestId>,
    pub(super) watches: Vec<Watch>,
    /// What came while the actor stood still, in order.
    pub(super) backlog: Vec<Due>,
    /// What waits for the link.
    pub(super) blocked: Vec<Due>,
    pub(super) inbox: VecDeque<(usize, RawEvent)>,
    /// What a client sends while it stands still.
    pub(super) unsent: Vec<(RequestId, Request)>,
}

impl Slot {
    fn new(
        name: Text,
        identity: Identity,
        spec: Option<ActorSpec>,
        machine: Option<usize>,
    ) -> Self {
        let nothing = Stream::new(0, "");
        Slot {
            name,
            identity,
            machine,
            is_client: spec.is_none(),
            spec,
            actor: None,
            running: false,
            paused: false,
            frozen: false,
            incarnation: 0,
            rng: nothing.clone(),
            link: nothing,
            lag: 1,
            rate: None,
            next_request: 1,
            outstanding: BTreeSet::new(),
            watches: Vec::new(),
            backlog: Vec::new(),
            blocked: Vec::new(),
            inbox: VecDeque::new(),
            unsent: Vec::new(),
        }
    }

    /// Whether an incarnation runs, be it standing still.
    pub(super) fn is_alive(&self) -> bool {
        self.running
    }

    /// Whether its process is paused or its machine frozen.
    pub(super) fn stands_still(&self) -> bool {
        self.paused || self.frozen
    }
}

impl World {
    /// Adds an actor and starts it. Its name must be new in this world.
    pub fn add_actor(&mut self, spec: ActorSpec) {
        let machine = spec.node.as_ref().and_then(|node| self.find_machine(node));
        let user = User::named(spec.user.clone());
        let identity = Identity { user, user_agent: spec.user_agent.clone() };
        let slot = Slot::new(spec.name.clone(), identity, Some(spec), machine);
        let actor = self.add_slot(slot);
        self.queue.book(self.now, 0, Due::Start(actor));
    }

    /// Adds a client: an actor whose requests and watches are made from outside.
    pub fn add_client(&mut self, name: &str, user: &str, user_agent: &str) {
        let identity = Identity { user: User::from(user), user_agent: Text::new(user_agent) };
        let slot = Slot::new(Text::new(name), identity, None, None);
        let actor = self.add_slot(slot);
        self.start(actor);
    }

    /// A client shows who it is: a program may come in the name of one user with other groups each
    /// time.
    pub fn identify(&mut self, client: &str, user: &User) {
        if let Some(actor) = self.living_client(client) {
            let known = &mut self.slots[actor].identity.user;
            if known != user {
                *known = user.clone();
            }
        }
    }

    fn add_slot(&mut self, slot: Slot) -> ActorId {
        let actor = self.slots.len();
        self.names.insert(slot.name.clone(), actor);
        self.slots.push(slot);
        actor
    }

    /// The names of all actors and clients, in the order in which they were added.
    pub fn actors(&self) -> impl Iterator<Item = &Text> {
        self.slots.iter().map(|slot| &slot.name)
    }

    /// The incarnation of an actor or client that lives, and whether it does.
    pub fn incarnation(&self, name: &str) -> Option<(u32, bool)> {
        self.find(name).map(|actor| (self.slots[actor].incarnation, self.slots[actor].is_alive()))
    }

    pub(super) fn find(&self, name: &str) -> Option<ActorId> {
        self.names.get(name).copied()
    }

    /// Whether this incarnation of the actor is the one that lives.
    pub(super) fn lives(&self, actor: ActorId, incarnation: u32) -> bool {
        self.slots[actor].is_alive() && self.slots[actor].incarnation == incarnation
    }

    /// Whether messages pass between the actor and the API.
    pub(super) fn is_linked(&self, actor: ActorId) -> bool {
        self.slots[actor].machine.is_none_or(|machine| self.machines[machine].is_linked())
    }

    /// Whether messages to the actor reach it.
    pub(super) fn hears(&self, actor: ActorId) -> bool {
        let machine = self.slots[actor].machine;
        machine.is_none_or(|machine| self.machines[machine].hears(self.now))
    }

    /// Whether messages of the actor reach the API.
    pub(super) fn speaks(&self, actor: ActorId) -> bool {
        let machine = self.slots[actor].machine;
        machine.is_none_or(|machine| self.machines[machine].speaks(self.now))
    }

    /// Begins a new incarnation, unless one lives or its machine is down.
    pub(super) fn start(&mut self, actor: ActorId) {
        let down = self.slots[actor].machine.is_some_and(|at| !self.machines[at].is_up());
        let slot = &mut self.slots[actor];
        if slot.running || down {
            return;
        }
        slot.incarnation += 1;
        slot.running = true;
        slot.frozen = slot.machine.is_some_and(|at| self.machines[at].is_frozen());
        let life = format!("{}/{}", slot.name, slot.incarnation);
        slot.rng = Stream::new(self.config.seed, &format!("actor/{life}"));
        slot.link = Stream::new(self.config.seed, &format!("link/{life}"));
        // Most informers are a few milliseconds behind; under load some are far behind.
        let lags = [5, 5, 10, 10, 30, 100, 300];
        slot.lag = lags[slot.link.index(lags.len())];
        slot.rate = slot.spec.as_ref().and_then(|spec| spec.rate).map(RateLimit::new);
        slot.actor = slot.spec.as_ref().map(|spec| (spec.start)());
        self.record_phase(actor, Phase::Started);
        if self.slots[actor].stands_still() {
            let incarnation = self.slots[actor].incarnation;
            self.slots[actor].backlog.push(Due::Input(actor, incarnation, Box::new(Input::Start)));
        } else {
            self.feed(actor, Input::Start);
        }
    }

    /// Ends the incarnation that lives, without warning.
    pub(super) fn crash(&mut self, actor: ActorId) -> bool {
        let slot = &mut self.slots[actor];
        if !slot.running {
            return false;
        }
        slot.running = false;
        slot.paused = false;
        slot.actor = None;
        slot.outstanding.clear();
        slot.watches.clear();
        slot.backlog.clear();
        slot.blocked.clear();
        slot.inbox.clear();
        slot.unsent.clear();
        for watchers in self.watchers.values_mut() {
            watchers.retain(|(have, _)| *have != actor);
        }
        self.answers.retain(|(have, _), _| *have != actor);
        self.record_phase(actor, Phase::Crashed);
        true
    }

    /// The actor's process stands still.
    pub(super) fn pause(&mut self, actor: ActorId) -> bool {
        let slot = &mut self.slots[actor];
        if !slot.running || slot.paused {
            return false;
        }
        slot.paused = true;
        self.record_phase(actor, Phase::Paused);
        true
    }

    /// The actor's process goes on; what came meanwhile reaches it now, in order.
    pub(super) fn resume_actor(&mut self, actor: ActorId) -> bool {
        if !self.slots[actor].paused {
            return false;
        }
        self.slots[actor].paused = false;
        self.record_phase(actor, Phase::Resumed);
        self.catch_up(actor);
        true
    }

    /// The actor's machine froze or thawed.
    pub(super) fn set_frozen(&mut self, actor: ActorId, frozen: bool) {
        self.slots[actor].frozen = frozen;
        if !frozen {
            self.catch_up(actor);
        }
    }

    fn catch_up(&mut self, actor: ActorId) {
        if self.slots[actor].stands_still() {
            return;
        }
        for due in std::mem::take(&mut self.slots[actor].backlog) {
            self.queue.book(self.now, 0, due);
        }
        for (id, request) in std::mem::take(&mut self.slots[actor].unsent) {
            self.send(actor, id, request);
        }
        self.wake_watches(actor);
    }

    /// The link is up again: what waited for it passes.
    pub(super) fn unblock(&mut self, actor: ActorId) {
        for due in std::mem::take(&mut self.slots[actor].blocked) {
            let delay = self.slots[actor].link.between(1, 200);
            self.queue.book(self.now + delay, 0, due);
        }
        self.wake_watches(actor);
    }

    fn record_phase(&mut self, actor: ActorId, phase: Phase) {
        let slot = &self.slots[actor];
        let node = slot.machine.map(|at| self.machines[at].name.clone()).unwrap_or_default();
        let what = What::Actor {
            actor: slot.name.clone(),
            user: slot.identity.user.name.clone(),
            user_agent: slot.identity.user_agent.clone(),
            node,
            incarnation: slot.incarnation,
            phase,
        };
        self.record(what);
    }
}
