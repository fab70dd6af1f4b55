//! The server as a whole: how it is started, who may use it, and how it ends.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

use hyper::service::service_fn;
use kubesim::api::{Authorization, Snapshot, User};
use kubesim::world::{Clients, Record, Staff, World, WorldConfig};
use kubesim_model::Text;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};

use crate::certificates::{Authority, Pair};
use crate::clock::{Clock, wall};
use crate::courier::Courier;
use crate::door::DoorError;
use crate::furnish;
use crate::hub::Hub;
use crate::routes::{Route, Routes};
use crate::service::Service;
use crate::stage::{Calling, Stage};
use crate::{Admittance, Door};

/// Takes what happened in the world, in order.
pub type Recorder = Box<dyn FnMut(Vec<Record>) + Send>;

/// The user of the credentials that a server hands out (kubeadm v1.36).
const ADMINISTRATOR: &str = "kubernetes-admin";

/// The names of the built-in actors that a served cluster may have.
pub fn controllers() -> Vec<&'static str> {
    Staff::names()
}

/// How to start a server.
pub struct Options {
    /// The cluster.
    pub world: WorldConfig,
    /// Which of the built-in actors are in it.
    pub staff: Staff,
    /// How many times as fast as the wall clock its time goes.
    pub speed: f64,
    /// The port on 127.0.0.1; any with 0.
    pub port: u16,
    /// What was kept of a cluster that is to go on.
    pub restore: Option<Snapshot>,
    /// Who is told what happens in it.
    pub recorder: Option<Recorder>,
    /// Where Services lead whose webhooks are called.
    pub routes: Vec<Route>,
}

/// Why there is no server.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Time would stand still, or not be one.
    #[error("time can't go {0} times as fast as the wall clock, but 0.001 to 10000 times")]
    Speed(f64),
    /// Somebody has the port.
    #[error("port {port} of 127.0.0.1 can't be used")]
    Port {
        /// Which.
        port: u16,
        /// What the system said.
        #[source]
        why: std::io::Error,
    },
    /// No certificate can be made.
    #[error("no certificate can be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A certificate that was made is of no use.
    #[error("no certificate can be used: {0}")]
    Door(#[from] DoorError),
    /// A certificate that was made can't be read.
    #[error("no certificate can be read: {0}")]
    Pem(#[from] pem::Error),
    /// The system has not what is needed.
    #[error("the system gives no {what}: {why}")]
    System {
        /// What of.
        what: &'static str,
        /// What it said.
        why: std::io::Error,
    },
}

/// A simulated cluster that is served. It ends when it is dropped.
pub struct Server {
    address: SocketAddr,
    authority: String,
    administrator: Pair,
    token: String,
    admittance: Admittance,
    hub: Hub,
    runtime: Option<Runtime>,
    stage: Option<JoinHandle<World>>,
    began: u64,
}

impl Server {
    /// Starts one.
    ///
    /// # Errors
    /// See [`ServeError`].
    pub fn start(options: Options) -> Result<Server, ServeError> {
        if !(options.speed.is_finite() && (0.001..=10_000.0).contains(&options.speed)) {
            return Err(ServeError::Speed(options.speed));
        }
        let authority = Authority::new()?;
        let administrator = authority.client(ADMINISTRATOR, User::MASTERS)?;
        let served = authority.server()?;
        let door = Door::new(&served.certificate, &served.key, Some(&authority.pem()))?;
        let (admittance, token) = (Admittance::default(), secret()?);
        let der = CertificateDer::from_pem_slice(administrator.certificate.as_bytes())?;
        admittance.admit_certificate(der.to_vec(), certified(&der));
        admittance.admit_token(token.clone(), master());

        let system = |what| move |why| ServeError::System { what, why };
        let runtime = Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(system("threads"))?;
        let port = options.port;
        let bound = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
        let listener = bound.map_err(|why| ServeError::Port { port, why })?;
        let address = listener.local_addr().map_err(system("address"))?;

        let (to, acts) = channel();
        let hub = Hub::new(to);
        let seed = options.world.seed;
        let authorizes = options.world.authorization == Some(Authorization::Rbac);
        let clients = Some(Clients { root_certificate: Text::from(authority.pem()) });
        let config = WorldConfig { clients, calls_webhooks: true, ..options.world };
        let mut world = match &options.restore {
            None => World::starting_at(config, wall(), &options.staff),
            Some(kept) => World::restored(config, wall(), &options.staff, kept),
        };
        let began = world.now();
        furnish::add_api_server(&mut world);
        furnish::add_service(&mut world, address);
        furnish::add_configuration(&mut world, &authority.pem());
        let clock = Clock::starting_at(began, options.speed);
        let courier = Courier::new(Routes::new(options.routes));
        let calls = Calling {
            courier: courier.clone(),
            runtime: runtime.handle().clone(),
            hub: hub.clone(),
        };
        let stage = Stage::new(world, clock, seed, (options.recorder, calls));
        let thread = std::thread::Builder::new().name("world".to_owned());
        let stage = thread.spawn(move || stage.run(&acts)).map_err(system("thread"))?;

        let (hub_of_service, known) = (hub.clone(), admittance.clone());
        let service = Service { hub: hub_of_service, admittance: known, authorizes, courier };
        runtime.spawn(door.serve(listener, move |caller| {
            let service = service.clone();
            service_fn(move |request| service.clone().answer(caller.clone(), request))
        }));
        let (runtime, stage) = (Some(runtime), Some(stage));
        let authority = authority.pem();
        Ok(Server {
            address,
            authority,
            administrator,
            token,
            admittance,
            hub,
            runtime,
            stage,
            began,
        })
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate of who signed its own, in PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// A certificate, with its key, of somebody who may do everything.
    pub fn administrator(&self) -> &Pair {
        &self.administrator
    }

    /// A token of somebody who may do everything.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Who else may come in is said here.
    pub fn admittance(&self) -> &Admittance {
        &self.admittance
    }

    /// The time of the world when it began, in milliseconds since the epoch of virtual time.
    pub fn began(&self) -> u64 {
        self.began
    }

    /// Does something with the world, at the time that it is there, and answers what came of it;
    /// `None` if the world has failed. What happened until then is told to the recorder before.
    pub fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut World) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, comes) = channel();
        self.hub.tell(move |stage| {
            let came = act(&mut stage.world);
            stage.settle();
            // Whoever asked waits for it.
            let _ = answer.send(came);
        });
        comes.recv().ok()
    }

    /// Ends it: connections break, time stands still. The world as it is then; `None` if it failed.
    pub fn stop(mut self) -> Option<World> {
        self.end()
    }

    fn end(&mut self) -> Option<World> {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        self.hub.tell(|stage| stage.end());
        self.stage.take().and_then(|stage| stage.join().ok())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Who may do everything.
fn master() -> User {
    let groups = [User::MASTERS, "system:authenticated"].map(Text::new_static);
    User { name: Text::new_static(ADMINISTRATOR), groups: groups.to_vec(), ..User::default() }
}

/// The same, known by this certificate.
fn certified(certificate: &[u8]) -> User {
    let digest = Sha256::digest(certificate);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let key = Text::new_static("authentication.kubernetes.io/credential-id");
    let id = vec![Text::from(format!("X509SHA256={hex}"))];
    User { extra: [(key, id)].into(), ..master() }
}

/// A token that nobody guesses.
fn secret() -> Result<String, ServeError> {
    let mut secret = [0u8; 32];
    let filled = ring::default_provider().secure_random.fill(&mut secret);
    filled.map_err(|_| ServeError::System {
        what: "random numbers",
        why: std::io::ErrorKind::Other.into(),
    })?;
    Ok(secret.iter().map(|byte| format!("{byte:02x}")).collect())
}
