//! What is due when. Equal times go in the order of a drawn tie, then of booking.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use kubesim_model::Millis;
use kubesim_model::actor::{Input, RequestId};
use kubesim_model::request::{Answer, Remarks};

use super::link::Message;

/// Names an actor of the world: its place in the list of slots.
pub(super) type ActorId = usize;

/// Something that will happen.
#[derive(Clone)]
pub(super) enum Due {
    /// A new incarnation of an actor begins.
    Start(ActorId),
    /// An input reaches an actor, if this incarnation still lives.
    Input(ActorId, u32, Box<Input>),
    /// A request reaches the API.
    Request(ActorId, u32, Box<Message>),
    /// The answer of a request reaches its actor; `rv` and `cause` are for the records.
    Answer(ActorId, u32, RequestId, Box<Delivered>),
    /// The client gives up waiting for the answer.
    GiveUp(ActorId, u32, RequestId),
    /// A watch lists, or resumes its stream.
    Connect(ActorId, u32, usize),
    /// The first event that a watch holds is delivered.
    Watch(ActorId, u32, usize),
    /// A host has something to do.
    Host(usize),
    /// The history window moves on.
    Compact,
}

/// An answer under way.
#[derive(Clone)]
pub(super) struct Delivered {
    pub(super) answer: Answer,
    pub(super) remarks: Remarks,
    pub(super) cause: u64,
    pub(super) request: Box<Message>,
}

/// The events of the world, by time.
#[derive(Clone, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    booked: u64,
}

#[derive(Clone)]
struct Entry {
    at: Millis,
    tie: u64,
    seq: u64,
    due: Due,
}

impl Queue {
    /// Books `due` for `at`; among equal times a smaller `tie` goes first.
    pub(super) fn book(&mut self, at: Millis, tie: u64, due: Due) {
        let seq = self.booked;
        self.booked += 1;
        self.heap.push(Reverse(Entry { at, tie, seq, due }));
    }

    /// When the next thing is due.
    pub(super) fn next(&self) -> Option<Millis> {
        self.heap.peek().map(|entry| entry.0.at)
    }

    /// Takes the next thing.
    pub(super) fn pop(&mut self) -> Option<(Millis, Due)> {
        self.heap.pop().map(|Reverse(entry)| (entry.at, entry.due))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.tie, self.seq).cmp(&(other.at, other.tie, other.seq))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.seq == other.seq
    }
}

impl Eq for Entry {}
