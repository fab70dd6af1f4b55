//! Requests that go out in batches: each when the one before was answered without a failure.

use std::collections::VecDeque;

use kubesim_model::controller::Work;
use kubesim_model::request::Request;

/// Batches still to be sent, and how the sent ones fare.
#[derive(Clone, Default)]
pub(in crate::controllers) struct Batches {
    waiting: VecDeque<Vec<Request>>,
    unanswered: usize,
    failed: bool,
}

/// How a sequence of batches stands after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::controllers) enum Progress {
    /// Answers are awaited.
    Going,
    /// Everything was sent and answered well.
    Done,
    /// A request failed; so many were never sent.
    Failed {
        /// How many requests were skipped.
        skipped: usize,
    },
}

impl Batches {
    /// Batches of 1, 2, 4, … requests (`slowStartBatch`, v1.36), so that what fails for all, such
    /// as a quota, fails once.
    pub(in crate::controllers) fn slow_start(requests: Vec<Request>) -> Self {
        let mut requests = requests.into_iter();
        let mut size = 1;
        let mut batches = Batches::default();
        loop {
            let batch: Vec<Request> = requests.by_ref().take(size).collect();
            if batch.is_empty() {
                return batches;
            }
            batches.waiting.push_back(batch);
            size *= 2;
        }
    }

    /// With `requests` as one more batch at the end.
    pub(in crate::controllers) fn then(mut self, requests: Vec<Request>) -> Self {
        if !requests.is_empty() {
            self.waiting.push_back(requests);
        }
        self
    }

    /// With the batches of `more` at the end.
    pub(in crate::controllers) fn and(mut self, more: Batches) -> Self {
        self.waiting.extend(more.waiting);
        self
    }

    /// All `requests` at once.
    pub(in crate::controllers) fn at_once(requests: Vec<Request>) -> Self {
        Batches::default().then(requests)
    }

    /// One request after the other.
    pub(in crate::controllers) fn one_by_one(requests: Vec<Request>) -> Self {
        requests.into_iter().fold(Batches::default(), |all, next| all.then(vec![next]))
    }

    /// Sends the first batch. Answers `Done` if there is none.
    pub(in crate::controllers) fn start(&mut self, work: &mut Work<'_, '_>) -> Progress {
        let Some(batch) = self.waiting.pop_front() else { return Progress::Done };
        self.unanswered = batch.len();
        batch.into_iter().for_each(|request| work.request(request));
        Progress::Going
    }

    /// Takes an answer; sends the next batch when it was the last of its batch.
    pub(in crate::controllers) fn answered(
        &mut self,
        fine: bool,
        work: &mut Work<'_, '_>,
    ) -> Progress {
        self.unanswered = self.unanswered.saturating_sub(1);
        self.failed |= !fine;
        match (self.unanswered, self.failed) {
            (0, false) => self.start(work),
            (0, true) => {
                let skipped = self.waiting.iter().map(Vec::len).sum();
                self.waiting.clear();
                Progress::Failed { skipped }
            }
            _ => Progress::Going,
        }
    }
}
