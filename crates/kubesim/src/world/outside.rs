//! Clients from outside: their requests have a way of their own behind them, so the API carries
//! them out at once and no link delays them. What they watch they follow in the API's history.

use kubesim_model::Text;
use kubesim_model::actor::RequestId;
use kubesim_model::request::{Answer, Remarks, Request};
use kubesim_model::resource::{ObjectKey, Resource};

use super::World;
use super::link::Message;
use super::record::What;

/// Answers are given at once, so that no request needs a number.
const NO_NUMBER: RequestId = 0;

impl World {
    /// Carries out a request of a client at this moment; also answers what it is told besides.
    /// `None` if there is no such client, or it does not live.
    pub fn ask(&mut self, client: &str, request: Request) -> Option<(Answer, Remarks)> {
        self.ask_named(client, Text::default(), request)
    }

    /// The same of a request that its sender knows by this name: the record of it bears it.
    pub fn ask_named(
        &mut self,
        client: &str,
        name: Text,
        request: Request,
    ) -> Option<(Answer, Remarks)> {
        let actor = self.living_client(client)?;
        let incarnation = self.slots[actor].incarnation;
        self.cause = None;
        let message = Message { id: NO_NUMBER, request, name, rule: None, cause: None };
        let (answer, cause) = self.carry_out(actor, incarnation, &message);
        self.record_learned(actor, &message.request, &answer, cause);
        Some((answer, std::mem::take(&mut self.remarks)))
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
