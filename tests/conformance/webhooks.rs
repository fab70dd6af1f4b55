//! Webhooks of specs: where pods run `agnhost` behind a Service, the program runs on this machine
//! with what their containers are told and mount, and the Service is told that it leads there.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, Secret, Service};
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::json;
use tokio::sync::oneshot;

use crate::served::scratch;

/// What agnhost does for webhooks.
const COMMANDS: [&str; 2] = ["webhook", "crd-conversion-webhook"];

/// Programs that run as long as their Services are there, and this is.
pub struct Webhooks {
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Webhooks {
    /// Runs `agnhost` for the Services of a cluster.
    pub fn run(agnhost: PathBuf, kubeconfig: &Path) -> Webhooks {
        let kubeconfig = kubeconfig.to_owned();
        let (end, ended) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async move {
                tokio::select! {
                    () = follow(&agnhost, &kubeconfig) => {}
                    _ = ended => {}
                }
            });
        });
        Webhooks { end: Some(end), thread: Some(thread) }
    }
}

impl Drop for Webhooks {
    fn drop(&mut self) {
        // It ends when nobody is left who could tell it to.
        self.end = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A program that ends with this.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn follow(agnhost: &Path, kubeconfig: &Path) {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    let client = kube::Client::try_from(config).unwrap();
    let services: Api<Service> = Api::all(client.clone());
    let mut events = Box::pin(watcher(services, watcher::Config::default()));
    let mut running: BTreeMap<String, Program> = BTreeMap::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(service) | Event::InitApply(service)) => {
                let uid = service.metadata.uid.clone().unwrap_or_default();
                if !running.contains_key(&uid)
                    && let Some(program) = started(agnhost, &client, &service).await
                {
                    running.insert(uid, program);
                }
            }
            Ok(Event::Delete(service)) => {
                running.remove(&service.metadata.uid.unwrap_or_default());
            }
            _ => {}
        }
    }
}

/// Starts the program behind a Service, if it is one of these, and says where it is.
async fn started(agnhost: &Path, client: &kube::Client, service: &Service) -> Option<Program> {
    let namespace = service.metadata.namespace.as_deref()?;
    let selector = service.spec.as_ref()?.selector.as_ref()?;
    let labels: Vec<String> =
        selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let pods = pods.list(&ListParams::default().labels(&labels.join(","))).await.ok()?;
    let spec = pods.items.into_iter().next()?.spec?;
    let container = spec.containers.first()?;
    let args = container.args.as_ref().filter(|args| COMMANDS.contains(&args[0].as_str()))?;
    let folder = mounted(client, namespace, &spec, container).await?;
    // Somebody may take the port before it is used; then the program ends, and the spec fails.
    let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
    // Without, it would listen where only one can.
    let own = args.iter().all(|arg| !arg.starts_with("--port="));
    let own = own.then(|| format!("--port={port}"));
    let args = args.iter().map(|arg| match arg.split_once('=') {
        Some(("--port", _)) => format!("--port={port}"),
        Some((flag, path)) => match folder.get(Path::new(path)) {
            Some(file) => format!("{flag}={}", file.display()),
            None => arg.clone(),
        },
        None => arg.clone(),
    });
    let mut command = Command::new(agnhost);
    command.args(args).args(own).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let program = Program(command.spawn().ok()?);
    let leads = json!({"kubesim.dev/leads-to": format!("127.0.0.1:{port}")});
    let patch = Patch::Merge(json!({"metadata": {"annotations": leads}}));
    let services: Api<Service> = Api::namespaced(client.clone(), namespace);
    let name = service.metadata.name.as_deref()?;
    services.patch(name, &PatchParams::default(), &patch).await.ok()?;
    Some(program)
}

/// The files that a container mounts from Secrets: where they are for it, and where here.
async fn mounted(
    client: &kube::Client,
    namespace: &str,
    spec: &PodSpec,
    container: &Container,
) -> Option<BTreeMap<PathBuf, PathBuf>> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let mut files = BTreeMap::new();
    for mount in container.volume_mounts.iter().flatten() {
        let mut volumes = spec.volumes.iter().flatten();
        let volume = volumes.find(|volume| volume.name == mount.name)?;
        let Some(secret) = volume.secret.as_ref().and_then(|it| it.secret_name.as_ref()) else {
            continue;
        };
        let folder = scratch("mounted");
        std::fs::create_dir_all(&folder).ok()?;
        for (key, value) in secrets.get(secret).await.ok()?.data.unwrap_or_default() {
            let file = folder.join(&key);
            std::fs::write(&file, value.0).ok()?;
            files.insert(Path::new(&mount.mount_path).join(key), file);
        }
    }
    Some(files)
}
