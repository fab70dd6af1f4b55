//! Requests one after the other: the step fails with the first that is refused.

use std::collections::VecDeque;

use kubesim_model::request::Request;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;

use crate::run::call::Call;
use crate::run::stage::{Progress, Stage, Task};

/// Requests that are sent one after the other.
pub(in crate::run) struct Requests {
    waiting: VecDeque<Request>,
    call: Option<Call>,
    done: usize,
}

impl Requests {
    pub(super) fn new(requests: Vec<Request>) -> Self {
        Requests { waiting: requests.into(), call: None, done: 0 }
    }

    /// Those that create CustomResourceDefinitions.
    pub(in crate::run) fn creating(definitions: &[Tree]) -> Self {
        let create = |definition: &Tree| {
            Request::create(Resource::CUSTOM_RESOURCE_DEFINITIONS, definition.clone())
        };
        Requests::new(definitions.iter().map(create).collect())
    }
}

impl Task for Requests {
    fn poll(&mut self, stage: &mut Stage<'_>) -> Progress {
        loop {
            if self.call.is_none() {
                self.call = self.waiting.pop_front().map(Call::new);
            }
            let Some(call) = &mut self.call else {
                return Progress::Done(Ok(format!("{} requests", self.done)));
            };
            match call.poll(stage) {
                Err(wake) => return Progress::Pending(wake),
                Ok(Ok(_)) => {
                    self.done += 1;
                    self.call = None;
                }
                Ok(Err(status)) => {
                    let Request { resource, key, .. } = call.request();
                    return Progress::Done(Err(format!("{resource} {key}: {status}")));
                }
            }
        }
    }
}
