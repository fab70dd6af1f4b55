//! Watches: what the store's changes look like to one actor, late, in order, and sometimes broken.
//!
//! A watch lists, then follows the changes since. When its stream breaks it resumes from the last
//! version that it delivered; when the window has passed meanwhile, it lists again (410 Expired).

use std::collections::VecDeque;

use kubesim_model::actor::{Input, WatchEvent, WatchSpec};
use kubesim_model::request::{Request, Status};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::{Millis, object};

use super::World;
use super::client::RawEvent;
use super::queue::{ActorId, Due};
use super::record::What;
use crate::api::{Selection, Write};

/// client-go's reflector: first and longest wait before it connects again (v1.36).
const FIRST_BACK_OFF: Millis = 800;
const LONGEST_BACK_OFF: Millis = 30_000;

/// One watch of one incarnation.
#[derive(Clone)]
pub(super) struct Watch {
    pub(super) spec: WatchSpec,
    selection: Option<Selection>,
    /// The newest version that was delivered; `None` before the first list.
    cursor: Option<u64>,
    streams: bool,
    pending: VecDeque<Pending>,
    last_due: Millis,
    booked: bool,
    failures: u32,
    pub(super) raw: bool,
    /// Its client wants no more of it.
    pub(super) closed: bool,
}

#[derive(Clone)]
struct Pending {
    due: Millis,
    rv: u64,
    event: WatchEvent,
    cause: Option<u64>,
    created: bool,
}

impl Watch {
    pub(super) fn new(spec: WatchSpec) -> Self {
        Watch {
            spec,
            selection: None,
            cursor: None,
            streams: false,
            pending: VecDeque::new(),
            last_due: 0,
            booked: false,
            failures: 0,
            raw: false,
            closed: false,
        }
    }

    /// A client's own watch; from 0 it first tells what there is.
    pub(super) fn raw(spec: WatchSpec, from: u64) -> Self {
        Watch { cursor: (from > 0).then_some(from), raw: true, ..Watch::new(spec) }
    }

    /// Whether everything that it was to tell has been told.
    pub(super) fn is_drained(&self) -> bool {
        self.streams && self.pending.is_empty()
    }

    /// Tells nothing more.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.streams = false;
        self.pending.clear();
    }

    fn back_off(&mut self) -> Millis {
        let wait = FIRST_BACK_OFF << self.failures.min(6);
        self.failures += 1;
        wait.min(LONGEST_BACK_OFF)
    }
}

impl World {
    /// Opens a watch of the actor's current incarnation.
    pub(super) fn open_watch(&mut self, actor: ActorId, watch: Watch) -> usize {
        let slot = &mut self.slots[actor];
        let id = slot.watches.len();
        self.watchers.entry(watch.spec.resource.clone()).or_default().push((actor, id));
        slot.watches.push(watch);
        let (delay, incarnation) = (slot.link.between(1, 4), slot.incarnation);
        self.queue.book(self.now + delay, 0, Due::Connect(actor, incarnation, id));
        id
    }

    /// A watch connects: lists if it knows nothing, else resumes from where it was.
    pub(super) fn connect(&mut self, actor: ActorId, incarnation: u32, id: usize) {
        let watch = &self.slots[actor].watches;
        let there = self.lives(actor, incarnation) && !watch[id].streams && !watch[id].closed;
        if !there {
            return;
        }
        if !self.is_linked(actor) {
            self.slots[actor].blocked.push(Due::Connect(actor, incarnation, id));
            return;
        }
        let spec = self.slots[actor].watches[id].spec.clone();
        let list = Request::list(spec.resource.clone(), spec.namespace.clone());
        let rule = self.rules.meet(&actor, &list, self.config.seed).map(|(_, effect)| effect);
        let refused = rule.and_then(|effect| effect.refuses_watch(&list));
        let selected = refused.map_or_else(|| self.api.select(&spec), Err);
        let raw = self.slots[actor].watches[id].raw;
        let selection = match selected {
            Ok(selection) => selection,
            Err(status) if raw => return self.refuse_watch(actor, id, status),
            Err(_) => return self.connect_later(actor, incarnation, id),
        };
        let watch = &mut self.slots[actor].watches[id];
        watch.selection = Some(selection);
        if raw {
            self.slots[actor].inbox.push_back((id, RawEvent::Opened));
        }
        let watch = &self.slots[actor].watches[id];
        match watch.cursor {
            None => self.list(actor, incarnation, id),
            Some(from) => self.resume(actor, incarnation, id, from),
        }
    }

    fn connect_later(&mut self, actor: ActorId, incarnation: u32, id: usize) {
        let wait = self.slots[actor].watches[id].back_off();
        self.queue.book(self.now + wait, 0, Due::Connect(actor, incarnation, id));
    }

    fn list(&mut self, actor: ActorId, incarnation: u32, id: usize) {
        let spec = self.slots[actor].watches[id].spec.clone();
        let (items, rv) = match self.api.list(&spec) {
            Ok(listed) => listed,
            Err(status) if self.slots[actor].watches[id].raw => {
                self.slots[actor].watches[id].close();
                self.slots[actor].inbox.push_back((id, RawEvent::Error(status)));
                return;
            }
            Err(_) => return self.connect_later(actor, incarnation, id),
        };
        let event = WatchEvent::Listed { resource: spec.resource, items };
        self.stream_begins(actor, id);
        self.hold(actor, id, rv, event, None, false);
    }

    fn resume(&mut self, actor: ActorId, incarnation: u32, id: usize, from: u64) {
        let watch = &self.slots[actor].watches[id];
        let Some(selection) = watch.selection.clone() else { return };
        let (resource, raw) = (watch.spec.resource.clone(), watch.raw);
        let missed: Result<Vec<_>, Status> =
            self.api.changes_since(from, &resource).map(|writes| {
                writes
                    .filter_map(|write| {
                        Some((write.rv, selection.translate(write)?, selection.begins(write)))
                    })
                    .collect()
            });
        match missed {
            Ok(missed) => {
                self.stream_begins(actor, id);
                for (rv, event, created) in missed {
                    self.hold(actor, id, rv, event, None, created);
                }
            }
            Err(status) if raw => {
                self.slots[actor].watches[id].close();
                self.slots[actor].inbox.push_back((id, RawEvent::Error(status)));
            }
            Err(_) => {
                self.slots[actor].watches[id].cursor = None;
                self.list(actor, incarnation, id);
            }
        }
    }

    fn stream_begins(&mut self, actor: ActorId, id: usize) {
        let watch = &mut self.slots[actor].watches[id];
        watch.streams = true;
        watch.failures = 0;
    }

    /// Tells every watch of a write.
    pub(super) fn fan_out(&mut self, write: &Write) {
        let Some(watchers) = self.watchers.get_mut(&write.resource).map(std::mem::take) else {
            return;
        };
        for (actor, id) in watchers.iter().copied() {
            let slot = &self.slots[actor];
            let watch = &slot.watches[id];
            let Some(selection) = watch.selection.as_ref().filter(|_| watch.streams) else {
                continue;
            };
            if let Some(event) = selection.translate(write) {
                // Only clients tell what is new from what changed.
                let begins = slot.is_client && selection.begins(write);
                self.hold(actor, id, write.rv, event, Some(self.next_record), begins);
            }
        }
        self.watchers.insert(write.resource.clone(), watchers);
    }

    /// Holds an event until its link has carried it.
    fn hold(
        &mut self,
        actor: ActorId,
        id: usize,
        rv: u64,
        event: WatchEvent,
        cause: Option<u64>,
        created: bool,
    ) {
        let slot = &mut self.slots[actor];
        let resource = &slot.watches[id].spec.resource;
        let lag = slot.link.between(1, slot.lag) + self.rules.watch_delay(&actor, resource);
        let watch = &mut slot.watches[id];
        let due = (self.now + lag).max(watch.last_due);
        watch.last_due = due;
        watch.pending.push_back(Pending { due, rv, event, cause, created });
        self.wake_watch(actor, id);
    }

    /// Books the delivery of the first event that a watch holds, unless it is booked already.
    fn wake_watch(&mut self, actor: ActorId, id: usize) {
        let slot = &mut self.slots[actor];
        let watch = &mut slot.watches[id];
        let Some(head) = watch.pending.front() else { return };
        if !watch.booked {
            watch.booked = true;
            let (at, tie) = (head.due.max(self.now), slot.link.bits());
            self.queue.book(at, tie, Due::Watch(actor, slot.incarnation, id));
        }
    }

    /// The first event that a watch holds is delivered, if nothing stands in its way.
    pub(super) fn deliver(&mut self, actor: ActorId, incarnation: u32, id: usize) {
        if !self.lives(actor, incarnation) {
            return;
        }
        self.slots[actor].watches[id].booked = false;
        let slot = &self.slots[actor];
        if slot.stands_still() || !self.hears(actor) {
            return;
        }
        let watch = &slot.watches[id];
        let held = self.rules.watch_held(&actor, &watch.spec.resource);
        let Some(head) = watch.pending.front() else { return };
        if held {
            return;
        }
        if head.due > self.now {
            return self.wake_watch(actor, id);
        }
        let watch = &mut self.slots[actor].watches[id];
        let Some(head) = watch.pending.pop_front() else { return };
        watch.cursor = Some(head.rv);
        self.wake_watch(actor, id);
        let cause = self.record_delivery(actor, &head);
        if self.slots[actor].is_client {
            let event = match head.event {
                WatchEvent::Listed { items, .. } => RawEvent::Initial { items, rv: head.rv },
                event => RawEvent::Change(head.created, event),
            };
            self.slots[actor].inbox.push_back((id, event));
        } else {
            self.cause = cause.or(head.cause);
            self.feed(actor, Input::Watch(head.event));
        }
    }

    fn record_delivery(&mut self, actor: ActorId, pending: &Pending) -> Option<u64> {
        let resource = pending.event.resource();
        if *resource == Resource::LEASES || !self.records_deliveries_of(actor) {
            return None;
        }
        let key = match &pending.event {
            WatchEvent::Listed { .. } => ObjectKey::default(),
            WatchEvent::Applied { object, .. } | WatchEvent::Deleted { object, .. } => {
                object::key(object)
            }
        };
        let slot = &self.slots[actor];
        let what = What::Deliver {
            actor: slot.name.clone(),
            incarnation: slot.incarnation,
            resource: resource.clone(),
            key,
            rv: pending.rv,
            answer: false,
        };
        Some(self.record_caused(pending.cause, what))
    }

    /// Wakes every watch of an actor that holds events.
    pub(super) fn wake_watches(&mut self, actor: ActorId) {
        (0..self.slots[actor].watches.len()).for_each(|id| self.wake_watch(actor, id));
    }

    /// Breaks the streams of an actor's watches; they connect again after the reflector's back-off.
    pub(super) fn break_watches(
        &mut self,
        actor: ActorId,
        resource: Option<&Resource>,
        expired: bool,
    ) -> usize {
        let incarnation = self.slots[actor].incarnation;
        let mut broken = 0;
        for id in 0..self.slots[actor].watches.len() {
            let slot = &mut self.slots[actor];
            let watch = &mut slot.watches[id];
            if !watch.streams || resource.is_some_and(|only| *only != watch.spec.resource) {
                continue;
            }
            broken += 1;
            watch.streams = false;
            watch.pending.clear();
            watch.last_due = 0;
            if watch.raw {
                watch.closed = true;
                let event = if expired {
                    RawEvent::Error(Status::new(410, "Expired", "too old resource version"))
                } else {
                    RawEvent::Closed
                };
                slot.inbox.push_back((id, event));
                continue;
            }
            if expired {
                watch.cursor = None;
            }
            let wait = watch.back_off();
            self.queue.book(self.now + wait, 0, Due::Connect(actor, incarnation, id));
        }
        broken
    }
}
