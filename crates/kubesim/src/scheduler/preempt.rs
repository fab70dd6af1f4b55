//! Making room for a pod of higher priority (kube-scheduler v1.36, plugin `DefaultPreemption`).

use std::cmp::Reverse;
use std::collections::BTreeMap;

use kubesim_model::cache::Cache;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, object, selector};

use super::filter::{Filters, Rejection, count_reasons};
use super::snapshot::{NodeInfo, Placed, Snapshot};

/// Which pods to remove from which node.
pub(super) struct Plan {
    pub(super) node: Text,
    pub(super) victims: Vec<Tree>,
}

struct Candidate {
    plan: Plan,
    violations: usize,
}

/// The priority of a pod; 0 when none was admitted.
pub(super) fn priority(pod: &Tree) -> i64 {
    pod["spec"]["priority"].as_i64().unwrap_or(0)
}

/// The best place to preempt, or why there is none.
pub(super) fn plan(
    pod: &Tree,
    rejections: &BTreeMap<Text, Rejection>,
    nominated: Option<&Text>,
    snapshot: &Snapshot,
    cache: &Cache,
) -> Result<Plan, String> {
    if pod["spec"]["preemptionPolicy"] == "Never" {
        return Err("not eligible due to preemptionPolicy=Never.".to_owned());
    }
    let waits = nominated.and_then(|node| snapshot.get(node)).is_some_and(|info| {
        info.pods.values().any(|placed| {
            object::is_terminating(&placed.pod) && priority(&placed.pod) < priority(pod)
        })
    });
    if waits {
        return Err("not eligible due to a terminating pod on the nominated node.".to_owned());
    }
    let mut scratch = snapshot.clone();
    let mut candidates = Vec::new();
    for (node, _) in rejections.iter().filter(|(_, rejection)| rejection.is_resolvable) {
        candidates.extend(candidate(pod, node, &mut scratch, cache));
    }
    let best = candidates.into_iter().min_by_key(|candidate| rank(candidate, cache));
    best.map(|candidate| candidate.plan).ok_or_else(|| {
        let reason = |rejection: &Rejection| match rejection.is_resolvable {
            true => "No preemption victims found for incoming pod",
            false => "Preemption is not helpful for scheduling",
        };
        count_reasons(rejections.len(), rejections.values().map(reason))
    })
}

/// The fewest pods of lower priority without which the pod fits on `node`. Leaves the snapshot as
/// it was.
fn candidate(pod: &Tree, node: &Text, scratch: &mut Snapshot, cache: &Cache) -> Option<Candidate> {
    let before = scratch.get(node)?.clone();
    let lower = |placed: &&Placed| priority(&placed.pod) < priority(pod);
    let mut lower: Vec<Placed> = before.pods.values().filter(lower).cloned().collect();
    lower.sort_by_key(|placed| importance(&placed.pod, cache));
    let info = scratch.get_mut(node)?;
    for placed in &lower {
        info.remove(&object::key(&placed.pod));
    }
    let found = if !lower.is_empty() && fits(pod, node, scratch, cache) {
        let (violating, others) = split_by_budgets(lower, cache);
        let (mut victims, violations) = reprieve(pod, node, violating, scratch, cache);
        victims.extend(reprieve(pod, node, others, scratch, cache).0);
        victims.sort_by_key(|victim| importance(victim, cache));
        (!victims.is_empty())
            .then(|| Candidate { plan: Plan { node: node.clone(), victims }, violations })
    } else {
        None
    };
    restore(scratch, node, before);
    found
}

/// Puts back whom the pod leaves room for; answers whom not, and how many those are.
fn reprieve(
    pod: &Tree,
    node: &Text,
    pods: Vec<Placed>,
    scratch: &mut Snapshot,
    cache: &Cache,
) -> (Vec<Tree>, usize) {
    let mut victims = Vec::new();
    for placed in pods {
        let key = object::key(&placed.pod);
        if let Some(info) = scratch.get_mut(node) {
            info.add(placed.clone());
        }
        if !fits(pod, node, scratch, cache) {
            if let Some(info) = scratch.get_mut(node) {
                info.remove(&key);
            }
            victims.push(placed.pod);
        }
    }
    let count = victims.len();
    (victims, count)
}

fn fits(pod: &Tree, node: &Text, snapshot: &Snapshot, cache: &Cache) -> bool {
    let filters = Filters::new(pod, snapshot, cache);
    snapshot.get(node).is_some_and(|info| filters.check(info).is_ok())
}

fn restore(scratch: &mut Snapshot, node: &Text, before: NodeInfo) {
    if let Some(info) = scratch.get_mut(node) {
        *info = before;
    }
}

/// The more important first: higher priority, then longer running.
fn importance(pod: &Tree, cache: &Cache) -> (Reverse<i64>, Millis, ObjectKey) {
    (Reverse(priority(pod)), started(pod, cache), object::key(pod))
}

fn started(pod: &Tree, cache: &Cache) -> Millis {
    let known = cache.get(&Resource::PODS, &object::key(pod)).unwrap_or(pod);
    object::parse_time(known["status"]["startTime"].str()).unwrap_or(Millis::MAX)
}

/// Those whose removal breaks a budget, and the others; each budget is used up in order.
fn split_by_budgets(pods: Vec<Placed>, cache: &Cache) -> (Vec<Placed>, Vec<Placed>) {
    const BUDGETS: Resource = Resource::POD_DISRUPTION_BUDGETS;
    let budgets = cache.all(&BUDGETS);
    let mut budgets: Vec<(&Tree, i64)> = budgets
        .map(|budget| (budget, budget["status"]["disruptionsAllowed"].as_i64().unwrap_or(0)))
        .collect();
    pods.into_iter().partition(|placed| {
        let (pod, mut violates) = (&placed.pod, false);
        for (budget, allowed) in &mut budgets {
            let concerns = object::namespace(budget) == object::namespace(pod)
                && selector::selects(&budget["spec"]["selector"], &pod["metadata"]["labels"])
                && budget["status"]["disruptedPods"].get(object::name(pod)).is_none();
            if concerns {
                *allowed = allowed.saturating_sub(1);
                violates |= *allowed < 0;
            }
        }
        violates
    })
}

/// What is smallest for the best candidate.
fn rank(candidate: &Candidate, cache: &Cache) -> impl Ord + use<> {
    let victims = &candidate.plan.victims;
    let highest = victims.iter().map(priority).max().unwrap_or(i64::MIN);
    let sum: i128 = victims.iter().map(|v| i128::from(priority(v)) + (1 << 31)).sum();
    let top = victims.iter().filter(|victim| priority(victim) == highest);
    let earliest = top.map(|victim| started(victim, cache)).min().unwrap_or(Millis::MAX);
    (candidate.violations, highest, sum, victims.len(), Reverse(earliest))
}
