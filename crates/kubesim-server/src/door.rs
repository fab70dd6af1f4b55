//! A port or socket with TLS: connections are taken, their handshakes waited for, and served as
//! HTTP/1.1 or HTTP/2, whichever both sides speak. Nobody can keep one open for nothing for long.

use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body::Body;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};

use crate::work::Work;

/// How many connections there may be at once. A program with many informers has one or two a kind.
const CONNECTIONS: usize = 4_000;
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a connection may wait for its next request (apiserver v0.36, `IdleTimeout`).
pub(crate) const IDLE: Duration = Duration::from_secs(90);
/// Streams of a connection of HTTP/2 (kube-apiserver v1.36, `--http2-max-streams-per-connection`).
const STREAMS: u32 = 1_000;

/// What goes wrong with a certificate.
#[derive(Debug, Error)]
pub enum DoorError {
    /// It is no PEM.
    #[error("it is not PEM: {0}")]
    Pem(#[from] pem::Error),
    /// Certificate and key make no server.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    /// The certificate of the clients' authority is of no use.
    #[error(transparent)]
    Clients(#[from] VerifierBuilderError),
}

/// Who has connected, as far as the connection tells.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The client's certificate in DER, signed by the authority of clients.
    pub certificate: Option<Arc<[u8]>>,
}

/// What connections come in by.
pub trait Listener: Send + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// Waits for the next connection.
    fn accept(&self) -> impl Future<Output = std::io::Result<Self::Stream>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;
    async fn accept(&self) -> std::io::Result<TcpStream> {
        let (stream, _) = TcpListener::accept(self).await?;
        // Answers are small and waited for.
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;
    async fn accept(&self) -> std::io::Result<UnixStream> {
        UnixListener::accept(self).await.map(|(stream, _)| stream)
    }
}

/// The TLS of a server.
#[derive(Clone)]
pub struct Door {
    tls: TlsAcceptor,
}

impl Door {
    /// With this certificate and its key in PEM. With the certificate of an authority of `clients`,
    /// also in PEM, they may show certificates signed by it.
    ///
    /// # Errors
    /// They make no sense.
    pub fn new(certificate: &str, key: &str, clients: Option<&str>) -> Result<Door, DoorError> {
        let chain = CertificateDer::pem_slice_iter(certificate.as_bytes());
        let chain: Vec<CertificateDer<'static>> = chain.collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes())?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?;
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from_pem_slice(authority.as_bytes())?)?;
                let roots = Arc::new(roots);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                builder.with_client_cert_verifier(verifier.allow_unauthenticated().build()?)
            }
        };
        let mut config = builder.with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Door { tls: TlsAcceptor::from(Arc::new(config)) })
    }

    /// Serves whoever comes, each by the service that `welcome` makes for him. Those for whom there
    /// is no room find their connection closed.
    pub async fn serve<S, B>(
        self,
        listener: impl Listener,
        welcome: impl Fn(Caller) -> S + Clone + Send + 'static,
    ) where
        S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
        S::Future: Send,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let stream = match listener.accept().await {
                Ok(stream) => stream,
                // One connection that can't be taken is not the end; when the system has no more of
                // what it takes, it needs a moment.
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    continue;
                }
            };
            let Ok(place) = room.clone().try_acquire_owned() else { continue };
            let (tls, welcome) = (self.tls.clone(), welcome.clone());
            tokio::spawn(async move {
                // Whoever does not speak TLS has no business here.
                if let Ok(Ok(stream)) = timeout(HANDSHAKE, tls.accept(stream)).await {
                    let (_, session) = stream.get_ref();
                    let shown = session.peer_certificates().and_then(|chain| chain.first());
                    let certificate = shown.map(|shown| Arc::from(&**shown));
                    let is_h2 = session.alpn_protocol() == Some(b"h2");
                    converse(TokioIo::new(stream), is_h2, welcome(Caller { certificate })).await;
                }
                drop(place);
            });
        }
    }
}

/// Serves a connection to its end, which is the client's business.
async fn converse<S, B>(
    stream: TokioIo<impl AsyncRead + AsyncWrite + Unpin + Send + 'static>,
    is_h2: bool,
    service: S,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    if is_h2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        // Nobody is asked whether he is still there (v1.36): who stands still keeps his watches.
        builder.max_concurrent_streams(STREAMS);
        let work = Work::default();
        let begins = work.clone();
        let counted = service_fn(move |request| {
            let part = begins.begin();
            let answered = service.call(request);
            async move {
                let answer: Response<B> = answered.await?;
                // The part is done when the body is read, or given up.
                Ok::<_, S::Error>(answer.map(|body| {
                    body.map_err(move |error| {
                        let _until_then = &part;
                        error
                    })
                }))
            }
        });
        let mut connection = pin!(builder.serve_connection(stream, counted));
        tokio::select! {
            _ = connection.as_mut() => {}
            () = work.rests() => {
                connection.as_mut().graceful_shutdown();
                let _ = timeout(HANDSHAKE, connection).await;
            }
        }
    } else {
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(IDLE);
        let _ = builder.serve_connection(stream, service).await;
    }
}
