//! Counts the pods of a CloneSet by revision and availability, and derives budgets from the counts.

use super::Bug;
use super::inplace::{self, Change, Stage};
use super::pods::PodFacts;
use super::revision::Revisions;
use super::spec::{Policy, Spec};

/// The active pods of a CloneSet and what they add up to.
pub(super) struct Census<'a> {
    pub(super) pods: Vec<PodFacts<'a>>,
    pub(super) unavailable: usize,
    /// The unavailable ones among those that have or are on the way to the update revision.
    tried: usize,
    /// Pods that have or are on the way to the update revision, and are not to be deleted.
    pub(super) updated: usize,
    /// The others that are not to be deleted.
    pub(super) old: usize,
    pub(super) specified: usize,
    /// How many pods may be present, surge included (CS-10).
    pub(super) expected: usize,
    /// How many pods shall still change from old to new.
    pub(super) to_update: usize,
}

impl<'a> Census<'a> {
    /// Counts.
    pub(super) fn take(
        pods: Vec<PodFacts<'a>>,
        spec: &Spec,
        revisions: &Revisions<'_>,
        bug: Option<Bug>,
    ) -> Census<'a> {
        let is_new = |pod: &&PodFacts<'_>| pod.target == revisions.update;
        let specified = pods.iter().filter(|pod| pod.specified).count();
        let updated = pods.iter().filter(|pod| !pod.specified).filter(is_new).count();
        let old = pods.len() - specified - updated;
        let missing = spec.updated_wanted().saturating_sub(updated);
        let to_update = old.saturating_sub(spec.partition).min(missing);
        let is_down = match bug {
            Some(Bug::IgnoresNotReady) => |pod: &PodFacts<'_>| pod.stage != Stage::None,
            _ => |pod: &PodFacts<'_>| !pod.available,
        };
        let unavailable = pods.iter().filter(|pod| is_down(pod)).count();
        let tried = pods.iter().filter(is_new).filter(|pod| is_down(pod)).count();
        let mut census =
            Census { pods, unavailable, tried, updated, old, specified, expected: 0, to_update };
        census.expected = spec.replicas + census.surge(spec, revisions);
        census
    }

    /// How many pods may be available no more before the limit is reached (CS-8, CS-18).
    pub(super) fn may_go_down(&self, spec: &Spec) -> usize {
        (spec.max_unavailable + self.pods.len())
            .saturating_sub(spec.replicas)
            .saturating_sub(self.unavailable)
    }

    /// How many more pods of the update revision may be unavailable (CS-9).
    ///
    /// While pods are missing the limit is not lowered by them, and never below one: a creation
    /// that is throttled because of broken old pods must not keep them from being replaced (CS-13).
    pub(super) fn may_try_new(&self, spec: &Spec) -> usize {
        let extra = self.pods.len().saturating_sub(spec.replicas);
        (spec.max_unavailable + extra).max(1).saturating_sub(self.tried)
    }

    /// The pods above `replicas` that help a deletion or a recreation along (CS-10); what changes
    /// in place needs none (CS-12).
    fn surge(&self, spec: &Spec, revisions: &Revisions<'_>) -> usize {
        let old = self.pods.iter().filter(|pod| pod.target != revisions.update && !pod.specified);
        let recreated = old.filter(|pod| change(pod, spec, revisions).is_none()).count();
        spec.max_surge.min(recreated.min(self.to_update) + self.specified)
    }
}

/// The change that brings this pod to the update revision in place; `None` if it must be recreated.
pub(super) fn change(pod: &PodFacts<'_>, spec: &Spec, revisions: &Revisions<'_>) -> Option<Change> {
    // A pod made under another policy may lack the gate; it could not be taken out of service.
    if spec.policy == Policy::Recreate
        || (spec.policy == Policy::InPlaceIfPossible && !inplace::has_gate(pod.tree))
    {
        return None;
    }
    Change::between(revisions.template(pod.revision)?, revisions.update_template())
}
