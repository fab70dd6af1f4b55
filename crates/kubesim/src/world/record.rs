//! What a world tells of itself: every request, delivery, host fact and change of an actor, in
//! order.

use kubesim_model::request::Verb;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::{Millis, Text};

use crate::api::Write;
use crate::node::HostFact;

/// One thing that happened in the world.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its place in the order of all records, from 0.
    pub n: u64,
    /// When.
    pub at: Millis,
    /// The record that led to this one, where that is known.
    pub cause: Option<u64>,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum What {
    /// The API took a request, or a rule answered in its place.
    Request(Box<RequestRecord>),
    /// An actor learned the state of an object.
    Deliver {
        /// Who.
        actor: Text,
        /// Which incarnation.
        incarnation: u32,
        /// Of which resource.
        resource: Resource,
        /// About which object; without a name: a whole list.
        key: ObjectKey,
        /// The resourceVersion of what was told.
        rv: u64,
        /// Whether it was the answer to a request.
        answer: bool,
    },
    /// Something happened on a host.
    Host {
        /// The node.
        node: Text,
        /// What.
        fact: HostRecord,
    },
    /// An actor came or went.
    Actor {
        /// Who.
        actor: Text,
        /// The user that the API sees.
        user: Text,
        /// The user agent that the API sees.
        user_agent: Text,
        /// Its node; empty for those that have none.
        node: Text,
        /// Which incarnation.
        incarnation: u32,
        /// What happened.
        phase: Phase,
    },
    /// A Kubernetes Event.
    Event {
        /// Who emitted it.
        actor: Text,
        /// The object.
        about: Text,
        /// The machine-readable reason.
        reason: Text,
        /// The text.
        message: Text,
    },
}

/// What happened on a host.
#[derive(Clone, Debug, PartialEq)]
pub enum HostRecord {
    /// Something that the host tells.
    Fact(Box<HostFact>),
    /// The machine stands still.
    Frozen,
    /// The machine goes on where it stood.
    Thawed,
}

/// A request and what it did.
#[derive(Clone, Debug)]
pub struct RequestRecord {
    /// The name by which its sender knows it (`Audit-ID`); empty for actors of the world.
    pub id: Text,
    /// Who asked.
    pub actor: Text,
    /// Which incarnation.
    pub incarnation: u32,
    /// What was asked for.
    pub verb: Verb,
    /// Of which resource.
    pub resource: Resource,
    /// Of which object.
    pub key: ObjectKey,
    /// Its subresource, or empty.
    pub subresource: Text,
    /// The HTTP status.
    pub code: u16,
    /// The reason of a failure.
    pub reason: Text,
    /// The message of a failure.
    pub message: String,
    /// The rule that answered, or that broke the connection after it was carried out.
    pub rule: Option<Text>,
    /// What it changed.
    pub writes: Vec<Write>,
}

/// How an actor came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// An incarnation began.
    Started,
    /// The incarnation ended without warning.
    Crashed,
    /// It stands still.
    Paused,
    /// It goes on.
    Resumed,
}
