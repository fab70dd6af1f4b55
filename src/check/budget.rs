//! PodDisruptionBudgets counted from the pods and workloads, as kube-controller-manager v1.36
//! (`pkg/controller/disruption`) counts them: percentages round up, and a budget in percent or with
//! `maxUnavailable` expects what the controllers of its pods are scaled to.

use std::collections::BTreeSet;

use kubesim_model::object;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::selector::selects;
use kubesim_model::share::{Rounding, share};
use kubesim_model::tree::Tree;

use super::observe::Scene;
use super::takedown::known_pods;
use crate::history::View;

/// The budgets that select a pod.
pub(super) fn budgets_of<'a>(
    pod: &'a Tree,
    view: &'a View,
) -> impl Iterator<Item = (&'a ObjectKey, &'a Tree)> {
    let namespace = object::namespace(pod);
    view.objects.all(&Resource::POD_DISRUPTION_BUDGETS).filter(move |(key, budget)| {
        key.namespace == namespace
            && selects(&budget["spec"]["selector"], &pod["metadata"]["labels"])
    })
}

/// A budget with what it expects.
pub(super) struct Budget<'a> {
    budget: &'a Tree,
    expected: i64,
}

impl<'a> Budget<'a> {
    /// Counts what the budget expects now.
    pub(super) fn new(budget: &'a Tree, view: &View) -> Budget<'a> {
        let pods = view.objects.all(&Resource::PODS).map(|(_, pod)| pod);
        Budget::counted(budget, pods, view, &|_, _, owner| scale(owner))
    }

    /// Counts the least that a role may have taken the budget to expect: it may have acted upon any
    /// scale since the one that it is certain to know.
    pub(super) fn known(budget: &'a Tree, role: &str, scene: &Scene<'_>) -> Budget<'a> {
        let view = scene.view;
        Budget::counted(budget, known_pods(role, scene), view, &|resource, key, owner| {
            let rv = view.known.newest(role, resource, key);
            let states = view.objects.since(resource, key, rv).flatten();
            let same = states.filter(|state| object::uid(state) == object::uid(owner));
            same.filter_map(scale).chain(scale(owner)).min()
        })
    }

    fn counted<'p>(
        budget: &'a Tree,
        pods: impl Iterator<Item = &'p Tree>,
        view: &View,
        scale: &dyn Fn(&Resource, &ObjectKey, &Tree) -> Option<i64>,
    ) -> Budget<'a> {
        let mut this = Budget { budget, expected: 0 };
        let pods = pods.filter(|pod| this.selects(pod));
        this.expected = if budget["spec"]["minAvailable"].as_i64().is_some() {
            i64::try_from(pods.count()).unwrap_or(i64::MAX)
        } else {
            let mut counted = BTreeSet::new();
            let owners = pods.filter_map(|pod| view.objects.owners(pod).pop());
            let scales = owners.filter(|uid| counted.insert(uid.clone())).filter_map(|uid| {
                let (resource, key, owner) = view.objects.by_uid(&uid)?;
                scale(resource, key, owner)
            });
            scales.sum()
        };
        this
    }

    /// Whether it counts this pod.
    pub(super) fn selects(&self, pod: &Tree) -> bool {
        object::namespace(pod) == object::namespace(self.budget)
            && selects(&self.budget["spec"]["selector"], &pod["metadata"]["labels"])
    }

    /// How many pods it expects.
    pub(super) fn expected(&self) -> i64 {
        self.expected
    }

    /// How many pods must be healthy; `None` if its spec says nothing that can be read.
    pub(super) fn desired_healthy(&self) -> Option<i64> {
        desired_healthy(self.budget, self.expected)
    }
}

/// How many pods a controller is to have.
fn scale(owner: &Tree) -> Option<i64> {
    let desired = &owner["status"]["desiredNumberScheduled"];
    owner["spec"]["replicas"].as_i64().or(desired.as_i64())
}

/// How many of `expected` pods a budget wants healthy.
pub(super) fn desired_healthy(budget: &Tree, expected: i64) -> Option<i64> {
    let spec = &budget["spec"];
    let most = &spec["maxUnavailable"];
    if most.is_null() {
        return share(&spec["minAvailable"], expected, Rounding::Up);
    }
    Some((expected - share(most, expected, Rounding::Up)?).max(0))
}
