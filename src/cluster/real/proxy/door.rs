//! The proxy as a server: a port on loopback, TLS, and whoever has a token.

use std::net::SocketAddr;
use std::sync::Arc;

use camino::Utf8Path;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use kubesim_model::Text;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::super::api::Api;
use super::super::ground::Component;
use super::super::kubeconfig::{Credentials, Endpoint};
use super::gate::{Gate, Guest, Happened, Who};
use super::pass::{Server, pass};
use crate::cluster::{ClusterError, Lever, Touched};

/// How many connections there may be at once. A program with many informers has one or two a kind.
const CONNECTIONS: usize = 2_000;

/// A proxy that serves as long as its runtime lives.
pub(in crate::cluster) struct Proxy {
    gate: Gate,
    endpoint: Endpoint,
    certificate: CertificateDer<'static>,
}

impl Proxy {
    /// A proxy before the API server that `api` reaches. What faults leave to chance is drawn from
    /// `seed`; `place` names the cluster.
    ///
    /// # Errors
    /// There is no free port, or no certificate can be made.
    pub(in crate::cluster) fn start(
        api: &Api,
        seed: u64,
        place: &str,
    ) -> Result<Proxy, ClusterError> {
        let names = ["127.0.0.1", "localhost"].map(str::to_owned).to_vec();
        let made = rcgen::generate_simple_self_signed(names).map_err(|error| failed(&error))?;
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der());
        let key = key.map_err(|error| failed(&error))?;
        let tls = tls(certificate.clone(), key).map_err(|error| failed(&error))?;
        let (administrator, nobody) = (api.administrator(), api.nobody()?);
        let gate = Gate::new(seed, Text::new(place));
        let bound = api.runtime.block_on(TcpListener::bind(("127.0.0.1", 0)));
        let listener = bound.map_err(|error| failed(&error))?;
        let address: SocketAddr = listener.local_addr().map_err(|error| failed(&error))?;
        let door = Door { gate: gate.clone(), server: Server { administrator, nobody }, tls };
        api.runtime.spawn(door.serve(listener));
        let (server, authority) = (format!("https://{address}"), made.cert.pem().into_bytes());
        Ok(Proxy { gate, endpoint: Endpoint { server, authority }, certificate })
    }

    /// Where it is.
    pub(in crate::cluster::real) fn endpoint(&self) -> &Endpoint {
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

    /// Lets a component of the control plane come through, and writes how into a kubeconfig.
    ///
    /// # Errors
    /// The file can't be written.
    pub(in crate::cluster) fn admit_component(
        &self,
        component: Component,
        kubeconfig: &Utf8Path,
    ) -> Result<(), ClusterError> {
        let token = self.admit(Guest {
            who: Who::Component(component, 0),
            user: component.user(),
            groups: vec![Text::new_static("system:authenticated")],
        })?;
        let unwritten = |error| ClusterError::Environment(format!("`{kubeconfig}`: {error}"));
        let text = self.endpoint.kubeconfig(&Credentials::Token(&token));
        std::fs::write(kubeconfig, text).map_err(unwritten)
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
        config.root_cert = Some(vec![self.certificate.to_vec()]);
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
    pub(in crate::cluster) fn pull(
        &self,
        lever: &Lever,
        component: Option<Component>,
    ) -> Option<Touched> {
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
                self.gate.break_watches(&watcher(&actor), resource, expired);
                actor
            }
            _ => return None,
        };
        Some(Touched { actors: vec![actor], ..Touched::default() })
    }

    /// The rule of this name ends.
    pub(in crate::cluster) fn forget(&self, rule: &str) {
        self.gate.rule(|rules| rules.forget(rule));
    }

    /// What happened since the last call, in order.
    pub(in crate::cluster::real) fn take(&self) -> Vec<Happened> {
        self.gate.take()
    }
}

fn failed(error: &dyn std::fmt::Display) -> ClusterError {
    ClusterError::Environment(format!("the chaos proxy does not work: {error}"))
}

fn tls(
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
) -> Result<TlsAcceptor, tokio_rustls::rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_no_client_auth().with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[derive(Clone)]
struct Door {
    gate: Gate,
    server: Server,
    tls: TlsAcceptor,
}

impl Door {
    async fn serve(self, listener: TcpListener) {
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(place) = room.clone().acquire_owned().await else { return };
            // One connection that can't be taken is not the end.
            let Ok((stream, _)) = listener.accept().await else { continue };
            let door = self.clone();
            tokio::spawn(async move {
                door.connected(stream).await;
                drop(place);
            });
        }
    }

    async fn connected(self, stream: TcpStream) {
        // Whoever does not speak TLS has no business here.
        let Ok(stream) = self.tls.accept(stream).await else { return };
        let service = service_fn(|request| pass(self.gate.clone(), self.server.clone(), request));
        let builder = Builder::new(TokioExecutor::new());
        // How a connection ends is the client's business.
        let _ = builder.serve_connection(TokioIo::new(stream), service).await;
    }
}
