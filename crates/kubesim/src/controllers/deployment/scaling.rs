//! The sizes that a sync gives to the ReplicaSets of a Deployment.
//!
//! Modelled on kube-controller-manager v1.36, `deployment/rolling.go`, `sync.go` and
//! `util/deployment_util.go`. All functions are pure: they look at the sets as the sync knows them.

use std::cmp::Ordering;

use kubesim_model::object;
use kubesim_model::tree::Tree;

use super::control::Bug;
use super::limits::{Limits, is_recreate};
use super::sets::{by_creation, noted_desired, noted_max};
use crate::controllers::owned::status::{count, replicas};

/// The size that a set is asked to have.
pub(super) fn size(set: &Tree) -> i64 {
    replicas(set)
}

/// The size for the new set, which has `size` now, when all sets together have `total`: as much as
/// the surge lets it grow, and never more than wanted (`NewRSNewReplicas`).
pub(super) fn new_size(deployment: &Tree, limits: &Limits, size: i64, total: i64) -> i64 {
    if is_recreate(deployment) || size > limits.replicas {
        return limits.replicas;
    }
    let room = (limits.most() - total).max(0);
    size + room.min(limits.replicas - size)
}

/// How many pods of a set are available, as its status says.
fn available(set: &Tree, bug: Option<Bug>) -> i64 {
    match bug {
        Some(Bug::IgnoresNotReady) => size(set),
        _ => count(set, "availableReplicas"),
    }
}

/// What the old sets lose first in a rolling update: their pods that are not available, oldest set
/// first (`cleanupUnhealthyReplicas`). Answers the sets whose size changes, with their new sizes,
/// and whether more may be taken from them in this sync.
pub(super) fn clean_up<'a>(
    limits: &Limits,
    new: &Tree,
    old: &[&'a Tree],
    bug: Option<Bug>,
) -> (Vec<(&'a Tree, i64)>, bool) {
    let total: i64 = old.iter().map(|set| size(set)).sum::<i64>() + size(new);
    let mut left = total - limits.least() - (size(new) - available(new, bug));
    let mut sizes = Vec::new();
    if left <= 0 || total == size(new) {
        return (sizes, false);
    }
    for set in old.iter().copied().filter(|set| size(set) > 0) {
        if left == 0 {
            break;
        }
        let unhealthy = (size(set) - available(set, bug)).min(left);
        // The status still counts pods that the set was told to give up: the real controller fails
        // here and takes nothing more down in this sync.
        if unhealthy < 0 {
            return (sizes, false);
        }
        if unhealthy > 0 {
            sizes.push((set, size(set) - unhealthy));
            left -= unhealthy;
        }
    }
    (sizes, true)
}

/// What the `old` sets that were active, as they are since they were cleaned up, lose then: as many
/// available pods as can be spared, oldest set first (`scaleDownOldReplicaSetsForRollingUpdate`).
pub(super) fn take_down<'a>(
    limits: &Limits,
    new: &Tree,
    old: &[&'a Tree],
    bug: Option<Bug>,
) -> Vec<(&'a Tree, i64)> {
    let have = old.iter().map(|set| available(set, bug)).sum::<i64>() + available(new, bug);
    let mut left = (have - limits.least()).max(0);
    let mut sizes = Vec::new();
    for set in old {
        let healthy = size(set).min(left);
        if healthy > 0 {
            sizes.push((*set, size(set) - healthy));
            left -= healthy;
        }
    }
    sizes
}

/// Whether the desired number of pods changed since the sets were last scaled (`isScalingEvent`).
pub(super) fn is_scaling(sets: &[Tree], limits: &Limits) -> bool {
    let noted = sets.iter().filter(|set| size(set) > 0).filter_map(noted_desired);
    noted.into_iter().any(|desired| desired != limits.replicas)
}

/// The sizes of the sets when the Deployment is scaled or paused (`scale`): the only active set
/// takes it all; old ones go when the new one is complete; else all change in proportion.
pub(super) fn scaled_sizes<'a>(
    deployment: &Tree,
    limits: &Limits,
    new: Option<&'a Tree>,
    old: &[&'a Tree],
) -> Vec<(&'a Tree, i64)> {
    if let Some(only) = active_or_latest(new, old) {
        let same = size(only) == limits.replicas;
        return if same { Vec::new() } else { vec![(only, limits.replicas)] };
    }
    if new.is_some_and(|new| is_saturated(new, limits)) {
        return old.iter().rev().filter(|set| size(set) > 0).map(|set| (*set, 0)).collect();
    }
    if is_recreate(deployment) {
        return Vec::new();
    }
    let newest_first = old.iter().rev().copied();
    let active = newest_first.chain(new).filter(|set| size(set) > 0);
    proportional(active.collect(), limits, count(deployment, "replicas"))
}

/// Shares what is to be added or taken away among the sets by their sizes: bigger ones first, of
/// equal ones the newer when growing and the older when shrinking; the rest goes to the first.
/// `total_before` is the size of the Deployment before, for sets that have nothing noted.
pub(super) fn proportional<'a>(
    mut sets: Vec<&'a Tree>,
    limits: &Limits,
    total_before: i64,
) -> Vec<(&'a Tree, i64)> {
    let allowed = if limits.replicas > 0 { limits.most() } else { 0 };
    let to_add = allowed - sets.iter().map(|set| size(set)).sum::<i64>();
    // What is written first shows when nothing is to be added: then nothing is sorted either.
    sets.sort_by(|a, b| {
        if to_add == 0 {
            return Ordering::Equal;
        }
        let by_age = by_creation(a).cmp(&by_creation(b));
        let by_age = if to_add > 0 { by_age.reverse() } else { by_age };
        size(b).cmp(&size(a)).then(by_age)
    });
    let mut added = 0;
    let mut sizes: Vec<(&Tree, i64)> = Vec::new();
    for set in sets {
        let open = to_add - added;
        let fair = fair_change(set, limits, total_before);
        let change = match (size(set), open.signum() * to_add.signum()) {
            (0, _) | (_, ..=0) => 0,
            _ if to_add > 0 => fair.min(open),
            _ => fair.max(open),
        };
        added += change;
        sizes.push((set, size(set) + change));
    }
    if let Some((_, first)) = sizes.first_mut() {
        *first = (*first + to_add - added).max(0);
    }
    sizes
}

/// By how much a set would have to change to keep its part of the whole, rounded half away from
/// zero (`getReplicaSetFraction`).
fn fair_change(set: &Tree, limits: &Limits, total_before: i64) -> i64 {
    if limits.replicas == 0 {
        return -size(set);
    }
    let before = noted_max(set).filter(|max| *max != 0).unwrap_or(total_before);
    if before == 0 {
        return 0;
    }
    let share = (size(set) as f64 * limits.most() as f64) / before as f64;
    share.round() as i64 - size(set)
}

/// The only active set; the new one (or else the latest) if none is active; `None` if several are.
fn active_or_latest<'a>(new: Option<&'a Tree>, old: &[&'a Tree]) -> Option<&'a Tree> {
    let mut active = new.into_iter().chain(old.iter().copied()).filter(|set| size(set) > 0);
    match (active.next(), active.next()) {
        (None, _) => new.or(old.last().copied()),
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// Whether a set has all pods that the Deployment wants, and they are available.
fn is_saturated(set: &Tree, limits: &Limits) -> bool {
    size(set) == limits.replicas
        && noted_desired(set) == Some(limits.replicas)
        && count(set, "availableReplicas") == limits.replicas
}

/// Old sets beyond the history limit that nothing needs any more, the lowest revision first.
pub(super) fn superfluous<'a>(deployment: &Tree, old: &[&'a Tree]) -> Vec<&'a Tree> {
    let Some(limit) = deployment["spec"]["revisionHistoryLimit"].as_i64() else {
        return Vec::new();
    };
    let mut old: Vec<&Tree> =
        old.iter().copied().filter(|set| !object::is_terminating(set)).collect();
    let excess = old.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
    old.sort_by_key(|set| (super::sets::revision(set), by_creation(set)));
    let unused = |set: &&Tree| {
        size(set) == 0
            && count(set, "replicas") == 0
            && object::generation(set) <= count(set, "observedGeneration")
    };
    old.into_iter().take(excess).filter(unused).collect()
}
