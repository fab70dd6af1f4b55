//! A world whose API server is a real one: its kubelets, hosts and other actors are simulated, and
//! what they ask for goes out to be carried out there. Whoever drives the world lets its clock
//! follow the real one, carries the requests, and tells it what changed.
//!
//! The store is a mirror of the real one. Its versions are its own, so that changes may come in any
//! order; the objects have their real resourceVersion.

use std::collections::BTreeMap;

use kubesim_model::request::{Answer, Request};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

use super::World;
use super::config::WorldConfig;
use super::link::Message;
use super::queue::ActorId;
use crate::api::{Api, Write};

/// Requests that a real API server has.
#[derive(Clone, Default)]
pub(super) struct Remote {
    outgoing: Vec<Outgoing>,
    waiting: BTreeMap<u64, (ActorId, u32, Message)>,
    next: u64,
}

/// A request that is to be carried out by the real API server.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Names it, for [`World::answered`].
    pub ticket: u64,
    /// The user that sends it.
    pub user: Text,
    /// Its user agent.
    pub user_agent: Text,
    /// The incarnation of the actor.
    pub incarnation: u32,
    /// Whether a rule has to do with it.
    pub injected: bool,
    /// The request.
    pub request: Request,
}

/// What the real API server told of one resource.
#[derive(Clone, Debug)]
pub enum Mirrored {
    /// All objects that there are: what is not among them is gone.
    Listed(Vec<Tree>),
    /// An object was made or changed.
    Applied(Tree),
    /// An object was deleted; its last state.
    Deleted(Tree),
}

impl World {
    /// The nodes of `config` in a cluster whose API server is elsewhere, at the time `now`.
    pub fn remote(config: WorldConfig, now: Millis) -> World {
        let mut world = World::empty(config, now);
        world.api = Api::mirror();
        world.remote = Some(Remote::default());
        world
    }

    /// The requests that were sent since the last call, in order.
    pub fn take_outgoing(&mut self) -> Vec<Outgoing> {
        self.remote.as_mut().map(|remote| std::mem::take(&mut remote.outgoing)).unwrap_or_default()
    }

    /// The real API server answered a request.
    pub fn answered(&mut self, ticket: u64, answer: Answer) {
        let Some(remote) = self.remote.as_mut() else { return };
        let Some((actor, incarnation, message)) = remote.waiting.remove(&ticket) else { return };
        let cause = message.cause.unwrap_or_default();
        self.carried_out(actor, incarnation, message, answer, cause);
    }

    /// The real API server told of a resource. Answers what is new of it, in order.
    pub fn mirror(&mut self, resource: &Resource, mirrored: &Mirrored) -> Vec<Write> {
        let mut writes = Vec::new();
        match mirrored {
            Mirrored::Applied(object) => writes.extend(self.api.mirror_applied(resource, object)),
            Mirrored::Deleted(object) => {
                let key = kubesim_model::object::key(object);
                writes.extend(self.api.mirror_deleted(resource, &key));
            }
            Mirrored::Listed(items) => {
                for key in self.not_among(resource, items) {
                    writes.extend(self.api.mirror_deleted(resource, &key));
                }
                for object in items {
                    writes.extend(self.api.mirror_applied(resource, object));
                }
            }
        }
        writes.iter().for_each(|write| self.fan_out(write));
        writes
    }

    fn not_among(&self, resource: &Resource, items: &[Tree]) -> Vec<ObjectKey> {
        let there: Vec<ObjectKey> = items.iter().map(kubesim_model::object::key).collect();
        let spec = kubesim_model::actor::WatchSpec::all(resource.clone());
        let known = self.api.list(&spec).map(|(items, _)| items).unwrap_or_default();
        let known = known.iter().map(kubesim_model::object::key);
        known.filter(|key| !there.contains(key)).collect()
    }

    pub(super) fn is_remote(&self) -> bool {
        self.remote.is_some()
    }

    pub(super) fn send_out(&mut self, actor: ActorId, incarnation: u32, message: Message) {
        let identity = &self.slots[actor].identity;
        let (user, user_agent) = (identity.user.name.clone(), identity.user_agent.clone());
        let (request, injected) = (message.request.clone(), message.rule.is_some());
        let Some(remote) = self.remote.as_mut() else { return };
        let ticket = remote.next;
        remote.next += 1;
        remote.outgoing.push(Outgoing { ticket, user, user_agent, incarnation, injected, request });
        remote.waiting.insert(ticket, (actor, incarnation, message));
    }
}
