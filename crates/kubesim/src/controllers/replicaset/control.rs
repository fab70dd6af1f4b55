//! When a ReplicaSet creates and deletes pods.

use std::collections::BTreeMap;

use kubesim_model::Millis;
use kubesim_model::actor::{Actor, WatchSpec};
use kubesim_model::cache::{Cache, Change};
use kubesim_model::controller::{Controller, Reconcile, Verdict, Work};
use kubesim_model::object;
use kubesim_model::request::{Answer, Request, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;

use super::kind::Kind;
use super::{rank, status::status_of};
use crate::controllers::owned::batches::{Batches, Progress};
use crate::controllers::owned::claim::{self, claims, selects};
use crate::controllers::owned::expectations::Expectations;
use crate::controllers::owned::own_writes::{OwnWrites, StaleReads};
use crate::controllers::owned::status::{
    StatusWrite, Written, min_ready_seconds, next_available, replicas,
};
use crate::controllers::owned::template::pod_of;

/// At most this many pods are created or deleted in one sync (`BurstReplicas`).
const BURST: usize = 500;

/// The bugs that can be planted: name, and what it does wrong.
pub const BUGS: &[(&str, &str)] = &[
    ("forgets-expectations", "creates and deletes again before its cache showed what it did"),
    ("deletes-ready-first", "scales in by deleting ready pods before those that are not ready"),
    ("deletes-newest", "scales in by age alone, newest first, ready or not"),
    ("loses-failed-creates", "takes a create for done when it was sent, and never tries again"),
    ("ignores-min-ready-seconds", "reports pods as available as soon as they are ready"),
    ("acts-before-its-pods-are-listed", "starts to create before it knows the pods there are"),
];

/// The ReplicaSet controller of v1.36, with this bug of [`BUGS`].
pub fn actor(bug: Option<&str>) -> Box<dyn Actor> {
    actor_with(bug, StaleReads::Refused)
}

/// The same, of a version that waits for its own writes or of one that doesn't.
pub fn actor_with(bug: Option<&str>, stale_reads: StaleReads) -> Box<dyn Actor> {
    let bug = Bug::named(bug);
    let forgets = bug == Some(Bug::ForgetsExpectations);
    let stale_reads = if forgets { StaleReads::Allowed } else { stale_reads };
    controller(Kind::REPLICA_SET, bug, stale_reads)
}

/// The ReplicationController controller of v1.36, which does not wait for its own writes.
pub fn of_replication_controllers(_: Option<&str>) -> Box<dyn Actor> {
    controller(Kind::REPLICATION_CONTROLLER, None, StaleReads::Allowed)
}

fn controller(kind: Kind, bug: Option<Bug>, stale_reads: StaleReads) -> Box<dyn Actor> {
    Box::new(Controller::new(ReplicaSets {
        kind,
        bug,
        asked_for_pods: false,
        expectations: Expectations::default(),
        writes: OwnWrites::new(stale_reads),
        syncs: BTreeMap::new(),
    }))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bug {
    ForgetsExpectations,
    DeletesReadyFirst,
    DeletesNewest,
    LosesFailedCreates,
    IgnoresMinReadySeconds,
    ActsBeforeItsPodsAreListed,
}

impl Bug {
    fn named(name: Option<&str>) -> Option<Self> {
        Some(match name? {
            "forgets-expectations" => Bug::ForgetsExpectations,
            "deletes-ready-first" => Bug::DeletesReadyFirst,
            "deletes-newest" => Bug::DeletesNewest,
            "loses-failed-creates" => Bug::LosesFailedCreates,
            "ignores-min-ready-seconds" => Bug::IgnoresMinReadySeconds,
            "acts-before-its-pods-are-listed" => Bug::ActsBeforeItsPodsAreListed,
            _ => return None,
        })
    }
}

#[derive(Clone)]
struct ReplicaSets {
    kind: Kind,
    bug: Option<Bug>,
    /// Whether pods are watched, where they are not from the start.
    asked_for_pods: bool,
    expectations: Expectations,
    writes: OwnWrites,
    syncs: BTreeMap<ObjectKey, Sync>,
}

/// One sync: what the cache held when it began, and how far it is.
#[derive(Clone)]
struct Sync {
    set: Tree,
    active: Vec<Tree>,
    terminating: usize,
    may_act: bool,
    failed: bool,
    stage: Stage,
}

#[derive(Clone)]
enum Stage {
    Claim(Batches),
    Pods(Batches),
    Status(StatusWrite),
}

impl Reconcile for ReplicaSets {
    fn watches(&self) -> Vec<WatchSpec> {
        let mut watches = vec![WatchSpec::all(self.kind.resource.clone())];
        if !self.asks_late() {
            watches.push(WatchSpec::all(Resource::PODS));
        }
        watches
    }

    fn also_watches(&mut self, change: &Change) -> Vec<WatchSpec> {
        if !self.asks_late() || self.asked_for_pods || change.resource != self.kind.resource {
            return Vec::new();
        }
        self.asked_for_pods = true;
        vec![WatchSpec::all(Resource::PODS)]
    }

    fn waits_for_further_watches(&self) -> bool {
        self.kind.is_rare
    }

    fn changed(&mut self, change: &Change, cache: &Cache, enqueue: &mut dyn FnMut(ObjectKey)) {
        self.writes.saw(change);
        if change.resource == Resource::PODS {
            return self.pod_changed(change, cache, enqueue);
        }
        let (old, new) = (change.old.as_ref(), change.new.as_ref());
        let Some(set) = new.or(old) else { return };
        let key = object::key(set);
        if old.is_some_and(|old| new.is_none_or(|new| object::uid(old) != object::uid(new))) {
            self.expectations.forget(&key);
            self.writes.forget(&key);
        }
        enqueue(key);
    }

    fn reconcile(&mut self, key: &ObjectKey, work: &mut Work<'_, '_>) {
        let Some(set) = work.cache.get(&self.kind.resource, key).cloned() else { return };
        if !self.writes.are_seen(key, work.now()) {
            return work.retry();
        }
        let may_act = self.expectations.are_met(key, work.now()) && !object::is_terminating(&set);
        let pods = work.cache.in_namespace(&Resource::PODS, &key.namespace);
        let claims = claims(&set, pods.filter(|pod| !object::is_terminal(pod)));
        let (terminating, active): (Vec<Tree>, Vec<Tree>) =
            claims.mine.iter().cloned().partition(object::is_terminating);
        let mut batches = claims.requests(&Resource::PODS, &self.kind.resource, &set);
        let progress = batches.start(work);
        let terminating = terminating.len();
        let stage = Stage::Claim(batches);
        let sync = Sync { set, active, terminating, may_act, failed: false, stage };
        match progress {
            Progress::Going => drop(self.syncs.insert(key.clone(), sync)),
            _ => self.act(key, sync, work),
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
        match &mut sync.stage {
            Stage::Claim(batches) => {
                let fine = claim::went_well(&sync.set, request, answer);
                match batches.answered(fine, work) {
                    Progress::Going => drop(self.syncs.insert(key.clone(), sync)),
                    Progress::Done => self.act(key, sync, work),
                    Progress::Failed { .. } => return Verdict::Retry,
                }
                Verdict::Fine
            }
            Stage::Pods(batches) => {
                let fine = self.pod_answered(key, request, answer, work.now());
                let progress = batches.answered(fine, work);
                if let Progress::Failed { skipped } = progress {
                    sync.failed = true;
                    (0..skipped).for_each(|_| self.expectations.created(key));
                }
                match progress {
                    Progress::Going => drop(self.syncs.insert(key.clone(), sync)),
                    _ => self.report(key, sync, work),
                }
                if fine { Verdict::Fine } else { Verdict::Retry }
            }
            Stage::Status(write) => match write.answered(request, answer, work) {
                Written::Going => {
                    self.syncs.insert(key.clone(), sync);
                    Verdict::Fine
                }
                Written::Done(set) => {
                    self.writes.wrote(key, &self.kind.resource, &set, work.now());
                    Verdict::Fine
                }
                Written::Failed => Verdict::Retry,
            },
        }
    }
}

impl ReplicaSets {
    fn pod_changed(&mut self, change: &Change, cache: &Cache, enqueue: &mut dyn FnMut(ObjectKey)) {
        let Kind { resource, name, .. } = &self.kind;
        self.expectations.saw(change, |pod| claim::owner_of(pod, resource, name, cache));
        for pod in [&change.old, &change.new].into_iter().flatten() {
            claim::concerned(pod, resource, name, cache, enqueue);
        }
    }

    /// Whether pods are watched only once there is something to look after.
    fn asks_late(&self) -> bool {
        self.kind.is_rare || self.bug == Some(Bug::ActsBeforeItsPodsAreListed)
    }

    /// Creates or deletes pods until there are as many as asked for.
    fn act(&mut self, key: &ObjectKey, mut sync: Sync, work: &mut Work<'_, '_>) {
        let wanted = usize::try_from(replicas(&sync.set)).unwrap_or(usize::MAX);
        let have = sync.active.len();
        let keeps_account = self.bug != Some(Bug::ForgetsExpectations);
        let mut batches = if !sync.may_act || have == wanted {
            Batches::default()
        } else if have < wanted {
            let creations = (wanted - have).min(BURST);
            if keeps_account {
                self.expectations.expect(key, creations, [], work.now());
            }
            let pod = pod_of(&sync.set, &sync.set["spec"]["template"]);
            Batches::slow_start(vec![Request::create(Resource::PODS, pod); creations])
        } else {
            let chosen = self.chosen(&sync, (have - wanted).min(BURST), work);
            if keeps_account {
                self.expectations.expect(key, 0, chosen.iter().cloned(), work.now());
            }
            let delete = |pod| Request::delete(Resource::PODS, pod);
            Batches::at_once(chosen.into_iter().map(delete).collect())
        };
        if batches.start(work) == Progress::Going {
            sync.stage = Stage::Pods(batches);
            self.syncs.insert(key.clone(), sync);
        } else {
            self.report(key, sync, work);
        }
    }

    /// The pods to delete when there are `excess` too many.
    fn chosen(&self, sync: &Sync, excess: usize, work: &Work<'_, '_>) -> Vec<ObjectKey> {
        let related = related_pods(&sync.set, &self.kind.resource, work.cache);
        let mut order = rank::deletion_order(&sync.active, &related, work.now());
        match self.bug {
            Some(Bug::DeletesReadyFirst) => order.reverse(),
            Some(Bug::DeletesNewest) => {
                order = sync.active.iter().collect();
                order.sort_by(|a, b| created(b).cmp(created(a)));
            }
            _ => {}
        }
        order.into_iter().take(excess).map(object::key).collect()
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
            (Verb::Create, Err(_)) if self.bug == Some(Bug::LosesFailedCreates) => true,
            (Verb::Create, Err(status)) => {
                self.expectations.created(key);
                // In a namespace that is being deleted every create fails: nothing to try again.
                let causes = status.details["causes"].items();
                causes.iter().any(|cause| cause["reason"] == "NamespaceTerminating")
            }
            (_, Err(status)) => {
                self.expectations.deleted(key, &request.key);
                status.is_not_found()
            }
        }
    }

    fn report(&mut self, key: &ObjectKey, mut sync: Sync, work: &mut Work<'_, '_>) {
        let now = work.now();
        if !sync.failed {
            let wait = next_available(&sync.active, min_ready_seconds(&sync.set), now);
            wait.into_iter().for_each(|wait| work.again_after(wait));
        }
        let terminating = self.kind.reports_terminating.then_some(sync.terminating);
        let mut status = status_of(&sync.set, &sync.active, terminating, sync.failed, now);
        if self.bug == Some(Bug::IgnoresMinReadySeconds) {
            let ready = status["readyReplicas"].clone();
            if !ready.is_null() {
                status.set(&["availableReplicas"], ready);
            }
        }
        if status != sync.set["status"] {
            let write = StatusWrite::start(&self.kind.resource, &sync.set, status, work);
            sync.stage = Stage::Status(write);
            self.syncs.insert(key.clone(), sync);
        }
    }
}

/// The pods that the sets of the same owner select; its own if it has no owner.
fn related_pods<'a>(set: &'a Tree, resource: &Resource, cache: &'a Cache) -> Vec<&'a Tree> {
    let owner = object::controller_uid(set);
    let own = cache.get(resource, &object::key(set)).filter(|_| owner.is_empty());
    let sets: Vec<&Tree> = own.into_iter().chain(cache.controlled_by(resource, owner)).collect();
    let related = |pod: &&Tree| sets.iter().any(|set| selects(set, &pod["metadata"]["labels"]));
    cache.in_namespace(&Resource::PODS, object::namespace(set)).filter(related).collect()
}

fn created(pod: &Tree) -> &str {
    pod["metadata"]["creationTimestamp"].str()
}
