//! The API server's state, and what drivers and tests ask of it besides requests.

use std::cell::RefCell;

use kubesim_model::Millis;
use kubesim_model::actor::WatchSpec;
use kubesim_model::request::{Answer, Remarks, Request, Status};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::stream::Stream;
use kubesim_model::tree::Tree;

use super::authorization::Authorization;
use super::eviction;
use super::hooks::Outside;
use super::identity::Identity;
use super::policies::Policies;
use super::registry::{Registry, Type};
use super::selection::Selection;
use super::store::Store;
use super::token::Secret;
use super::window::Write;

/// The simulated API server. Copying it copies pointers: objects and history are shared.
#[derive(Clone)]
pub struct Api {
    pub(super) store: Store,
    pub(super) types: Registry,
    pub(super) names: Stream,
    pub(super) uids: Stream,
    pub(super) config: ApiConfig,
    /// How many cluster addresses were handed out to Services.
    pub(super) addresses: u32,
    /// What signs the tokens of service accounts.
    pub(super) secret: Secret,
    /// The admission policies that were compiled: those that decide, and those that change objects.
    pub(super) policies: Policies,
    pub(super) mutations: Policies,
}

/// The limits of an API server.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiConfig {
    /// How many of the newest writes can be watched from. Kubernetes keeps at least 75 s of them.
    pub window: usize,
    /// How many bytes a request's object may have in JSON (etcd: 1.5 MiB). Only counted for
    /// objects that come whole or by a patch that is not to `status`.
    pub object_bytes: usize,
    /// Whether pods need a service account that is there, and get its token mounted: for clusters
    /// in which each namespace has the account `default`.
    pub service_accounts: bool,
    /// Whether it is kept who owns which fields of an object from its creation on, as Kubernetes
    /// does; else from the first apply on.
    pub tracks_from_creation: bool,
    /// Whether somebody calls webhooks, so that requests may come by [`Api::attempt`].
    pub has_caller: bool,
    /// How requests from outside are authorised. With it come the roles that every cluster has;
    /// without, everybody may do everything.
    pub authorization: Option<Authorization>,
}

impl Default for ApiConfig {
    fn default() -> Self {
        let (window, object_bytes) = (20_000, 1_572_864);
        ApiConfig {
            window,
            object_bytes,
            service_accounts: false,
            tracks_from_creation: false,
            has_caller: false,
            authorization: None,
        }
    }
}

/// What a request did.
#[derive(Clone, Debug)]
pub struct Handled {
    /// What the requester gets.
    pub answer: Answer,
    /// What changed in the store; a failed request may have changed something too (an eviction
    /// that took its share of the budget and then lost a race).
    pub writes: Vec<Write>,
    /// What the requester is told besides.
    pub remarks: Remarks,
}

impl Api {
    /// A server with the namespaces `default`, `kube-node-lease`, `kube-public` and `kube-system`
    /// and the two priority classes of the system.
    pub fn new(seed: u64, config: ApiConfig) -> Self {
        Api::starting_at(seed, config, 0)
    }

    /// The same, made at the time `now`.
    pub fn starting_at(seed: u64, config: ApiConfig, now: Millis) -> Self {
        let mut api = Api {
            store: Store::new(config.window),
            types: Registry::builtin(),
            names: Stream::new(seed, "api/names"),
            uids: Stream::new(seed, "api/uids"),
            config,
            addresses: 0,
            secret: Secret::default(),
            policies: Policies::default(),
            mutations: Policies::default(),
        };
        let mut bits = Stream::new(seed, "api/tokens");
        api.secret.chunks_mut(8).for_each(|part| part.copy_from_slice(&bits.bits().to_le_bytes()));
        api.bootstrap(now);
        if api.config.authorization.is_some() {
            api.bootstrap_policy(now);
        }
        api
    }

    /// Carries a request out at the time `now`. That `who` asks may is taken for granted, but for
    /// rights that are given to others; it also decides how reviews of oneself are answered, and
    /// names the owner of what is written.
    ///
    /// Nobody calls webhooks: a request of which one would have to be asked fails, unless the
    /// webhook says that this is to be passed over.
    pub fn handle(&mut self, now: Millis, who: &Identity, request: &Request) -> Handled {
        self.carry_out(now, who, request, Outside::Nobody)
    }

    pub(super) fn carry_out(
        &mut self,
        now: Millis,
        who: &Identity,
        request: &Request,
        outside: Outside<'_>,
    ) -> Handled {
        let remarks = RefCell::default();
        if request.dry_run || eviction::is_dry_run(request) {
            let answer = self.rehearse(now, who, request, (&remarks, outside));
            return Handled { answer, writes: Vec::new(), remarks: remarks.into_inner() };
        }
        let before = self.version();
        let answer = self.route(now, who, request, (&remarks, outside));
        let writes = match self.store.after(before) {
            Ok(writes) if request.verb.is_write() => writes.cloned().collect(),
            _ => Vec::new(),
        };
        Handled { answer, writes, remarks: remarks.into_inner() }
    }

    /// Carries a request out and forgets it. The answer has the version that is stored, if any;
    /// names and uids are drawn as they would be.
    fn rehearse(
        &mut self,
        now: Millis,
        who: &Identity,
        request: &Request,
        heard: (&RefCell<Remarks>, Outside<'_>),
    ) -> Answer {
        let mut stage = self.clone();
        let answer = stage.route(now, who, request, heard);
        (self.names, self.uids) = (stage.names, stage.uids);
        let mut answer = answer?;
        if request.verb.is_write() && !answer["metadata"]["resourceVersion"].is_null() {
            match self.store.get(&request.resource, &request.key) {
                Some(stored) => {
                    let version = &stored["metadata"]["resourceVersion"];
                    answer.set(&["metadata", "resourceVersion"], version);
                }
                None => drop(answer.remove(&["metadata", "resourceVersion"])),
            }
        }
        Ok(answer)
    }

    /// The newest resourceVersion.
    pub fn version(&self) -> u64 {
        self.store.version()
    }

    /// What a reflector lists: the selected objects in the order of their keys, and the version to
    /// watch from.
    ///
    /// # Errors
    /// 400 for a selector that can't be understood or is not supported, 404 for an unknown
    /// resource, 500 if webhooks have to convert objects: for that there is [`Api::convert`].
    pub fn list(&self, spec: &WatchSpec) -> Result<(Vec<Tree>, u64), Status> {
        let selection = self.select(spec)?;
        let stored = self.store.range(&spec.resource, &spec.namespace).map(|(_, object)| object);
        let items = if selection.asks_to_convert() {
            let stored: Vec<Tree> = stored.cloned().collect();
            let mut shown = self.converter(Outside::Nobody).all_shown(spec, &stored)?;
            shown.retain(|object| selection.matches(object));
            shown
        } else {
            let selected = stored.filter(|object| selection.matches(object));
            selected.map(|object| selection.show(object)).collect()
        };
        Ok((items, self.version()))
    }

    /// What is stored of a resource in a namespace (in all with the empty one), in the order of
    /// keys, and the version to watch from.
    pub fn stored(&self, resource: &Resource, namespace: &str) -> (Vec<Tree>, u64) {
        let stored = self.store.range(resource, namespace);
        (stored.map(|(_, object)| object.clone()).collect(), self.version())
    }

    /// The compiled selector of a watch.
    ///
    /// # Errors
    /// As [`Api::list`].
    pub fn select(&self, spec: &WatchSpec) -> Result<Selection, Status> {
        let kind = self.types.in_version(&spec.resource, &spec.version)?;
        Selection::new(&kind, &spec.namespace, &spec.label_selector, &spec.field_selector)
    }

    /// The writes to `resource` after the version `rv`, oldest first.
    ///
    /// # Errors
    /// 410 `Expired` when the history window does not reach back to `rv`, 504 `Timeout` when
    /// `rv` is newer than the store.
    pub fn changes_since<'a>(
        &'a self,
        rv: u64,
        resource: &Resource,
    ) -> Result<impl Iterator<Item = &'a Write> + use<'a>, Status> {
        let resource = resource.clone();
        Ok(self.store.after(rv)?.filter(move |write| write.resource == resource))
    }

    /// The writes to everything after the version `rv`, oldest first.
    ///
    /// # Errors
    /// As [`Api::changes_since`].
    pub fn writes_since(&self, rv: u64) -> Result<impl Iterator<Item = &Write>, Status> {
        self.store.after(rv)
    }

    /// Forgets the history up to `rv`: watches and page tokens from before are answered 410.
    pub fn compact(&mut self, rv: u64) {
        self.store.compact(rv);
    }

    /// The newest state of an object, past all links. For drivers and tests, never for actors.
    pub fn get(&self, resource: &Resource, key: &ObjectKey) -> Option<&Tree> {
        self.store.get(resource, key)
    }

    /// The served types in the order of their resources.
    pub fn resources(&self) -> impl Iterator<Item = &Type> {
        self.types.all()
    }
}
