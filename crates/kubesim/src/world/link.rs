//! The way of a request to the API and of its answer back: latency, rate limit, broken links.
//!
//! A link that is down delivers nothing: messages wait, as TCP retransmits, until it is up again or
//! the client gives up after [`CLIENT_TIMEOUT`]; then nobody knows whether the request was carried
//! out.

use kubesim_model::actor::{Input, RequestId};
use kubesim_model::request::{Answer, Remarks, Request, Status, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::{Millis, Text, object};

use super::World;
use super::lever::RequestEffect;
use super::queue::{ActorId, Delivered, Due};
use super::record::{RequestRecord, What};
use crate::api::{Attempt, Errand, Handled, Progress};

/// How long a client waits for an answer. The kubelet's API clients use 10 s (v1.36); others wait
/// for the connection's health check, up to 45 s.
const CLIENT_TIMEOUT: Millis = 10_000;

/// A request under way, with the rule that it met when it was sent.
#[derive(Clone)]
pub(super) struct Message {
    pub(super) id: RequestId,
    pub(super) request: Request,
    /// By what name its sender knows it, if he is from outside.
    pub(super) name: Text,
    pub(super) rule: Option<(Text, RequestEffect)>,
    pub(super) cause: Option<u64>,
}

/// client-go's token bucket, in virtual time.
#[derive(Clone)]
pub(super) struct RateLimit {
    per_second: u64,
    /// The latest time up to which tokens were given away ahead, in thousandths of a millisecond.
    spent_until: u64,
    burst: u64,
}

impl RateLimit {
    pub(super) fn new((per_second, burst): (u64, u64)) -> Self {
        RateLimit { per_second: per_second.max(1), spent_until: 0, burst }
    }

    /// How long the next request has to wait, in milliseconds.
    fn wait(&mut self, now: Millis) -> Millis {
        let each = 1_000_000 / self.per_second;
        let now = now * 1_000;
        let earliest = now.saturating_sub(each * self.burst);
        self.spent_until = self.spent_until.max(earliest) + each;
        self.spent_until.saturating_sub(now).div_ceil(1_000)
    }
}

impl World {
    /// Sends a request of an actor on its way.
    pub(super) fn send(&mut self, actor: ActorId, id: RequestId, request: Request) {
        let rule = self.rules.meet(&actor, &request, self.config.seed);
        let slot = &mut self.slots[actor];
        slot.outstanding.insert(id);
        let mut delay = slot.link.between(1, 4);
        delay += slot.rate.as_mut().map_or(0, |rate| rate.wait(self.now));
        if let Some((_, RequestEffect::Delay(more))) = rule {
            delay += more;
        }
        let (tie, incarnation) = (slot.link.bits(), slot.incarnation);
        let name = Text::default();
        let message = Message { id, request, name, rule, cause: self.cause };
        let due = Due::Request(actor, incarnation, Box::new(message));
        self.queue.book(self.now + delay, tie, due);
    }

    /// A request reaches the API server.
    pub(super) fn request_arrives(&mut self, actor: ActorId, incarnation: u32, message: Message) {
        let alive = self.slots[actor].incarnation == incarnation && self.slots[actor].is_alive();
        if !self.speaks(actor) && alive {
            let id = message.id;
            self.slots[actor].blocked.push(Due::Request(actor, incarnation, Box::new(message)));
            let at = self.now + CLIENT_TIMEOUT;
            self.queue.book(at, 0, Due::GiveUp(actor, incarnation, id));
            return;
        }
        if !alive {
            // What is on the wire is not taken back by the end of the process that sent it.
            if self.speaks(actor) {
                self.pass_on(actor, incarnation, message);
            }
            return;
        }
        let effect = message.rule.as_ref().map(|(_, effect)| effect);
        if let Some(status) = effect.and_then(|effect| effect.refusal(&message.request)) {
            self.refuse(actor, message, status);
        } else if effect == Some(&RequestEffect::CrashBefore) {
            self.crash(actor);
        } else {
            self.pass_on(actor, incarnation, message);
        }
    }

    /// The API server has a request: it answers at once, or, if it is a real one, later.
    fn pass_on(&mut self, actor: ActorId, incarnation: u32, message: Message) {
        if self.is_remote() {
            return self.send_out(actor, incarnation, message);
        }
        self.pursue(actor, incarnation, message, Attempt::default());
    }

    /// A request was carried out: its actor gets the answer, unless a fault is in the way.
    pub(super) fn carried_out(
        &mut self,
        actor: ActorId,
        incarnation: u32,
        message: Message,
        answer: Answer,
        cause: u64,
    ) {
        if !self.lives(actor, incarnation) {
            return;
        }
        match message.rule.as_ref().map(|(_, effect)| effect) {
            Some(RequestEffect::CrashAfter) => drop(self.crash(actor)),
            Some(RequestEffect::LoseResponse) => {
                self.answer(actor, message, Err(Status::connection_lost()), cause);
            }
            _ => self.answer(actor, message, answer, cause),
        }
    }

    /// Has the API carry a request out. Of one that needs answers of webhooks nothing is to be seen
    /// until they are there.
    ///
    /// # Errors
    /// The calls that are to be made first.
    pub(super) fn carry_out(
        &mut self,
        actor: ActorId,
        incarnation: u32,
        message: &Message,
        attempt: &mut Attempt,
    ) -> Result<(Answer, u64), Vec<Errand>> {
        let (who, request) = (&self.slots[actor].identity, &message.request);
        let handled = match self.config.calls_webhooks {
            false => self.api.handle(self.now, who, request),
            true => match self.api.attempt(self.now, who, request, attempt) {
                Progress::Done(handled) => *handled,
                Progress::Waits(errands) => return Err(errands),
            },
        };
        let Handled { answer, writes, remarks } = handled;
        self.remarks = remarks;
        for write in &writes {
            self.fan_out(write);
        }
        let cause = self.record_request((actor, incarnation), message, &answer, writes);
        Ok((answer, cause))
    }

    fn refuse(&mut self, actor: ActorId, message: Message, status: Status) {
        let answer = Err(status);
        self.remarks = Remarks::default();
        let from = (actor, self.slots[actor].incarnation);
        let cause = self.record_request(from, &message, &answer, Vec::new());
        self.answer(actor, message, answer, cause);
    }

    fn record_request(
        &mut self,
        (actor, incarnation): (ActorId, u32),
        message: &Message,
        answer: &Answer,
        writes: Vec<crate::api::Write>,
    ) -> u64 {
        let request = &message.request;
        // Lease renewals are a third of all requests, and no judgement looks at them.
        if request.resource == Resource::LEASES && message.rule.is_none() {
            return message.cause.unwrap_or_default();
        }
        let slot = &self.slots[actor];
        let key = key_of(request, answer);
        let (code, reason, text) = match answer {
            Ok(_) => (
                match request.verb {
                    Verb::Create => 201,
                    Verb::Apply if self.remarks.created => 201,
                    _ => 200,
                },
                Text::default(),
                String::new(),
            ),
            Err(status) => (status.code, status.reason.clone(), status.message.clone()),
        };
        let record = RequestRecord {
            id: message.name.clone(),
            actor: slot.name.clone(),
            incarnation,
            verb: request.verb,
            resource: request.resource.clone(),
            key,
            subresource: request.subresource.clone(),
            code,
            reason,
            message: text,
            rule: message.rule.as_ref().map(|(rule, _)| rule.clone()),
            writes,
        };
        self.record_caused(message.cause, What::Request(Box::new(record)))
    }

    /// Sends the answer on its way back.
    fn answer(&mut self, actor: ActorId, message: Message, answer: Answer, cause: u64) {
        let slot = &mut self.slots[actor];
        let (delay, tie) = (slot.link.between(1, 4), slot.link.bits());
        let (id, incarnation) = (message.id, slot.incarnation);
        let remarks = std::mem::take(&mut self.remarks);
        let request = Box::new(message);
        let delivered = Box::new(Delivered { answer, remarks, cause, request });
        self.queue.book(self.now + delay, tie, Due::Answer(actor, incarnation, id, delivered));
    }

    /// An answer reaches its actor.
    pub(super) fn answer_arrives(
        &mut self,
        actor: ActorId,
        incarnation: u32,
        id: RequestId,
        delivered: Box<Delivered>,
    ) {
        if self.slots[actor].incarnation != incarnation {
            return;
        }
        if !self.hears(actor) {
            self.slots[actor].blocked.push(Due::Answer(actor, incarnation, id, delivered));
            let at = self.now + CLIENT_TIMEOUT;
            self.queue.book(at, 0, Due::GiveUp(actor, incarnation, id));
            return;
        }
        if self.slots[actor].stands_still() {
            self.slots[actor].backlog.push(Due::Answer(actor, incarnation, id, delivered));
            return;
        }
        if !self.slots[actor].outstanding.remove(&id) {
            return;
        }
        let Delivered { answer, remarks, cause, request } = *delivered;
        self.record_learned(actor, &request.request, &answer, cause);
        self.give_answer(actor, id, (answer, remarks), Some(cause));
    }

    /// The client gives up waiting.
    pub(super) fn give_up(&mut self, actor: ActorId, incarnation: u32, id: RequestId) {
        let slot = &mut self.slots[actor];
        let waits = |due: &Due| match due {
            Due::Request(_, _, message) => message.id == id,
            Due::Answer(_, _, answered, _) => *answered == id,
            _ => false,
        };
        if slot.incarnation != incarnation || !slot.blocked.iter().any(waits) {
            return;
        }
        if slot.stands_still() {
            slot.backlog.push(Due::GiveUp(actor, incarnation, id));
            return;
        }
        slot.blocked.retain(|due| !waits(due));
        slot.outstanding.remove(&id);
        let lost = (Err(Status::connection_lost()), Remarks::default());
        self.give_answer(actor, id, lost, None);
    }

    fn give_answer(
        &mut self,
        actor: ActorId,
        id: RequestId,
        (answer, remarks): (Answer, Remarks),
        cause: Option<u64>,
    ) {
        if self.slots[actor].is_client {
            self.answers.insert((actor, id), (answer, remarks));
        } else {
            self.cause = cause;
            self.feed(actor, Input::Answer { id, answer });
        }
    }

    /// What an answer tells its actor: the newest state of the objects it read or wrote.
    pub(super) fn record_learned(
        &mut self,
        actor: ActorId,
        request: &Request,
        answer: &Answer,
        cause: u64,
    ) {
        let Ok(object) = answer else { return };
        if request.resource == Resource::LEASES || !self.records_deliveries_of(actor) {
            return;
        }
        let rv = object::resource_version(object);
        if rv == 0 {
            return;
        }
        let slot = &self.slots[actor];
        let what = What::Deliver {
            actor: slot.name.clone(),
            incarnation: slot.incarnation,
            resource: request.resource.clone(),
            key: key_of(request, answer),
            rv,
            answer: true,
        };
        self.record_caused(Some(cause), what);
    }
}

/// What a request is about: of one that lets the API make up a name, the object of that name. A key
/// without a name is that of all objects.
fn key_of(request: &Request, answer: &Answer) -> ObjectKey {
    let mut key = request.key.clone();
    if let (true, Ok(object)) = (key.name.is_empty(), answer) {
        key.name = object["metadata"]["name"].text();
    }
    key
}
