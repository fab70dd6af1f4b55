//! One request with its answer, sent again while the API can't take it.

use kubesim_model::Millis;
use kubesim_model::request::{Answer, Request};

use super::stage::Stage;
use crate::cluster::Ticket;

/// How often a request is sent again (client-go v0.36: up to 10 times).
const RETRIES: u32 = 10;
/// How long to wait before (client-go v0.36 waits what `Retry-After` says, 1 s mostly).
const PAUSE: Millis = 1_000;

/// A request on its way.
pub(super) struct Call {
    request: Request,
    sent: Option<Ticket>,
    again_at: Millis,
    retries: u32,
}

impl Call {
    pub(super) fn new(request: Request) -> Self {
        Call { request, sent: None, again_at: 0, retries: 0 }
    }

    /// One whose refusal is an answer: it is sent only once.
    pub(super) fn once(request: Request) -> Self {
        Call { retries: RETRIES, ..Call::new(request) }
    }

    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    /// The answer, else when to ask again at the latest.
    pub(super) fn poll(&mut self, stage: &mut Stage<'_>) -> Result<Answer, Option<Millis>> {
        loop {
            let Some(ticket) = self.sent else {
                if stage.now() < self.again_at {
                    return Err(Some(self.again_at));
                }
                self.sent = Some(stage.cluster.submit(self.request.clone()));
                continue;
            };
            let answer = stage.cluster.take_answer(ticket).ok_or(None)?;
            let is_transient = answer.as_ref().is_err_and(|status| {
                matches!(status.code, 0 | 429 | 500..) || status.is_conflict()
            });
            if !is_transient || self.retries >= RETRIES {
                return Ok(answer);
            }
            self.retries += 1;
            self.sent = None;
            self.again_at = stage.now() + PAUSE;
        }
    }
}
