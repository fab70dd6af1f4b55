//! The machines of a world: their hosts, and the actors that live and die with them.

use kubesim_model::actor::Input;
use kubesim_model::host::HostCommand;
use kubesim_model::{Millis, Text};

use super::World;
use super::lever::Direction;
use super::queue::{ActorId, Due};
use super::record::{HostRecord, What};
use crate::node::{Host, HostOut};

/// From power to a kubelet that runs: 2.7 s on kind's nodes (v1.36, measured).
const BOOT: Millis = 2_700;

/// After this long without a connection client-go closes it and its watches connect anew: ping
/// interval 30 s and ping time-out 15 s (client-go v0.36, HTTP/2 health check).
const CONNECTION_TIMEOUT: Millis = 45_000;

/// A node's machine and its connection to the API server.
#[derive(Clone)]
pub(super) struct Machine {
    pub(super) name: Text,
    pub(super) host: Host,
    /// Which messages do not pass.
    cut: Option<Direction>,
    /// Since when messages do not pass.
    cut_since: Option<Millis>,
    booked: Option<Millis>,
}

impl Machine {
    pub(super) fn new(name: Text, host: Host) -> Self {
        Machine { name, host, cut: None, cut_since: None, booked: None }
    }

    pub(super) fn is_up(&self) -> bool {
        self.host.is_up()
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.host.is_frozen()
    }

    /// Whether messages pass between the machine and the API server.
    pub(super) fn is_linked(&self) -> bool {
        self.cut.is_none() && self.is_awake()
    }

    fn is_awake(&self) -> bool {
        self.host.is_up() && !self.host.is_frozen()
    }

    /// Whether messages to the machine reach it. If only those from it do not pass, they do until
    /// the connections are given up.
    pub(super) fn hears(&self, now: Millis) -> bool {
        self.is_awake() && (self.cut.is_none() || self.holds(Direction::Out, now))
    }

    /// Whether messages from the machine are heard, by the same rule.
    pub(super) fn speaks(&self, now: Millis) -> bool {
        self.is_awake() && (self.cut.is_none() || self.holds(Direction::In, now))
    }

    /// Whether only messages of this direction are cut off, and connections from before still hold.
    fn holds(&self, cut: Direction, now: Millis) -> bool {
        let holds = |since| now - since <= CONNECTION_TIMEOUT;
        self.cut == Some(cut) && self.cut_since.is_some_and(holds)
    }
}

impl World {
    /// The names of the nodes, in the order of the configuration.
    pub fn nodes(&self) -> impl Iterator<Item = &Text> {
        self.machines.iter().map(|machine| &machine.name)
    }

    /// A node's host: what really runs there.
    pub fn host(&self, node: &str) -> Option<&Host> {
        self.find_machine(node).map(|at| &self.machines[at].host)
    }

    pub(super) fn find_machine(&self, node: &str) -> Option<usize> {
        self.machines.iter().position(|machine| machine.name == node)
    }

    /// The actors on a machine: its kubelet and agents.
    pub(super) fn actors_on(&self, machine: usize) -> Vec<ActorId> {
        let here = |actor: &ActorId| self.slots[*actor].machine == Some(machine);
        (0..self.slots.len()).filter(here).collect()
    }

    pub(super) fn host_command(&mut self, actor: ActorId, command: HostCommand) {
        let Some(machine) = self.slots[actor].machine else { return };
        let now = self.now;
        self.on_host(machine, |host, out| host.command(now, actor as u32, command, out));
    }

    /// A host has something to do.
    pub(super) fn host_due(&mut self, machine: usize) {
        if self.machines[machine].booked.is_some_and(|at| at <= self.now) {
            self.machines[machine].booked = None;
        }
        let now = self.now;
        if self.machines[machine].host.next().is_some_and(|at| at <= now) {
            self.on_host(machine, |host, out| host.advance(now, out));
        } else {
            self.book_host(machine);
        }
    }

    /// Does something with a host, tells who must know, and books what it does next by itself.
    pub(super) fn on_host<T>(
        &mut self,
        machine: usize,
        act: impl FnOnce(&mut Host, &mut HostOut) -> T,
    ) -> T {
        let mut out = HostOut::default();
        let result = act(&mut self.machines[machine].host, &mut out);
        for fact in out.facts {
            self.record_host(machine, HostRecord::Fact(Box::new(fact)));
        }
        for (who, event) in out.events {
            let listeners = match who {
                Some(actor) => vec![actor as ActorId],
                None => self.actors_on(machine),
            };
            for actor in listeners {
                let slot = &self.slots[actor];
                let input = Input::Host(event.clone());
                self.queue.book(self.now, 0, Due::Input(actor, slot.incarnation, Box::new(input)));
            }
        }
        self.book_host(machine);
        result
    }

    fn record_host(&mut self, machine: usize, fact: HostRecord) {
        let node = self.machines[machine].name.clone();
        self.record(What::Host { node, fact });
    }

    fn book_host(&mut self, at: usize) {
        let machine = &mut self.machines[at];
        let Some(next) = machine.host.next() else { return };
        let next = next.max(self.now);
        if machine.booked.is_none_or(|booked| next < booked) {
            machine.booked = Some(next);
            self.queue.book(next, 0, Due::Host(at));
        }
    }

    pub(super) fn power_off(&mut self, machine: usize) -> bool {
        if !self.machines[machine].is_up() {
            return false;
        }
        let now = self.now;
        self.link_may_break(machine);
        for actor in self.actors_on(machine) {
            self.crash(actor);
        }
        self.on_host(machine, |host, out| host.power_off(now, out));
        true
    }

    pub(super) fn power_on(&mut self, machine: usize) -> bool {
        if self.machines[machine].is_up() {
            return false;
        }
        let now = self.now;
        self.on_host(machine, |host, out| host.power_on(now, out));
        self.machines[machine].cut_since = None;
        for actor in self.actors_on(machine) {
            self.queue.book(self.now + BOOT, 0, Due::Start(actor));
        }
        true
    }

    pub(super) fn freeze(&mut self, machine: usize) -> bool {
        if !self.machines[machine].is_up() || self.machines[machine].is_frozen() {
            return false;
        }
        let now = self.now;
        self.link_may_break(machine);
        self.machines[machine].host.freeze(now);
        self.record_host(machine, HostRecord::Frozen);
        self.actors_on(machine).into_iter().for_each(|actor| self.set_frozen(actor, true));
        true
    }

    pub(super) fn thaw(&mut self, machine: usize) -> bool {
        if !self.machines[machine].is_frozen() {
            return false;
        }
        let now = self.now;
        self.record_host(machine, HostRecord::Thawed);
        self.on_host(machine, |host, _| host.thaw(now));
        self.actors_on(machine).into_iter().for_each(|actor| self.set_frozen(actor, false));
        self.link_may_return(machine);
        true
    }

    pub(super) fn partition(&mut self, machine: usize, direction: Direction) -> bool {
        if self.machines[machine].cut.is_some() {
            return false;
        }
        self.link_may_break(machine);
        self.machines[machine].cut = Some(direction);
        true
    }

    pub(super) fn join(&mut self, machine: usize) -> bool {
        if self.machines[machine].cut.take().is_none() {
            return false;
        }
        self.link_may_return(machine);
        true
    }

    fn link_may_break(&mut self, machine: usize) {
        if self.machines[machine].is_linked() {
            self.machines[machine].cut_since = Some(self.now);
        }
    }

    fn link_may_return(&mut self, machine: usize) {
        if !self.machines[machine].is_linked() {
            return;
        }
        let since = self.machines[machine].cut_since.take().unwrap_or(self.now);
        let lost = self.now - since > CONNECTION_TIMEOUT;
        for actor in self.actors_on(machine) {
            if lost {
                self.break_watches(actor, None, false);
            }
            self.unblock(actor);
        }
    }
}
