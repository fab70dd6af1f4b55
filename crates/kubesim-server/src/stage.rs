//! The thread of the world: time goes on there, requests are carried out, watchers are told.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use kubesim::api::{Attempt, User};
use kubesim::world::{Asked, Calls, World};
use kubesim_model::request::Request;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::stream::Stream;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, map};
use tokio::runtime::Handle;

use crate::Recorder;
use crate::clock::Clock;
use crate::courier::Courier;
use crate::furnish::API_SERVER;
use crate::hub::{Act, Hub};
use crate::notes::Notes;
use crate::watchers::Watchers;

/// How many steps the world goes on, and how many acts are done, before the others have their turn.
const STEPS: usize = 2_000;
const ACTS: usize = 200;
/// How long nothing happens at most.
const NAP: Duration = Duration::from_millis(500);
/// How many programs of users are told apart, and the name of those who come later.
const CLIENTS: usize = 1_000;
const OTHERS: &str = "others";
/// How much of a user agent is kept.
const AGENT: usize = 100;

/// The world and those outside that it has to do with.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) watchers: Watchers,
    /// After how many seconds watches end whose clients name no time.
    timeouts: Stream,
    clock: Clock,
    clients: BTreeMap<(Text, String), Text>,
    notes: Notes,
    recorder: Option<Recorder>,
    calling: Calling,
    ends: bool,
}

/// How webhooks are called for those who live in the world.
pub(crate) struct Calling {
    pub(crate) courier: Courier,
    pub(crate) runtime: Handle,
    pub(crate) hub: Hub,
}

impl Calling {
    /// Makes calls elsewhere, and comes back with what came of them.
    fn make(&self, calls: Calls) {
        let (courier, hub) = (self.courier.clone(), self.hub.clone());
        self.runtime.spawn(async move {
            let heard = courier.run(calls.errands).await;
            hub.tell(move |stage| stage.world.heard(calls.ticket, heard));
        });
    }
}

impl Stage {
    pub(crate) fn new(
        mut world: World,
        clock: Clock,
        seed: u64,
        (recorder, calling): (Option<Recorder>, Calling),
    ) -> Stage {
        let watchers = Watchers::following(world.api().version());
        let timeouts = Stream::new(seed, "watch-timeouts");
        world.add_client(OTHERS, OTHERS, "");
        let (clients, notes) = (BTreeMap::new(), Notes::of(&mut world));
        Stage { world, watchers, timeouts, clock, clients, notes, recorder, calling, ends: false }
    }

    /// Goes on until it is told to end, or nobody is left who could tell it; the world as it is
    /// then.
    pub(crate) fn run(mut self, acts: &Receiver<Act>) -> World {
        while !self.ends {
            self.keep_up();
            let wait = self.world.next_event().map_or(NAP, |at| self.clock.until(at).min(NAP));
            let mut next = match acts.recv_timeout(wait) {
                Ok(act) => Some(act),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            for _ in 0..ACTS {
                let Some(act) = next.take() else { break };
                self.keep_up();
                // Whoever waits for it sees that no answer came; the others go on.
                let _ = catch_unwind(AssertUnwindSafe(|| act(&mut self)));
                next = acts.try_recv().ok();
            }
            self.settle();
        }
        self.settle();
        self.world
    }

    /// The world's time is that of the clock, or as far as it came in its turn.
    fn keep_up(&mut self) {
        let now = self.clock.now();
        for _ in 0..STEPS {
            if self.world.next_event().is_none_or(|at| at > now) {
                self.world.advance_to(now);
                break;
            }
            self.world.step();
        }
        for calls in self.world.take_calls() {
            self.calling.make(calls);
        }
    }

    /// Tells watchers and the recorder what happened.
    pub(crate) fn settle(&mut self) {
        let records = self.world.take_records();
        self.notes.keep(&mut self.world, &records);
        self.watchers.follow(&mut self.world);
        if let Some(recorder) = &mut self.recorder {
            recorder(records);
        }
    }

    /// Ends after this.
    pub(crate) fn end(&mut self) {
        self.ends = true;
    }

    /// The time of the world.
    pub(crate) fn now(&self) -> Millis {
        self.world.now()
    }

    /// A pod, as it is.
    pub(crate) fn pod(&self, key: &ObjectKey) -> Option<&Tree> {
        self.world.api().get(&Resource::PODS, key)
    }

    /// Whose token this is, if the API has handed it out.
    pub(crate) fn review(&mut self, token: &str) -> Option<User> {
        let review = map! { "metadata" => map! {}, "spec" => map! { "token" => token } };
        let review = Request::create(Resource::new("tokenreviews.authentication.k8s.io"), review);
        let answer = self.world.ask(API_SERVER, review)?.0.ok()?;
        let status = &answer["status"];
        status["authenticated"].is_true().then(|| User::of_token_review(&status["user"]))
    }

    /// Carries out a request of this user and program, which they know by this name, unless
    /// webhooks are to be called first.
    pub(crate) fn attempt(
        &mut self,
        (user, agent): (&User, &str),
        name: &Text,
        request: &Request,
        attempt: &mut Attempt,
    ) -> Option<Asked> {
        let client = self.client(&user.name, agent);
        self.world.identify(&client, user);
        self.world.attempt(&client, name, request, attempt)
    }

    /// The name in the world of a user's program.
    pub(crate) fn client(&mut self, user: &Text, agent: &str) -> Text {
        let agent: String = agent.chars().take(AGENT).collect();
        let key = (user.clone(), agent);
        if let Some(name) = self.clients.get(&key) {
            return name.clone();
        }
        if self.clients.len() >= CLIENTS {
            return Text::new_static(OTHERS);
        }
        let name = Text::from(format!("{} ({})", key.0, key.1));
        self.world.add_client(&name, &key.0, &key.1);
        self.clients.insert(key, name.clone());
        name
    }

    /// How many seconds a watch lasts whose client names no time (apiserver v0.36: half an hour at
    /// least, and up to twice that).
    pub(crate) fn watch_time(&mut self) -> u64 {
        self.timeouts.between(1_800, 3_599)
    }
}
