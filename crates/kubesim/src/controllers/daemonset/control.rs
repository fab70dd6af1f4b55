//! The steps of a DaemonSet's sync.

use std::collections::BTreeMap;

use kubesim_model::actor::{Actor, WatchSpec};
use kubesim_model::cache::{Cache, Change};
use kubesim_model::controller::{Controller, Reconcile, Verdict, Work};
use kubesim_model::object;
use kubesim_model::request::{Answer, Request, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

use super::nodes::{self, HASH};
use super::plan::{Plan, View};
use super::status::status_of;
use crate::controllers::owned::batches::{Batches, Progress};
use crate::controllers::owned::claim::{self, claims};
use crate::controllers::owned::expectations::Expectations;
use crate::controllers::owned::own_writes::{OwnWrites, StaleReads};
use crate::controllers::owned::revision::{self, Settled, Wanted};
use crate::controllers::owned::status::{
    StatusWrite, Written, count, min_ready_seconds, next_available,
};

/// At most this many pods are created, and as many deleted, in one go (`BurstReplicas`).
const BURST: usize = 250;
/// A node's failed pods are replaced at once, then after 1 s, doubling up to 15 min.
const FIRST_BACK_OFF: Millis = 1_000;
const LONGEST_BACK_OFF: Millis = 900_000;

/// The bugs that can be planted: name, and what it does wrong.
pub const BUGS: &[(&str, &str)] =
    &[("max-unavailable-ignored", "replaces the pods of all nodes at once")];

/// The DaemonSet controller of v1.36, with this bug of [`BUGS`].
pub fn actor(bug: Option<&str>) -> Box<dyn Actor> {
    actor_with(bug, StaleReads::Refused)
}

/// The same, of a version that waits for its own writes or of one that doesn't.
pub fn actor_with(bug: Option<&str>, stale_reads: StaleReads) -> Box<dyn Actor> {
    let bug = (bug == Some("max-unavailable-ignored")).then_some(Bug::MaxUnavailableIgnored);
    Box::new(Controller::new(DaemonSets {
        bug,
        expectations: Expectations::default(),
        writes: OwnWrites::new(stale_reads),
        back_off: BTreeMap::new(),
        syncs: BTreeMap::new(),
    }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    MaxUnavailableIgnored,
}

#[derive(Clone)]
struct DaemonSets {
    bug: Option<Bug>,
    expectations: Expectations,
    writes: OwnWrites,
    /// When a failed pod was last deleted, and how long the next must wait, by set's uid and node.
    back_off: BTreeMap<(Text, Text), (Millis, Millis)>,
    syncs: BTreeMap<ObjectKey, Sync>,
}

/// One sync: what the cache held when it began, and how far it is.
#[derive(Clone)]
struct Sync {
    set: Tree,
    nodes: Vec<Tree>,
    pods: Vec<Tree>,
    revisions: Vec<Tree>,
    /// The revision to reach, once it is there.
    revision: Tree,
    collisions: i64,
    may_act: bool,
    stage: Stage,
    batches: Batches,
    /// Deletes that follow the creates, whether these went well or not.
    deletes: Vec<ObjectKey>,
    status: Option<StatusWrite>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Claim,
    Revision,
    Create,
    Delete,
    History,
    Status,
}

impl Reconcile for DaemonSets {
    fn watches(&self) -> Vec<WatchSpec> {
        [Resource::DAEMON_SETS, Resource::PODS, Resource::NODES, Resource::CONTROLLER_REVISIONS]
            .map(WatchSpec::all)
            .to_vec()
    }

    fn changed(&mut self, change: &Change, cache: &Cache, enqueue: &mut dyn FnMut(ObjectKey)) {
        self.writes.saw(change);
        let (old, new) = (change.old.as_ref(), change.new.as_ref());
        match change.resource.as_str() {
            "daemonsets.apps" => {
                let Some(set) = new.or(old) else { return };
                if old.is_some_and(|old| new.is_none_or(|n| object::uid(old) != object::uid(n))) {
                    self.expectations.forget(&object::key(set));
                    self.writes.forget(&object::key(set));
                    self.back_off.retain(|(uid, _), _| uid.as_str() != object::uid(set));
                }
                enqueue(object::key(set));
            }
            "pods" => {
                let (sets, kind) = (Resource::DAEMON_SETS, "DaemonSet");
                self.expectations.saw(change, |pod| claim::owner_of(pod, &sets, kind, cache));
                for pod in [old, new].into_iter().flatten() {
                    claim::concerned(pod, &sets, kind, cache, enqueue);
                }
            }
            "nodes" if node_matters(old, new) => {
                cache.all(&Resource::DAEMON_SETS).for_each(|set| enqueue(object::key(set)));
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, key: &ObjectKey, work: &mut Work<'_, '_>) {
        let Some(set) = work.cache.get(&Resource::DAEMON_SETS, key).cloned() else { return };
        if !self.writes.are_seen(key, work.now()) {
            return work.retry();
        }
        if object::is_terminating(&set) {
            return;
        }
        let (owner, history) = (&Resource::DAEMON_SETS, &Resource::CONTROLLER_REVISIONS);
        let pods = claims(&set, work.cache.in_namespace(&Resource::PODS, &key.namespace));
        let revisions = claims(&set, work.cache.in_namespace(history, &key.namespace));
        let batches = revisions.requests(history, owner, &set).and(pods.requests(
            &Resource::PODS,
            owner,
            &set,
        ));
        let mut revisions = revisions.mine;
        revision::sort(&mut revisions);
        let sync = Sync {
            may_act: self.expectations.are_met(key, work.now()),
            collisions: count(&set, "collisionCount"),
            set,
            nodes: work.cache.all(&Resource::NODES).cloned().collect(),
            pods: pods.mine,
            revisions,
            revision: Tree::Null,
            stage: Stage::Claim,
            batches,
            deletes: Vec::new(),
            status: None,
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
        let fine = match sync.stage {
            Stage::Revision => return self.revision_answered(key, sync, request, answer, work),
            Stage::Status => return self.status_answered(key, sync, request, answer, work),
            Stage::Claim => claim::went_well(&sync.set, request, answer),
            _ => self.pod_answered(key, request, answer, work.now()),
        };
        match (sync.batches.answered(fine, work), sync.stage) {
            (Progress::Going, _) => drop(self.syncs.insert(key.clone(), sync)),
            (Progress::Failed { .. }, Stage::Claim) => {}
            (Progress::Failed { skipped }, stage) => {
                if stage == Stage::Create {
                    (0..skipped).for_each(|_| self.expectations.created(key));
                }
                self.next_stage(key, sync, work);
            }
            (Progress::Done, _) => self.next_stage(key, sync, work),
        }
        if fine { Verdict::Fine } else { Verdict::Retry }
    }
}

impl DaemonSets {
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
            Stage::Revision if sync.may_act => {
                sync.stage = Stage::Create;
                self.act(key, &mut sync, work);
            }
            Stage::Create => {
                sync.stage = Stage::Delete;
                let deletes = std::mem::take(&mut sync.deletes).into_iter();
                let delete = |pod| Request::delete(Resource::PODS, pod);
                sync.batches = Batches::at_once(deletes.map(delete).collect());
            }
            Stage::Delete => {
                sync.stage = Stage::History;
                sync.batches = Batches::one_by_one(sync.old_revisions());
            }
            Stage::Revision | Stage::History | Stage::Status => {
                return self.report(key, sync, work);
            }
        }
        self.go(key, sync, work);
    }

    fn find_revision(&mut self, key: &ObjectKey, mut sync: Sync, work: &mut Work<'_, '_>) {
        sync.stage = Stage::Revision;
        let resource = Resource::CONTROLLER_REVISIONS;
        match revision::wanted(&sync.set, &sync.revisions, sync.collisions, HASH) {
            Wanted::Latest(revision) => {
                sync.revision = revision;
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
                sync.revision = revision;
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

    /// Decides on pods: first that each node has what it should, and only if nothing is to be done
    /// for that, the next steps of an update.
    fn act(&mut self, key: &ObjectKey, sync: &mut Sync, work: &mut Work<'_, '_>) {
        let view = sync.view(self.bug, work.now());
        let mut plan = view.manage();
        let failed = std::mem::take(&mut plan.failed);
        self.replace_failed(&sync.set, failed, &mut plan, work);
        let rolls = sync.set["spec"]["updateStrategy"]["type"] != "OnDelete";
        if plan == Plan::default() && rolls {
            plan = view.update(work.rng());
        }
        plan.create.truncate(BURST);
        plan.delete.truncate(BURST);
        let hash = object::label(&sync.revision, HASH);
        let create =
            |node: &Text| Request::create(Resource::PODS, nodes::pod(&sync.set, node, hash));
        let creates: Vec<Request> = plan.create.iter().map(create).collect();
        let deletes: Vec<ObjectKey> = plan.delete.iter().map(object::key).collect();
        self.expectations.expect(key, creates.len(), deletes.iter().cloned(), work.now());
        sync.batches = Batches::slow_start(creates);
        sync.deletes = deletes;
    }

    /// Deletes failed pods, unless the last one of their node was deleted too short a time ago.
    fn replace_failed(
        &mut self,
        set: &Tree,
        failed: Vec<(Text, Tree)>,
        plan: &mut Plan,
        work: &mut Work<'_, '_>,
    ) {
        let now = work.now();
        for (node, pod) in failed {
            let entry = (Text::new(object::uid(set)), node);
            let known = self.back_off.get(&entry).copied();
            let known = known.filter(|(since, _)| now <= since + 2 * LONGEST_BACK_OFF);
            let wait = match known {
                Some((since, wait)) if now < since + wait => {
                    work.again_after(since + wait - now);
                    continue;
                }
                Some((_, wait)) => (2 * wait).min(LONGEST_BACK_OFF),
                None => FIRST_BACK_OFF,
            };
            self.back_off.insert(entry, (now, wait));
            plan.delete.push(pod);
        }
    }

    /// Books the answer to a create or delete; answers whether it went well.
    fn pod_answered(
        &mut self,
        key: &ObjectKey,
        request: &Request,
        answer: &Answer,
        now: Millis,
    ) -> bool {
        match (request.verb, answer) {
            (Verb::Create, Ok(pod)) => {
                self.writes.wrote(key, &Resource::PODS, pod, now);
                true
            }
            (_, Ok(_)) => true,
            (Verb::Create, Err(_)) => {
                self.expectations.created(key);
                false
            }
            (_, Err(status)) => {
                self.expectations.deleted(key, &request.key);
                status.is_not_found()
            }
        }
    }

    fn report(&mut self, key: &ObjectKey, mut sync: Sync, work: &mut Work<'_, '_>) {
        let now = work.now();
        let wait = next_available(&sync.pods, min_ready_seconds(&sync.set), now);
        wait.into_iter().for_each(|wait| work.again_after(wait));
        let status = status_of(&sync.view(self.bug, now), sync.may_act, sync.collisions);
        if status != sync.set["status"] {
            sync.stage = Stage::Status;
            let write = StatusWrite::start(&Resource::DAEMON_SETS, &sync.set, status, work);
            sync.status = Some(write);
            self.syncs.insert(key.clone(), sync);
        }
    }

    fn status_answered(
        &mut self,
        key: &ObjectKey,
        mut sync: Sync,
        request: &Request,
        answer: &Answer,
        work: &mut Work<'_, '_>,
    ) -> Verdict {
        let Some(write) = &mut sync.status else { return Verdict::Fine };
        match write.answered(request, answer, work) {
            Written::Going => drop(self.syncs.insert(key.clone(), sync)),
            Written::Done(set) => {
                self.writes.wrote(key, &Resource::DAEMON_SETS, &set, work.now());
            }
            Written::Failed => return Verdict::Retry,
        }
        Verdict::Fine
    }
}

impl Sync {
    fn view(&self, bug: Option<Bug>, now: Millis) -> View<'_> {
        let hash = object::label(&self.revision, HASH);
        View { set: &self.set, nodes: &self.nodes, pods: &self.pods, hash, bug, now }
    }

    /// Deletes of old revisions beyond the limit that no pod has, the oldest first.
    fn old_revisions(&self) -> Vec<Request> {
        let limit = self.set["spec"]["revisionHistoryLimit"].as_i64().unwrap_or(10);
        let old: Vec<&Tree> = self
            .revisions
            .iter()
            .filter(|known| object::name(known) != object::name(&self.revision))
            .collect();
        let excess = old.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        let live = |known: &&&Tree| {
            let hash = object::label(known, HASH);
            self.pods.iter().any(|pod| object::label(pod, HASH) == hash)
        };
        let dead = old.iter().filter(|known| !live(known)).take(excess);
        dead.map(|known| Request::delete(Resource::CONTROLLER_REVISIONS, object::key(known)))
            .collect()
    }
}

/// Whether a change of a node can change where pods belong.
fn node_matters(old: Option<&Tree>, new: Option<&Tree>) -> bool {
    let (Some(old), Some(new)) = (old, new) else { return true };
    old["metadata"]["labels"] != new["metadata"]["labels"]
        || old["spec"]["taints"] != new["spec"]["taints"]
}
