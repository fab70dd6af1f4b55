//! What a sync writes of the pods that ended, and which of them it lets go.

use std::collections::BTreeSet;

use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, map, object};

use super::count::{number, uncounted, valid_index};
use super::end::{self, FAILURE, SUCCESS};
use super::indexes::Indexes;
use super::pods::{has_failed, has_succeeded, index, is_tracked, uid};
use super::policy;
use super::spec::is_indexed;
use super::sync::Sync;

/// At most this many pods are counted in one sync, so that a status stays small
/// (`MaxUncountedPods`).
const MOST: usize = 500;

/// The pods that are let go, and what is still to be written.
#[derive(Clone, Default)]
pub(super) struct Tracked {
    /// The pods whose finalizers are to be taken.
    pub(super) leaving: Vec<Tree>,
    /// The pods that have their finalizers.
    held: BTreeSet<Text>,
    /// Whether there were more pods than one sync counts.
    is_full: bool,
    /// Whether the status is to be written.
    pub(super) is_dirty: bool,
}

/// Sets a number of the status; 0 is left out.
pub(super) fn set_number(job: &mut Tree, field: &str, number: i64) {
    if number == 0 {
        job.field_mut("status").remove(&[field]);
    } else {
        job.set(&["status", field], number);
    }
}

impl Sync {
    /// Notes in the status which pods ended, and the end of the Job if it comes to one.
    pub(super) fn note(&mut self, now: Millis) {
        let of_pod = |pod: &&Tree| is_tracked(pod) && !self.let_go.contains(&uid(pod));
        self.tracked.held = self.pods.iter().filter(of_pod).map(uid).collect();
        self.tracked.is_dirty |= count_those_let_go(&mut self.job, &self.tracked.held);
        let succeeded = self.note_pods();
        self.note_indexes(succeeded);
        self.announce(now);
    }

    /// Answers the indexes that have succeeded since.
    fn note_pods(&mut self) -> Vec<i64> {
        let mut succeeded = Vec::new();
        let mut pods = self.pods.clone();
        if is_indexed(&self.job) {
            pods.sort_by_key(index);
        }
        for pod in &pods {
            if !self.tracked.held.contains(&uid(pod)) || !self.may_leave(pod) {
                continue;
            }
            self.tracked.leaving.push(pod.clone());
            let known = uncounted(&self.job, "failed").iter().any(|have| have.str() == uid(pod));
            if has_succeeded(pod) && !known {
                succeeded.extend(self.note_success(pod));
            } else if !known && self.is_failure(pod) {
                self.note_uid("failed", pod);
            }
            let listed = ["succeeded", "failed"].map(|list| uncounted(&self.job, list).len());
            if succeeded.len() + listed.iter().sum::<usize>() >= MOST {
                self.tracked.is_full = true;
                break;
            }
        }
        succeeded
    }

    /// Whether a pod may be let go: it succeeded, the Job ends, or it failed and nothing is to be
    /// learnt from it any more.
    fn may_leave(&self, pod: &Tree) -> bool {
        if object::is_terminating(&self.job) || self.end.is_some() || has_succeeded(pod) {
            return true;
        }
        let indexes = self.count.indexes.as_ref();
        let awaited = indexes.zip(index(pod)).and_then(|(all, index)| all.to_replace.get(&index));
        has_failed(pod, &self.job) && awaited.is_none_or(|awaited| uid(awaited) != uid(pod))
    }

    /// Whether a pod counts as failed: as every pod does that a Job which failed leaves behind.
    fn is_failure(&self, pod: &Tree) -> bool {
        let job_failed = self.end.as_ref().is_some_and(|end| end["type"] != SUCCESS);
        (has_failed(pod, &self.job) || job_failed)
            && (!is_indexed(&self.job) || valid_index(&self.job, pod).is_some())
            && policy::failure(&self.job, pod).counts
    }

    /// The index that has succeeded with a pod; without indexes its uid is noted.
    fn note_success(&mut self, pod: &Tree) -> Option<i64> {
        if let Some(indexes) = &self.count.indexes {
            let index = valid_index(&self.job, pod).filter(|index| !indexes.before.has(*index));
            self.tracked.is_dirty |= index.is_some();
            return index;
        }
        let mut known = uncounted(&self.job, "succeeded").iter();
        if !known.any(|have| have.str() == uid(pod)) {
            self.note_uid("succeeded", pod);
        }
        None
    }

    fn note_uid(&mut self, list: &str, pod: &Tree) {
        let uids = self.job.at_mut(&["status", "uncountedTerminatedPods", list]).items_mut();
        uids.push(uid(pod).into());
        self.tracked.is_dirty = true;
    }

    fn note_indexes(&mut self, succeeded: Vec<i64>) {
        let Some(indexes) = &mut self.count.indexes else { return };
        indexes.succeeded = indexes.succeeded.and(&Indexes::of(succeeded));
        let before = self.job["status"].clone();
        set_number(&mut self.job, "succeeded", indexes.succeeded.total());
        let status = self.job.field_mut("status");
        match indexes.succeeded.to_string() {
            none if none.is_empty() => drop(status.remove(&["completedIndexes"])),
            some => status.set(&["completedIndexes"], some),
        }
        match &indexes.failed {
            None => drop(status.remove(&["failedIndexes"])),
            Some(failed) => status.set(&["failedIndexes"], failed.to_string()),
        }
        let differs = |field: &str| before[field] != status[field];
        self.tracked.is_dirty |= differs("completedIndexes") || differs("failedIndexes");
    }

    /// Announces the end, and from then on is about to say it.
    fn announce(&mut self, now: Millis) {
        let Some(end) = self.end.take() else { return };
        let (kind, last) = match end["type"].str() {
            FAILURE => (FAILURE, "Failed"),
            SUCCESS => (SUCCESS, "Complete"),
            _ => return self.end = Some(end),
        };
        self.end = Some(end::likewise(last, &end, now));
        if !object::has_condition(&self.job, kind) {
            self.job.at_mut(&["status", "conditions"]).items_mut().push(end);
            self.tracked.is_dirty = true;
        }
    }

    /// A pod has lost its finalizer.
    pub(super) fn has_left(&mut self, pod: &Text) {
        self.tracked.held.remove(pod);
    }

    /// Turns the uids of pods that have left into numbers.
    pub(super) fn count_leavers(&mut self) {
        self.tracked.is_dirty |= count_those_let_go(&mut self.job, &self.tracked.held);
    }

    /// Says that the Job has ended, if it has and nothing of it is left. Answers whether it did.
    pub(super) fn say_end(&mut self) -> bool {
        let Some(end) = self.end.clone().filter(|_| !self.tracked.is_full) else { return false };
        let listed = ["succeeded", "failed"].iter().any(|l| !uncounted(&self.job, l).is_empty());
        if listed || self.count.terminating > 0 {
            return false;
        }
        if end["type"] == "Complete" {
            self.job.set(&["status", "completionTime"], &end["lastTransitionTime"]);
        }
        self.job.at_mut(&["status", "conditions"]).items_mut().push(end);
        self.tracked.is_dirty = true;
        true
    }
}

/// Adds the pods that were noted and have no finalizer any more to the numbers of the status.
fn count_those_let_go(job: &mut Tree, held: &BTreeSet<Text>) -> bool {
    let mut changed = false;
    for list in ["succeeded", "failed"] {
        let all = uncounted(job, list);
        let left: Vec<Tree> = all.iter().filter(|uid| held.contains(uid.str())).cloned().collect();
        let gone = all.len() - left.len();
        if gone == 0 {
            continue;
        }
        changed = true;
        let total = number(job, list) + i64::try_from(gone).unwrap_or(i64::MAX);
        set_number(job, list, total);
        let uids = job.at_mut(&["status", "uncountedTerminatedPods"]);
        if left.is_empty() {
            uids.remove(&[list]);
        } else {
            uids.set(&[list], left);
        }
        if uids.is_null() {
            *uids = map! {};
        }
    }
    changed
}
