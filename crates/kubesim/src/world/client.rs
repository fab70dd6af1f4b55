//! Clients: those who take part from outside. What they ask goes the way of every actor's requests,
//! and their watches come over the same links.
//!
//! A client that stands still sends nothing and is handed nothing; both wait until it goes on.

use kubesim_model::actor::{RequestId, WatchEvent, WatchSpec};
use kubesim_model::request::{Answer, Remarks, Request, Status};
use kubesim_model::tree::Tree;

use super::World;
use super::queue::ActorId;
use super::watch::Watch;

/// What comes over a client's own watch.
#[derive(Clone, Debug)]
pub enum RawEvent {
    /// The server accepted the watch; events follow.
    Opened,
    /// The server did not accept it, or the connection was lost (code 0). Nothing follows.
    Refused(Status),
    /// What there was when a watch from version 0 began.
    Initial {
        /// The objects.
        items: Vec<Tree>,
        /// The version that they are of.
        rv: u64,
    },
    /// `ADDED` (if the flag is set) or `MODIFIED`, or `DELETED`.
    Change(bool, WatchEvent),
    /// The stream ended and can be resumed. Nothing follows.
    Closed,
    /// An in-stream error, as 410 Expired. Nothing follows.
    Error(Status),
}

impl World {
    /// Sends a request of a client. Its answer comes with [`World::take_answer`].
    /// Answers `None` if there is no such client, or it is fenced after a crash.
    pub fn submit(&mut self, client: &str, request: Request) -> Option<RequestId> {
        let actor = self.living_client(client)?;
        let slot = &mut self.slots[actor];
        let id = slot.next_request;
        slot.next_request += 1;
        if slot.stands_still() {
            slot.unsent.push((id, request));
        } else {
            self.cause = None;
            self.send(actor, id, request);
        }
        Some(id)
    }

    /// The answer to a client's request, once it has come.
    pub fn take_answer(&mut self, client: &str, id: RequestId) -> Option<Answer> {
        let actor = self.find(client)?;
        self.answers.remove(&(actor, id)).map(|(answer, _)| answer)
    }

    /// All answers to a client's requests that have come, in the order of the requests, with what
    /// the server remarked.
    pub fn take_answers(&mut self, client: &str) -> Vec<(RequestId, (Answer, Remarks))> {
        let Some(actor) = self.find(client) else { return Vec::new() };
        let come = self.answers.range((actor, 0)..(actor + 1, 0)).map(|(key, _)| *key);
        let come: Vec<(ActorId, RequestId)> = come.collect();
        come.into_iter().filter_map(|key| Some((key.1, self.answers.remove(&key)?))).collect()
    }

    /// Opens a watch of a client: of the changes after the version `from`, or, with 0, first of
    /// all that there is. Its events come from [`World::take_raw_events`].
    pub fn watch_from(&mut self, client: &str, spec: WatchSpec, from: u64) -> Option<usize> {
        let actor = self.living_client(client)?;
        Some(self.open_watch(actor, Watch::raw(spec, from)))
    }

    /// Closes a watch of a client.
    pub fn close_watch(&mut self, client: &str, id: usize) {
        let Some(actor) = self.find(client) else { return };
        let Some(watch) = self.slots[actor].watches.get_mut(id) else { return };
        watch.close();
        if let Some(watchers) = self.watchers.get_mut(&watch.spec.resource) {
            watchers.retain(|have| *have != (actor, id));
        }
    }

    /// The version up to which a client's watch has told everything, for a bookmark; `None` while
    /// something is under way, held back, or the client stands still.
    pub fn bookmark(&self, client: &str, id: usize) -> Option<u64> {
        let actor = self.find(client)?;
        let watch = self.slots[actor].watches.get(id)?;
        let held = self.rules.watch_held(&actor, &watch.spec.resource);
        let told = watch.is_drained() && !held && !self.slots[actor].stands_still();
        told.then(|| self.api.version())
    }

    /// What the watches of a client brought: the watch and its event, in order.
    pub fn take_raw_events(&mut self, client: &str) -> Vec<(usize, RawEvent)> {
        let Some(actor) = self.find(client) else { return Vec::new() };
        if self.slots[actor].stands_still() {
            return Vec::new();
        }
        self.slots[actor].inbox.drain(..).collect()
    }

    /// The server does not accept a client's watch.
    pub(super) fn refuse_watch(&mut self, actor: ActorId, id: usize, status: Status) {
        self.slots[actor].watches[id].close();
        self.slots[actor].inbox.push_back((id, RawEvent::Refused(status)));
    }

    pub(super) fn living_client(&self, name: &str) -> Option<ActorId> {
        let actor = self.find(name)?;
        let slot = &self.slots[actor];
        (slot.is_client && slot.is_alive()).then_some(actor)
    }
}
