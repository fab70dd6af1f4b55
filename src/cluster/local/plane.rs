//! A control plane: its folder, its processes and how to reach it. It is gone when it is dropped.

use std::net::TcpListener;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::binaries::Binaries;
use super::certificates::{Authority, Pair, token_key};
use super::process::Process;
use crate::cluster::real::{Api, Component, Ground};
use crate::cluster::{ClusterError, Lever, LeverError, Touched};
use crate::history::{ActorPhase, HostEvent};
use kubesim_model::Millis;

/// How long the API server may take until it is ready, and how often it is asked.
const READY_WITHIN: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Writes with who and what; reads only with who; not what renews leases, tells Events or watches.
const AUDIT_POLICY: &str = r#"{
  "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
  "omitStages": ["RequestReceived", "ResponseStarted"],
  "omitManagedFields": true,
  "rules": [
    {"level": "None", "nonResourceURLs": ["*"]},
    {"level": "None", "verbs": ["watch"]},
    {"level": "None", "resources": [
      {"group": "coordination.k8s.io", "resources": ["leases"]},
      {"group": "", "resources": ["events", "secrets", "serviceaccounts/token"]},
      {"group": "events.k8s.io"}, {"group": "authentication.k8s.io"},
      {"group": "authorization.k8s.io"}]},
    {"level": "Metadata", "verbs": ["get", "list"]},
    {"level": "RequestResponse"}
  ]
}"#;

/// The controllers and the scheduler, as two processes.
pub(super) struct Plane {
    /// Whose drop takes the folder away; after the processes, which are declared before it.
    controller_manager: Process,
    scheduler: Process,
    api_server: Process,
    etcd: Process,
    kubeconfig: Utf8PathBuf,
    folder: Folder,
}

impl Plane {
    /// Starts everything and waits until it is ready.
    pub(super) fn start(
        binaries: &Binaries,
        runtime: &tokio::runtime::Handle,
    ) -> Result<(Plane, Api), ClusterError> {
        let folder = Folder::new().map_err(|error| failed("no temporary folder", &error))?;
        let files = Files::write(&folder.0)?;
        let [etcd_port, peer_port, api_port] = free_ports()?;
        let start = |program: &std::path::Path, arguments: Vec<String>| {
            Process::start(program, arguments, &folder.0)
                .map_err(|error| failed(&format!("`{}` does not start", program.display()), &error))
        };
        let etcd = start(&binaries.etcd, files.etcd(etcd_port, peer_port))?;
        let mut api_server = start(&binaries.api_server, files.api_server(api_port, etcd_port))?;
        files.kubeconfigs(api_port)?;
        let api = Api::new(files.connection(api_port)?, runtime.clone())?;
        wait_until_ready(&api, &mut api_server)?;
        let controller_manager = start(&binaries.controller_manager, files.controller_manager())?;
        let scheduler = start(&binaries.scheduler, files.scheduler())?;
        let kubeconfig = folder.0.join("admin.kubeconfig");
        let plane = Plane { controller_manager, scheduler, api_server, etcd, kubeconfig, folder };
        Ok((plane, api))
    }

    /// Where the API server says what it was asked.
    pub(super) fn audit_log(&self) -> Utf8PathBuf {
        self.folder.0.join("audit.log")
    }
}

impl Ground for Plane {
    fn is_broken(&mut self) -> Option<String> {
        for (name, process) in [("kube-apiserver", &mut self.api_server), ("etcd", &mut self.etcd)]
        {
            if !process.is_running() {
                return Some(format!("`{name}` has ended: {}", process.last_words()));
            }
        }
        None
    }

    fn act(&mut self, component: Component, phase: ActorPhase) -> bool {
        let process = match component {
            Component::ControllerManager => &mut self.controller_manager,
            Component::Scheduler => &mut self.scheduler,
        };
        match phase {
            ActorPhase::Crashed => process.kill(),
            ActorPhase::Started => process.start_again().unwrap_or(false),
            ActorPhase::Paused => process.pause(),
            ActorPhase::Resumed => process.resume(),
        }
    }

    fn pull(&mut self, _: &Lever) -> Option<Result<Touched, LeverError>> {
        None
    }

    fn facts(&mut self) -> Vec<(Millis, Millis, HostEvent)> {
        Vec::new()
    }

    fn last_words(&self) -> String {
        self.controller_manager.last_words()
    }

    fn kubeconfig(&self) -> &Utf8Path {
        &self.kubeconfig
    }
}

fn wait_until_ready(api: &Api, api_server: &mut Process) -> Result<(), ClusterError> {
    let mut waited = Duration::ZERO;
    while !api.is_ready() {
        if !api_server.is_running() || waited > READY_WITHIN {
            let words = api_server.last_words();
            let text = format!("the API server is not ready after {} s: {words}", waited.as_secs());
            return Err(ClusterError::Environment(text));
        }
        std::thread::sleep(ASK_AGAIN);
        waited += ASK_AGAIN;
    }
    Ok(())
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> ClusterError {
    ClusterError::Environment(format!("{what}: {error}"))
}

/// Ports of loopback that nobody listens on. Somebody may take one before it is used; then the
/// process that wanted it ends, and says so.
fn free_ports<const N: usize>() -> Result<[u16; N], ClusterError> {
    let listeners: std::io::Result<Vec<TcpListener>> =
        (0..N).map(|_| TcpListener::bind(("127.0.0.1", 0))).collect();
    let ports = listeners.and_then(|listeners| {
        listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
    });
    let ports: Vec<u16> = ports.map_err(|error| failed("no free port on loopback", &error))?;
    ports.try_into().map_err(|_| ClusterError::Environment("no free ports".to_owned()))
}

const PREFIX: &str = "shakedown-local-";

/// Takes away the folders of processes that were killed.
fn sweep(parent: &Utf8Path) {
    for entry in parent.read_dir_utf8().into_iter().flatten().flatten() {
        let id = entry.file_name().strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
        let pid = id.and_then(|(pid, _)| pid.parse().ok()).and_then(rustix::process::Pid::from_raw);
        if pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_err()) {
            // Another process may do the same.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A folder of its own, which only its owner can read, taken away when it is dropped.
struct Folder(Utf8PathBuf);

impl Folder {
    fn new() -> std::io::Result<Folder> {
        use std::os::unix::fs::DirBuilderExt as _;
        use std::sync::atomic::{AtomicU64, Ordering};
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let parent = Utf8PathBuf::from_path_buf(std::env::temp_dir());
        let parent = parent.unwrap_or_else(|_| Utf8PathBuf::from("/tmp"));
        sweep(&parent);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let folder = parent.join(format!("{PREFIX}{}-{number}", std::process::id()));
        // One of that name was left by a process that is gone: process ids come again.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Folder(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left in the system's temporary folder it harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What the processes read.
struct Files {
    folder: Utf8PathBuf,
    authority: Authority,
    admin: Pair,
}

impl Files {
    fn write(folder: &Utf8Path) -> Result<Files, ClusterError> {
        let made = |error: rcgen::Error| failed("no certificates", &error);
        let authority = Authority::new().map_err(made)?;
        let admin = authority.client("kubernetes-admin", "system:masters").map_err(made)?;
        let files = Files { folder: folder.to_owned(), authority, admin };
        let server = files.authority.server().map_err(made)?;
        let (private, public) = token_key().map_err(made)?;
        for (name, text) in [
            ("ca.crt", files.authority.pem()),
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
    fn connection(&self, port: u16) -> Result<kube::Config, ClusterError> {
        let url = format!("https://127.0.0.1:{port}").parse::<http::Uri>();
        let mut config = kube::Config::new(url.map_err(|error| failed("no address", &error))?);
        config.root_cert_file = Some(self.folder.join("ca.crt").into_std_path_buf());
        let path = |file: &str| Some(self.folder.join(file).into_string());
        config.auth_info.client_certificate = path("admin.crt");
        config.auth_info.client_key = path("admin.key");
        Ok(config)
    }

    fn kubeconfigs(&self, port: u16) -> Result<(), ClusterError> {
        let made = |error: rcgen::Error| failed("no certificates", &error);
        let client = |user: &str| self.authority.client(user, "");
        self.kubeconfig("admin", port, &self.admin)?;
        for user in ["system:kube-controller-manager", "system:kube-scheduler"] {
            self.kubeconfig(
                user.trim_start_matches("system:"),
                port,
                &client(user).map_err(made)?,
            )?;
        }
        Ok(())
    }

    fn kubeconfig(&self, name: &str, port: u16, pair: &Pair) -> Result<(), ClusterError> {
        self.file(&format!("{name}.crt"), &pair.certificate)?;
        self.file(&format!("{name}.key"), &pair.key)?;
        let path = |file: String| self.folder.join(file).into_string();
        let config = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "local",
            "clusters": [{"name": "local", "cluster": {
                "server": format!("https://127.0.0.1:{port}"),
                "certificate-authority": path("ca.crt".to_owned()),
            }}],
            "users": [{"name": name, "user": {
                "client-certificate": path(format!("{name}.crt")),
                "client-key": path(format!("{name}.key")),
            }}],
            "contexts": [{"name": "local", "context": {"cluster": "local", "user": name}}],
        });
        self.file(&format!("{name}.kubeconfig"), &config.to_string())
    }

    fn etcd(&self, port: u16, peer_port: u16) -> Vec<String> {
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

    fn api_server(&self, port: u16, etcd_port: u16) -> Vec<String> {
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
        ]
    }

    fn controller_manager(&self) -> Vec<String> {
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

    fn scheduler(&self) -> Vec<String> {
        vec![
            self.flag("kubeconfig", "kube-scheduler.kubeconfig"),
            "--leader-elect=false".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
            "--secure-port=0".to_owned(),
        ]
    }
}
