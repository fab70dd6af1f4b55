//! Which pods a Job that goes on makes or deletes (`manageJob`).

use std::collections::BTreeMap;

use kubesim_model::Millis;
use kubesim_model::tree::Tree;

use super::back_off;
use super::count::{Count, IndexCount};
use super::indexes::Indexes;
use super::pods::{index, is_ending, sort_by_worth};
use super::spec::{
    back_off_limit_per_index, completions, is_suspended, parallelism, replaces_failed_only,
};

/// At most this many pods are made or deleted in one sync (`MaxPodCreateDeletePerSync`).
const MOST: usize = 500;

/// What is to be done about the pods.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Plan {
    /// There are as many as there should be.
    Nothing,
    /// There are too few, but it is not time yet.
    Wait(Millis),
    /// These are too many.
    Delete(Vec<Tree>),
    /// There are too few: so many are to be made, each for its index if the Job has indexes.
    Create(Vec<Option<i64>>),
}

/// What is to be done at this time.
pub(super) fn of(job: &Tree, pods: &[Tree], count: &Count, now: Millis) -> Plan {
    let active = count.active.len();
    if is_suspended(job) {
        return Plan::Delete(superfluous(job, count, active));
    }
    let wanted = match completions(job) {
        None if count.succeeded > 0 => active,
        None => size(parallelism(job)),
        Some(number) => size((number - count.succeeded).min(parallelism(job))),
    };
    let mut excess = superfluous(job, count, active.saturating_sub(wanted));
    if !excess.is_empty() {
        excess.truncate(MOST);
        return Plan::Delete(excess);
    }
    let ending = if replaces_failed_only(job) { size(count.terminating) } else { 0 };
    let missing = wanted.saturating_sub(ending).saturating_sub(active).min(MOST);
    if missing == 0 {
        return Plan::Nothing;
    }
    let by_index = back_off_limit_per_index(job).is_some();
    let left = if by_index { 0 } else { count.back_off.left(now) };
    if left > 0 {
        return Plan::Wait(left);
    }
    let Some(indexes) = &count.indexes else { return Plan::Create(vec![None; missing]) };
    let pending = pending(job, pods, count, indexes, missing);
    let (ready, waiting): (Vec<i64>, Vec<i64>) =
        pending.iter().partition(|index| until_tried(indexes, **index, now) == 0);
    if ready.is_empty()
        && let Some(left) = waiting.iter().map(|index| until_tried(indexes, *index, now)).min()
    {
        return Plan::Wait(left);
    }
    Plan::Create(ready.into_iter().map(Some).collect())
}

fn size(number: i64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

fn until_tried(indexes: &IndexCount, index: i64, now: Millis) -> Millis {
    back_off::left_for_index(indexes.to_replace.get(&index), now)
}

/// The first indexes that neither ended nor run.
fn pending(
    job: &Tree,
    pods: &[Tree],
    count: &Count,
    indexes: &IndexCount,
    missing: usize,
) -> Vec<i64> {
    let of = |pods: &mut dyn Iterator<Item = &Tree>| Indexes::of(pods.filter_map(index));
    let mut taken = indexes.succeeded.and(&of(&mut count.active.iter()));
    if replaces_failed_only(job) {
        taken = taken.and(&of(&mut pods.iter().filter(|pod| is_ending(pod))));
    }
    if let Some(failed) = &indexes.failed {
        taken = taken.and(failed);
    }
    taken.first_missing(missing, completions(job).unwrap_or(0))
}

/// The active pods to delete: those with an index that is not the Job's, or that another has too,
/// and so many more that there are at least `least`.
fn superfluous(job: &Tree, count: &Count, least: usize) -> Vec<Tree> {
    let (mut excess, mut rest) = (Vec::new(), Vec::new());
    if count.indexes.is_some() {
        let number = completions(job).unwrap_or(0);
        let mut by_index: BTreeMap<Option<i64>, Vec<Tree>> = BTreeMap::new();
        for pod in &count.active {
            by_index.entry(index(pod)).or_default().push(pod.clone());
        }
        for (index, mut pods) in by_index {
            sort_by_worth(&mut pods);
            if index.is_some_and(|index| index < number) {
                rest.extend(pods.pop());
            }
            excess.extend(pods);
        }
    } else {
        rest.clone_from(&count.active);
    }
    if excess.len() < least {
        sort_by_worth(&mut rest);
        let more = least - excess.len();
        excess.extend(rest.into_iter().take(more));
    }
    excess
}
