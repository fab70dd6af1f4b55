//! The provider: one trial at a time in a cluster that its owner has marked.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use camino::Utf8PathBuf;
use kubesim::world::WorldConfig;
use kubesim_model::Text;
use kubesim_model::tree::Tree;

use super::access::NodeAccess;
use super::connection::{Connection, KubeconfigError};
use super::contents;
use super::ground::{Health, Marked, follow};
use super::healer::{Hands, KubeconfigReach};
use super::hold::Held;
use super::hosts::Hosts;
use super::marker::Marker;
use super::nodes::named;
use crate::cluster::real::{
    Api, Folder, Header, Journal, Names, RealCluster, Runtime, Scope, Setup, SharedJournal, Undo,
    Undoable, Way, capabilities, refuse_bugs,
};
use crate::cluster::{Capabilities, Capability, Cluster, ClusterError, ClusterSpec, Provider};
use crate::history::Clock;

/// The provider's name.
const PROVIDER: &str = "kubeconfig";

/// What a trial calls its own namespace.
const DEFAULT: &str = "default";

/// Which cluster, and how it is reached.
#[derive(Clone, Debug, Default)]
pub struct KubeconfigOptions {
    /// The kubeconfig.
    pub kubeconfig: Utf8PathBuf,
    /// One of its contexts; the current one if none is named.
    pub context: Option<String>,
    /// Whether the user says that the cluster is theirs.
    pub is_owned: bool,
    /// The audit log of its API server.
    pub audit_log: Option<Utf8PathBuf>,
    /// A command that gives a shell on `{node}`.
    pub node_access: Option<String>,
}

/// The provider.
pub struct Kubeconfig {
    options: KubeconfigOptions,
    access: Option<NodeAccess>,
    marked: Vec<Tree>,
    /// As in `1.36`.
    minor: String,
    turns: Arc<Turns>,
    /// From the first trial to the last.
    held: Arc<Held>,
}

impl Kubeconfig {
    /// For a cluster that answers and is marked.
    ///
    /// # Errors
    /// It is not the user's, not marked, not reached or in use by another harness.
    pub fn new(options: KubeconfigOptions) -> Result<Kubeconfig, KubeconfigError> {
        if !options.is_owned {
            return Err(KubeconfigError::NotOwned);
        }
        let access = options.node_access.as_deref().map(NodeAccess::new).transpose();
        let access = access.map_err(KubeconfigError::Argument)?;
        if let Some(log) = &options.audit_log {
            std::fs::File::open(log)
                .map_err(|error| KubeconfigError::Argument(format!("`{log}`: {error}")))?;
        }
        let runtime = Runtime::new();
        let runtime = runtime.map_err(|error| KubeconfigError::Argument(error.to_string()))?;
        let reaching = async {
            let context = options.context.as_deref();
            let connection = Connection::new(&options.kubeconfig, context).await?;
            let marked = connection.nodes(&connection.marker().await?).await?;
            Ok((marked, connection.minor().await?))
        };
        let (marked, minor) = runtime.block_on(reaching)?;
        let held = Arc::new(Held::take(&options.kubeconfig, options.context.as_deref())?);
        Ok(Kubeconfig { options, access, marked, minor, turns: Arc::default(), held })
    }

    /// What a trial with this spec may touch, once it is written down how that is given back.
    async fn mark_off(
        &self,
        spec: &ClusterSpec,
        connection: &Connection,
        folder: &Folder,
    ) -> Result<(Scope, Names, Names, SharedJournal), ClusterError> {
        let failed = |error: KubeconfigError| ClusterError::Environment(error.to_string());
        let marker = connection.marker().await.map_err(failed)?;
        let nodes = connection.nodes(&marker).await.map_err(failed)?;
        let names = named(spec, &nodes).map_err(ClusterError::Environment)?;
        let namespaces = namespaces(&marker);
        let client = connection.client();
        let mut kept = Vec::new();
        for namespace in &marker.namespaces {
            let keep = contents::names(&client, namespace).await;
            let keep = keep.map_err(|error| failed(connection.failed(&error)))?;
            if let Some(pod) = keep.iter().find(|name| name.starts_with("pods/")) {
                let text = format!("the namespace `{namespace}` is in use: it has {pod}");
                return Err(ClusterError::Environment(text));
            }
            kept.push(Undo::Empty { namespace: namespace.to_string(), keep });
        }
        let place = (self.options.kubeconfig.clone(), self.options.context.clone());
        let reach = KubeconfigReach::new(place, self.access.as_ref(), (&names, &namespaces));
        let header = Header::new(PROVIDER, &reach, true);
        let unwritten = |error: &dyn std::fmt::Display| {
            ClusterError::Environment(format!("the undo journal can't be written: {error}"))
        };
        let journal = Journal::create(folder.path(), header).map_err(|error| unwritten(&error))?;
        let journal = SharedJournal::new(journal);
        for undo in kept {
            journal.open(undo).map_err(|error| unwritten(&error))?;
        }
        let mark = folder.name().to_owned();
        let scope = Scope::of(namespaces.clone(), (names.clone(), nodes), mark, journal.clone());
        Ok((scope, names, namespaces, journal))
    }
}

/// What the trial calls the namespaces: the first one its own.
fn namespaces(marker: &Marker) -> Names {
    let (first, others) = match marker.namespaces.split_first() {
        Some((first, others)) => (Some(first), others),
        None => (None, &[][..]),
    };
    let own = first.map(|first| (first.clone(), Text::new_static(DEFAULT)));
    Names::new(own.into_iter().chain(others.iter().map(|name| (name.clone(), name.clone()))))
}

impl Provider for Kubeconfig {
    fn name(&self) -> &'static str {
        PROVIDER
    }

    fn version(&self) -> Option<&str> {
        Some(&self.minor)
    }

    fn capabilities(&self) -> Capabilities {
        // A script could do anything to the cluster, and its control plane is out of reach.
        let mut lacks = vec![
            Capability::PowerFaults,
            Capability::ContainerBehaviour,
            Capability::ImageFaults,
            Capability::SlowImages,
            Capability::RuntimeFaults,
            Capability::PacketLoss,
            Capability::OomKills,
            Capability::ActorFaults,
            Capability::Scripts,
            // Nothing stands between its controllers and its API server.
            Capability::Deliveries,
            Capability::ApiFaults,
        ];
        if self.access.is_none() {
            let on_nodes = [Capability::Host, Capability::HostFaults, Capability::ContainerFaults];
            lacks.extend(on_nodes);
        }
        if self.options.audit_log.is_none() {
            lacks.extend([Capability::Actors, Capability::Evictions]);
        }
        capabilities(&lacks)
    }

    fn clock(&self) -> Clock {
        Clock::Wall
    }

    fn unfit(&self, spec: &ClusterSpec) -> Option<String> {
        named(spec, &self.marked).err()
    }

    fn provision(&self, spec: &ClusterSpec) -> Result<Box<dyn Cluster>, ClusterError> {
        refuse_bugs(PROVIDER, spec)?;
        let turn = Turn::take(&self.turns)?;
        let failed = |error: &dyn std::fmt::Display| ClusterError::Environment(error.to_string());
        let runtime = Runtime::new().map_err(|error| failed(&error))?;
        let folder = Folder::at_home().map_err(|error| failed(&error))?;
        let (file, context) = (&self.options.kubeconfig, self.options.context.as_deref());
        let own = Runtime::new().map_err(|error| failed(&error))?;
        let connection = own.block_on(Connection::new(file, context));
        let connection = connection.map_err(|error| failed(&error))?;
        let (scope, nodes, namespaces, journal) =
            own.block_on(self.mark_off(spec, &connection, &folder))?;
        let handle = own.handle().clone();
        let hosts = self.access.clone().map(|access| Hosts { access, nodes, namespaces });
        let ground = Marked {
            hands: Hands::new(connection.client(), hosts.clone(), handle.clone()),
            seen: follow(hosts.as_ref(), &handle),
            facts: Vec::new(),
            health: Health::watch(connection.clone(), self.held.clone(), &handle),
            kubeconfig: file.clone(),
            journal: journal.clone(),
            folder: Some(folder),
            runtime: own,
            hosts,
            turn,
        };
        let setup = Setup {
            provider: PROVIDER,
            api: Api::new(connection.config, runtime.handle().clone())?.within(scope),
            audit_log: self.options.audit_log.clone(),
            ground: Box::new(Undoable::new(ground, journal)),
            world: WorldConfig::new(spec.seed, 0),
            runtime,
            proxy: Way::Direct,
        };
        Ok(Box::new(RealCluster::new(setup)?))
    }
}

/// Whose turn it is: trials would disturb each other on the same nodes.
#[derive(Default)]
struct Turns {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_taken: bool,
    /// What the last trial could not give back.
    left: Vec<String>,
}

impl Turns {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn of one trial.
pub(super) struct Turn(Arc<Turns>);

impl Turn {
    /// Waits for it. There is none in a cluster that was not given back as it was.
    fn take(turns: &Arc<Turns>) -> Result<Turn, ClusterError> {
        let mut state = turns.state();
        while state.is_taken {
            state = turns.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if !state.left.is_empty() {
            let left = state.left.join("; ");
            let text = format!(
                "the cluster is not as it was before the last trial: {left}; see `shakedown cleanup`"
            );
            return Err(ClusterError::Environment(text));
        }
        state.is_taken = true;
        Ok(Turn(turns.clone()))
    }

    /// Says what could not be given back.
    pub(super) fn left(&self, left: Vec<String>) {
        self.0.state().left = left;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.state().is_taken = false;
        self.0.changed.notify_all();
    }
}
