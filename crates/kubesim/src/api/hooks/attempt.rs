//! Attempting a request: as often as answers of webhooks are missing, and each time as if it were
//! the first.

use std::collections::BTreeMap;

use kubesim_model::Millis;
use kubesim_model::request::{Remarks, Request, Status};
use kubesim_model::resource::Resource;
use kubesim_model::stream::Stream;

use super::chosen::{MUTATING, VALIDATING};
use super::dialog::{Dialog, Errand, Heard, Key, Outside};
use crate::api::identity::Identity;
use crate::api::server::{Api, Handled};

/// How often a request is attempted: each webhook that changes objects is asked twice at most, one
/// after the other, and then all others at once.
const MOST_ROUNDS: usize = 200;

/// How far something has come that may need answers of webhooks, by default a request.
#[derive(Debug)]
pub enum Progress<T = Box<Handled>> {
    /// It was carried out, or refused.
    Done(T),
    /// Nothing has happened yet: these calls are to be made, in any order or all at once, then it
    /// is to be attempted again.
    Waits(Vec<Errand>),
}

/// What stays the same when a request is attempted again: its time, what is drawn for it, and what
/// webhooks have answered.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    is_exempt: bool,
    began: Option<Millis>,
    draws: Option<Draws>,
    heard: BTreeMap<Key, Heard>,
    rounds: usize,
}

#[derive(Clone, Debug)]
struct Draws {
    seed: u64,
    names: Stream,
    uids: Stream,
}

impl Attempt {
    /// Of a request of which webhooks are not asked: one of whoever drives the API.
    pub fn exempt() -> Attempt {
        Attempt { is_exempt: true, ..Attempt::default() }
    }

    /// What came of errands so far.
    pub(in crate::api) fn heard(&self) -> &BTreeMap<Key, Heard> {
        &self.heard
    }

    /// Notes what came of an errand.
    pub fn hear(&mut self, errand: &Errand, heard: Heard) {
        self.heard.insert(errand.key, heard);
    }
}

impl Api {
    /// Carries a request out, as [`Api::handle`] does, unless answers of webhooks are missing.
    pub fn attempt(
        &mut self,
        now: Millis,
        who: &Identity,
        request: &Request,
        attempt: &mut Attempt,
    ) -> Progress {
        let asks = request.verb.is_write() && self.has_webhooks() || self.may_convert(request);
        if attempt.is_exempt || !asks {
            return Progress::Done(Box::new(self.carry_out(now, who, request, Outside::Exempt)));
        }
        let now = *attempt.began.get_or_insert(now);
        // Others may draw meanwhile, and must not draw the same.
        let draws = attempt.draws.get_or_insert_with(|| {
            let mut bits = || self.uids.bits();
            let names = Stream::new(bits(), "attempt/names");
            Draws { names, uids: Stream::new(bits(), "attempt/uids"), seed: bits() }
        });
        let dialog = Dialog::new(draws.seed, &attempt.heard);
        let mut stage = self.clone();
        (stage.names, stage.uids) = (draws.names.clone(), draws.uids.clone());
        let handled = stage.carry_out(now, who, request, Outside::Caller(&dialog));
        let missing = dialog.into_missing();
        if missing.is_empty() {
            (stage.names, stage.uids) = (self.names.clone(), self.uids.clone());
            *self = stage;
            return Progress::Done(Box::new(handled));
        }
        attempt.rounds += 1;
        if attempt.rounds <= MOST_ROUNDS {
            return Progress::Waits(missing);
        }
        let text = "request did not complete within requested timeout";
        let answer = Err(Status::new(504, "Timeout", text));
        Progress::Done(Box::new(Handled {
            answer,
            writes: Vec::new(),
            remarks: Remarks::default(),
        }))
    }

    /// Whether a request may be about an object that a webhook has to convert.
    fn may_convert(&self, request: &Request) -> bool {
        // With a definition go the objects of its type.
        let resource = match request.resource == Resource::CUSTOM_RESOURCE_DEFINITIONS {
            true => Resource::new(request.key.name.clone()),
            false => request.resource.clone(),
        };
        self.types.find(&resource).is_ok_and(|kind| kind.asks_to_convert())
    }

    fn has_webhooks(&self) -> bool {
        [&*MUTATING, &*VALIDATING].iter().any(|kind| self.store.range(kind, "").next().is_some())
    }
}
