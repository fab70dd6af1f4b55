//! Giving the cluster back as it was: after each trial, and when a harness that is gone left it
//! otherwise.

use std::collections::BTreeMap;
use std::time::Duration;

use camino::Utf8PathBuf;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, Patch, PatchParams};
use kubesim_model::Text;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::access::NodeAccess;
use super::connection::Connection;
use super::contents;
use super::hold::Held;
use super::hosts::{Hosts, script};
use crate::cluster::real::{Healer, MADE_BY, Names, Runtime, Undo};

/// How long an object that is deleted may take to go, and how often it is looked for.
const GONE_WITHIN: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(500);

/// How a cluster is reached, as its journal says it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::cluster) struct KubeconfigReach {
    kubeconfig: Utf8PathBuf,
    context: Option<String>,
    node_access: Option<String>,
    /// What the trial calls them, by their real names.
    nodes: BTreeMap<Text, Text>,
    namespaces: BTreeMap<Text, Text>,
}

impl KubeconfigReach {
    pub(super) fn new(
        (kubeconfig, context): (Utf8PathBuf, Option<String>),
        access: Option<&NodeAccess>,
        (nodes, namespaces): (&Names, &Names),
    ) -> Self {
        let pairs = |names: &Names| names.iter().map(|(a, b)| (a.clone(), b.clone())).collect();
        let (nodes, namespaces) = (pairs(nodes), pairs(namespaces));
        let node_access = access.map(NodeAccess::text);
        KubeconfigReach { kubeconfig, context, node_access, nodes, namespaces }
    }

    fn hosts(&self) -> Option<Hosts> {
        let access = NodeAccess::new(self.node_access.as_ref()?).ok()?;
        let (nodes, namespaces) = (self.nodes.clone(), self.namespaces.clone());
        Some(Hosts { access, nodes: Names::new(nodes), namespaces: Names::new(namespaces) })
    }

    /// Reaches it.
    pub(in crate::cluster) fn connect(&self) -> Result<Box<dyn Healer>, String> {
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        let (file, context) = (&self.kubeconfig, self.context.as_deref());
        // Nothing is undone in a cluster that is no longer marked, not reached or in use.
        let held = Held::take(file, context).map_err(|error| error.to_string())?;
        let connection = runtime.block_on(Connection::new(file, context));
        let connection = connection.map_err(|error| error.to_string())?;
        let hands = Hands::new(connection.client(), self.hosts(), runtime.handle().clone());
        Ok(Box::new(Away { hands, _runtime: runtime, _held: held }))
    }

    /// What a person does instead.
    pub(in crate::cluster) fn by_hand(&self, undo: &Undo) -> String {
        let mut kubectl = format!("kubectl --kubeconfig {}", self.kubeconfig);
        if let Some(context) = &self.context {
            kubectl.push_str(&format!(" --context {context}"));
        }
        match undo {
            Undo::Lever(lever) => {
                let by_script = || {
                    let (told, script) = script(lever)?;
                    let hosts = self.hosts()?;
                    Some(hosts.access.by_hand(hosts.nodes.real(&told)?, script))
                };
                by_script().unwrap_or_else(|| format!("{lever:?}"))
            }
            Undo::Component(component, phase) => format!("{component:?}: {phase:?}"),
            Undo::Delete { path, .. } => format!("{kubectl} delete --raw {path}"),
            Undo::Empty { namespace, keep } => {
                let keep: Vec<&str> = keep.iter().map(String::as_str).collect();
                format!("delete all in the namespace `{namespace}` but {}", keep.join(", "))
            }
            Undo::Node { name, patch } => {
                format!("{kubectl} patch node {name} --type merge --patch '{patch}'")
            }
        }
    }
}

/// A cluster that was reached to heal it.
struct Away {
    hands: Hands,
    /// After what uses it.
    _runtime: Runtime,
    _held: Held,
}

impl Healer for Away {
    fn heal(&mut self, undo: &Undo) -> Result<(), String> {
        self.hands.heal(undo)
    }
}

/// What heals: the API, and shells on nodes.
pub(super) struct Hands {
    client: kube::Client,
    hosts: Option<Hosts>,
    runtime: Handle,
}

impl Hands {
    pub(super) fn new(client: kube::Client, hosts: Option<Hosts>, runtime: Handle) -> Self {
        Hands { client, hosts, runtime }
    }

    async fn undo(&self, undo: &Undo) -> Result<(), String> {
        match undo {
            Undo::Lever(lever) => {
                let hosts = self.hosts.as_ref().ok_or("there is no access to nodes")?;
                let pulled = hosts.pull(lever).await.ok_or("no shell can do that")?;
                pulled.map(drop).map_err(|error| error.to_string())
            }
            Undo::Component(..) => Err("the control plane is not reached".to_owned()),
            Undo::Delete { path, mark } => self.delete(path, mark).await,
            Undo::Empty { namespace, keep } => contents::empty(&self.client, namespace, keep).await,
            Undo::Node { name, patch } => self.restore(name, patch.clone()).await,
        }
    }

    /// Deletes an object if a trial has made it, and waits until it is gone.
    async fn delete(&self, path: &str, mark: &str) -> Result<(), String> {
        let mut waited = Duration::ZERO;
        let failed = |error: &dyn std::fmt::Display| format!("`{path}`: {error}");
        loop {
            let request = |method| http::Request::builder().method(method).uri(path);
            let get = request("GET").body(Vec::new()).map_err(|error| failed(&error))?;
            let object: Value = match self.client.request(get).await {
                Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
                answer => answer.map_err(|error| failed(&error))?,
            };
            let metadata = &object["metadata"];
            if metadata["labels"][MADE_BY] != mark {
                return Ok(());
            }
            if metadata["deletionTimestamp"].is_null() {
                let delete = request("DELETE").body(Vec::new()).map_err(|error| failed(&error))?;
                let answer = self.client.request::<Value>(delete).await;
                answer.map_err(|error| failed(&error))?;
            }
            if waited >= GONE_WITHIN {
                return Err(format!("`{path}` is deleted and does not go"));
            }
            tokio::time::sleep(LOOK).await;
            waited += LOOK;
        }
    }

    /// Gives a node back what it had, but for the taints by which the control plane says how it is.
    async fn restore(&self, name: &str, mut patch: Value) -> Result<(), String> {
        let api: Api<Node> = Api::all(self.client.clone());
        let failed = |error: kube::Error| format!("the node `{name}`: {error}");
        if let Some(taints) = patch.pointer_mut("/spec/taints") {
            let node = api.get(name).await.map_err(failed)?;
            let now = node.spec.and_then(|spec| spec.taints).unwrap_or_default();
            let now = now.iter().map(|taint| json!(taint)).filter(is_state);
            let had = taints.as_array().into_iter().flatten().filter(|taint| !is_state(taint));
            *taints = had.cloned().chain(now).collect();
        }
        let patched = api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        patched.map(drop).map_err(failed)
    }
}

/// Whether a taint is one by which the control plane says how a node is (v1.36).
fn is_state(taint: &Value) -> bool {
    taint["key"].as_str().is_some_and(|key| key.starts_with("node.kubernetes.io/"))
}

impl Healer for Hands {
    fn heal(&mut self, undo: &Undo) -> Result<(), String> {
        self.runtime.block_on(self.undo(undo))
    }
}
