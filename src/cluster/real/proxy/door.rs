//! The proxy as a server: a port on loopback, TLS, and whoever has a token.

use std::net::SocketAddr;

use camino::Utf8Path;
use hyper::service::service_fn;
use kubesim_model::Text;
use kubesim_model::resource::Resource;
use kubesim_server::{Authority, Door, Listener};
use tokio::net::{TcpListener, UnixListener};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

use super::super::api::Api;
use super::super::ground::Component;
use super::super::kubeconfig::Endpoint;
use super::gate::{Gate, Guest, Happened, Who};
use super::pass::{Server, pass};
use crate::cluster::{ClusterError, Lever, LeverError, Touched};

/// A proxy that serves as long as its runtime lives.
#[derive(Clone)]
pub(in crate::cluster) struct Proxy {
    gate: Gate,
    endpoint: Endpoint,
    /// The certificate of who signed its own.
    root: CertificateDer<'static>,
    /// Where programs in the cluster reach it, if they do: a host and a port.
    inside: Option<(Text, u16)>,
}

impl Proxy {
    /// A proxy before the API server that `api` reaches, on a port of loopback; `place` names the
    /// cluster.
    ///
    /// # Errors
    /// There is no free port, or no certificate can be made.
    pub(in crate::cluster) fn start(api: &Api, place: &str) -> Result<Proxy, ClusterError> {
        let authority = Authority::new().map_err(|error| failed(&error))?;
        let made = authority.server().map_err(|error| failed(&error))?;
        let authority = authority.pem().into_bytes();
        let root = CertificateDer::from_pem_slice(&authority).map_err(|error| failed(&error))?;
        let door = Door::new(&made.certificate, &made.key, None);
        let door = door.map_err(|error| failed(&error))?;
        let gate = Gate::new(Text::new(place));
        let served = Served::new(api, &gate)?;
        let bound = api.runtime.block_on(TcpListener::bind(("127.0.0.1", 0)));
        let listener = bound.map_err(|error| failed(&error))?;
        let address: SocketAddr = listener.local_addr().map_err(|error| failed(&error))?;
        api.runtime.spawn(serve(served, door, listener));
        let endpoint = Endpoint { server: format!("https://{address}"), authority };
        Ok(Proxy { gate, endpoint, root, inside: None })
    }

    /// Opens another door: a socket of this machine, with a certificate and its key in PEM.
    ///
    /// # Errors
    /// The socket can't be made, or they make no sense.
    pub(in crate::cluster) fn open_door(
        &self,
        api: &Api,
        socket: &Utf8Path,
        (certificate, key): (&str, &str),
    ) -> Result<(), ClusterError> {
        let door = Door::new(certificate, key, None).map_err(|error| failed(&error))?;
        let served = Served::new(api, &self.gate)?;
        // One that is gone may have left its own there.
        let _ = std::fs::remove_file(socket);
        let _inside = api.runtime.enter();
        let listener = UnixListener::bind(socket).map_err(|error| failed(&error))?;
        api.runtime.spawn(serve(served, door, listener));
        Ok(())
    }

    /// Says where programs in the cluster reach it.
    pub(in crate::cluster) fn is_reached_at(&mut self, host: Text, port: u16) {
        self.inside = Some((host, port));
    }

    /// Where programs in the cluster reach it, if they do: a host and a port.
    pub(in crate::cluster::real) fn inside(&self) -> Option<&(Text, u16)> {
        self.inside.as_ref()
    }

    /// A trial begins. What faults leave to chance is drawn from `seed`.
    pub(in crate::cluster) fn begin(&self, seed: u64) {
        self.gate.begin(seed);
    }

    /// A trial is over: nothing disturbs anybody any more.
    pub(in crate::cluster) fn end(&self) {
        self.gate.end();
    }

    /// Where it is.
    pub(in crate::cluster) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Lets somebody come through; answers his token.
    ///
    /// # Errors
    /// There is nothing to make a secret of.
    pub(in crate::cluster::real) fn admit(&self, guest: Guest) -> Result<String, ClusterError> {
        let mut secret = [0u8; 32];
        let filled = ring::default_provider().secure_random.fill(&mut secret);
        filled.map_err(|_| failed(&"the system gives no random numbers"))?;
        let token: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        self.gate.admit(token.clone(), guest);
        Ok(token)
    }

    /// Lets a component of the control plane come through; answers its token.
    ///
    /// # Errors
    /// There is nothing to make a secret of.
    pub(in crate::cluster) fn admit_component(
        &self,
        component: Component,
    ) -> Result<String, ClusterError> {
        self.admit(Guest {
            who: Who::Component(component, 0),
            user: component.user(),
            groups: vec![Text::new_static("system:authenticated")],
        })
    }

    /// Whoever comes with a token that the API server has given to this user is this actor.
    pub(in crate::cluster::real) fn name(&self, user: Text, actor: Text) {
        self.gate.name(user, actor);
    }

    /// Up to which version each was told so far of all of a resource.
    pub(in crate::cluster::real) fn told_so_far(&self) -> Vec<(Who, Resource, u64)> {
        self.gate.told_so_far()
    }

    /// A configuration for a client of this process that has this token.
    ///
    /// # Errors
    /// The address is none.
    pub(in crate::cluster) fn config_of(
        &self,
        token: String,
    ) -> Result<kube::Config, ClusterError> {
        let url = self.endpoint.server.parse::<http::Uri>().map_err(|error| failed(&error))?;
        let mut config = kube::Config::new(url);
        config.root_cert = Some(vec![self.root.to_vec()]);
        config.auth_info.token = Some(token.into());
        config.default_retry = false;
        Ok(config)
    }

    /// Nobody of this name comes through any more, until he is admitted again.
    pub(in crate::cluster) fn expel(&self, name: &str) {
        self.gate.expel(name);
    }

    /// Whoever has this name is another incarnation now.
    pub(in crate::cluster) fn incarnated(&self, name: &str, incarnation: u32) {
        self.gate.incarnated(name, incarnation);
    }

    /// A component was started again.
    pub(in crate::cluster) fn started(&self, component: Component) {
        self.gate.started(component);
    }

    /// How often a component was started again.
    pub(in crate::cluster) fn starts(&self, component: Component) -> u32 {
        self.gate.starts(component)
    }

    /// Moves a lever on requests or watches. `component` is the program that the actor is part of,
    /// if it is: its watches are the actor's. `None` if it is another lever.
    ///
    /// # Errors
    /// There is no watch that could break.
    pub(in crate::cluster) fn pull(
        &self,
        lever: &Lever,
        component: Option<Component>,
    ) -> Option<Result<Touched, LeverError>> {
        let watcher = |actor: &Text| {
            component.map_or_else(|| actor.clone(), |one| Who::Component(one, 0).name())
        };
        let actor = match lever.clone() {
            Lever::RequestRule { rule, actor, requests, effect } => {
                let name = actor.clone();
                self.gate.rule(|rules| rules.add_request_rule(rule, name, requests, effect));
                actor
            }
            Lever::WatchRule { rule, actor, resource, effect } => {
                let name = watcher(&actor);
                self.gate.rule(|rules| rules.add_watch_rule(rule, name, resource, effect));
                actor
            }
            Lever::DropWatches { actor, resource, expired } => {
                if self.gate.break_watches(&watcher(&actor), resource, expired) == 0 {
                    let why = format!("`{actor}` has no such watch open");
                    return Some(Err(LeverError::Failed(why)));
                }
                actor
            }
            _ => return None,
        };
        Some(Ok(Touched { actors: vec![actor], ..Touched::default() }))
    }

    /// The rule of this name ends.
    pub(in crate::cluster) fn forget(&self, rule: &str) {
        self.gate.rule(|rules| rules.forget(rule));
    }

    /// What happened since the last call, in order.
    pub(in crate::cluster) fn take(&self) -> Vec<Happened> {
        self.gate.take()
    }
}

fn failed(error: &dyn std::fmt::Display) -> ClusterError {
    ClusterError::Environment(format!("the chaos proxy does not work: {error}"))
}

/// Lets whoever comes by this door through the gate.
async fn serve(api: Served, door: Door, listener: impl Listener) {
    let welcome = move |_| {
        let Served { gate, server } = api.clone();
        service_fn(move |request| pass(gate.clone(), server.clone(), request))
    };
    door.serve(listener, welcome).await;
}

/// What is behind all doors.
#[derive(Clone)]
struct Served {
    gate: Gate,
    server: Server,
}

impl Served {
    fn new(api: &Api, gate: &Gate) -> Result<Served, ClusterError> {
        let (administrator, nobody) = (api.administrator(), api.nobody()?);
        Ok(Served { gate: gate.clone(), server: Server { administrator, nobody } })
    }
}
