//! A control plane: its folder, its processes and how to reach it. It is gone when it is dropped.

use std::net::TcpListener;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use kubesim_model::Millis;

use super::binaries::Binaries;
use super::files::Files;
use crate::cluster::daemon::Process;
use crate::cluster::real::{Api, Component, Credentials, Folder, Ground, Proxy};
use crate::cluster::{ClusterError, Lever, LeverError, Touched};
use crate::history::{ActorPhase, HostEvent};

/// How long the API server may take until it is ready, and how often it is asked.
const READY_WITHIN: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// The controllers and the scheduler, as two processes.
pub(super) struct Plane {
    controller_manager: Process,
    scheduler: Process,
    api_server: Process,
    etcd: Process,
    kubeconfig: Utf8PathBuf,
    /// After the processes that work in it.
    folder: Folder,
}

impl Plane {
    /// Starts everything and waits until it is ready.
    pub(super) fn start(
        binaries: &Binaries,
        runtime: &tokio::runtime::Handle,
    ) -> Result<(Plane, Api, Proxy), ClusterError> {
        let folder = Folder::new().map_err(|error| failed("no temporary folder", &error))?;
        let files = Files::write(folder.path())?;
        let [etcd_port, peer_port, api_port] = free_ports()?;
        let start = |program: &std::path::Path, arguments: Vec<String>| {
            Process::start(program, arguments, folder.path())
                .map_err(|error| failed(&format!("`{}` does not start", program.display()), &error))
        };
        let mut etcd = start(&binaries.etcd, files.etcd(etcd_port, peer_port))?;
        let mut api_server = start(&binaries.api_server, files.api_server(api_port, etcd_port))?;
        files.kubeconfig(api_port)?;
        let api = Api::new(files.connection(api_port)?, runtime.clone())?;
        wait_until_ready(&api, &mut api_server, &mut etcd)?;
        let proxy = Proxy::start(&api, folder.name())?;
        for component in [Component::ControllerManager, Component::Scheduler] {
            let file = folder.path().join(format!("{}.kubeconfig", component.as_str()));
            let token = proxy.admit_component(component)?;
            let text = proxy.endpoint().kubeconfig(&Credentials::Token(&token));
            std::fs::write(&file, text).map_err(|error| failed(file.as_str(), &error))?;
        }
        let controller_manager = start(&binaries.controller_manager, files.controller_manager())?;
        let scheduler = start(&binaries.scheduler, files.scheduler())?;
        let kubeconfig = folder.path().join("admin.kubeconfig");
        let plane = Plane { controller_manager, scheduler, api_server, etcd, kubeconfig, folder };
        Ok((plane, api, proxy))
    }

    /// Where the API server says what it was asked.
    pub(super) fn audit_log(&self) -> Utf8PathBuf {
        self.folder.path().join("audit.log")
    }
}

impl Ground for Plane {
    fn is_broken(&mut self) -> Option<String> {
        let all = [
            ("etcd", &mut self.etcd),
            ("kube-apiserver", &mut self.api_server),
            ("kube-controller-manager", &mut self.controller_manager),
            ("kube-scheduler", &mut self.scheduler),
        ];
        let broken = all.into_iter().find_map(|(name, process)| Some((name, process.broken()?)));
        broken.map(|(name, words)| format!("`{name}` has ended: {words}"))
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

fn wait_until_ready(
    api: &Api,
    api_server: &mut Process,
    etcd: &mut Process,
) -> Result<(), ClusterError> {
    let mut tries = READY_WITHIN.as_millis() / ASK_AGAIN.as_millis();
    while !api.is_ready() {
        for (name, process) in [("etcd", &mut *etcd), ("kube-apiserver", &mut *api_server)] {
            if let Some(words) = process.broken() {
                let text = format!("`{name}` has ended: {words}");
                return Err(ClusterError::Environment(text));
            }
        }
        if tries == 0 {
            let words = api_server.last_words();
            let text = format!("the API server does not get ready: {words}");
            return Err(ClusterError::Environment(text));
        }
        std::thread::sleep(ASK_AGAIN);
        tries -= 1;
    }
    Ok(())
}

pub(super) fn failed(what: &str, error: &dyn std::fmt::Display) -> ClusterError {
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
