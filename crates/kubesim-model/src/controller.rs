//! The frame of a controller: caches fed by watches, a work queue with back-off, reconciles of
//! which each object has at most one at a time.
//!
//! A [`Reconcile`] looks only at its cache and sends requests; the object stays in work until all
//! of them are answered. Defaults follow client-go: back-off 5 ms × 2ⁿ up to 1000 s per object
//! (v1.36, `default_rate_limiters.go`), five workers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::Millis;
use crate::actor::{Actor, Input, Io, RequestId, WatchSpec};
use crate::cache::{Cache, Change};
use crate::request::{Answer, Request};
use crate::resource::{ObjectKey, Resource};
use crate::stream::Stream;

const FIRST_BACK_OFF: Millis = 5;
const LONGEST_BACK_OFF: Millis = 1_000_000;

/// The decisions of a controller.
pub trait Reconcile: Clone + Send + Sync + 'static {
    /// What it watches. No reconcile runs before each was listed once.
    fn watches(&self) -> Vec<WatchSpec>;

    /// Further watches that a change asks for, as of a custom resource that appeared.
    fn also_watches(&mut self, change: &Change) -> Vec<WatchSpec> {
        let _ = change;
        Vec::new()
    }

    /// Whether reconciles wait for the first lists of what [`Reconcile::also_watches`] asks for,
    /// too. So a controller watches what is costly only once there is something to look after.
    fn waits_for_further_watches(&self) -> bool {
        false
    }

    /// What is asked once, when the controller starts.
    fn first_question(&self) -> Option<Request> {
        None
    }

    /// The watches that the answer to [`Reconcile::first_question`] asks for.
    fn first_answered(&mut self, answer: &Answer) -> Vec<WatchSpec> {
        let _ = answer;
        Vec::new()
    }

    /// Names the objects that a change concerns, through `enqueue`. Called after the cache took the
    /// change in; also the place to lower expectations.
    fn changed(&mut self, change: &Change, cache: &Cache, enqueue: &mut dyn FnMut(ObjectKey));

    /// Brings one object closer to its desired state.
    fn reconcile(&mut self, key: &ObjectKey, work: &mut Work<'_, '_>);

    /// Takes the answer of a request of this object's reconcile; may send more requests.
    /// Answers what a failure means. By default every failure is tried again with back-off.
    fn answered(
        &mut self,
        key: &ObjectKey,
        request: &Request,
        answer: &Answer,
        work: &mut Work<'_, '_>,
    ) -> Verdict {
        let _ = (key, request, work);
        if answer.is_ok() { Verdict::Fine } else { Verdict::Retry }
    }

    /// How long an object that a change concerns waits (`AddAfter`), so that many changes are one
    /// sync. Of several waits of an object the one that ends first counts.
    fn delay(&self, change: &Change, key: &ObjectKey, now: Millis) -> Millis {
        let _ = (change, key, now);
        0
    }

    /// The first and the longest wait after failures.
    fn back_off(&self) -> (Millis, Millis) {
        (FIRST_BACK_OFF, LONGEST_BACK_OFF)
    }

    /// How many objects may be in work at once.
    fn workers(&self) -> usize {
        5
    }
}

/// What the answer of a request means for the object's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Fine,
    /// Reconcile the object again, later each time.
    Retry,
}

/// What a reconcile may use.
pub struct Work<'w, 'io> {
    /// What is known of the cluster.
    pub cache: &'w Cache,
    io: &'w mut Io<'io>,
    sent: &'w mut Vec<(RequestId, Request)>,
    again: &'w mut Option<Millis>,
    failed: &'w mut bool,
}

impl Work<'_, '_> {
    /// The time.
    pub fn now(&self) -> Millis {
        self.io.now
    }

    /// The controller's random numbers.
    pub fn rng(&mut self) -> &mut Stream {
        self.io.rng
    }

    /// Sends a request; its answer comes to [`Reconcile::answered`].
    pub fn request(&mut self, request: Request) {
        let id = self.io.request(request.clone());
        self.sent.push((id, request));
    }

    /// Reconciles the object again after this time, whatever happens (`AddAfter`).
    pub fn again_after(&mut self, after: Millis) {
        let soonest = self.again.map_or(after, |have| have.min(after));
        *self.again = Some(soonest);
    }

    /// Reconciles the object again with back-off, as after an error.
    pub fn retry(&mut self) {
        *self.failed = true;
    }

    /// Emits a Kubernetes Event about an object.
    pub fn event(&mut self, about: crate::Text, reason: &'static str, message: &str) {
        self.io.event(about, crate::Text::new_static(reason), message);
    }
}

/// An actor made of a [`Reconcile`].
#[derive(Clone)]
pub struct Controller<R> {
    reconcile: R,
    cache: Cache,
    watched: Vec<Resource>,
    queue: VecDeque<ObjectKey>,
    queued: BTreeSet<ObjectKey>,
    working: BTreeMap<ObjectKey, InWork>,
    requests: BTreeMap<RequestId, (ObjectKey, Request)>,
    failures: BTreeMap<ObjectKey, u32>,
    timers: BTreeMap<u64, ObjectKey>,
    next_timer: u64,
    /// When objects whose changes are delayed are reconciled.
    delayed: BTreeMap<ObjectKey, Millis>,
    /// The question of the start, until it is answered.
    first_question: Option<RequestId>,
}

#[derive(Clone, Default)]
struct InWork {
    unanswered: usize,
    failed: bool,
    dirty: bool,
}

impl<R: Reconcile> Controller<R> {
    /// A controller with these decisions and nothing known.
    pub fn new(reconcile: R) -> Self {
        Controller {
            reconcile,
            cache: Cache::default(),
            watched: Vec::new(),
            queue: VecDeque::new(),
            queued: BTreeSet::new(),
            working: BTreeMap::new(),
            requests: BTreeMap::new(),
            failures: BTreeMap::new(),
            timers: BTreeMap::new(),
            next_timer: 0,
            delayed: BTreeMap::new(),
            first_question: None,
        }
    }

    fn enqueue(&mut self, key: ObjectKey) {
        if let Some(work) = self.working.get_mut(&key) {
            work.dirty = true;
        } else if self.queued.insert(key.clone()) {
            self.queue.push_back(key);
        }
    }

    fn enqueue_after(&mut self, key: ObjectKey, after: Millis, io: &mut Io<'_>) {
        let token = self.next_timer;
        self.next_timer += 1;
        self.timers.insert(token, key);
        io.timer(token, after);
    }

    /// Enqueues after `delay`, unless that happens sooner already.
    fn enqueue_delayed(&mut self, key: ObjectKey, delay: Millis, io: &mut Io<'_>) {
        let due = io.now + delay;
        if delay == 0 {
            self.enqueue(key);
        } else if self.delayed.get(&key).is_none_or(|have| *have > due) {
            self.delayed.insert(key.clone(), due);
            self.enqueue_after(key, delay, io);
        }
    }

    fn watch(&mut self, specs: Vec<WatchSpec>, io: &mut Io<'_>) {
        for spec in specs {
            if self.reconcile.waits_for_further_watches() {
                self.watched.push(spec.resource.clone());
            }
            io.watch(spec);
        }
    }

    fn run(&mut self, io: &mut Io<'_>) {
        if !self.cache.has_listed(&self.watched) {
            return;
        }
        while self.working.len() < self.reconcile.workers() {
            let Some(key) = self.queue.pop_front() else { return };
            self.queued.remove(&key);
            self.working.insert(key.clone(), InWork::default());
            self.with_work(&key, io, |reconcile, work| {
                reconcile.reconcile(&key, work);
                Verdict::Fine
            });
            self.finish_if_answered(&key, io);
        }
    }

    fn answered(&mut self, id: RequestId, answer: &Answer, io: &mut Io<'_>) {
        let Some((key, request)) = self.requests.remove(&id) else { return };
        if let Some(work) = self.working.get_mut(&key) {
            work.unanswered -= 1;
        }
        self.with_work(&key, io, |reconcile, work| {
            reconcile.answered(&key, &request, answer, work)
        });
        self.finish_if_answered(&key, io);
    }

    /// Runs `decide` with what it may use, and books what it asked for.
    fn with_work(
        &mut self,
        key: &ObjectKey,
        io: &mut Io<'_>,
        decide: impl FnOnce(&mut R, &mut Work<'_, '_>) -> Verdict,
    ) {
        let (mut sent, mut again, mut failed) = (Vec::new(), None, false);
        let verdict = decide(
            &mut self.reconcile,
            &mut Work {
                cache: &self.cache,
                io,
                sent: &mut sent,
                again: &mut again,
                failed: &mut failed,
            },
        );
        if let Some(work) = self.working.get_mut(key) {
            work.failed |= failed || verdict == Verdict::Retry;
            work.unanswered += sent.len();
        }
        self.requests.extend(sent.into_iter().map(|(id, request)| (id, (key.clone(), request))));
        if let Some(after) = again {
            self.enqueue_after(key.clone(), after, io);
        }
    }

    fn finish_if_answered(&mut self, key: &ObjectKey, io: &mut Io<'_>) {
        if self.working.get(key).is_none_or(|work| work.unanswered > 0) {
            return;
        }
        let Some(work) = self.working.remove(key) else { return };
        if work.failed {
            let failures = self.failures.entry(key.clone()).or_default();
            let (first, longest) = self.reconcile.back_off();
            let after = first.saturating_mul(1 << (*failures).min(30));
            *failures += 1;
            self.enqueue_after(key.clone(), after.min(longest), io);
        } else {
            self.failures.remove(key);
        }
        if work.dirty {
            self.enqueue(key.clone());
        }
    }
}

impl<R: Reconcile> Actor for Controller<R> {
    fn on(&mut self, input: Input, io: &mut Io<'_>) {
        match input {
            Input::Start => {
                for spec in self.reconcile.watches() {
                    self.watched.push(spec.resource.clone());
                    io.watch(spec);
                }
                let question = self.reconcile.first_question();
                self.first_question = question.map(|request| io.request(request));
            }
            Input::Watch(event) => {
                let mut keys = Vec::new();
                for change in self.cache.take(event) {
                    let further = self.reconcile.also_watches(&change);
                    self.watch(further, io);
                    let from = keys.len();
                    self.reconcile.changed(&change, &self.cache, &mut |key| keys.push((key, 0)));
                    for (key, delay) in &mut keys[from..] {
                        *delay = self.reconcile.delay(&change, key, io.now);
                    }
                }
                for (key, delay) in keys {
                    self.enqueue_delayed(key, delay, io);
                }
            }
            Input::Answer { id, answer } if self.first_question == Some(id) => {
                self.first_question = None;
                let further = self.reconcile.first_answered(&answer);
                self.watch(further, io);
            }
            Input::Answer { id, answer } => self.answered(id, &answer, io),
            Input::Timer(token) => {
                if let Some(key) = self.timers.remove(&token) {
                    if self.delayed.get(&key).is_some_and(|due| *due <= io.now) {
                        self.delayed.remove(&key);
                    }
                    self.enqueue(key);
                }
            }
            Input::Host(_) => {}
        }
        self.run(io);
    }

    fn boxed_clone(&self) -> Box<dyn Actor> {
        Box::new(self.clone())
    }
}
