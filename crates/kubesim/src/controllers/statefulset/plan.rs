//! What a sync of a StatefulSet does to its pods.
//!
//! Modelled on kube-controller-manager v1.36, `stateful_set_control.go` (`updateStatefulSet`).

use std::collections::BTreeMap;

use kubesim_model::object;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

use super::control::Bug;
use super::identity::{self, REVISION};
use crate::controllers::owned::status::{min_ready_seconds, replicas};

/// More pods than this are not looked at: a set that asks for them gets so many.
const MOST_REPLICAS: i64 = 10_000;

/// One thing to be done to a pod.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    /// Make the pod with this ordinal, of the update revision or of the current one.
    Create {
        /// Which.
        ordinal: i64,
        /// Of the update revision.
        updated: bool,
    },
    /// Give a pod the labels of its identity.
    Label(Tree),
    /// Delete a pod.
    Delete(Tree),
    /// The planted bug: take the object of a terminating pod away, that another can be made.
    Force(Tree),
}

/// What a set consists of when a sync begins.
pub(super) struct View<'a> {
    pub set: &'a Tree,
    pub pods: &'a [Tree],
    /// The name of the revision to reach.
    pub update: &'a str,
    pub bug: Option<Bug>,
    pub now: Millis,
}

/// What to do, and by how many pods of the current revision there will be fewer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub acts: Vec<Act>,
    pub fewer_current: i64,
}

impl View<'_> {
    /// The plan: pods of the wanted ordinals first, then those beyond, then the rolling update.
    /// Unless the policy is `Parallel`, each waits for the ones before.
    pub(super) fn plan(&self) -> Plan {
        let mut plan = Plan::default();
        if object::is_terminating(self.set) {
            return plan;
        }
        let by_ordinal = self.by_ordinal();
        let (first, last) = self.range();
        let one_by_one = self.is_ordered();
        for ordinal in first..last {
            if self.tend(ordinal, by_ordinal.get(&ordinal).copied(), &mut plan) && one_by_one {
                return plan;
            }
        }
        if self.scale_in(&by_ordinal, one_by_one, &mut plan) && one_by_one {
            return plan;
        }
        self.update(&by_ordinal, &mut plan);
        plan
    }

    /// The ordinals that are wanted.
    fn range(&self) -> (i64, i64) {
        let first = identity::start(self.set);
        (first, first.saturating_add(replicas(self.set).min(MOST_REPLICAS)))
    }

    fn by_ordinal(&self) -> BTreeMap<i64, &Tree> {
        let of = |pod| Some((identity::ordinal(self.set, pod)?, pod));
        self.pods.iter().filter_map(of).collect()
    }

    fn is_ordered(&self) -> bool {
        self.bug != Some(Bug::ParallelAlways)
            && self.set["spec"]["podManagementPolicy"] != "Parallel"
    }

    /// Ordinals below this one keep the current revision.
    fn partition(&self) -> i64 {
        let partition = &self.set["spec"]["updateStrategy"]["rollingUpdate"]["partition"];
        match self.bug {
            Some(Bug::IgnoresPartition) => 0,
            _ => partition.as_i64().unwrap_or(0).max(0),
        }
    }

    /// Sees to one wanted pod; answers whether those after it have to wait.
    fn tend(&self, ordinal: i64, pod: Option<&Tree>, plan: &mut Plan) -> bool {
        let Some(pod) = pod else {
            plan.acts.push(self.create(ordinal));
            return true;
        };
        if self.bug == Some(Bug::ReplacesBeforeGone) && object::is_terminating(pod) {
            plan.acts.extend([Act::Force(pod.clone()), self.create(ordinal)]);
            return true;
        }
        if object::is_terminal(pod) {
            if !object::is_terminating(pod) {
                plan.acts.push(Act::Delete(pod.clone()));
            }
            return true;
        }
        if self.is_ordered() && !self.is_fine(pod) {
            return true;
        }
        if let Some(labelled) = identity::labelled(pod, ordinal) {
            plan.acts.push(Act::Label(labelled));
        }
        false
    }

    fn create(&self, ordinal: i64) -> Act {
        let rolling = self.set["spec"]["updateStrategy"]["type"] != "OnDelete";
        let below = ordinal < identity::start(self.set).saturating_add(self.partition());
        Act::Create { ordinal, updated: !(rolling && below) }
    }

    /// Deletes the pods beyond the wanted ordinals, the highest first. In order, an unhealthy one
    /// is deleted only if it is the first of all that are unhealthy. Answers whether the update
    /// waits.
    fn scale_in(&self, pods: &BTreeMap<i64, &Tree>, ordered: bool, plan: &mut Plan) -> bool {
        let (first, last) = self.range();
        let wanted = first..last;
        let first_unfine = self.first_unfine(pods);
        let mut waits = false;
        for (ordinal, pod) in pods.iter().rev().filter(|(ordinal, _)| !wanted.contains(ordinal)) {
            if object::is_terminating(pod) {
                if ordered {
                    return true;
                }
                continue;
            }
            if ordered && !self.is_ready_long_enough(pod) && first_unfine != Some(*ordinal) {
                return true;
            }
            plan.acts.push(Act::Delete((*pod).clone()));
            waits = true;
            if ordered {
                return true;
            }
        }
        waits
    }

    /// The lowest wanted ordinal that is not healthy, or else the lowest of those beyond.
    fn first_unfine(&self, pods: &BTreeMap<i64, &Tree>) -> Option<i64> {
        let (first, last) = self.range();
        let unfine = |ordinal: &i64| pods.get(ordinal).is_none_or(|pod| !self.is_fine(pod));
        let wanted = first..last;
        let beyond = pods.keys().copied().filter(|ordinal| !wanted.contains(ordinal));
        (first..last).find(&unfine).or_else(|| beyond.into_iter().find(&unfine))
    }

    /// Deletes the highest pod that is not of the update revision, if all above are healthy.
    fn update(&self, pods: &BTreeMap<i64, &Tree>, plan: &mut Plan) {
        if self.set["spec"]["updateStrategy"]["type"] == "OnDelete" {
            return;
        }
        let (first, last) = self.range();
        for ordinal in (first.saturating_add(self.partition())..last).rev() {
            let Some(pod) = pods.get(&ordinal) else { return };
            if revision(pod) != self.update && !object::is_terminating(pod) {
                if !plan.acts.contains(&Act::Delete((*pod).clone())) {
                    plan.acts.push(Act::Delete((*pod).clone()));
                }
                plan.fewer_current += 1;
                return;
            }
            if !self.is_fine(pod) {
                return;
            }
        }
    }

    fn is_fine(&self, pod: &Tree) -> bool {
        self.is_ready_long_enough(pod) && !object::is_terminating(pod)
    }

    fn is_ready_long_enough(&self, pod: &Tree) -> bool {
        is_running_and_ready(pod)
            && object::is_available(pod, min_ready_seconds(self.set), self.now)
    }
}

/// The revision that a pod was made of.
pub(super) fn revision(pod: &Tree) -> Text {
    Text::new(object::label(pod, REVISION))
}

/// Whether the pod's phase is `Running` and it is ready.
pub(super) fn is_running_and_ready(pod: &Tree) -> bool {
    pod["status"]["phase"] == "Running" && object::is_ready(pod)
}
