//! What the processes of a control plane read: certificates, kubeconfigs and their arguments.

use camino::{Utf8Path, Utf8PathBuf};
use kubesim_server::{Authority, Pair, token_key};

use super::plane::failed;
use crate::cluster::ClusterError;
use crate::cluster::real::{AUDIT_POLICY, Credentials, Endpoint};

/// What the processes read.
pub(super) struct Files {
    folder: Utf8PathBuf,
    authority: Authority,
    admin: Pair,
}

impl Files {
    pub(super) fn write(folder: &Utf8Path) -> Result<Files, ClusterError> {
        let made = |error: rcgen::Error| failed("no certificates", &error);
        let authority = Authority::new().map_err(made)?;
        let admin = authority.client("kubernetes-admin", "system:masters").map_err(made)?;
        let files = Files { folder: folder.to_owned(), authority, admin };
        let server = files.authority.server().map_err(made)?;
        let (private, public) = token_key().map_err(made)?;
        for (name, text) in [
            ("ca.crt", files.authority.pem()),
            ("admin.crt", files.admin.certificate.clone()),
            ("admin.key", files.admin.key.clone()),
            ("server.crt", server.certificate),
            ("server.key", server.key),
            ("token.key", private),
            ("token.pub", public),
            ("audit-policy.json", AUDIT_POLICY.to_owned()),
        ] {
            files.file(name, &text)?;
        }
        Ok(files)
    }

    fn file(&self, name: &str, text: &str) -> Result<(), ClusterError> {
        let path = self.folder.join(name);
        std::fs::write(&path, text).map_err(|error| failed(&format!("`{path}`"), &error))
    }

    /// `--NAME=FOLDER/FILE`.
    fn flag(&self, name: &str, file: &str) -> String {
        format!("--{name}={}", self.folder.join(file))
    }

    /// How the administrator reaches the API server.
    pub(super) fn connection(&self, port: u16) -> Result<kube::Config, ClusterError> {
        let url = format!("https://127.0.0.1:{port}").parse::<http::Uri>();
        let mut config = kube::Config::new(url.map_err(|error| failed("no address", &error))?);
        config.root_cert_file = Some(self.folder.join("ca.crt").into_std_path_buf());
        let path = |file: &str| Some(self.folder.join(file).into_string());
        config.auth_info.client_certificate = path("admin.crt");
        config.auth_info.client_key = path("admin.key");
        Ok(config)
    }

    /// How programs reach the API server as an administrator.
    pub(super) fn kubeconfig(&self, port: u16) -> Result<(), ClusterError> {
        let endpoint = Endpoint {
            server: format!("https://127.0.0.1:{port}"),
            authority: self.authority.pem().into_bytes(),
        };
        let Pair { certificate, key } = &self.admin;
        let credentials = Credentials::Certificate { certificate, key };
        self.file("admin.kubeconfig", &endpoint.kubeconfig(&credentials))
    }

    pub(super) fn etcd(&self, port: u16, peer_port: u16) -> Vec<String> {
        let (client, peer) =
            (format!("https://127.0.0.1:{port}"), format!("https://127.0.0.1:{peer_port}"));
        vec![
            self.flag("data-dir", "etcd"),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            self.flag("cert-file", "server.crt"),
            self.flag("key-file", "server.key"),
            self.flag("trusted-ca-file", "ca.crt"),
            "--client-cert-auth".to_owned(),
            self.flag("peer-cert-file", "server.crt"),
            self.flag("peer-key-file", "server.key"),
            self.flag("peer-trusted-ca-file", "ca.crt"),
            "--peer-client-cert-auth".to_owned(),
            // What a crash of the machine would lose is of no use afterwards.
            "--unsafe-no-fsync".to_owned(),
        ]
    }

    pub(super) fn api_server(&self, port: u16, etcd_port: u16) -> Vec<String> {
        vec![
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            self.flag("tls-cert-file", "server.crt"),
            self.flag("tls-private-key-file", "server.key"),
            self.flag("client-ca-file", "ca.crt"),
            format!("--etcd-servers=https://127.0.0.1:{etcd_port}"),
            self.flag("etcd-cafile", "ca.crt"),
            self.flag("etcd-certfile", "server.crt"),
            self.flag("etcd-keyfile", "server.key"),
            "--authorization-mode=Node,RBAC".to_owned(),
            "--enable-admission-plugins=NodeRestriction".to_owned(),
            "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            self.flag("service-account-signing-key-file", "token.key"),
            self.flag("service-account-key-file", "token.pub"),
            self.flag("audit-policy-file", "audit-policy.json"),
            self.flag("audit-log-path", "audit.log"),
            "--audit-log-mode=blocking".to_owned(),
            // In MB; a log that is begun anew would be lost to whoever reads it.
            "--audit-log-maxsize=1000000".to_owned(),
        ]
    }

    pub(super) fn controller_manager(&self) -> Vec<String> {
        vec![
            self.flag("kubeconfig", "kube-controller-manager.kubeconfig"),
            "--leader-elect=false".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
            "--secure-port=0".to_owned(),
            // So that each controller is known by its own name.
            "--use-service-account-credentials".to_owned(),
            self.flag("service-account-private-key-file", "token.key"),
            self.flag("root-ca-file", "ca.crt"),
        ]
    }

    pub(super) fn scheduler(&self) -> Vec<String> {
        vec![
            self.flag("kubeconfig", "kube-scheduler.kubeconfig"),
            "--leader-elect=false".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
            "--secure-port=0".to_owned(),
        ]
    }
}
