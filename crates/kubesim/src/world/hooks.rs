//! Requests that wait for webhooks. The world calls nobody: whoever drives it takes the calls that
//! are to be made and tells what came of them; the time goes on meanwhile.

use std::collections::BTreeMap;

use super::World;
use super::link::Message;
use super::queue::ActorId;
use crate::api::{Attempt, Errand, Heard};

/// Requests of actors for which calls are under way.
#[derive(Clone, Default)]
pub(super) struct Waiting {
    outgoing: Vec<Calls>,
    requests: BTreeMap<u64, (ActorId, u32, Message, Attempt)>,
    next: u64,
}

/// Calls that a request of an actor waits for.
#[derive(Clone, Debug)]
pub struct Calls {
    /// Names the request, for [`World::heard`].
    pub ticket: u64,
    /// The calls, in any order.
    pub errands: Vec<Errand>,
}

impl World {
    /// The calls that requests have come to wait for since this was asked last.
    pub fn take_calls(&mut self) -> Vec<Calls> {
        std::mem::take(&mut self.waiting.outgoing)
    }

    /// Goes on with a request of an actor, with what came of its calls.
    pub fn heard(&mut self, ticket: u64, heard: Vec<(Errand, Heard)>) {
        let Some(waited) = self.waiting.requests.remove(&ticket) else { return };
        let (actor, incarnation, message, mut attempt) = waited;
        for (errand, heard) in heard {
            attempt.hear(&errand, heard);
        }
        self.pursue(actor, incarnation, message, attempt);
    }

    /// Carries out a request of an actor, or has it wait.
    pub(super) fn pursue(
        &mut self,
        actor: ActorId,
        incarnation: u32,
        message: Message,
        attempt: Attempt,
    ) {
        let mut attempt = attempt;
        match self.carry_out(actor, incarnation, &message, &mut attempt) {
            Ok((answer, cause)) => self.carried_out(actor, incarnation, message, answer, cause),
            Err(errands) => {
                let ticket = self.waiting.next;
                self.waiting.next += 1;
                self.waiting.outgoing.push(Calls { ticket, errands });
                let waits = (actor, incarnation, message, attempt);
                self.waiting.requests.insert(ticket, waits);
            }
        }
    }
}
