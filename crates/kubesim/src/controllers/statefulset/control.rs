//! The steps of a StatefulSet's sync.

use std::collections::BTreeMap;

use kubesim_model::Text;
use kubesim_model::actor::{Actor, WatchSpec};
use kubesim_model::cache::{Cache, Change};
use kubesim_model::controller::{Controller, Reconcile, Verdict, Work};
use kubesim_model::object;
use kubesim_model::request::{Answer, Request, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;

use super::identity;
use super::plan::{Act, View, revision as pod_revision};
use super::status::status_of;
use crate::controllers::owned::batches::{Batches, Progress};
use crate::controllers::owned::claim::{self, claims};
use crate::controllers::owned::own_writes::{OwnWrites, StaleReads};
use crate::controllers::owned::revision::{self, Settled, Wanted};
use crate::controllers::owned::status::{count, min_ready_seconds, next_available, update};

/// The label that carries a revision's hash on the revision.
const HASH: &str = "controller.kubernetes.io/hash";

/// The bugs that can be planted: name, and what it does wrong.
pub const BUGS: &[(&str, &str)] = &[
    ("parallel-always", "creates and deletes all pods at once, whatever the policy says"),
    ("replaces-before-gone", "force-deletes a terminating pod and makes the next one at once"),
    ("ignores-partition", "updates the ordinals below the partition too"),
];

/// The StatefulSet controller of v1.36, with this bug of [`BUGS`].
pub fn actor(bug: Option<&str>) -> Box<dyn Actor> {
    actor_with(bug, StaleReads::Refused)
}

/// The same, of a version that waits for its own writes or of one that doesn't.
pub fn actor_with(bug: Option<&str>, stale_reads: StaleReads) -> Box<dyn Actor> {
    let bug = Bug::named(bug);
    let writes = OwnWrites::new(stale_reads);
    Box::new(Controller::new(StatefulSets { bug, writes, syncs: BTreeMap::new() }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    ParallelAlways,
    ReplacesBeforeGone,
    IgnoresPartition,
}

impl Bug {
    fn named(name: Option<&str>) -> Option<Self> {
        Some(match name? {
            "parallel-always" => Bug::ParallelAlways,
            "replaces-before-gone" => Bug::ReplacesBeforeGone,
            "ignores-partition" => Bug::IgnoresPartition,
            _ => return None,
        })
    }
}

#[derive(Clone)]
struct StatefulSets {
    bug: Option<Bug>,
    writes: OwnWrites,
    syncs: BTreeMap<ObjectKey, Sync>,
}

/// One sync: what the cache held when it began, and how far it is.
#[derive(Clone)]
struct Sync {
    set: Tree,
    pods: Vec<Tree>,
    revisions: Vec<Tree>,
    /// The revision to reach, once it is there.
    update: Tree,
    collisions: i64,
    fewer_current: i64,
    stage: Stage,
    batches: Batches,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Claim,
    Revision,
    Pods,
    Status,
    History,
}

impl Reconcile for StatefulSets {
    fn watches(&self) -> Vec<WatchSpec> {
        [
            Resource::STATEFUL_SETS,
            Resource::PODS,
            Resource::CONTROLLER_REVISIONS,
            Resource::PERSISTENT_VOLUME_CLAIMS,
        ]
        .map(WatchSpec::all)
        .to_vec()
    }

    fn changed(&mut self, change: &Change, cache: &Cache, enqueue: &mut dyn FnMut(ObjectKey)) {
        self.writes.saw(change);
        let both = [change.old.as_ref(), change.new.as_ref()].into_iter().flatten();
        match change.resource.as_str() {
            "statefulsets.apps" => {
                if let (Some(old), None) = (&change.old, &change.new) {
                    self.writes.forget(&object::key(old));
                }
                both.last().into_iter().for_each(|set| enqueue(object::key(set)));
            }
            "pods" => both.for_each(|pod| {
                claim::concerned(pod, &Resource::STATEFUL_SETS, "StatefulSet", cache, enqueue);
            }),
            _ => {}
        }
    }

    fn reconcile(&mut self, key: &ObjectKey, work: &mut Work<'_, '_>) {
        let Some(set) = work.cache.get(&Resource::STATEFUL_SETS, key).cloned() else { return };
        if !self.writes.are_seen(key, work.now()) {
            return work.retry();
        }
        let pods = work.cache.in_namespace(&Resource::PODS, &key.namespace);
        let pods = claims(&set, pods.filter(|pod| identity::ordinal(&set, pod).is_some()));
        let revisions = &Resource::CONTROLLER_REVISIONS;
        let history = claims(&set, work.cache.in_namespace(revisions, &key.namespace));
        let owner = &Resource::STATEFUL_SETS;
        let batches = history.requests(revisions, owner, &set).and(pods.requests(
            &Resource::PODS,
            owner,
            &set,
        ));
        let mut revisions = history.mine;
        revision::sort(&mut revisions);
        let sync = Sync {
            collisions: count(&set, "collisionCount"),
            set,
            pods: pods.mine,
            revisions,
            update: Tree::Null,
            fewer_current: 0,
            stage: Stage::Claim,
            batches,
        };
        self.go(key, sync, work);
    }

    fn answered(
        &mut self,
        key: &ObjectKey,
        request: &Request,
        answer: &Answer,
        work: &mut Work<'_, '_>,
    ) -> Verdict {
        let Some(mut sync) = self.syncs.remove(key) else { return Verdict::Fine };
        if sync.stage == Stage::Revision {
            return self.revision_answered(key, sync, request, answer, work);
        }
        if let (Ok(object), Verb::Create | Verb::Update) = (answer, request.verb) {
            self.writes.wrote(key, &request.resource, object, work.now());
        }
        let fine = match (sync.stage, answer) {
            (Stage::Claim, _) => claim::went_well(&sync.set, request, answer),
            (_, Ok(_)) => true,
            (_, Err(failure)) => match request.verb {
                Verb::Delete => failure.is_not_found(),
                Verb::Create => failure.is_already_exists() && request.resource != Resource::PODS,
                _ => false,
            },
        };
        match (sync.batches.answered(fine, work), sync.stage) {
            (Progress::Going, _) => drop(self.syncs.insert(key.clone(), sync)),
            (Progress::Done, _) | (Progress::Failed { .. }, Stage::Pods) => {
                self.next_stage(key, sync, work);
            }
            (Progress::Failed { .. }, _) => {}
        }
        if fine { Verdict::Fine } else { Verdict::Retry }
    }
}

impl StatefulSets {
    /// Sends what the stage has to send; goes on at once if that is nothing.
    fn go(&mut self, key: &ObjectKey, mut sync: Sync, work: &mut Work<'_, '_>) {
        match sync.batches.start(work) {
            Progress::Going => drop(self.syncs.insert(key.clone(), sync)),
            _ => self.next_stage(key, sync, work),
        }
    }

    fn next_stage(&mut self, key: &ObjectKey, mut sync: Sync, work: &mut Work<'_, '_>) {
        match sync.stage {
            Stage::Claim => return self.find_revision(key, sync, work),
            Stage::Revision => {
                sync.stage = Stage::Pods;
                sync.batches = sync.act(self.bug, work);
            }
            Stage::Pods => {
                sync.stage = Stage::Status;
                sync.batches = sync.report(work);
            }
            Stage::Status => {
                sync.stage = Stage::History;
                sync.batches = Batches::one_by_one(sync.old_revisions());
            }
            Stage::History => return,
        }
        self.go(key, sync, work);
    }

    fn find_revision(&mut self, key: &ObjectKey, mut sync: Sync, work: &mut Work<'_, '_>) {
        sync.stage = Stage::Revision;
        let resource = Resource::CONTROLLER_REVISIONS;
        match revision::wanted(&sync.set, &sync.revisions, sync.collisions, HASH) {
            Wanted::Latest(revision) => {
                sync.update = revision;
                return self.next_stage(key, sync, work);
            }
            Wanted::Renumbered(revision) => work.request(Request::update(resource, revision)),
            Wanted::New(revision) => work.request(Request::create(resource, revision)),
        }
        self.syncs.insert(key.clone(), sync);
    }

    fn revision_answered(
        &mut self,
        key: &ObjectKey,
        mut sync: Sync,
        request: &Request,
        answer: &Answer,
        work: &mut Work<'_, '_>,
    ) -> Verdict {
        match revision::settle(&sync.set, request, answer) {
            Settled::Is(revision) => {
                self.writes.wrote(key, &request.resource, &revision, work.now());
                sync.update = revision;
                self.next_stage(key, sync, work);
            }
            Settled::Ask(request) => {
                work.request(*request);
                self.syncs.insert(key.clone(), sync);
            }
            Settled::Collision => {
                sync.collisions += 1;
                self.find_revision(key, sync, work);
            }
            Settled::Failed => return Verdict::Retry,
        }
        Verdict::Fine
    }
}

impl Sync {
    /// The revision that the set had when its last update was complete.
    fn current(&self) -> &Tree {
        let name = &self.set["status"]["currentRevision"];
        let known = self.revisions.iter().find(|known| known["metadata"]["name"] == *name);
        known.unwrap_or(&self.update)
    }

    /// The requests for the pods.
    fn act(&mut self, bug: Option<Bug>, work: &mut Work<'_, '_>) -> Batches {
        let update = Text::new(object::name(&self.update));
        let view = View { set: &self.set, pods: &self.pods, update: &update, bug, now: work.now() };
        let plan = view.plan();
        self.fewer_current = plan.fewer_current;
        let (mut forced, mut requests) = (Vec::new(), Vec::new());
        let pending = self.pods.iter().filter(|pod| pod["status"]["phase"] == "Pending");
        let mut claims: Vec<Request> = pending
            .filter_map(|pod| identity::ordinal(&self.set, pod))
            .flat_map(|ordinal| self.missing_claims(ordinal, work.cache))
            .collect();
        for act in plan.acts {
            match act {
                Act::Create { ordinal, updated } => {
                    claims.extend(self.missing_claims(ordinal, work.cache));
                    requests.push(Request::create(Resource::PODS, self.pod(ordinal, updated)));
                }
                Act::Label(pod) => requests.push(Request::update(Resource::PODS, pod)),
                Act::Delete(pod) => {
                    requests.push(Request::delete(Resource::PODS, object::key(&pod)));
                }
                Act::Force(pod) => {
                    let delete = Request::delete(Resource::PODS, object::key(&pod));
                    forced.push(delete.with_grace(0));
                }
            }
        }
        Batches::one_by_one(claims).then(forced).and(Batches::slow_start(requests))
    }

    fn pod(&self, ordinal: i64, updated: bool) -> Tree {
        let revision = if updated { &self.update } else { self.current() };
        let template = revision::template(&self.set, revision);
        identity::pod(&self.set, &template, object::name(revision), ordinal)
    }

    fn missing_claims(&self, ordinal: i64, cache: &Cache) -> Vec<Request> {
        let resource = Resource::PERSISTENT_VOLUME_CLAIMS;
        let missing = |claim: &Tree| cache.get(&resource, &object::key(claim)).is_none();
        let claims = identity::claims(&self.set, ordinal).into_iter().filter(missing);
        claims.map(|claim| Request::create(resource.clone(), claim)).collect()
    }

    fn report(&self, work: &mut Work<'_, '_>) -> Batches {
        let now = work.now();
        let wait = next_available(&self.pods, min_ready_seconds(&self.set), now);
        wait.into_iter().for_each(|wait| work.again_after(wait));
        let names = (object::name(self.current()), object::name(&self.update));
        let status =
            status_of(&self.set, &self.pods, names, self.collisions, self.fewer_current, now);
        let changed = status != self.set["status"];
        let write = changed.then(|| update(&Resource::STATEFUL_SETS, &self.set, &status));
        Batches::at_once(write.into_iter().collect())
    }

    /// Deletes of revisions beyond the limit that no pod and no status needs.
    fn old_revisions(&self) -> Vec<Request> {
        let needed = |name: &str| {
            name == object::name(self.current())
                || name == object::name(&self.update)
                || self.pods.iter().any(|pod| pod_revision(pod) == name)
        };
        revision::superfluous(&self.set, &self.revisions, |known| needed(object::name(known)))
    }
}
