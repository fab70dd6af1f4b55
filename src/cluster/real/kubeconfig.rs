//! Kubeconfigs: where an API server is, whose certificate it has, and who one is there. The one
//! place that writes them, so that another address can stand in each.

use camino::Utf8Path;
use k8s_openapi::ByteString;
use kube::config::Kubeconfig;
use serde_json::{Value, json};

/// The one cluster, user and context of a kubeconfig.
const NAME: &str = "shakedown";

/// An API server as its clients know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Its URL.
    pub(crate) server: String,
    /// The certificate of who signed its own, in PEM.
    pub(crate) authority: Vec<u8>,
}

/// Who a client is.
#[derive(Clone, Debug)]
pub(crate) enum Credentials<'a> {
    /// Whoever has the token.
    Token(&'a str),
    /// Certificate and key, in PEM.
    Certificate { certificate: &'a str, key: &'a str },
}

impl Endpoint {
    /// The API server that a kubeconfig leads to.
    ///
    /// # Errors
    /// It can't be read, or names no server.
    pub(crate) fn of(kubeconfig: &Utf8Path) -> Result<Endpoint, String> {
        let failed = |why: &dyn std::fmt::Display| format!("`{kubeconfig}` can't be used: {why}");
        let read = Kubeconfig::read_from(kubeconfig).map_err(|error| failed(&error))?;
        let current = read.current_context.as_ref().and_then(|name| {
            let context = read.contexts.iter().find(|context| context.name == *name)?;
            let cluster = &context.context.as_ref()?.cluster;
            read.clusters.iter().find(|named| named.name == *cluster)
        });
        let cluster = current.or(read.clusters.first()).and_then(|named| named.cluster.as_ref());
        let cluster = cluster.ok_or_else(|| failed(&"it names no cluster"))?;
        let server = cluster.server.clone().ok_or_else(|| failed(&"it names no server"))?;
        let authority = match (&cluster.certificate_authority_data, &cluster.certificate_authority)
        {
            (Some(data), _) => decoded(data).map_err(|error| failed(&error))?,
            // `read_from` makes paths absolute.
            (None, Some(file)) => std::fs::read(file).map_err(|error| failed(&error))?,
            (None, None) => Vec::new(),
        };
        Ok(Endpoint { server, authority })
    }

    /// The kubeconfig of who has these credentials.
    pub(crate) fn kubeconfig(&self, credentials: &Credentials<'_>) -> String {
        let user = match credentials {
            Credentials::Token(token) => json!({"token": token}),
            Credentials::Certificate { certificate, key } => json!({
                "client-certificate-data": encoded(certificate.as_bytes()),
                "client-key-data": encoded(key.as_bytes()),
            }),
        };
        let mut cluster = json!({"server": self.server});
        if !self.authority.is_empty() {
            cluster["certificate-authority-data"] = encoded(&self.authority);
        }
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": NAME,
            "clusters": [{"name": NAME, "cluster": cluster}],
            "users": [{"name": NAME, "user": user}],
            "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
        })
        .to_string()
    }
}

/// In base64, which is how JSON has bytes in Kubernetes.
fn encoded(bytes: &[u8]) -> Value {
    json!(ByteString(bytes.to_vec()))
}

fn decoded(text: &str) -> serde_json::Result<Vec<u8>> {
    serde_json::from_value::<ByteString>(json!(text)).map(|bytes| bytes.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_leads_back_to_the_same_server() {
        let folder = super::super::Folder::new().unwrap();
        let endpoint = Endpoint {
            server: "https://127.0.0.1:6443".to_owned(),
            authority: b"-----BEGIN CERTIFICATE-----".to_vec(),
        };
        let path = folder.path().join("kubeconfig");
        std::fs::write(&path, endpoint.kubeconfig(&Credentials::Token("t"))).unwrap();
        assert_eq!(Endpoint::of(&path), Ok(endpoint));
        let lost = Endpoint::of(&folder.path().join("none")).unwrap_err();
        assert!(lost.contains("can't be used"), "{lost}");
    }
}
