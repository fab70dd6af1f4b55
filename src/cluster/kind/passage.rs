//! How the controllers of a kind cluster come through the chaos proxy: a socket in the folder that
//! the control plane's node shares with this machine leads to it, and a port of the node leads to
//! the socket. Nothing of it listens outside of the cluster's own network.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest as Csr, CertificateSigningRequestSpec as CsrSpec,
};
use kind_rs::{Exec, Node};
use kube::api::{Api as Objects, DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use serde_json::json;
use thiserror::Error;
use tokio::runtime::Handle;

use super::config::SHARED;
use super::site::{ASIDE, MANIFESTS};
use crate::cluster::ClusterError;
use crate::cluster::real::{Api, Component, Credentials, Endpoint, Proxy};

/// The port of the control plane's node that leads to the proxy.
const PORT: u16 = 6444;

/// The socket, in the folder of the cluster.
const SOCKET: &str = "proxy.sock";

/// The names of the unit that leads from the port to the socket.
const UNIT: &str = "shakedown-proxy";

/// Who signs the certificates that kubelets serve with, and for whom (Kubernetes v1.36).
const SIGNER: &str = "kubernetes.io/kubelet-serving";
const ORGANISATION: &str = "system:nodes";
const SUBJECT: &str = "system:node:shakedown-proxy";

/// How long a certificate, or the end of a component, may take, and how often it is looked for.
const WITHIN: u32 = 150;
const LOOK: Duration = Duration::from_millis(200);

/// Why there is no way.
#[derive(Debug, Error)]
pub(super) enum PassageError {
    #[error(transparent)]
    Api(#[from] kube::Error),
    #[error(transparent)]
    Node(#[from] kind_rs::Error),
    #[error("no certificate: {0}")]
    Certificate(String),
    #[error(transparent)]
    Proxy(#[from] ClusterError),
}

/// Leads the controllers of a cluster through a proxy; answers it. `folder` is that of the cluster.
pub(super) fn open(
    (api, client, runtime): (&Api, &kube::Client, &Handle),
    node: &Node,
    folder: &Utf8Path,
) -> Result<Proxy, PassageError> {
    let place = folder.file_name().unwrap_or_default();
    let mut proxy = Proxy::start(api, place)?;
    let addresses: Vec<String> = node.addresses().iter().map(|it| it.to_string()).collect();
    let (certificate, key) = runtime.block_on(certificate(client, place, &addresses))?;
    let authority = runtime.block_on(read(node, "/etc/kubernetes/pki/ca.crt"))?;
    proxy.open_door(api, &folder.join(SOCKET), (&certificate, &key))?;
    let inside = Endpoint { server: format!("https://127.0.0.1:{PORT}"), authority };
    for component in [Component::ControllerManager, Component::Scheduler] {
        let token = proxy.admit_component(component)?;
        let text = inside.kubeconfig(&Credentials::Token(&token));
        runtime.block_on(lead(node, component, &text))?;
    }
    runtime.block_on(listen(node))?;
    runtime.block_on(prove(node))?;
    runtime.block_on(restart(node))?;
    if let Some(address) = addresses.into_iter().next() {
        proxy.is_reached_at(address.into(), PORT);
    }
    Ok(proxy)
}

/// Leads the controllers straight to the API server again, if they were led elsewhere.
pub(super) async fn close(node: &Node) -> Result<(), kind_rs::Error> {
    let mut was_led = false;
    for component in [Component::ControllerManager, Component::Scheduler] {
        let own = kubeconfig(component);
        let back = format!("[ -e {own}.direct ] || exit 0; cat {own}.direct >{own}; echo led");
        was_led |= !node.exec_checked(Exec::sh(back)).await?.stdout.is_empty();
    }
    if !was_led {
        return Ok(());
    }
    restart(node).await?;
    let done = format!("rm -f /etc/kubernetes/*.direct; systemctl stop {UNIT}.socket {UNIT}; true");
    node.exec_checked(Exec::sh(done)).await.map(drop)
}

/// A certificate for a server at these addresses, by the cluster's own authority, and its key.
async fn certificate(
    client: &kube::Client,
    name: &str,
    addresses: &[String],
) -> Result<(String, String), PassageError> {
    let failed = |error: &dyn std::fmt::Display| PassageError::Certificate(error.to_string());
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    names.extend(addresses.iter().cloned());
    let mut params = CertificateParams::new(names).map_err(|error| failed(&error))?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, SUBJECT);
    params.distinguished_name.push(DnType::OrganizationName, ORGANISATION);
    let key = KeyPair::generate().map_err(|error| failed(&error))?;
    let request = params.serialize_request(&key).map_err(|error| failed(&error))?;
    let request = request.pem().map_err(|error| failed(&error))?;
    let usages = ["digital signature", "server auth"].map(str::to_owned).to_vec();
    let csr = Csr {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        spec: CsrSpec {
            request: ByteString(request.into_bytes()),
            signer_name: SIGNER.to_owned(),
            usages: Some(usages),
            ..CsrSpec::default()
        },
        status: None,
    };
    let requests: Objects<Csr> = Objects::all(client.clone());
    // One that was killed may have left its own.
    let _ = requests.delete(name, &DeleteParams::default()).await;
    requests.create(&PostParams::default(), &csr).await?;
    let approval = json!({"status": {"conditions": [
        {"type": "Approved", "status": "True", "reason": "Shakedown", "message": "chaos proxy"},
    ]}});
    let patch = Patch::Merge(approval);
    requests.patch_approval(name, &PatchParams::default(), &patch).await?;
    let signed = signed(&requests, name).await;
    requests.delete(name, &DeleteParams::default()).await?;
    Ok((signed?, key.serialize_pem()))
}

async fn signed(requests: &Objects<Csr>, name: &str) -> Result<String, PassageError> {
    for _ in 0..WITHIN {
        let status = requests.get(name).await?.status.unwrap_or_default();
        if let Some(certificate) = status.certificate {
            return String::from_utf8(certificate.0)
                .map_err(|error| PassageError::Certificate(error.to_string()));
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(PassageError::Certificate("the cluster does not sign it".to_owned()))
}

async fn read(node: &Node, path: &str) -> Result<Vec<u8>, kind_rs::Error> {
    Ok(node.exec_checked(Exec::new("cat").arg(path)).await?.stdout)
}

/// The kubeconfig of a component, which is mounted into its container (kubeadm v1.36): it can be
/// written but not replaced.
fn kubeconfig(component: Component) -> Utf8PathBuf {
    let name = component.as_str().trim_start_matches("kube-");
    Utf8PathBuf::from(format!("/etc/kubernetes/{name}.conf"))
}

/// Gives a component another kubeconfig; its own is kept beside it.
async fn lead(node: &Node, component: Component, text: &str) -> Result<(), kind_rs::Error> {
    let own = kubeconfig(component);
    let write = format!("[ -e {own}.direct ] || cp -p {own} {own}.direct; cat >{own}");
    node.exec_checked(Exec::sh(write).stdin(text.as_bytes().to_vec())).await.map(drop)
}

/// Has the node's port lead to the socket (systemd v252).
async fn listen(node: &Node) -> Result<(), kind_rs::Error> {
    let listen = format!(
        "systemctl stop {UNIT}.socket {UNIT}.service 2>/dev/null; \
         systemctl reset-failed {UNIT}.socket {UNIT}.service 2>/dev/null; \
         systemd-run --quiet --unit={UNIT} --socket-property=ListenStream=0.0.0.0:{PORT} \
         /lib/systemd/systemd-socket-proxyd --connections-max=2000 {SHARED}/{SOCKET}"
    );
    node.exec_checked(Exec::sh(listen)).await.map(drop)
}

/// Proves that the API is reached that way: not every engine shares sockets with its machine.
async fn prove(node: &Node) -> Result<(), kind_rs::Error> {
    let own = kubeconfig(Component::ControllerManager);
    let ask = format!("kubectl --kubeconfig {own} get --raw /readyz --request-timeout=10s >&2");
    node.exec_checked(Exec::sh(ask)).await.map(drop)
}

/// Has the components start anew at once: nobody waits for the lease of one that is gone.
async fn restart(node: &Node) -> Result<(), kind_rs::Error> {
    let names = [Component::ControllerManager, Component::Scheduler].map(Component::as_str);
    for name in names {
        // A fault may have put it aside already.
        let away =
            format!("[ ! -e {MANIFESTS}/{name}.yaml ] || mv {MANIFESTS}/{name}.yaml {ASIDE}/");
        node.exec_checked(Exec::sh(away)).await?;
    }
    for _ in 0..WITHIN {
        let containers = node.cri().containers().await?;
        let runs = |name: &str| {
            containers.iter().any(|container| {
                container.name == name && container.state == kind_rs::ContainerState::Running
            })
        };
        if !names.into_iter().any(runs) {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    let kubectl = "kubectl --kubeconfig /etc/kubernetes/admin.conf --namespace kube-system";
    for name in names {
        let back = format!(
            "{kubectl} delete lease {name} --ignore-not-found >/dev/null; \
             mv {ASIDE}/{name}.yaml {MANIFESTS}/"
        );
        node.exec_checked(Exec::sh(back)).await?;
    }
    Ok(())
}
