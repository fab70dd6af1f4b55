//! A real API server as a cluster. A world follows the wall clock beside it; what its actors ask
//! for is carried out by the real server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, Sender as Tell, channel};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use kubesim::api::Type;
use kubesim::world::{ActorSpec, Mirrored, World, WorldConfig};
use kubesim_model::request::{Answer, Request, Status};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, object};

use super::api::{Api, Sender};
use super::audit::Log;
use super::deliveries::Deliveries;
use super::ground::{Ground, turn_of};
use super::programs::Programs;
use super::proxy::Proxy;
use super::record::{Mark, Recorder};
use super::recording::is_followed;
use super::runtime::Runtime;
use super::staff::Staff;
use super::watch::{AGENT, Told, follow};
use crate::cluster::sim::OPERATOR_AGENT;
use crate::cluster::{
    Advance, Cluster, ClusterError, Lever, LeverError, Observation, Program, ProgramLog, Ticket,
    Touched,
};
use crate::history::{ActorEvent, ActorPhase, Body, Clock};

/// How often the audit log is read, in milliseconds.
const GLANCE: Millis = 10;

/// How much news is taken in before it is looked at the clock again.
const AT_ONCE: usize = 10_000;

/// How long the end of a trial may wait for the log to catch up, in milliseconds.
const FLUSH: Millis = 8_000;

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
    /// What it says who did what in; without it nobody knows.
    pub(in crate::cluster) audit_log: Option<Utf8PathBuf>,
    pub(in crate::cluster) ground: Box<dyn Ground>,
    /// The nodes that are simulated, and the entropy of actors.
    pub(in crate::cluster) world: WorldConfig,
    /// Carries requests and watches.
    pub(in crate::cluster) runtime: Runtime,
    pub(in crate::cluster) proxy: Way,
}

/// How the programs that are no part of this process reach the API.
pub(in crate::cluster) enum Way {
    /// As they always do.
    Direct,
    /// Through the chaos proxy.
    Through(Proxy),
    /// Not through the proxy, though they should, and why.
    Blocked(String),
}

/// A real API server, and what takes part in the cluster.
pub(in crate::cluster) struct RealCluster {
    /// Before the cluster in which they run.
    pub(super) programs: Programs,
    provider: &'static str,
    pub(super) api: Api,
    pub(super) world: World,
    pub(super) log: Option<Log>,
    pub(super) recorder: Recorder,
    pub(super) staff: Staff,
    pub(super) proxy: Option<Proxy>,
    pub(super) deliveries: Deliveries,
    pub(super) followed: BTreeSet<Resource>,
    news: Receiver<News>,
    tell: Tell<News>,
    pub(super) observed: Vec<Observation>,
    answers: BTreeMap<Ticket, Answer>,
    next_ticket: u64,
    pub(super) next_observation: u64,
    /// When the trial began, in milliseconds since the epoch of virtual time.
    pub(super) began: Millis,
    /// The time of the last observation since then.
    pub(super) last: Millis,
    /// After everything that uses it.
    _runtime: Runtime,
    /// Last: when it is given back, nothing of this trial acts any more.
    ground: Box<dyn Ground>,
}

impl RealCluster {
    /// The cluster, once pods can be made in it.
    pub(in crate::cluster) fn new(setup: Setup) -> Result<Self, ClusterError> {
        let failed = |error: std::io::Error| ClusterError::Environment(error.to_string());
        let log = setup.audit_log.as_deref().map(Log::open).transpose().map_err(failed)?;
        let (proxy, blocked) = match setup.proxy {
            Way::Direct => (None, None),
            Way::Through(proxy) => (Some(proxy), None),
            Way::Blocked(why) => (None, Some(why)),
        };
        proxy.iter().for_each(|proxy| proxy.begin(setup.world.seed));
        // Simulated ones come in the course of the trial.
        let are_real = setup.world.nodes.is_empty();
        let began = now();
        let (tell, news) = channel();
        let mut cluster = RealCluster {
            provider: setup.provider,
            api: setup.api,
            ground: setup.ground,
            world: World::remote(setup.world, began),
            recorder: Recorder::new(log.is_some()),
            log,
            staff: Staff::default(),
            followed: BTreeSet::new(),
            programs: Programs::default(),
            proxy,
            deliveries: Deliveries::default(),
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
        types.iter().filter(|kind| is_recorded(kind)).for_each(|kind| cluster.follow(kind));
        let nodes = cluster.wait_for_lists()?;
        cluster.began = now();
        if let Some(why) = blocked {
            let reason = format!("the chaos proxy is not reached: {why}");
            cluster.observe(now(), cluster.gap("deliveries", reason));
        }
        cluster.introduce_staff();
        if are_real {
            cluster.introduce_nodes(nodes);
        }
        Ok(cluster)
    }

    /// What there is before the trial is no part of its history; all that comes later is. Answers
    /// the nodes.
    fn wait_for_lists(&mut self) -> Result<Vec<Tree>, ClusterError> {
        let mut nodes = Vec::new();
        let mut missing = self.followed.clone();
        while let Some(next) = missing.first() {
            let Ok(news) = self.news.recv_timeout(SERVES_WITHIN) else {
                let text = format!("the API server does not list {next}");
                return Err(ClusterError::Environment(text));
            };
            if let News::Told(resource, Told::Of(mirrored)) = news {
                missing.remove(&resource);
                self.world.mirror(&resource, &mirrored);
                let Mirrored::Listed(items) = mirrored else { continue };
                let newest = items.iter().map(object::resource_version).max();
                self.deliveries.is_old(&resource, newest.unwrap_or(0));
                if resource == Resource::NODES {
                    nodes = items;
                }
            }
        }
        Ok(nodes)
    }

    /// Pods need the service account of their namespace, which a controller makes.
    fn wait_until_pods_can_be_made(&mut self) -> Result<(), ClusterError> {
        let kind = self.kind_of(&Resource::SERVICE_ACCOUNTS);
        let request =
            Request::get(Resource::SERVICE_ACCOUNTS, ObjectKey::new("default", "default"));
        let sender = Sender::administrator(AGENT);
        let mut waited = Duration::ZERO;
        while let Some(kind) = &kind {
            let api = &self.api;
            if api.runtime.block_on(api.ask(kind, &request, &sender)).is_ok() {
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
    pub(super) fn follow(&mut self, kind: &Type) {
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
            let id = Text::from(format!("world-{:012}", outgoing.ticket));
            let (incarnation, injected) = (Some(outgoing.incarnation), outgoing.injected);
            self.recorder.mark(id.clone(), Mark { incarnation, injected });
            let (user, user_agent) = (Some(outgoing.user), outgoing.user_agent);
            let sender = Sender { user, user_agent, id };
            let (tell, ticket) = (self.tell.clone(), outgoing.ticket);
            // Nobody listens any more once the trial is over.
            let then = move |answer| drop(tell.send(News::Answered(ticket, answer)));
            self.api.send(&kind, &outgoing.request, &sender, then);
        }
        for record in self.world.take_records() {
            self.record_of_world(record);
        }
    }

    /// Takes in what there is, but not without end: it may come faster than it is taken.
    fn take_what_is_there(&mut self) {
        for _ in 0..AT_ONCE {
            let Ok(news) = self.news.try_recv() else { return };
            self.take(news);
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

    pub(super) fn pull_process(&mut self, lever: &Lever) -> Option<Result<Touched, LeverError>> {
        let ways = (&self.api, self.proxy.as_ref());
        let moved = self.programs.pull(lever, ways, self.ground.as_mut(), now());
        let moved = match moved.transpose() {
            Ok(moved) => moved,
            Err(error) => return Some(Err(error)),
        };
        if let Some((_, events)) = &moved {
            self.incarnated(events);
        }
        let (touched, events) = moved.or_else(|| {
            let started = turn_of(lever).filter(|(_, phase)| *phase == ActorPhase::Started);
            let component = started.and_then(|(actor, _)| self.staff.component_of(actor));
            let pulled = self.staff.pull(lever, self.ground.as_mut());
            let did_start = pulled.as_ref().is_some_and(|(_, events)| !events.is_empty());
            if let (Some(proxy), Some(component), true) = (&self.proxy, component, did_start) {
                proxy.started(component);
            }
            pulled
        })?;
        events.into_iter().for_each(|event| self.observe(now(), Body::Actor(event)));
        Some(Ok(touched))
    }

    /// Who was started again is let through as the one that he is now.
    fn incarnated(&self, events: &[ActorEvent]) {
        let started = events.iter().filter(|event| event.phase == ActorPhase::Started);
        for (event, proxy) in started.zip(std::iter::repeat(&self.proxy)) {
            proxy.iter().for_each(|proxy| proxy.incarnated(&event.actor, event.incarnation));
        }
    }

    /// Moves a lever on what passes the proxy; `None` if it does not.
    fn pull_proxy(&mut self, lever: &Lever) -> Option<Result<Touched, LeverError>> {
        let proxy = self.proxy.as_ref()?;
        let actor = match lever {
            Lever::RequestRule { actor, .. }
            | Lever::WatchRule { actor, .. }
            | Lever::DropWatches { actor, .. } => actor,
            Lever::Forget { rule } => {
                // Rules of the world may have the same name.
                proxy.forget(rule);
                return None;
            }
            _ => return None,
        };
        let component = self.staff.component_of(actor);
        let passes = component.is_some() || self.programs.passes(actor, proxy);
        passes.then(|| proxy.pull(lever, component)).flatten()
    }
}

/// Whether every cluster serves a type, and its objects have to do with workloads.
fn is_recorded(kind: &Type) -> bool {
    let (group, plural) = (kind.resource.group(), kind.resource.plural());
    let groups = [
        "",
        "apps",
        "batch",
        "policy",
        "discovery.k8s.io",
        "coordination.k8s.io",
        "scheduling.k8s.io",
        "rbac.authorization.k8s.io",
        "apiextensions.k8s.io",
    ];
    !kind.asked
        && plural != "componentstatuses"
        && (groups.contains(&group)
            || ["ingresses", "networkpolicies", "storageclasses"].contains(&plural))
}

/// The wall clock, in milliseconds since the epoch of virtual time.
pub(in crate::cluster) fn now() -> Millis {
    Millis::try_from(jiff::Timestamp::now().as_millisecond() - object::EPOCH).unwrap_or(0)
}

impl Drop for RealCluster {
    fn drop(&mut self) {
        // Whoever is part of the cluster goes on when the trial is over.
        self.proxy.iter().for_each(Proxy::end);
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
            self.take_what_is_there();
            self.follow_clock();
            for (at, uncertainty, fact) in self.ground.facts() {
                let stopped = self.programs.stand_still(&fact);
                let seen = self.programs.saw(&fact);
                if seen.is_none() {
                    self.observe_about(at, uncertainty, Body::Host(fact));
                }
                let events: Vec<ActorEvent> = seen.into_iter().flatten().chain(stopped).collect();
                self.incarnated(&events);
                events.into_iter().for_each(|event| self.observe(at, Body::Actor(event)));
            }
            let restarted = self.programs.attend(now());
            self.incarnated(&restarted);
            restarted.into_iter().for_each(|event| self.observe(now(), Body::Actor(event)));
            if let Some(why) = self.programs.trouble() {
                return Err(ClusterError::Environment(why));
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
            if let Ok(news) = self.news.recv_timeout(Duration::from_millis(GLANCE)) {
                self.take(news);
                self.take_what_is_there();
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
            _ if self.api.scope.is_bounded() => {
                let what = "hold a program of its own back from the rest of the cluster";
                let what = what.to_owned();
                Err(ClusterError::Unsupported { provider: self.provider, what })
            }
            other => {
                let kubeconfig = self.ground.kubeconfig();
                let ways = (&self.api, self.proxy.as_ref());
                let installed = self.programs.install(ways, kubeconfig, other, now())?;
                for (user, user_agent, name) in &installed.names {
                    self.recorder.name(user, user_agent, name);
                }
                let started = installed.started.map(Body::Actor);
                started.into_iter().for_each(|started| self.observe(now(), started));
                Ok(())
            }
        }
    }

    fn submit(&mut self, request: Request) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        match self.kind_of(&request.resource) {
            None => drop(self.answers.insert(ticket, Err(Status::new(404, "NotFound", "")))),
            Some(kind) => {
                let sender = Sender::administrator(OPERATOR_AGENT);
                let tell = self.tell.clone();
                let then = move |answer| drop(tell.send(News::Answer(ticket, answer)));
                self.api.send(&kind, &request, &sender, then);
            }
        }
        ticket
    }

    fn take_answer(&mut self, ticket: Ticket) -> Option<Answer> {
        self.answers.remove(&ticket)
    }

    fn pull(&mut self, lever: &Lever) -> Result<Touched, LeverError> {
        let pulled = self.pull_process(lever).or_else(|| self.pull_proxy(lever));
        if let Some(pulled) = pulled {
            return pulled;
        }
        let Some(pulled) = self.ground.pull(lever) else { return self.world.pull(lever) };
        if pulled.as_ref().is_ok_and(|touched| !touched.nodes.is_empty())
            && let Some(event) = self.staff.kubelet(lever)
        {
            self.observe(now(), Body::Actor(event));
        }
        pulled
    }

    fn logs(&self) -> Vec<ProgramLog> {
        self.programs.logs(&self.api)
    }

    fn kubeconfig(&self) -> Option<&Utf8Path> {
        Some(self.ground.kubeconfig())
    }

    fn fork(&self) -> Option<Box<dyn Cluster>> {
        None
    }
}
