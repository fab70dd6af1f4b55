//! Which of the feasible nodes is best: the scores of the default profile, each from 0 to 100 and
//! weighed (kube-scheduler v1.36, `framework/plugins`).

use kubesim_model::cache::Cache;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, selector};

use super::affinity;
use super::snapshot::{NodeInfo, Placed, Snapshot};
use super::spread::Spread;

const MOST: i64 = 100;
const RESOURCES: [&str; 2] = ["cpu", "memory"];

/// The score of each feasible node, in their order.
pub(super) fn scores(
    pod: &Tree,
    feasible: &[Text],
    snapshot: &Snapshot,
    cache: &Cache,
) -> Vec<i64> {
    let infos: Vec<&NodeInfo> = feasible.iter().filter_map(|name| snapshot.get(name)).collect();
    let placed = Placed::new(pod);
    let parts = [
        (3, normalised(infos.iter().map(|info| repelling(pod, info)).collect(), true)),
        (2, normalised(infos.iter().map(|info| attraction(pod, info)).collect(), false)),
        (1, infos.iter().map(|info| least_allocated(&placed, info)).collect()),
        (1, infos.iter().map(|info| balanced(&placed, info)).collect()),
        (2, spreading(pod, feasible, &infos, snapshot, cache)),
        (2, togetherness(pod, &infos, snapshot, cache)),
    ];
    let total = |at: usize| parts.iter().map(|(weight, scores)| weight * scores[at]).sum();
    (0..infos.len()).map(total).collect()
}

/// Stretches scores so that the highest is 100; `reverse` makes the highest 0.
fn normalised(scores: Vec<i64>, reverse: bool) -> Vec<i64> {
    let highest = scores.iter().max().copied().unwrap_or(0);
    let stretch = |score: i64| match (highest, reverse) {
        (0, true) => MOST,
        (0, false) => 0,
        (_, true) => MOST - MOST * score / highest,
        (_, false) => MOST * score / highest,
    };
    scores.into_iter().map(stretch).collect()
}

/// How many `PreferNoSchedule` taints the pod does not tolerate.
fn repelling(pod: &Tree, info: &NodeInfo) -> i64 {
    let tolerations = &pod["spec"]["tolerations"];
    let taints = info.node["spec"]["taints"].items().iter();
    let soft = taints.filter(|taint| taint["effect"] == "PreferNoSchedule");
    soft.filter(|taint| !selector::tolerates(tolerations, taint)).count() as i64
}

/// The weights of the preferred node affinity terms that the node matches.
fn attraction(pod: &Tree, info: &NodeInfo) -> i64 {
    let wishes =
        &pod["spec"]["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"];
    let wishes = wishes.items().iter();
    let granted = wishes.filter(|wish| {
        let terms = kubesim_model::list![&wish["preference"]];
        selector::selects_node(&kubesim_model::map! { "nodeSelectorTerms" => terms }, &info.node)
    });
    granted.map(|wish| wish["weight"].as_i64().unwrap_or(0).clamp(0, MOST)).sum()
}

/// The mean share of CPU and memory that stays free.
fn least_allocated(placed: &Placed, info: &NodeInfo) -> i64 {
    let shares = RESOURCES.iter().filter_map(|resource| {
        let there = i128::from(info.allocatable(resource));
        let amount = |of: &super::snapshot::Amounts| of.get(*resource).copied().unwrap_or(0);
        let taken = i128::from(amount(&info.scored)) + i128::from(amount(&placed.scored));
        (there > 0).then(|| (there - taken).max(0) * i128::from(MOST) / there)
    });
    let shares: Vec<i128> = shares.collect();
    let mean = shares.iter().sum::<i128>() / (shares.len().max(1) as i128);
    i64::try_from(mean).unwrap_or(MOST)
}

/// How evenly CPU and memory would be taken; pods that ask for neither are not scored.
fn balanced(placed: &Placed, info: &NodeInfo) -> i64 {
    if RESOURCES.iter().all(|resource| placed.requests.get(*resource).is_none_or(|a| *a == 0)) {
        return 0;
    }
    let shares = RESOURCES.iter().filter_map(|resource| {
        let there = info.allocatable(resource) as f64;
        let amount = |of: &super::snapshot::Amounts| of.get(*resource).copied().unwrap_or(0) as f64;
        let taken = amount(&info.requested) + amount(&placed.requests);
        (there > 0.0).then(|| (taken / there).min(1.0))
    });
    let deviation = match shares.collect::<Vec<_>>()[..] {
        [cpu, memory] => (cpu - memory).abs() / 2.0,
        _ => 0.0,
    };
    ((1.0 - deviation) * MOST as f64) as i64
}

fn spreading(
    pod: &Tree,
    feasible: &[Text],
    infos: &[&NodeInfo],
    snapshot: &Snapshot,
    cache: &Cache,
) -> Vec<i64> {
    let has_own = !pod["spec"]["topologySpreadConstraints"].items().is_empty();
    let spread = Spread::soft(pod, snapshot, cache, feasible);
    let crowding: Vec<Option<i64>> =
        infos.iter().map(|info| spread.crowding(info, has_own)).collect();
    let highest = crowding.iter().flatten().max().copied().unwrap_or(0);
    let lowest = crowding.iter().flatten().min().copied().unwrap_or(0);
    let score = |crowding: Option<i64>| match crowding {
        None => 0,
        Some(_) if highest == 0 => MOST,
        Some(crowding) => MOST * (highest + lowest - crowding) / highest,
    };
    crowding.into_iter().map(score).collect()
}

fn togetherness(pod: &Tree, infos: &[&NodeInfo], snapshot: &Snapshot, cache: &Cache) -> Vec<i64> {
    let preferences = affinity::preferences(pod, snapshot, cache);
    let weight = |info: &&NodeInfo| -> i64 {
        let there = |key: &Text, value: &Text| info.label(key) == Some(value.as_str());
        preferences.iter().filter(|((key, value), _)| there(key, value)).map(|(_, w)| *w).sum()
    };
    let weights: Vec<i64> = infos.iter().map(weight).collect();
    let highest = weights.iter().max().copied().unwrap_or(0);
    let lowest = weights.iter().min().copied().unwrap_or(0);
    let range = (highest - lowest).max(1);
    weights.into_iter().map(|weight| MOST * (weight - lowest) / range).collect()
}
