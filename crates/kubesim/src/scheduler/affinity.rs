//! Affinity and anti-affinity between pods (kube-scheduler v1.36, plugin `InterPodAffinity`).

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::cache::Cache;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, object, selector};

use super::snapshot::{NodeInfo, Snapshot};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
/// What a required affinity of a running pod weighs for a pod that it wants near.
const REQUIRED_WEIGHT: i64 = 1;

/// A topology domain: label key and value.
type Domain = (Text, Text);

/// Why affinity between pods keeps a pod from a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// No pod that it wants near is there.
    Affinity,
    /// A pod that it wants far is there.
    AntiAffinity,
    /// A pod is there that wants it far.
    ExistingAntiAffinity,
}

/// What the required terms of a pod, and those of all others about it, say of each domain.
pub(super) struct Required<'a> {
    near: &'a [Tree],
    far: &'a [Tree],
    near_domains: BTreeSet<Domain>,
    far_domains: BTreeSet<Domain>,
    refusing_domains: BTreeSet<Domain>,
    first_of_its_kind: bool,
}

impl<'a> Required<'a> {
    pub(super) fn new(pod: &'a Tree, snapshot: &Snapshot, cache: &Cache) -> Self {
        let near = terms(pod, "podAffinity", REQUIRED);
        let far = terms(pod, "podAntiAffinity", REQUIRED);
        let mut required = Required {
            near,
            far,
            near_domains: BTreeSet::new(),
            far_domains: BTreeSet::new(),
            refusing_domains: BTreeSet::new(),
            first_of_its_kind: near.iter().all(|term| matches(term, pod, pod, cache)),
        };
        for (info, other) in pods(snapshot) {
            let near_all = !near.is_empty() && near.iter().all(|t| matches(t, pod, other, cache));
            if near_all {
                required.near_domains.extend(near.iter().filter_map(|term| domain(term, info)));
            }
            let apart = far.iter().filter(|term| matches(term, pod, other, cache));
            required.far_domains.extend(apart.filter_map(|term| domain(term, info)));
            let refusing = terms(other, "podAntiAffinity", REQUIRED).iter();
            let refusing = refusing.filter(|term| matches(term, other, pod, cache));
            required.refusing_domains.extend(refusing.filter_map(|term| domain(term, info)));
        }
        required
    }

    /// Whether the pod may go to this node.
    pub(super) fn check(&self, info: &NodeInfo) -> Result<(), Misfit> {
        let domains: Option<Vec<Domain>> =
            self.near.iter().map(|term| domain(term, info)).collect();
        let Some(domains) = domains else { return Err(Misfit::Affinity) };
        let all_near = domains.iter().all(|domain| self.near_domains.contains(domain));
        if !(all_near || (self.near_domains.is_empty() && self.first_of_its_kind)) {
            return Err(Misfit::Affinity);
        }
        let in_far = |domain: Domain| self.far_domains.contains(&domain);
        if self.far.iter().filter_map(|term| domain(term, info)).any(in_far) {
            return Err(Misfit::AntiAffinity);
        }
        let refused = self.refusing_domains.iter().any(|(k, v)| info.label(k) == Some(v.as_str()));
        if refused { Err(Misfit::ExistingAntiAffinity) } else { Ok(()) }
    }
}

/// The weight that preferred terms (the pod's and the others') give to each domain.
pub(super) fn preferences(pod: &Tree, snapshot: &Snapshot, cache: &Cache) -> BTreeMap<Domain, i64> {
    let mut weights = BTreeMap::new();
    let mut weigh = |term: &Tree, info: &NodeInfo, weight: i64| {
        if let Some(domain) = domain(term, info) {
            *weights.entry(domain).or_default() += weight;
        }
    };
    for (info, other) in pods(snapshot) {
        for (kind, sign) in [("podAffinity", 1), ("podAntiAffinity", -1)] {
            for (from, to) in [(pod, other), (other, pod)] {
                for wish in terms(from, kind, PREFERRED) {
                    let term = &wish["podAffinityTerm"];
                    if matches(term, from, to, cache) {
                        let weight = wish["weight"].as_i64().unwrap_or(0).clamp(0, 100);
                        weigh(term, info, sign * weight);
                    }
                }
            }
        }
        for term in terms(other, "podAffinity", REQUIRED) {
            if matches(term, other, pod, cache) {
                weigh(term, info, REQUIRED_WEIGHT);
            }
        }
    }
    weights
}

fn pods(snapshot: &Snapshot) -> impl Iterator<Item = (&NodeInfo, &Tree)> {
    snapshot.nodes().flat_map(|(_, info)| info.pods.values().map(move |placed| (info, &placed.pod)))
}

fn terms<'a>(pod: &'a Tree, kind: &str, strength: &str) -> &'a [Tree] {
    pod["spec"]["affinity"][kind][strength].items()
}

fn domain(term: &Tree, info: &NodeInfo) -> Option<Domain> {
    let key = term["topologyKey"].text();
    info.label(&key).map(|value| (key.clone(), Text::new(value)))
}

/// Whether a term of `owner` is about `target`.
fn matches(term: &Tree, owner: &Tree, target: &Tree, cache: &Cache) -> bool {
    let labels = |pod: &Tree, key: &Tree| pod["metadata"]["labels"][key.str()].clone();
    let agree = |key: &Tree| {
        let own = labels(owner, key);
        own.is_null() || own == labels(target, key)
    };
    let differ = |key: &Tree| {
        let own = labels(owner, key);
        own.is_null() || own != labels(target, key)
    };
    is_in_namespaces(term, owner, target, cache)
        && selector::selects(&term["labelSelector"], &target["metadata"]["labels"])
        && term["matchLabelKeys"].items().iter().all(agree)
        && term["mismatchLabelKeys"].items().iter().all(differ)
}

fn is_in_namespaces(term: &Tree, owner: &Tree, target: &Tree, cache: &Cache) -> bool {
    let (listed, wanted) = (term["namespaces"].items(), &term["namespaceSelector"]);
    let namespace = object::namespace(target);
    if listed.is_empty() && wanted.is_null() {
        return namespace == object::namespace(owner);
    }
    let labels = || {
        let known = cache.get(&Resource::NAMESPACES, &ObjectKey::new("", namespace));
        known.map_or_else(Tree::map, |known| known["metadata"]["labels"].clone())
    };
    listed.iter().any(|name| name == namespace)
        || (!wanted.is_null() && selector::selects(wanted, &labels()))
}
