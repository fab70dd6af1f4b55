//! Spreading pods over topology domains (kube-scheduler v1.36, plugin `PodTopologySpread`), with
//! the built-in defaults for pods that state no constraint.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::cache::Cache;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map, object, selector};

use super::snapshot::{NodeInfo, Snapshot};

const HOSTNAME: &str = "kubernetes.io/hostname";

/// Why a hard constraint keeps a pod from a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// The node lacks the topology label.
    NoLabel,
    /// The skew would be too great.
    Skew,
}

/// One constraint with the number of matching pods of each domain.
struct Counted<'a> {
    constraint: Cow<'a, Tree>,
    key: Text,
    domains: BTreeMap<Text, i64>,
    selects_itself: bool,
}

/// The constraints of one kind of a pod, counted.
pub(super) struct Spread<'a>(Vec<Counted<'a>>);

impl<'a> Spread<'a> {
    /// The constraints that must hold.
    pub(super) fn hard(pod: &'a Tree, snapshot: &Snapshot) -> Self {
        let stated = stated(pod, "DoNotSchedule").map(Cow::Borrowed).collect();
        Spread::count(pod, stated, snapshot, |_| true, true)
    }

    /// The constraints to be preferred among the `feasible` nodes: those stated, or the defaults
    /// for pods of a Service, ReplicaSet or StatefulSet that state none.
    pub(super) fn soft(
        pod: &'a Tree,
        snapshot: &Snapshot,
        cache: &Cache,
        feasible: &[Text],
    ) -> Self {
        let has_own = !pod["spec"]["topologySpreadConstraints"].items().is_empty();
        let constraints = if has_own {
            stated(pod, "ScheduleAnyway").map(Cow::Borrowed).collect()
        } else {
            defaults(pod, cache)
        };
        let feasible: BTreeSet<&str> = feasible.iter().map(Text::as_str).collect();
        Spread::count(pod, constraints, snapshot, |name| feasible.contains(name), has_own)
    }

    fn count(
        pod: &Tree,
        constraints: Vec<Cow<'a, Tree>>,
        snapshot: &Snapshot,
        makes_domains: impl Fn(&str) -> bool,
        all_keys_needed: bool,
    ) -> Self {
        let labels = &pod["metadata"]["labels"];
        let mut counted: Vec<Counted<'a>> = constraints
            .into_iter()
            .map(|constraint| Counted {
                key: constraint["topologyKey"].text(),
                domains: BTreeMap::new(),
                selects_itself: selector::selects(&constraint["labelSelector"], labels),
                constraint,
            })
            .collect();
        let keys: Vec<Text> = counted.iter().map(|constraint| constraint.key.clone()).collect();
        if keys.is_empty() {
            return Spread(counted);
        }
        let eligible =
            |info: &NodeInfo| !all_keys_needed || keys.iter().all(|key| info.label(key).is_some());
        for (_, info) in snapshot.nodes().filter(|(name, i)| makes_domains(name) && eligible(i)) {
            for constraint in &mut counted {
                if let Some(domain) = constraint.counted_domain(pod, info) {
                    constraint.domains.entry(domain).or_default();
                }
            }
        }
        for (_, info) in snapshot.nodes().filter(|(_, info)| eligible(info)) {
            for constraint in &mut counted {
                let domain = constraint.counted_domain(pod, info);
                let Some(domain) = domain.filter(|d| constraint.domains.contains_key(d)) else {
                    continue;
                };
                let matching = constraint.matching(pod, info);
                *constraint.domains.entry(domain).or_default() += matching;
            }
        }
        Spread(counted)
    }

    /// Whether a pod may go to this node by hard constraints.
    pub(super) fn check(&self, info: &NodeInfo) -> Result<(), Misfit> {
        for counted in &self.0 {
            let Some(domain) = info.label(&counted.key) else { return Err(Misfit::NoLabel) };
            let enough = counted.domains.len() as i64
                >= counted.constraint["minDomains"].as_i64().unwrap_or(1);
            let least = counted.domains.values().min().copied().filter(|_| enough).unwrap_or(0);
            let there = counted.domains.get(domain).copied().unwrap_or(0);
            let with_it = there.saturating_add(i64::from(counted.selects_itself));
            if with_it - least > counted.max_skew() {
                return Err(Misfit::Skew);
            }
        }
        Ok(())
    }

    /// How crowded the node's domains are (less is better); `None` if the node lacks a label that
    /// the pod's own constraints need, or there is no constraint.
    pub(super) fn crowding(&self, info: &NodeInfo, has_own: bool) -> Option<i64> {
        let lacks = |counted: &Counted<'_>| info.label(&counted.key).is_none();
        if self.0.is_empty() || (has_own && self.0.iter().any(lacks)) {
            return None;
        }
        let weighed = self.0.iter().filter_map(|counted| {
            let there = counted.domains.get(info.label(&counted.key)?)?;
            let weight = (counted.domains.len() as f64 + 2.0).ln();
            Some(*there as f64 * weight + (counted.max_skew() as f64 - 1.0))
        });
        Some(weighed.sum::<f64>().round() as i64)
    }
}

impl Counted<'_> {
    fn max_skew(&self) -> i64 {
        self.constraint["maxSkew"].as_i64().unwrap_or(1)
    }

    /// The node's domain, if its pods count by the policies of the constraint.
    fn counted_domain(&self, pod: &Tree, info: &NodeInfo) -> Option<Text> {
        let domain = info.label(&self.key)?;
        let by_affinity = self.constraint["nodeAffinityPolicy"] == "Ignore"
            || selector::admits_node(&pod["spec"], &info.node);
        let tolerated = |taint: &Tree| {
            !matches!(taint["effect"].str(), "NoSchedule" | "NoExecute")
                || selector::tolerates(&pod["spec"]["tolerations"], taint)
        };
        let by_taints = self.constraint["nodeTaintsPolicy"] != "Honor"
            || info.node["spec"]["taints"].items().iter().all(tolerated);
        (by_affinity && by_taints).then(|| Text::new(domain))
    }

    fn matching(&self, pod: &Tree, info: &NodeInfo) -> i64 {
        let labels = &pod["metadata"]["labels"];
        let keys = self.constraint["matchLabelKeys"].items();
        let selected = |other: &Tree| {
            let theirs = &other["metadata"]["labels"];
            object::namespace(other) == object::namespace(pod)
                && !object::is_terminating(other)
                && selector::selects(&self.constraint["labelSelector"], theirs)
                && keys.iter().all(|key| {
                    labels[key.str()].is_null() || labels[key.str()] == theirs[key.str()]
                })
        };
        info.pods.values().filter(|placed| selected(&placed.pod)).count() as i64
    }
}

fn stated<'a>(pod: &'a Tree, when: &'static str) -> impl Iterator<Item = &'a Tree> {
    let constraints = pod["spec"]["topologySpreadConstraints"].items().iter();
    constraints.filter(move |constraint| constraint["whenUnsatisfiable"] == when)
}

/// Skew 3 over hosts and 5 over zones, for pods selected by a Service or controlled by a
/// ReplicaSet or StatefulSet.
fn defaults<'a>(pod: &Tree, cache: &Cache) -> Vec<Cow<'a, Tree>> {
    let selector = default_selector(pod, cache);
    if selector["matchLabels"].fields().next().is_none()
        && selector["matchExpressions"].items().is_empty()
    {
        return Vec::new();
    }
    let constraint = |key: &str, skew: i64| {
        Cow::Owned(map! {
            "topologyKey" => key, "maxSkew" => skew, "whenUnsatisfiable" => "ScheduleAnyway",
            "labelSelector" => &selector,
        })
    };
    vec![constraint(HOSTNAME, 3), constraint("topology.kubernetes.io/zone", 5)]
}

/// All that the Services of the pod and its controller select by, together.
fn default_selector(pod: &Tree, cache: &Cache) -> Tree {
    let mut selector = map! { "matchLabels" => map! {}, "matchExpressions" => list![] };
    let labels = &pod["metadata"]["labels"];
    let mut add = |wanted: &Tree| {
        for (key, value) in wanted.fields() {
            selector.set(&["matchLabels", key], value);
        }
    };
    for service in cache.in_namespace(&Resource::SERVICES, object::namespace(pod)) {
        let wanted = &service["spec"]["selector"];
        let selected = wanted.fields().all(|(key, value)| labels[key.as_str()] == *value);
        if selected && wanted.fields().next().is_some() {
            add(wanted);
        }
    }
    let Some(owner) = object::controller(pod) else { return selector };
    let resource = match owner["kind"].str() {
        "ReplicaSet" => Resource::REPLICA_SETS,
        "StatefulSet" => Resource::STATEFUL_SETS,
        _ => return selector,
    };
    let key = ObjectKey::new(object::namespace(pod), owner["name"].text());
    if let Some(owner) = cache.get(&resource, &key) {
        add(&owner["spec"]["selector"]["matchLabels"]);
        let expressions = owner["spec"]["selector"]["matchExpressions"].items();
        selector.field_mut("matchExpressions").items_mut().extend_from_slice(expressions);
    }
    selector
}
