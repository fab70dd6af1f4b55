//! A simulated cluster that is served, as a cluster. Its world tells exactly who did what; what
//! programs beside it are told and what faults do to their requests is the chaos proxy's, through
//! which they reach it. Nothing has to be brought together from logs and watches.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use kubesim::world::{ActorSpec, Record, Staff, World, WorldConfig};
use kubesim_model::Millis;
use kubesim_model::request::{Answer, Request, Status};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_server::{Options, Server};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

use super::cast::Cast;
use super::heard::Heard;
use crate::cluster::real::{Api, Credentials, Endpoint, Folder, Programs, Proxy, Runtime, now};
use crate::cluster::sim::{OPERATOR, OPERATOR_AGENT, OPERATOR_USER, collect_answers};
use crate::cluster::{
    Advance, Cluster, ClusterError, Lever, LeverError, Observation, Program, ProgramLog, Ticket,
    Touched,
};
use crate::history::{ActorEvent, ActorPhase, Body, Clock};

/// How often the proxy and the programs are looked after, in milliseconds.
const GLANCE: Millis = 10;

/// How long the controllers may take until pods can be made, in milliseconds.
const SERVES_WITHIN: u64 = 60_000;

/// Why nothing more can be known.
const FAILED: &str = "the simulated cluster has failed";

/// A world that is served, and what takes part in it from outside.
pub(super) struct ServedCluster {
    /// Before the cluster in which they run.
    pub(super) programs: Programs,
    api: Api,
    pub(super) proxy: Proxy,
    pub(super) heard: Heard,
    pub(super) cast: Cast,
    records: Receiver<Vec<Record>>,
    /// Records that were received and not looked at yet.
    pub(super) early: Vec<Record>,
    pub(super) observed: Vec<Observation>,
    pending: Vec<(Ticket, u64)>,
    answers: BTreeMap<Ticket, Answer>,
    next_ticket: u64,
    pub(super) next_observation: u64,
    /// The numbers of observations by those of the world's records.
    pub(super) numbers: BTreeMap<u64, u64>,
    /// The time of the last observation since the beginning.
    pub(super) last: Millis,
    pub(super) server: Server,
    kubeconfig: Utf8PathBuf,
    _folder: Folder,
    /// After everything that uses it.
    _runtime: Runtime,
}

impl ServedCluster {
    /// A cluster that is this world, once pods can be made in it.
    pub(super) fn new(world: WorldConfig) -> Result<Self, ClusterError> {
        let runtime = Runtime::new().map_err(|error| failed("no threads", &error))?;
        let folder = Folder::new().map_err(|error| failed("no temporary folder", &error))?;
        let seed = world.seed;
        let (server, records) = served(world)?;
        let endpoint = Endpoint {
            server: format!("https://{}", server.address()),
            authority: server.authority().as_bytes().to_vec(),
        };
        let kubeconfig = folder.path().join("kubeconfig");
        let text = endpoint.kubeconfig(&Credentials::Token(server.token()));
        std::fs::write(&kubeconfig, text).map_err(|error| failed(kubeconfig.as_str(), &error))?;
        let api = Api::new(connection(&endpoint, &server)?, runtime.handle().clone())?;
        let proxy = Proxy::start(&api, folder.name())?;
        proxy.begin(seed);
        let cluster = ServedCluster {
            programs: Programs::default(),
            api,
            proxy,
            heard: Heard::default(),
            cast: Cast::default(),
            records,
            early: Vec::new(),
            observed: Vec::new(),
            pending: Vec::new(),
            answers: BTreeMap::new(),
            next_ticket: 0,
            next_observation: 0,
            numbers: BTreeMap::new(),
            last: 0,
            server,
            kubeconfig,
            _folder: folder,
            _runtime: runtime,
        };
        let operator = |world: &mut World| {
            world.add_client(OPERATOR, OPERATOR_USER, OPERATOR_AGENT);
        };
        cluster.act(operator)?;
        cluster.wait_until_pods_can_be_made()?;
        Ok(cluster)
    }

    /// Does something with the world.
    fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut World) -> T + Send + 'static,
    ) -> Result<T, ClusterError> {
        let failed = || ClusterError::Environment(FAILED.to_owned());
        self.server.act(act).ok_or_else(failed)
    }

    /// Pods need the service account of their namespace, which a controller makes.
    fn wait_until_pods_can_be_made(&self) -> Result<(), ClusterError> {
        for _ in 0..SERVES_WITHIN / GLANCE {
            let account = ObjectKey::new("default", "default");
            let made = move |world: &mut World| {
                world.api().get(&Resource::SERVICE_ACCOUNTS, &account).is_some()
            };
            if self.act(made)? {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(GLANCE));
        }
        let text = "the simulated controllers make no service account";
        Err(ClusterError::Environment(text.to_owned()))
    }

    /// Takes in what has happened so far. What a program was told of is taken in after it.
    fn take_in(&mut self) -> Result<(), ClusterError> {
        self.heard.take_in(self.proxy.take());
        let known = self.heard.len();
        if known > 0 || !self.pending.is_empty() {
            let mut pending = std::mem::take(&mut self.pending);
            // When this is answered, all that happened before is recorded.
            let (pending, answers) = self.act(move |world| {
                let mut answers = BTreeMap::new();
                collect_answers(world, &mut pending, &mut answers);
                (pending, answers)
            })?;
            self.pending = pending;
            self.answers.extend(answers);
        }
        self.early.extend(self.records.try_iter().flatten());
        self.heard.take_in(self.proxy.take());
        let ends = self.tell(known);
        for actor in ends {
            // A program that has ended meanwhile is not ended again.
            let _ = self.pull(&Lever::CrashActor { actor });
        }
        Ok(())
    }

    /// Takes in all that has happened until now.
    fn catch_up(&mut self) -> Result<(), ClusterError> {
        self.act(|_| ())?;
        self.take_in()
    }

    /// Looks after the programs.
    fn attend(&mut self) -> Result<(), ClusterError> {
        let turned = self.programs.attend(now());
        if !turned.is_empty() {
            // What one asked for before it ended comes before that.
            self.catch_up()?;
            self.turned(turned);
        }
        self.programs.trouble().map_or(Ok(()), |why| Err(ClusterError::Environment(why)))
    }

    /// Programs were ended, started or made to stand still or go on.
    fn turned(&mut self, events: Vec<ActorEvent>) {
        for event in events {
            if event.phase == ActorPhase::Started {
                self.proxy.incarnated(&event.actor, event.incarnation);
            }
            self.observe(now(), None, Body::Actor(event));
        }
    }

    /// Moves a lever that acts on a program beside the cluster; `None` if it does not.
    fn pull_beside(&mut self, lever: &Lever) -> Option<Result<Touched, LeverError>> {
        let ways = (&self.api, Some(&self.proxy));
        if let Some((touched, events)) = self.programs.pull_beside(lever, ways, now()) {
            // What it asked for before comes before.
            if let Err(error) = self.catch_up() {
                return Some(Err(LeverError::Failed(error.to_string())));
            }
            self.turned(events);
            return Some(Ok(touched));
        }
        match lever {
            Lever::RequestRule { actor, .. }
            | Lever::WatchRule { actor, .. }
            | Lever::DropWatches { actor, .. }
                if self.programs.passes(actor, &self.proxy) =>
            {
                self.proxy.pull(lever, None)
            }
            Lever::Forget { rule } => {
                // Rules of the world may have the same name.
                self.proxy.forget(rule);
                None
            }
            _ => None,
        }
    }
}

/// Serves a world; its records come as they are made.
fn served(world: WorldConfig) -> Result<(Server, Receiver<Vec<Record>>), ClusterError> {
    let (tell, records) = channel();
    let recorder = move |records: Vec<Record>| {
        if !records.is_empty() {
            // Nobody listens any more once the trial is over.
            let _ = tell.send(records);
        }
    };
    let options = Options {
        world,
        staff: Staff::everybody(),
        speed: 1.0,
        port: 0,
        restore: None,
        recorder: Some(Box::new(recorder)),
        routes: Vec::new(),
    };
    let server = Server::start(options).map_err(|error| failed("no simulated cluster", &error))?;
    Ok((server, records))
}

/// How the administrator reaches the API server.
fn connection(endpoint: &Endpoint, server: &Server) -> Result<kube::Config, ClusterError> {
    let url = endpoint.server.parse::<http::Uri>().map_err(|error| failed("no address", &error))?;
    let authority = CertificateDer::from_pem_slice(&endpoint.authority);
    let authority = authority.map_err(|error| failed("no certificate", &error))?;
    let mut config = kube::Config::new(url);
    config.root_cert = Some(vec![authority.to_vec()]);
    config.auth_info.token = Some(server.token().to_owned().into());
    Ok(config)
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> ClusterError {
    ClusterError::Environment(format!("{what}: {error}"))
}

impl Drop for ServedCluster {
    fn drop(&mut self) {
        // Whoever waits for what is late goes on.
        self.proxy.end();
    }
}

impl Cluster for ServedCluster {
    fn now(&self) -> Millis {
        now().saturating_sub(self.began()).max(self.last)
    }

    fn began(&self) -> Millis {
        self.server.began()
    }

    fn advance(&mut self, until: Millis) -> Result<Advance, ClusterError> {
        loop {
            self.take_in()?;
            self.attend()?;
            let now = self.now();
            if !self.observed.is_empty() || !self.answers.is_empty() || now >= until {
                let observed = std::mem::take(&mut self.observed);
                return Ok(Advance { observed, idle: false });
            }
            let wait = Duration::from_millis(until.saturating_sub(now).clamp(1, GLANCE));
            match self.records.recv_timeout(wait) {
                Ok(records) => self.early.extend(records),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(ClusterError::Environment(FAILED.to_owned()));
                }
            }
        }
    }

    fn finish(&mut self) -> Result<Vec<Observation>, ClusterError> {
        self.catch_up()?;
        Ok(std::mem::take(&mut self.observed))
    }

    fn clock(&self) -> Clock {
        Clock::Wall
    }

    fn install(&mut self, program: &Program) -> Result<(), ClusterError> {
        match program.clone() {
            Program::InProcess { name, user, user_agent, node, start } => {
                let actor = ActorSpec::new(name, move || start());
                let actor = ActorSpec { user, user_agent, node, ..actor };
                self.act(move |world| world.add_actor(actor))
            }
            Program::Objects { .. } => {
                let what = "run programs in its containers, which are simulated".to_owned();
                Err(ClusterError::Unsupported { provider: "served", what })
            }
            beside => {
                let ways = (&self.api, Some(&self.proxy));
                let installed = self.programs.install(ways, &self.kubeconfig, beside, now())?;
                for (user, _, name) in installed.names {
                    self.cast.name(user, name);
                }
                let started = installed.started.map(Body::Actor);
                started.into_iter().for_each(|started| self.observe(now(), None, started));
                Ok(())
            }
        }
    }

    fn submit(&mut self, request: Request) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        match self.act(move |world| world.submit(OPERATOR, request)) {
            Ok(Some(id)) => self.pending.push((ticket, id)),
            // The operator does not come to an end; the world may have.
            Ok(None) | Err(_) => {
                drop(self.answers.insert(ticket, Err(Status::connection_lost())));
            }
        }
        ticket
    }

    fn take_answer(&mut self, ticket: Ticket) -> Option<Answer> {
        self.answers.remove(&ticket)
    }

    fn pull(&mut self, lever: &Lever) -> Result<Touched, LeverError> {
        if let Some(pulled) = self.pull_beside(lever) {
            return pulled;
        }
        let lever = lever.clone();
        let failed = |_| LeverError::Failed(FAILED.to_owned());
        self.act(move |world| world.pull(&lever)).map_err(failed)?
    }

    fn logs(&self) -> Vec<ProgramLog> {
        self.programs.logs(&self.api)
    }

    fn kubeconfig(&self) -> Option<&Utf8Path> {
        Some(&self.kubeconfig)
    }

    fn fork(&self) -> Option<Box<dyn Cluster>> {
        None
    }
}
