//! Clients from outside: their requests have a way of their own behind them, so the API carries
//! them out at once and no link delays them. What they watch they follow in the API's history.

use kubesim_model::Text;
use kubesim_model::actor::RequestId;
use kubesim_model::request::{Answer, Remarks, Request};
use kubesim_model::resource::{ObjectKey, Resource};

use super::World;
use super::link::Message;
use super::record::What;
use crate::api::{Attempt, Errand};

/// Answers are given at once, so that no request needs a number.
const NO_NUMBER: RequestId = 0;

/// What came of a request of a client.
#[derive(Debug)]
pub enum Asked {
    /// It was answered, and this is remarked besides.
    Answered(Answer, Remarks),
    /// It waits for these calls of webhooks.
    Waits(Vec<Errand>),
}

impl World {
    /// Carries out a request of a client at this moment, without asking webhooks; also answers what
    /// it is told besides. `None` if there is no such client, or it does not live.
    pub fn ask(&mut self, client: &str, request: Request) -> Option<(Answer, Remarks)> {
        match self.attempt(client, &Text::default(), &request, &mut Attempt::exempt())? {
            Asked::Answered(answer, remarks) => Some((answer, remarks)),
            Asked::Waits(_) => None,
        }
    }

    /// The same of a request that its sender knows by this name, which the record of it bears,
    /// unless webhooks have to be called first. Then nothing has happened, and the request is to
    /// be attempted again with what came of the calls.
    pub fn attempt(
        &mut self,
        client: &str,
        name: &Text,
        request: &Request,
        attempt: &mut Attempt,
    ) -> Option<Asked> {
        let actor = self.living_client(client)?;
        let incarnation = self.slots[actor].incarnation;
        self.cause = None;
        let (name, request) = (name.clone(), request.clone());
        let message = Message { id: NO_NUMBER, request, name, rule: None, cause: None };
        let (answer, cause) = match self.carry_out(actor, incarnation, &message, attempt) {
            Ok(done) => done,
            Err(errands) => return Some(Asked::Waits(errands)),
        };
        self.record_learned(actor, &message.request, &answer, cause);
        Some(Asked::Answered(answer, std::mem::take(&mut self.remarks)))
    }

    /// A client was told of an object by a watch, or, with a key without a name, of all up to `rv`.
    pub fn told(&mut self, client: &str, resource: &Resource, key: &ObjectKey, rv: u64) {
        let Some(actor) = self.living_client(client) else { return };
        if *resource == Resource::LEASES || !self.records_deliveries_of(actor) {
            return;
        }
        let slot = &self.slots[actor];
        let what = What::Deliver {
            actor: slot.name.clone(),
            incarnation: slot.incarnation,
            resource: resource.clone(),
            key: key.clone(),
            rv,
            answer: false,
        };
        self.record_caused(None, what);
    }
}
