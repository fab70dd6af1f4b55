//! TLS towards webhooks: whom they must be signed by, and the words for those who are not.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, CertificateError, ClientConfig};

use crate::verifier::Verifier;

const UNKNOWN: &str = "x509: certificate signed by unknown authority";

/// Has the other side prove that it is `name`, by a certificate that one of the authorities has
/// signed. Only those count that a webhook's configuration names, none of this machine's.
///
/// # Errors
/// Why it is not trusted, in the words of Go's TLS client.
pub(crate) async fn connect(
    stream: TcpStream,
    name: &str,
    authorities: &[u8],
) -> Result<TlsStream<TcpStream>, String> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new(authorities, provider.clone())
        .map_err(|_| format!("tls: failed to verify certificate: {UNKNOWN}"))?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("tls: {error}"))?;
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let server = ServerName::try_from(name.to_owned());
    let server = server.map_err(|_| format!("tls: {name} is no name of a host"))?;
    let connected = TlsConnector::from(Arc::new(config)).connect(server, stream).await;
    connected.map_err(|error| {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            Some(inner) => told(inner, name),
            None if error.kind() == std::io::ErrorKind::UnexpectedEof => "EOF".to_owned(),
            None => error.to_string(),
        }
    })
}

fn told(error: &rustls::Error, name: &str) -> String {
    let why = match error {
        rustls::Error::InvalidCertificate(why) => why,
        rustls::Error::InvalidMessage(_) => {
            return "tls: first record does not look like a TLS handshake".to_owned();
        }
        rustls::Error::AlertReceived(alert) => return format!("remote error: tls: {alert:?}"),
        other => return format!("tls: {other}"),
    };
    let text = match why {
        CertificateError::UnknownIssuer
        | CertificateError::BadSignature
        | CertificateError::UnknownRevocationStatus => UNKNOWN.to_owned(),
        CertificateError::NotValidForNameContext { presented, .. } => {
            // `DnsName("a.b")`, `IpAddress(127.0.0.1)`: of addresses only addresses are told.
            let is_address = name.parse::<std::net::IpAddr>().is_ok();
            let names = presented.iter().filter(|one| one.starts_with("IpAddress") == is_address);
            let names = names.filter_map(|one| one.split_once('('));
            let names = names.map(|(_, one)| one.trim_matches(['"', ')']));
            match names.collect::<Vec<_>>().join(", ") {
                names if names.is_empty() && is_address => format!(
                    "x509: cannot validate certificate for {name} because it doesn't contain any \
                     IP SANs"
                ),
                names if names.is_empty() => format!(
                    "x509: certificate is not valid for any names, but wanted to match {name}"
                ),
                names => format!("x509: certificate is valid for {names}, not {name}"),
            }
        }
        CertificateError::NotValidForName => {
            format!("x509: certificate is not valid for any names, but wanted to match {name}")
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            format!("x509: certificate has expired or is not yet valid: {why}")
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "x509: certificate specifies an incompatible key usage".to_owned()
        }
        other => format!("x509: {other}"),
    };
    format!("tls: failed to verify certificate: {text}")
}
