//! The steps of a Deployment's sync.
//!
//! A sync goes through its [`Phase`]s in order. Each may send requests; the next begins when all
//! were answered. The first failure ends the sync, which is then tried again.
//!
//! The real controller keeps working on the copies that its cache gave it, and so does this one:
//! it takes in what it noted on the Deployment but not the new version, so that a second write of
//! it in the same sync is refused and the sync is tried again; and the sizes that it has just given
//! out are not in the status that it reports (v1.36, `sync.go`, `rolling.go`).

use std::collections::BTreeMap;

use kubesim_model::actor::{Actor, WatchSpec};
use kubesim_model::cache::{Cache, Change};
use kubesim_model::controller::{Controller, Reconcile, Verdict, Work};
use kubesim_model::object;
use kubesim_model::request::{Answer, Request};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;

use super::limits::{Limits, is_recreate};
use super::{scaling, sets, status};
use crate::controllers::owned::batches::{Batches, Progress};
use crate::controllers::owned::claim::{self, claims};
use crate::controllers::owned::status::{count, update};

/// The bugs that can be planted: name, and what it does wrong.
pub const BUGS: &[(&str, &str)] = &[
    ("off-by-one-unavailable", "lets one pod more be unavailable than maxUnavailable says"),
    ("ignores-not-ready", "takes every new pod for available when it scales the old ones down"),
    ("exceeds-surge", "makes one pod more than maxSurge allows"),
    ("ignores-rollback-template", "takes the latest ReplicaSet for new when an older one fits"),
    ("observed-generation-early", "reports a generation as observed before it acts on it"),
    ("rounds-unavailable-up", "rounds a maxUnavailable in percent up instead of down"),
];

/// The Deployment controller of v1.36, with this bug of [`BUGS`].
pub fn actor(bug: Option<&str>) -> Box<dyn Actor> {
    Box::new(Controller::new(Deployments { bug: Bug::named(bug), syncs: BTreeMap::new() }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    OffByOneUnavailable,
    IgnoresNotReady,
    ExceedsSurge,
    IgnoresRollbackTemplate,
    ObservedGenerationEarly,
    RoundsUnavailableUp,
}

impl Bug {
    fn named(name: Option<&str>) -> Option<Self> {
        Some(match name? {
            "off-by-one-unavailable" => Bug::OffByOneUnavailable,
            "ignores-not-ready" => Bug::IgnoresNotReady,
            "exceeds-surge" => Bug::ExceedsSurge,
            "ignores-rollback-template" => Bug::IgnoresRollbackTemplate,
            "observed-generation-early" => Bug::ObservedGenerationEarly,
            "rounds-unavailable-up" => Bug::RoundsUnavailableUp,
            _ => return None,
        })
    }
}

#[derive(Clone)]
struct Deployments {
    bug: Option<Bug>,
    syncs: BTreeMap<ObjectKey, Sync>,
}

/// One sync: the Deployment and its ReplicaSets, as the cache had them when it began.
#[derive(Clone)]
struct Sync {
    deployment: Tree,
    sets: Vec<Tree>,
    /// Those that were cleaned up, as answered.
    cleaned: Vec<Tree>,
    phase: Phase,
    /// Whether the last phase that scales had something to scale.
    scaled: bool,
    /// Whether nothing more may be taken from the old ReplicaSets.
    gave_up: bool,
    /// Whether the new ReplicaSet was made in this sync.
    created: bool,
    /// Whether the new ReplicaSet was brought up to date in this sync.
    refreshed: bool,
    batches: Batches,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Adopts and releases ReplicaSets.
    Claim,
    /// Notes that the Deployment was paused or resumed.
    Pause,
    /// Brings the annotations of the new ReplicaSet up to date.
    Refresh,
    /// Notes the revision, and that the rollout began.
    Mark,
    /// Paused or scaled: changes sizes in proportion.
    Scale,
    /// `Recreate`: takes the old ReplicaSets to 0.
    Empty,
    /// `Recreate`: waits for the old pods.
    Await,
    /// Makes the new ReplicaSet.
    Create,
    /// Notes that it was made.
    MarkCreated,
    /// Grows the new ReplicaSet.
    Grow,
    /// Takes what is not available from the old ones.
    CleanUp,
    /// Takes what can be spared from the old ones.
    Shrink,
    /// Deletes old ones beyond the history limit; with `true` whatever the state of the rollout.
    Clean(bool),
    /// Writes the status; with `true` also how the rollout goes.
    Report(bool),
    /// Nothing is left.
    End,
}

impl Reconcile for Deployments {
    fn watches(&self) -> Vec<WatchSpec> {
        [Resource::DEPLOYMENTS, Resource::REPLICA_SETS, Resource::PODS].map(WatchSpec::all).to_vec()
    }

    fn changed(&mut self, change: &Change, cache: &Cache, enqueue: &mut dyn FnMut(ObjectKey)) {
        let both = [change.old.as_ref(), change.new.as_ref()];
        match change.resource.as_str() {
            "deployments.apps" => {
                let last = both.into_iter().flatten().last();
                last.into_iter().for_each(|deployment| enqueue(object::key(deployment)));
            }
            "replicasets.apps" => {
                for set in both.into_iter().flatten() {
                    claim::concerned(set, &Resource::DEPLOYMENTS, "Deployment", cache, enqueue);
                }
            }
            _ => pod_gone(change, cache, enqueue),
        }
    }

    fn reconcile(&mut self, key: &ObjectKey, work: &mut Work<'_, '_>) {
        let Some(deployment) = work.cache.get(&Resource::DEPLOYMENTS, key).cloned() else { return };
        let sets = work.cache.in_namespace(&Resource::REPLICA_SETS, &key.namespace);
        let claims = claims(&deployment, sets);
        let mut batches =
            claims.requests(&Resource::REPLICA_SETS, &Resource::DEPLOYMENTS, &deployment);
        let progress = batches.start(work);
        let sync = Sync {
            deployment,
            sets: claims.mine,
            cleaned: Vec::new(),
            phase: Phase::Claim,
            scaled: false,
            gave_up: false,
            created: false,
            refreshed: false,
            batches,
        };
        match progress {
            Progress::Going => drop(self.syncs.insert(key.clone(), sync)),
            _ => self.go_on(key, sync, work),
        }
    }

    fn answered(
        &mut self,
        key: &ObjectKey,
        request: &Request,
        answer: &Answer,
        work: &mut Work<'_, '_>,
    ) -> Verdict {
        let Some(mut sync) = self.syncs.remove(key) else { return Verdict::Fine };
        if let (Phase::CleanUp | Phase::Shrink, Err(_)) = (sync.phase, answer) {
            // As upstream: the failure is dropped, and with it all that was still to be done.
            (sync.gave_up, sync.batches) = (true, Batches::default());
            self.go_on(key, sync, work);
            return Verdict::Fine;
        }
        let fine = match (sync.phase, answer) {
            (Phase::Claim, _) => claim::went_well(&sync.deployment, request, answer),
            (Phase::Create, Err(failure)) => sync.create_failed(request, failure, work),
            (Phase::Clean(_), Err(failure)) => failure.is_not_found(),
            _ => answer.is_ok(),
        };
        if let Ok(object) = answer {
            sync.take(request, object);
        }
        match sync.batches.answered(fine, work) {
            Progress::Going => drop(self.syncs.insert(key.clone(), sync)),
            Progress::Done => self.go_on(key, sync, work),
            Progress::Failed { .. } => {}
        }
        if fine { Verdict::Fine } else { Verdict::Retry }
    }
}

impl Deployments {
    /// Runs the phases until one has something to send.
    fn go_on(&mut self, key: &ObjectKey, mut sync: Sync, work: &mut Work<'_, '_>) {
        while sync.phase != Phase::End {
            let requests = self.next_phase(&mut sync, work);
            sync.batches = Batches::one_by_one(requests);
            if sync.batches.start(work) == Progress::Going {
                self.syncs.insert(key.clone(), sync);
                return;
            }
        }
    }

    /// Steps into the next phase; answers what it sends.
    fn next_phase(&self, sync: &mut Sync, work: &mut Work<'_, '_>) -> Vec<Request> {
        let limits = Limits::of(&sync.deployment, self.bug);
        sync.phase = sync.following(&limits);
        let new = sets::find_new(&sync.deployment, &sync.sets, self.bug);
        let old = sets::old_sets(&sync.sets, new);
        let deployment = &sync.deployment;
        let now = work.now();
        let resize = |sizes: Vec<(&Tree, i64)>| -> Vec<Request> {
            let scaled = |(set, size)| sets::scaled(set, size, &limits);
            let update = |set| Request::update(Resource::REPLICA_SETS, set);
            sizes.into_iter().filter_map(scaled).map(update).collect()
        };
        let write_status = |new: Tree| update(&Resource::DEPLOYMENTS, deployment, &new);
        let requests = match sync.phase {
            Phase::Pause => self
                .early_report(deployment)
                .into_iter()
                .chain(status::with_pause(deployment, now).map(write_status))
                .collect(),
            Phase::Refresh => {
                let set = new.and_then(|new| sets::refreshed(deployment, new, &old));
                let write = set.map(|set| Request::update(Resource::REPLICA_SETS, set));
                // Whoever is not only looked at is refreshed once more, from the same old copy
                // (`isScalingEvent` and then the rollout): that is refused and ends the sync.
                vec![write; if sync.looks_only() { 1 } else { 2 }].into_iter().flatten().collect()
            }
            Phase::Mark => mark(deployment, new, "FoundNewReplicaSet", false, now),
            Phase::MarkCreated => mark(deployment, new, "NewReplicaSetCreated", true, now),
            Phase::Scale => resize(scaling::scaled_sizes(deployment, &limits, new, &old)),
            Phase::Empty => {
                let active = old.iter().filter(|set| scaling::size(set) > 0);
                resize(active.map(|set| (*set, 0)).collect())
            }
            Phase::Create if new.is_none() => {
                let set = sets::make_new(deployment, &old, &limits);
                vec![Request::create(Resource::REPLICA_SETS, set)]
            }
            Phase::Grow => new.map_or_else(Vec::new, |new| {
                let total = sync.sets.iter().map(scaling::size).sum();
                let have = scaling::size(new);
                let wanted = scaling::new_size(deployment, &limits, have, total);
                if wanted == have { Vec::new() } else { resize(vec![(new, wanted)]) }
            }),
            Phase::CleanUp => new.map_or_else(Vec::new, |new| {
                let (sizes, goes_on) = scaling::clean_up(&limits, new, &old, self.bug);
                sync.gave_up = !goes_on;
                resize(sizes)
            }),
            Phase::Shrink => new.map_or_else(Vec::new, |new| {
                let old = sync.with_cleaned(&old);
                resize(scaling::take_down(&limits, new, &old, self.bug))
            }),
            Phase::Clean(always)
                if always || status::is_complete(deployment, &deployment["status"], &limits) =>
            {
                let delete = |set: &Tree| Request::delete(Resource::REPLICA_SETS, object::key(set));
                scaling::superfluous(deployment, &old).into_iter().map(delete).collect()
            }
            Phase::Report(rollout) => report(sync, new, &limits, rollout, work),
            _ => Vec::new(),
        };
        match sync.phase {
            Phase::Empty | Phase::Grow | Phase::CleanUp => sync.scaled = !requests.is_empty(),
            Phase::Shrink => sync.scaled |= !requests.is_empty(),
            _ => {}
        }
        if sync.phase == Phase::Await {
            sync.scaled = has_old_pods(sync, self.bug, work.cache);
        }
        requests
    }

    /// With the bug planted: the generation as observed, all else as it was.
    fn early_report(&self, deployment: &Tree) -> Option<Request> {
        let generation = object::generation(deployment);
        let lags = count(deployment, "observedGeneration") < generation;
        (self.bug == Some(Bug::ObservedGenerationEarly) && lags).then(|| {
            let mut status = deployment["status"].clone();
            status.set(&["observedGeneration"], generation);
            update(&Resource::DEPLOYMENTS, deployment, &status)
        })
    }
}

impl Sync {
    /// The phase after this one.
    fn following(&self, limits: &Limits) -> Phase {
        let recreate = is_recreate(&self.deployment);
        let paused = self.deployment["spec"]["paused"].is_true();
        let terminating = object::is_terminating(&self.deployment);
        match self.phase {
            Phase::Claim if terminating => Phase::Refresh,
            Phase::Claim => Phase::Pause,
            Phase::Pause => Phase::Refresh,
            Phase::Refresh if !self.refreshed => Phase::Mark,
            Phase::Refresh | Phase::Mark if terminating => Phase::Report(false),
            Phase::Refresh => Phase::Scale,
            Phase::Mark if paused || scaling::is_scaling(&self.sets, limits) => Phase::Scale,
            Phase::Mark if recreate => Phase::Empty,
            Phase::Mark => Phase::Create,
            Phase::Scale if paused => Phase::Clean(true),
            Phase::Scale => Phase::Report(false),
            Phase::CleanUp | Phase::Shrink if self.gave_up => Phase::Clean(false),
            Phase::CleanUp => Phase::Shrink,
            Phase::Empty | Phase::Await | Phase::Grow | Phase::Shrink if self.scaled => {
                Phase::Report(true)
            }
            Phase::Empty => Phase::Await,
            Phase::Await => Phase::Create,
            Phase::Create if self.created => Phase::MarkCreated,
            Phase::Create => Phase::Grow,
            Phase::MarkCreated => Phase::Grow,
            Phase::Grow if recreate => Phase::Clean(false),
            Phase::Grow => Phase::CleanUp,
            Phase::Shrink => Phase::Clean(false),
            Phase::Clean(always) => Phase::Report(!always),
            Phase::Report(_) | Phase::End => Phase::End,
        }
    }

    /// Whether the Deployment is paused or goes away, so that nothing is rolled out.
    fn looks_only(&self) -> bool {
        self.deployment["spec"]["paused"].is_true() || object::is_terminating(&self.deployment)
    }

    /// Takes in what the sync goes on with.
    fn take(&mut self, request: &Request, object: &Tree) {
        if request.resource == Resource::DEPLOYMENTS && request.verb.is_write() {
            self.deployment = request.body.clone();
            return;
        }
        match self.phase {
            Phase::Refresh | Phase::Create => {
                self.created |= self.phase == Phase::Create;
                self.refreshed |= self.phase == Phase::Refresh;
                self.sets.retain(|set| object::key(set) != request.key);
                self.sets.push(object.clone());
            }
            Phase::CleanUp => self.cleaned.push(object.clone()),
            _ => {}
        }
    }

    /// The active ones of the old sets, as they are since they were cleaned up.
    fn with_cleaned<'a>(&'a self, old: &[&'a Tree]) -> Vec<&'a Tree> {
        let active = old.iter().filter(|set| scaling::size(set) > 0);
        let now = |set: &&'a Tree| {
            let cleaned = self.cleaned.iter().find(|new| object::uid(new) == object::uid(set));
            cleaned.unwrap_or(*set)
        };
        active.map(now).collect()
    }

    /// The new ReplicaSet could not be made. If it is there after all, the sync goes on with it; if
    /// another one has its name, the next try takes another name.
    fn create_failed(
        &mut self,
        request: &Request,
        failure: &kubesim_model::request::Status,
        work: &mut Work<'_, '_>,
    ) -> bool {
        let now = work.now();
        if !failure.is_already_exists() {
            let status = status::with_failed_create(&self.deployment, &failure.message, now);
            work.request(update(&Resource::DEPLOYMENTS, &self.deployment, &status));
            return false;
        }
        let Some(there) = work.cache.get(&Resource::REPLICA_SETS, &request.key) else {
            return false;
        };
        let template = &self.deployment["spec"]["template"];
        let is_ours = object::controller_uid(there) == object::uid(&self.deployment);
        if is_ours && sets::same_template(&there["spec"]["template"], template) {
            self.sets.push(there.clone());
            return true;
        }
        let mut status = self.deployment["status"].clone();
        status.set(&["collisionCount"], count(&self.deployment, "collisionCount") + 1);
        work.request(update(&Resource::DEPLOYMENTS, &self.deployment, &status));
        false
    }
}

/// Notes on the Deployment the revision of its new set, and the condition that its rollout began.
fn mark(
    deployment: &Tree,
    new: Option<&Tree>,
    reason: &str,
    created: bool,
    now: kubesim_model::Millis,
) -> Vec<Request> {
    let Some(new) = new else { return Vec::new() };
    let mut marked = deployment.clone();
    let revision = object::annotation(new, sets::REVISION);
    if object::annotation(deployment, sets::REVISION) != revision && !revision.is_empty() {
        marked.set(&["metadata", "annotations", sets::REVISION], revision);
    }
    if (created || status::has_no_progress_noted(deployment))
        && let Some(status) = status::with_progress(deployment, reason, now)
    {
        marked.set(&["status"], status);
    }
    let status = marked["status"].clone();
    if marked == *deployment {
        return Vec::new();
    }
    vec![update(&Resource::DEPLOYMENTS, &marked, &status)]
}

/// The status to write, if it changed; else the time of the next look at the deadline is set.
fn report(
    sync: &Sync,
    new: Option<&Tree>,
    limits: &Limits,
    rollout: bool,
    work: &mut Work<'_, '_>,
) -> Vec<Request> {
    let (deployment, now) = (&sync.deployment, work.now());
    let mut new_status = status::calculate(deployment, &sync.sets, new, limits, now);
    if rollout {
        status::note_progress(&mut new_status, deployment, &sync.sets, new, limits, now);
    }
    if new_status != deployment["status"] {
        return vec![update(&Resource::DEPLOYMENTS, deployment, &new_status)];
    }
    if rollout {
        let wait = status::next_check(deployment, &new_status, limits, now);
        wait.into_iter().for_each(|wait| work.again_after(wait));
    }
    Vec::new()
}

/// Whether pods of old ReplicaSets are there that have not ended (`oldPodsRunning`).
fn has_old_pods(sync: &Sync, bug: Option<Bug>, cache: &Cache) -> bool {
    let new = sets::find_new(&sync.deployment, &sync.sets, bug);
    let old = sets::old_sets(&sync.sets, new);
    old.iter().any(|set| {
        count(set, "replicas") > 0
            || cache
                .controlled_by(&Resource::PODS, object::uid(set))
                .any(|pod| !object::is_terminal(pod))
    })
}

/// A Deployment that recreates its pods goes on when the last one is gone.
fn pod_gone(change: &Change, cache: &Cache, enqueue: &mut dyn FnMut(ObjectKey)) {
    let (Some(pod), None) = (&change.old, &change.new) else { return };
    let (sets, all) = (Resource::REPLICA_SETS, Resource::DEPLOYMENTS);
    let owner = claim::owner_of(pod, &sets, "ReplicaSet", cache)
        .and_then(|set| cache.get(&sets, &set))
        .and_then(|set| claim::owner_of(set, &all, "Deployment", cache));
    let recreates = |key: &ObjectKey| cache.get(&all, key).is_some_and(is_recreate);
    owner.into_iter().filter(recreates).for_each(enqueue);
}
