//! How the pods of a Job stand at the beginning of a sync.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::tree::Tree;
use kubesim_model::{Text, object};

use super::back_off::BackOff;
use super::indexes::Indexes;
use super::pods::{self, has_failed, has_succeeded, index, is_ending, is_tracked, uid};
use super::policy;
use super::spec::{back_off_limit_per_index, completions, is_indexed};

/// What the pods of a Job come to, with what its status says of those that are gone.
#[derive(Clone)]
pub(super) struct Count {
    /// The pods that neither ended nor terminate.
    pub(super) active: Vec<Tree>,
    /// How many of these are ready.
    pub(super) ready: i64,
    /// How many pods terminate.
    pub(super) terminating: i64,
    pub(super) succeeded: i64,
    /// How many pods failed in a way that counts.
    pub(super) failed: i64,
    pub(super) indexes: Option<IndexCount>,
    /// The wait before pods are replaced, with the pods that are new in this count.
    pub(super) back_off: BackOff,
}

/// What has become of the completion indexes.
#[derive(Clone)]
pub(super) struct IndexCount {
    /// Those that had succeeded before this count.
    pub(super) before: Indexes,
    pub(super) succeeded: Indexes,
    /// Those that failed for good, where each index may fail so often.
    pub(super) failed: Option<Indexes>,
    /// The failed pods that their replacements are yet to learn from, by index.
    pub(super) to_replace: BTreeMap<i64, Tree>,
}

/// The uids in this list of pods that ended and are not in the numbers of the status yet.
pub(super) fn uncounted<'j>(job: &'j Tree, list: &str) -> &'j [Tree] {
    job["status"]["uncountedTerminatedPods"][list].items()
}

/// A number of the status.
pub(super) fn number(job: &Tree, field: &str) -> i64 {
    job["status"][field].as_i64().unwrap_or(0)
}

/// The index of a pod, if the Job has that many.
pub(super) fn valid_index(job: &Tree, pod: &Tree) -> Option<i64> {
    index(pod).filter(|index| completions(job).is_some_and(|number| *index < number))
}

impl Count {
    /// Counts the pods, but for those in `let_go`, whose finalizers were taken already.
    pub(super) fn of(
        job: &Tree,
        pods: &[Tree],
        let_go: &BTreeSet<Text>,
        back_off: BackOff,
    ) -> Count {
        let is_new = |pod: &&Tree, list: &str| {
            let known = uncounted(job, list).iter().any(|have| have.str() == uid(pod));
            let valid = !is_indexed(job) || valid_index(job, pod).is_some();
            is_tracked(pod) && valid && !known && !let_go.contains(&uid(pod))
        };
        let ended = |list: &str, is: &dyn Fn(&Tree) -> bool| -> Vec<&Tree> {
            pods.iter().filter(|pod| is_new(pod, list) && is(pod)).collect()
        };
        let succeeded = ended("succeeded", &has_succeeded);
        let failed = ended("failed", &|pod| has_failed(pod, job));
        let total = |field: &str, new: usize| {
            let counted = new + uncounted(job, field).len();
            number(job, field).saturating_add(i64::try_from(counted).unwrap_or(i64::MAX))
        };
        let counted = failed.iter().filter(|pod| policy::failure(job, pod).counts).count();
        let active: Vec<Tree> = pods.iter().filter(|pod| object::is_active(pod)).cloned().collect();
        let indexes = is_indexed(job).then(|| IndexCount::of(job, pods, &active, let_go));
        Count {
            ready: how_many(&active, object::is_ready),
            terminating: how_many(pods, is_ending),
            succeeded: match &indexes {
                Some(indexes) => indexes.succeeded.total(),
                None => total("succeeded", succeeded.len()),
            },
            failed: total("failed", counted),
            indexes,
            back_off: back_off.after(&succeeded, &failed),
            active,
        }
    }
}

impl IndexCount {
    fn of(job: &Tree, pods: &[Tree], active: &[Tree], let_go: &BTreeSet<Text>) -> IndexCount {
        let number = completions(job).unwrap_or(0);
        let status = &job["status"];
        let among = |is: &dyn Fn(&Tree) -> bool| {
            let tracked = pods.iter().filter(|pod| is_tracked(pod) && is(pod));
            Indexes::of(tracked.filter_map(|pod| valid_index(job, pod)))
        };
        let before = Indexes::read(status["completedIndexes"].str(), number);
        let succeeded = before.and(&among(&has_succeeded));
        let mut count = IndexCount { before, succeeded, failed: None, to_replace: BTreeMap::new() };
        if let Some(limit) = back_off_limit_per_index(job) {
            let before = Indexes::read(status["failedIndexes"].str(), number);
            let failed = before.and(&among(&|pod| has_failed_for_good(job, pod, limit)));
            count.find_to_replace(job, pods, active, let_go, &failed);
            count.failed = Some(failed);
        }
        count
    }

    /// Of each index that is to be tried again, the pod that failed last.
    fn find_to_replace(
        &mut self,
        job: &Tree,
        pods: &[Tree],
        active: &[Tree],
        let_go: &BTreeSet<Text>,
        failed: &Indexes,
    ) {
        let running = Indexes::of(active.iter().filter_map(index));
        let is_known = |pod: &&Tree| is_tracked(pod) && !let_go.contains(&uid(pod));
        for pod in pods.iter().filter(is_known).filter(|pod| has_failed(pod, job)) {
            let Some(index) = valid_index(job, pod) else { continue };
            if self.succeeded.has(index) || failed.has(index) || running.has(index) {
                continue;
            }
            let is_later = |have: &Tree| {
                pods::failures(have).1 <= pods::failures(pod).1
                    && pods::ended_at(pod) >= pods::ended_at(have)
            };
            if self.to_replace.get(&index).is_none_or(is_later) {
                self.to_replace.insert(index, pod.clone());
            }
        }
    }
}

fn has_failed_for_good(job: &Tree, pod: &Tree, limit: i64) -> bool {
    if !has_failed(pod, job) {
        return false;
    }
    let failure = policy::failure(job, pod);
    failure.ends_index || failure.counts && pods::failures(pod).0 >= limit
}

fn how_many(pods: &[Tree], is: impl Fn(&Tree) -> bool) -> i64 {
    i64::try_from(pods.iter().filter(|pod| is(pod)).count()).unwrap_or(i64::MAX)
}
