//! `evict`: asks the eviction API for pods, and asks again while it refuses, if it is told to.

use kubesim_model::request::{Answer, Request};
use kubesim_model::resource::ObjectKey;
use kubesim_model::stream::Stream;
use kubesim_model::{Millis, Text};

use crate::run::call::Call;
use crate::run::stage::{Progress, Stage, Task, sooner};
use crate::suite::steps::Evict;

/// How long to wait after a refusal (kubectl v1.36, `drain`: 5 s).
const PAUSE: Millis = 5_000;

/// The eviction of one pod.
pub(super) struct Eviction {
    /// The pod.
    pub(super) pod: ObjectKey,
    /// Its uid.
    pub(super) uid: Text,
    grace_seconds: Option<i64>,
    call: Option<Call>,
    again_at: Millis,
    /// How often it was refused.
    pub(super) refusals: u32,
    /// Whether it is over: `Ok` if the pod is evicted or gone.
    pub(super) result: Option<Result<(), String>>,
}

impl Eviction {
    pub(super) fn new(pod: ObjectKey, uid: Text, grace_seconds: Option<i64>) -> Self {
        let (call, again_at, refusals, result) = (None, 0, 0, None);
        Eviction { pod, uid, grace_seconds, call, again_at, refusals, result }
    }

    /// Goes on; a refusal is tried again before `until`. Answers when to ask again.
    pub(super) fn poll(&mut self, until: Millis, stage: &mut Stage<'_>) -> Option<Millis> {
        loop {
            if self.result.is_some() {
                return None;
            }
            if stage.now() < self.again_at {
                return Some(self.again_at);
            }
            let (pod, grace) = (&self.pod, self.grace_seconds);
            let call = self.call.get_or_insert_with(|| Call::once(request(pod, grace)));
            match call.poll(stage) {
                Err(wake) => return wake,
                Ok(answer) => self.answered(answer, until, stage.now()),
            }
        }
    }

    fn answered(&mut self, answer: Answer, until: Millis, now: Millis) {
        self.call = None;
        match answer {
            Ok(_) => self.result = Some(Ok(())),
            Err(status) if status.is_not_found() => self.result = Some(Ok(())),
            // Too many requests: the budget refuses. Conflicts and lost answers are tried again
            // too.
            Err(status) if matches!(status.code, 429 | 0 | 409 | 500..) => {
                self.refusals += 1;
                self.again_at = now + PAUSE;
                if self.again_at > until {
                    self.result = Some(Err(status.to_string()));
                }
            }
            Err(status) => self.result = Some(Err(status.to_string())),
        }
    }
}

fn request(pod: &ObjectKey, grace_seconds: Option<i64>) -> Request {
    let mut request = Request::evict(pod.clone());
    if let Some(seconds) = grace_seconds {
        request.body.set(&["deleteOptions", "gracePeriodSeconds"], seconds);
    }
    request
}

/// An `evict` under way.
pub(super) struct Evicting {
    evictions: Vec<Eviction>,
    until: Millis,
}

impl Evicting {
    pub(super) fn new(evict: &Evict, stage: &Stage<'_>) -> Self {
        let mut draws = Stream::new(stage.seed, &format!("evict/{}", stage.now()));
        let pods = stage.field().pods(&evict.select, &mut draws).into_iter();
        let evictions = pods.map(|pod| Eviction::new(pod.key, pod.uid, evict.grace_seconds));
        let until = stage.now() + evict.retry_for.unwrap_or(0);
        Evicting { evictions: evictions.collect(), until }
    }
}

impl Task for Evicting {
    fn poll(&mut self, stage: &mut Stage<'_>) -> Progress {
        if self.evictions.is_empty() {
            return Progress::Done(Err("no pod matches the selector".to_owned()));
        }
        let mut wake = None;
        for eviction in &mut self.evictions {
            wake = sooner(wake, eviction.poll(self.until, stage));
        }
        if self.evictions.iter().any(|eviction| eviction.result.is_none()) {
            return Progress::Pending(wake);
        }
        Progress::Done(Ok(summary(&self.evictions)))
    }
}

/// What came of evictions: `2 evicted, 1 refused; 5 refusals in all`.
pub(super) fn summary(evictions: &[Eviction]) -> String {
    let evicted = evictions.iter().filter(|e| matches!(e.result, Some(Ok(())))).count();
    let refusals: u32 = evictions.iter().map(|eviction| eviction.refusals).sum();
    let refused = evictions.len() - evicted;
    format!("{evicted} evicted, {refused} refused; {refusals} refusals in all")
}
