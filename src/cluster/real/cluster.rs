//! A real API server as a cluster. A world follows the wall clock beside it; what its actors ask
//! for is carried out by the real server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, Sender as Tell, channel};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use kubesim::api::Type;
use kubesim::world::{ActorSpec, Mirrored, What, World, WorldConfig};
use kubesim_model::request::{Answer, Request, Status};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::{Millis, Text, object};

use super::api::{Api, Sender, call};
use super::audit::{Entry, Log};
use super::ground::Ground;
use super::limits::is_of_the_system;
use super::nodes::{Present, mark};
use super::programs::Programs;
use super::record::{Recorded, Recorder, name_of};
use super::runtime::Runtime;
use super::staff::Staff;
use super::watch::{AGENT, Told, follow};
use crate::cluster::sim::OPERATOR_AGENT;
use crate::cluster::sim_record::observation;
use crate::cluster::{
    Advance, Cluster, ClusterError, Lever, LeverError, Observation, Program, Ticket, Touched,
};
use crate::history::{Body, Change, Clock, Gap, RequestEvent};

/// How often the audit log is read, in milliseconds.
const GLANCE: Millis = 10;

/// How long before the beginning of a trial requests were answered that may belong to changes that
/// are seen in it, in milliseconds.
const BEFORE: Millis = 1_000;

/// How long the end of a trial may wait for the log to catch up, in milliseconds.
const FLUSH: Millis = 5_000;

/// How long the controllers may take until pods can be made.
const SERVES_WITHIN: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// What comes from other threads.
enum News {
    /// A watch told something.
    Told(Resource, Told),
    /// The answer to a request of the operator.
    Answer(Ticket, Answer),
    /// The answer to a request of an actor.
    Answered(u64, Answer),
}

/// What a real cluster is made of.
pub(in crate::cluster) struct Setup {
    /// The provider's name.
    pub(in crate::cluster) provider: &'static str,
    pub(in crate::cluster) api: Api,
    pub(in crate::cluster) audit_log: Utf8PathBuf,
    pub(in crate::cluster) ground: Box<dyn Ground>,
    /// The nodes that are simulated, and the entropy of actors.
    pub(in crate::cluster) world: WorldConfig,
    /// Carries requests and watches.
    pub(in crate::cluster) runtime: Runtime,
}

/// A real API server, and what takes part in the cluster.
pub(in crate::cluster) struct RealCluster {
    provider: &'static str,
    api: Api,
    world: World,
    log: Log,
    recorder: Recorder,
    staff: Staff,
    programs: Programs,
    followed: BTreeSet<Resource>,
    news: Receiver<News>,
    tell: Tell<News>,
    observed: Vec<Observation>,
    answers: BTreeMap<Ticket, Answer>,
    next_ticket: u64,
    next_observation: u64,
    /// When the trial began, in milliseconds since the epoch of virtual time.
    began: Millis,
    /// The time of the last observation since then.
    last: Millis,
    /// After everything that uses it.
    _runtime: Runtime,
    /// Last: when it is given back, nothing of this trial acts any more.
    ground: Box<dyn Ground>,
}

impl RealCluster {
    /// The cluster, once pods can be made in it.
    pub(in crate::cluster) fn new(setup: Setup) -> Result<Self, ClusterError> {
        let failed = |error: std::io::Error| ClusterError::Environment(error.to_string());
        let log = Log::open(&setup.audit_log).map_err(failed)?;
        let began = now();
        let (tell, news) = channel();
        let mut cluster = RealCluster {
            provider: setup.provider,
            api: setup.api,
            ground: setup.ground,
            world: World::remote(setup.world, began),
            log,
            recorder: Recorder::default(),
            staff: Staff::default(),
            followed: BTreeSet::new(),
            programs: Programs::default(),
            news,
            tell,
            observed: Vec::new(),
            answers: BTreeMap::new(),
            next_ticket: 0,
            next_observation: 0,
            began,
            last: 0,
            _runtime: setup.runtime,
        };
        cluster.wait_until_pods_can_be_made()?;
        let types: Vec<Type> = cluster.world.api().resources().cloned().collect();
        types.iter().for_each(|kind| cluster.follow(kind));
        cluster.wait_for_lists()?;
        cluster.began = now();
        Ok(cluster)
    }

    /// Makes the nodes that are there already known to the trial, and their kubelets.
    pub(in crate::cluster) fn introduce_nodes(&mut self) -> Result<(), ClusterError> {
        let Some(kind) = self.kind_of(&Resource::NODES) else { return Ok(()) };
        for Present { name, user_agent } in mark(&self.api, &kind, now())? {
            let user = Text::from(format!("system:node:{name}"));
            let started = self.staff.arrived(name_of(&user, &user_agent), user, user_agent);
            self.observe(now(), started);
        }
        Ok(())
    }

    /// What there is before the trial is no part of its history; all that comes later is.
    fn wait_for_lists(&mut self) -> Result<(), ClusterError> {
        let mut missing = self.followed.clone();
        while let Some(next) = missing.first() {
            let Ok(news) = self.news.recv_timeout(SERVES_WITHIN) else {
                let text = format!("the API server does not list {next}");
                return Err(ClusterError::Environment(text));
            };
            if let News::Told(resource, Told::Of(mirrored)) = news {
                missing.remove(&resource);
                self.world.mirror(&resource, &mirrored);
            }
        }
        Ok(())
    }

    /// Pods need the service account of their namespace, which a controller makes.
    fn wait_until_pods_can_be_made(&mut self) -> Result<(), ClusterError> {
        let kind = self.kind_of(&Resource::SERVICE_ACCOUNTS);
        let request =
            Request::get(Resource::SERVICE_ACCOUNTS, ObjectKey::new("default", "default"));
        let sender = Sender { user: None, user_agent: Text::new_static(AGENT) };
        let mut waited = Duration::ZERO;
        while let Some(kind) = &kind {
            let api = &self.api;
            if api.runtime.block_on(api.answer(call(kind, &request, &sender))).is_ok() {
                return Ok(());
            }
            if waited > SERVES_WITHIN {
                let words = self.ground.last_words();
                let text = format!("the controllers make no service account: {words}");
                return Err(ClusterError::Environment(text));
            }
            std::thread::sleep(ASK_AGAIN);
            waited += ASK_AGAIN;
        }
        Ok(())
    }

    /// Follows a type, unless it is followed already.
    fn follow(&mut self, kind: &Type) {
        if !is_followed(&kind.resource) || !self.followed.insert(kind.resource.clone()) {
            return;
        }
        let (tell, resource) = (self.tell.clone(), kind.resource.clone());
        let tell = move |told| tell.send(News::Told(resource.clone(), told)).is_ok();
        let api = self.api.clone();
        let runtime = api.runtime.clone();
        runtime.spawn(follow(api, kind.clone(), tell));
    }

    fn kind_of(&self, resource: &Resource) -> Option<Type> {
        self.world.api().resources().find(|kind| kind.resource == *resource).cloned()
    }

    /// Lets the world go on to the time that it is, and carries what its actors ask for.
    fn follow_clock(&mut self) {
        let now = now();
        while self.world.next_event().is_some_and(|at| at <= now) {
            self.world.step();
        }
        self.world.advance_to(now);
        for outgoing in self.world.take_outgoing() {
            let Some(kind) = self.kind_of(&outgoing.request.resource) else {
                self.world.answered(outgoing.ticket, Err(Status::new(404, "NotFound", "")));
                continue;
            };
            let sender = Sender { user: Some(outgoing.user), user_agent: outgoing.user_agent };
            let (tell, ticket) = (self.tell.clone(), outgoing.ticket);
            // Nobody listens any more once the trial is over.
            let then = move |answer| drop(tell.send(News::Answered(ticket, answer)));
            self.api.send(call(&kind, &outgoing.request, &sender), then);
        }
        for record in self.world.take_records() {
            // What the actors of real processes are told is not known, so no one's is.
            if matches!(record.what, What::Deliver { .. }) {
                continue;
            }
            let at = record.at;
            if let What::Actor { actor, user, user_agent, .. } = &record.what {
                self.recorder.name(user, user_agent, actor);
            }
            if let Some(observation) = observation(record) {
                self.observe(at, observation.body);
            }
        }
    }

    fn take(&mut self, news: News) {
        match news {
            News::Answer(ticket, answer) => drop(self.answers.insert(ticket, answer)),
            News::Answered(ticket, answer) => self.world.answered(ticket, answer),
            News::Told(resource, Told::Missed) => {
                let reason = format!("a watch of {resource} had to list again");
                self.observe(now(), self.gap("objects", reason));
            }
            News::Told(resource, Told::Of(mirrored)) => self.mirror(&resource, &mirrored),
        }
    }

    fn mirror(&mut self, resource: &Resource, mirrored: &Mirrored) {
        let newest = match mirrored {
            Mirrored::Applied(object) | Mirrored::Deleted(object) => {
                object::resource_version(object)
            }
            Mirrored::Listed(items) => {
                items.iter().map(object::resource_version).max().unwrap_or(0)
            }
        };
        for write in self.world.mirror(resource, mirrored) {
            if is_of_the_system(&write.key.namespace) {
                continue;
            }
            let change = Change {
                rv: write.after.as_ref().map_or(newest, object::resource_version),
                resource: write.resource,
                key: write.key,
                before: write.before,
                after: write.after,
            };
            self.recorder.changed(now(), change);
        }
        if *resource == Resource::CUSTOM_RESOURCE_DEFINITIONS {
            let custom = self.world.api().resources().filter(|kind| kind.custom).cloned();
            custom.collect::<Vec<Type>>().iter().for_each(|kind| self.follow(kind));
        }
    }

    fn gap(&self, missing: &'static str, reason: String) -> Body {
        Body::Gap(Gap { from: self.last, missing: Text::new_static(missing), reason })
    }

    /// Takes in what the log and the watches have told so far.
    fn record(&mut self) -> Result<(), ClusterError> {
        let entries = self.log.read().map_err(|error| {
            ClusterError::Environment(format!("the audit log can't be read: {error}"))
        })?;
        let now = now();
        let since = self.began.saturating_sub(BEFORE);
        for entry in entries.into_iter().filter(|entry| entry.at >= since && is_told(entry)) {
            self.recorder.asked(now, entry);
        }
        for recorded in self.recorder.take(now) {
            match recorded {
                Recorded::Actor { actor, user, user_agent } => {
                    let started = self.staff.arrived(actor, user, user_agent);
                    self.observe(now, started);
                }
                Recorded::Request(mut event, at) => {
                    event.incarnation = self.incarnation(&event.actor);
                    self.observe(at, Body::Request(event));
                }
                Recorded::Unclaimed(change) => {
                    let what = format!("{} {}", change.resource, change.key);
                    let reason = format!("the audit log does not say who changed {what}");
                    // An eviction is known by what it changed.
                    for missing in ["actors", "evictions"] {
                        self.observe(now, self.gap(missing, reason.clone()));
                    }
                    self.observe(now, Body::Request(Box::new(unclaimed(change))));
                }
            }
        }
        Ok(())
    }

    /// Observes what happened at a time since the epoch.
    fn observe(&mut self, at: Millis, body: Body) {
        self.observe_about(at, 0, body);
    }

    fn observe_about(&mut self, at: Millis, uncertainty: Millis, body: Body) {
        let at = at.saturating_sub(self.began);
        self.last = self.last.max(at);
        let id = self.next_observation;
        self.next_observation += 1;
        self.observed.push(Observation { id, at, uncertainty, cause: None, body });
    }

    fn incarnation(&self, actor: &str) -> u32 {
        let of_world = self.world.incarnation(actor).map(|(number, _)| number);
        let known = of_world.or_else(|| self.programs.incarnation(actor));
        known.unwrap_or_else(|| self.staff.incarnation(actor))
    }

    fn pull_process(&mut self, lever: &Lever) -> Option<Touched> {
        let moved = self.programs.pull(lever, &self.api);
        let (touched, events) = moved.or_else(|| self.staff.pull(lever, self.ground.as_mut()))?;
        events.into_iter().for_each(|event| self.observe(now(), Body::Actor(event)));
        Some(touched)
    }
}

/// The wall clock, in milliseconds since the epoch of virtual time.
pub(in crate::cluster) fn now() -> Millis {
    Millis::try_from(jiff::Timestamp::now().as_millisecond() - object::EPOCH).unwrap_or(0)
}

/// Nothing is judged by leases and Events, and secrets are nobody's business.
fn is_followed(resource: &Resource) -> bool {
    ![Resource::LEASES, Resource::EVENTS, Resource::SECRETS].contains(resource)
}

/// Whether an entry belongs into a history: not what the harness asks to record it, nor the charge
/// of a budget that the API server writes to itself while it evicts, for that is the eviction's.
fn is_told(entry: &Entry) -> bool {
    let is_charge =
        entry.user == "system:apiserver" && entry.resource == Resource::POD_DISRUPTION_BUDGETS;
    is_followed(&entry.resource)
        && entry.user_agent != AGENT
        && !is_charge
        && !is_of_the_system(&entry.key.namespace)
}

fn unclaimed(change: Change) -> RequestEvent {
    use kubesim_model::request::Verb;
    let verb = match (&change.before, &change.after) {
        (None, _) => Verb::Create,
        (_, None) => Verb::Delete,
        _ => Verb::Update,
    };
    RequestEvent {
        actor: Text::new_static("unknown"),
        incarnation: 1,
        verb,
        resource: change.resource.clone(),
        key: change.key.clone(),
        subresource: Text::default(),
        code: 200,
        reason: Text::default(),
        message: String::new(),
        injected: false,
        changes: vec![change],
    }
}

impl Cluster for RealCluster {
    fn now(&self) -> Millis {
        now().saturating_sub(self.began).max(self.last)
    }

    fn began(&self) -> Millis {
        self.began
    }

    fn advance(&mut self, until: Millis) -> Result<Advance, ClusterError> {
        loop {
            if let Some(why) = self.ground.is_broken() {
                return Err(ClusterError::Environment(why));
            }
            while let Ok(news) = self.news.try_recv() {
                self.take(news);
            }
            self.follow_clock();
            for (at, uncertainty, fact) in self.ground.facts() {
                self.observe_about(at, uncertainty, Body::Host(fact));
            }
            self.record()?;
            let now = self.now();
            if !self.observed.is_empty() || !self.answers.is_empty() || now >= until {
                let observed = std::mem::take(&mut self.observed);
                return Ok(Advance { observed, idle: false });
            }
            let next = self.world.next_event().map_or(until, |at| at.saturating_sub(self.began));
            let wait = until.min(next).saturating_sub(now).clamp(1, GLANCE);
            if let Ok(news) = self.news.recv_timeout(Duration::from_millis(wait)) {
                self.take(news);
            }
        }
    }

    fn finish(&mut self) -> Result<Vec<Observation>, ClusterError> {
        let until = self.now() + FLUSH;
        while !self.recorder.is_empty() && self.now() < until {
            while let Ok(news) = self.news.recv_timeout(Duration::from_millis(GLANCE)) {
                self.take(news);
            }
            self.record()?;
        }
        Ok(std::mem::take(&mut self.observed))
    }

    fn clock(&self) -> Clock {
        Clock::Wall
    }

    fn install(&mut self, program: &Program) -> Result<(), ClusterError> {
        match program.clone() {
            Program::InProcess { node: Some(node), .. } if self.world.host(&node).is_none() => {
                let what = format!("run a program of the simulation on the real node `{node}`");
                Err(ClusterError::Unsupported { provider: self.provider, what })
            }
            Program::InProcess { name, user, user_agent, node, start } => {
                let actor = ActorSpec::new(name, move || start());
                self.world.add_actor(ActorSpec { user, user_agent, node, ..actor });
                Ok(())
            }
            Program::Client { name, user, user_agent, start } => {
                self.recorder.name(&user, &user_agent, &name);
                let who = (name, user, user_agent);
                let started = self.programs.install(&self.api, who, start)?;
                self.observe(now(), Body::Actor(started));
                Ok(())
            }
            other => {
                let what = format!("run the program `{other:?}`");
                Err(ClusterError::Unsupported { provider: self.provider, what })
            }
        }
    }

    fn submit(&mut self, request: Request) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        match self.kind_of(&request.resource) {
            None => drop(self.answers.insert(ticket, Err(Status::new(404, "NotFound", "")))),
            Some(kind) => {
                let sender = Sender { user: None, user_agent: Text::new_static(OPERATOR_AGENT) };
                let tell = self.tell.clone();
                let then = move |answer| drop(tell.send(News::Answer(ticket, answer)));
                self.api.send(call(&kind, &request, &sender), then);
            }
        }
        ticket
    }

    fn take_answer(&mut self, ticket: Ticket) -> Option<Answer> {
        self.answers.remove(&ticket)
    }

    fn pull(&mut self, lever: &Lever) -> Result<Touched, LeverError> {
        if let Some(touched) = self.pull_process(lever) {
            return Ok(touched);
        }
        let Some(pulled) = self.ground.pull(lever) else { return self.world.pull(lever) };
        if pulled.as_ref().is_ok_and(|touched| !touched.nodes.is_empty())
            && let Some(event) = self.staff.kubelet(lever)
        {
            self.observe(now(), Body::Actor(event));
        }
        pulled
    }

    fn kubeconfig(&self) -> Option<&Utf8Path> {
        Some(self.ground.kubeconfig())
    }

    fn fork(&self) -> Option<Box<dyn Cluster>> {
        None
    }
}
