//! Whom a webhook's certificate must be signed by, as Go's `crypto/x509` judges it: a certificate
//! that is one of the authorities itself is trusted as it is. Certificates that sign themselves are
//! what most webhooks have.

use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{
    VerifierBuilderError, WebPkiServerVerifier, verify_server_name,
};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use x509_parser::parse_x509_certificate;

/// Judges the certificates of webhooks.
#[derive(Debug)]
pub(crate) struct Verifier {
    authorities: Vec<CertificateDer<'static>>,
    chains: Arc<WebPkiServerVerifier>,
}

impl Verifier {
    /// With the certificates of these authorities in PEM, none of this machine's.
    ///
    /// # Errors
    /// There is none among them.
    pub(crate) fn new(
        authorities: &[u8],
        provider: Arc<CryptoProvider>,
    ) -> Result<Verifier, VerifierBuilderError> {
        // One that can't be read can't have signed anything.
        let authorities = CertificateDer::pem_slice_iter(authorities).flatten();
        let authorities: Vec<CertificateDer<'static>> = authorities.collect();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authorities.iter().cloned());
        let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        Ok(Verifier { authorities, chains: chains.build()? })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        staple: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !self.authorities.iter().any(|authority| **authority == **shown) {
            return self.chains.verify_server_cert(shown, others, name, staple, now);
        }
        may_serve(shown, now)?;
        verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, shown, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// Whether a certificate holds now and is for servers.
fn may_serve(shown: &[u8], now: UnixTime) -> Result<(), CertificateError> {
    let (_, parsed) = parse_x509_certificate(shown).map_err(|_| CertificateError::BadEncoding)?;
    let validity = parsed.validity();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < validity.not_before.timestamp() {
        return Err(CertificateError::NotValidYet);
    }
    if now > validity.not_after.timestamp() {
        return Err(CertificateError::Expired);
    }
    let uses = parsed.extended_key_usage().map_err(|_| CertificateError::BadEncoding)?;
    match uses {
        Some(uses) if !(uses.value.server_auth || uses.value.any) => {
            Err(CertificateError::InvalidPurpose)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{
        BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
    };
    use tokio_rustls::rustls::crypto::ring;

    use super::*;

    fn certificate(change: impl FnOnce(&mut CertificateParams)) -> rcgen::Certificate {
        let mut params = CertificateParams::new(vec!["hook.default.svc".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2027, 1, 1);
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap()
    }

    fn judge(shown: &rcgen::Certificate, authority: &rcgen::Certificate, name: &str) -> String {
        let provider = Arc::new(ring::default_provider());
        let verifier = Verifier::new(authority.pem().as_bytes(), provider).unwrap();
        let name = ServerName::try_from(name).unwrap();
        // 2026-07-02.
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_783_000_000));
        match verifier.verify_server_cert(shown.der(), &[], &name, &[], now) {
            Ok(_) => "trusted".to_owned(),
            Err(Error::InvalidCertificate(why)) => format!("{why:?}"),
            Err(other) => other.to_string(),
        }
    }

    #[test]
    fn who_signs_himself_is_trusted_where_he_is_an_authority_and_nowhere_else() {
        let plain = certificate(|_| {});
        let ca = certificate(|params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        });
        for own in [&plain, &ca] {
            assert_eq!(judge(own, own, "hook.default.svc"), "trusted");
            let elsewhere = judge(own, own, "other.default.svc");
            assert!(elsewhere.starts_with("NotValidForName"), "{elsewhere}");
        }
        assert_ne!(judge(&plain, &ca, "hook.default.svc"), "trusted");
        let late = certificate(|params| params.not_after = date_time_ymd(2026, 2, 1));
        assert_eq!(judge(&late, &late, "hook.default.svc"), "Expired");
        let early = certificate(|params| params.not_before = date_time_ymd(2026, 12, 1));
        assert_eq!(judge(&early, &early, "hook.default.svc"), "NotValidYet");
        let client = certificate(|params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        });
        assert_eq!(judge(&client, &client, "hook.default.svc"), "InvalidPurpose");
    }
}
