//! What pods ask for (component-helpers v0.36, `resource/helpers.go`), and whether it counts.

use std::collections::BTreeMap;

use kubesim_model::tree::Tree;
use kubesim_model::{Millis, object};

use super::amount::{Amounts, add, amounts_of};

/// Amounts that each container must name where a quota has them.
const MUST_NAME: [(&str, &str, &str); 6] = [
    ("cpu", "requests", "cpu"),
    ("limits.cpu", "limits", "cpu"),
    ("limits.memory", "limits", "memory"),
    ("memory", "requests", "memory"),
    ("requests.cpu", "requests", "cpu"),
    ("requests.memory", "requests", "memory"),
];

/// What a whole pod asks for: its containers and those that start beside them together, or more if
/// an init container alone needs more.
pub(crate) fn all_of(spec: &Tree, list: &str) -> Amounts {
    let of = |container: &Tree| amounts_of(&container["resources"][list]);
    let mut all = Amounts::new();
    for container in spec["containers"].items() {
        add(&mut all, &of(container));
    }
    let (mut beside, mut most) = (Amounts::new(), Amounts::new());
    for container in spec["initContainers"].items() {
        let mut own = of(container);
        if container["restartPolicy"] == "Always" {
            add(&mut all, &own);
            add(&mut beside, &own);
            own.clone_from(&beside);
        } else {
            add(&mut own, &beside);
        }
        for (name, amount) in own {
            let have = most.entry(name).or_insert(amount);
            *have = amount.max(*have);
        }
    }
    for (name, amount) in most {
        let have = all.entry(name).or_insert(amount);
        *have = amount.max(*have);
    }
    all.extend(amounts_of(&spec["resources"][list]));
    all
}

/// Whether a pod counts for more than an object: it has not ended, and its end is not overdue.
pub(crate) fn uses_compute(pod: &Tree, now: Millis) -> bool {
    let metadata = &pod["metadata"];
    let until = object::parse_time(metadata["deletionTimestamp"].str());
    let grace = metadata["deletionGracePeriodSeconds"].as_i64();
    let is_overdue = until.zip(grace).is_some_and(|(until, grace)| {
        now > until.saturating_add(1000 * Millis::try_from(grace).unwrap_or(0))
    });
    !object::is_terminal(pod) && !is_overdue
}

/// What a quota has and containers of a pod do not name; nothing needs a name if the pod as a whole
/// has amounts.
pub(crate) fn unnamed(quota: &Tree, pod: &Tree) -> Option<String> {
    let (hard, spec) = (&quota["status"]["hard"], &pod["spec"]);
    if ["requests", "limits"].iter().any(|list| spec["resources"][*list].fields().next().is_some())
    {
        return None;
    }
    let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, list, resource) in MUST_NAME.iter().filter(|(name, ..)| !hard[*name].is_null()) {
        let containers = spec["containers"].items().iter().chain(spec["initContainers"].items());
        let silent = containers.filter(|one| one["resources"][*list][*resource].is_null());
        let mut names: Vec<&str> = silent.map(|container| container["name"].str()).collect();
        names.sort_unstable();
        if !names.is_empty() {
            missing.insert(name, names);
        }
    }
    let parts = missing.iter().map(|(name, silent)| format!("{name} for: {}", silent.join(",")));
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}
