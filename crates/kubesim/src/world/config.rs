//! What a world is made of.

use std::sync::Arc;

use kubesim_model::actor::Actor;
use kubesim_model::{Millis, Text};

use crate::api::Authorization;
use crate::node::KubeletConfig;

/// How to make a world.
#[derive(Clone, Debug)]
pub struct WorldConfig {
    /// The entropy of everything that is drawn.
    pub seed: u64,
    /// The nodes.
    pub nodes: Vec<NodeConfig>,
    /// Planted bugs: the name of a built-in actor (`kubelet` for all kubelets) and of its bug.
    pub bugs: Vec<(Text, Text)>,
    /// Actors of which deliveries are recorded; `None` for all.
    pub record_deliveries_of: Option<Vec<Text>>,
    /// How far behind the newest version a watch may resume, in milliseconds. The API server's
    /// etcd compaction interval is five minutes (kube-apiserver v1.36).
    pub window: Millis,
    /// What programs from outside rely on and simulated controllers do not need; `None` without.
    pub clients: Option<Clients>,
    /// Whether whoever drives the world calls webhooks for it: takes [`World::take_calls`] and
    /// tells [`World::heard`]. Without, requests that need one fail.
    ///
    /// [`World::take_calls`]: super::World::take_calls
    /// [`World::heard`]: super::World::heard
    pub calls_webhooks: bool,
    /// How whoever drives the world authorises requests from outside; the roles that every cluster
    /// has come with it.
    pub authorization: Option<Authorization>,
}

/// What the cluster has for programs from outside: service accounts and the certificate of the API
/// server in each namespace, and namespaces and owners of which every built-in type is cleared. It
/// is kept from their creation on who owns which fields of objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clients {
    /// The certificate by which the API server is known (PEM).
    pub root_certificate: Text,
}

/// A node.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Its name.
    pub name: Text,
    /// What its kubelet registers it with; the world gives it an address.
    pub kubelet: KubeletConfig,
}

impl NodeConfig {
    /// A node of zone `zone-1` with 8 CPUs, 32 GiB and 110 pods.
    pub fn new(name: impl Into<Text>) -> Self {
        NodeConfig { name: name.into(), kubelet: KubeletConfig::new("") }
    }
}

impl WorldConfig {
    /// A world of `nodes` workers named `worker-1`, `worker-2`, …
    pub fn new(seed: u64, nodes: usize) -> Self {
        WorldConfig {
            seed,
            nodes: (1..=nodes).map(|n| NodeConfig::new(format!("worker-{n}"))).collect(),
            bugs: Vec::new(),
            record_deliveries_of: None,
            window: 300_000,
            clients: None,
            calls_webhooks: false,
            authorization: None,
        }
    }

    /// The bug planted in the built-in actor of this name.
    pub(super) fn bug(&self, component: &str) -> Option<&str> {
        self.bugs.iter().find(|(name, _)| name == component).map(|(_, bug)| bug.as_str())
    }
}

/// Which of the built-in actors a world has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staff(Option<Vec<Text>>);

impl Staff {
    /// The kubelets, and with them the nodes.
    pub const KUBELET: &'static str = "kubelet";
    /// The scheduler.
    pub const SCHEDULER: &'static str = "scheduler";
    /// Who gives each namespace the certificate of the API server.
    pub const PUBLISHER: &'static str = "root-ca-cert-publisher";

    /// All of them.
    pub fn everybody() -> Staff {
        Staff(None)
    }

    /// Those with these names.
    pub fn only(names: impl IntoIterator<Item = impl Into<Text>>) -> Staff {
        Staff(Some(names.into_iter().map(Into::into).collect()))
    }

    /// Whether the actor of this name is one of them.
    pub fn has(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|names| names.iter().any(|have| have == name))
    }

    /// All names that there are in a cluster for programs from outside.
    pub fn names() -> Vec<&'static str> {
        let controllers = crate::controllers::all().into_iter().map(|(name, _)| name);
        let others = crate::controllers::for_clients().into_iter().map(|(name, _)| name);
        let single = [Staff::KUBELET, Staff::PUBLISHER, Staff::SCHEDULER];
        let mut names: Vec<&str> = single.into_iter().chain(controllers).chain(others).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// How to start an actor. Each incarnation is made anew by `start`.
#[derive(Clone)]
pub struct ActorSpec {
    /// Its name, unique in the world.
    pub name: Text,
    /// The user that the API sees.
    pub user: Text,
    /// The user agent that the API sees.
    pub user_agent: Text,
    /// The node it runs on, for those that have host access.
    pub node: Option<Text>,
    /// Requests per second and burst, as client-go limits them; `None` for no limit.
    pub rate: Option<(u64, u64)>,
    /// Makes a new incarnation.
    pub start: Arc<dyn Fn() -> Box<dyn Actor> + Send + Sync>,
}

impl ActorSpec {
    /// An actor with a service account in `kube-system`, without host or rate limit.
    pub fn new(
        name: impl Into<Text>,
        start: impl Fn() -> Box<dyn Actor> + Send + Sync + 'static,
    ) -> Self {
        let name = name.into();
        ActorSpec {
            user: Text::from(format!("system:serviceaccount:kube-system:{name}")),
            user_agent: name.clone(),
            name,
            node: None,
            rate: None,
            start: Arc::new(start),
        }
    }
}
