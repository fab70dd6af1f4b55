//! The catalogue of mutants: each planted bug with the scenario, the subject and the check that has
//! to catch it. The scenarios are in `fixtures/mutants`.

/// A planted bug and who has to catch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// The component: a built-in actor, `kubelet`, `scheduler`, or a reference controller.
    pub component: &'static str,
    /// The bug's name.
    pub bug: &'static str,
    /// The subject of the trial.
    pub subject: &'static str,
    /// The scenario, by name.
    pub scenario: &'static str,
    /// The invariant, or the name of the scenario's `cel` check.
    pub caught_by: &'static str,
    /// Why it is known to survive; `None` if it has to be caught.
    pub survives: Option<&'static str>,
}

impl Mutant {
    /// Component and bug, as in `kubelet/forgets-orphans`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.component, self.bug)
    }

    /// What the bug does wrong, in its component's own words.
    pub fn does(&self) -> &'static str {
        let bugs = planted_bugs();
        let found = bugs
            .iter()
            .find(|(component, bug, _)| *component == self.component && *bug == self.bug);
        found.map_or("", |(_, _, does)| does)
    }
}

const fn mutant(
    component: &'static str,
    bug: &'static str,
    subject: &'static str,
    scenario: &'static str,
    caught_by: &'static str,
) -> Mutant {
    Mutant { component, bug, subject, scenario, caught_by, survives: None }
}

/// Every mutant, by component.
#[rustfmt::skip]
pub const MUTANTS: &[Mutant] = &[
    mutant("cloneset", "off-by-one-unavailable", "cloneset", "in-place-release", "max-unavailable"),
    mutant("cloneset", "ignores-not-ready", "cloneset", "in-place-release-beside-unready-pods", "max-unavailable"),
    mutant("cloneset", "exceeds-surge", "cloneset", "surge-release", "max-surge"),
    mutant("cloneset", "forgets-expectations", "cloneset", "scale-out-with-stale-view", "max-surge"),
    mutant("cloneset", "deletes-healthy-first", "cloneset", "scale-in-with-unready-pods", "available-at-least"),
    mutant("cloneset", "marks-in-place-done-early", "cloneset", "in-place-release", "in-place-done-means-done"),
    mutant("cloneset", "restarts-bystanders", "cloneset", "in-place-release", "bystander-containers-untouched"),
    mutant("cloneset", "recreates-instead", "cloneset", "in-place-release-with-conflicts", "in-place-identity-kept"),
    mutant("cloneset", "ignores-partition", "cloneset", "in-place-release-held-back", "partition-respected"),
    mutant("cloneset", "loses-pod-on-crash", "cloneset", "in-place-release-interrupted", "converged-and-stable"),
    mutant("cloneset", "edge-triggered", "cloneset", "pod-lost-later", "converged-and-stable"),
    mutant("cloneset", "revision-flaps", "cloneset", "in-place-release", "revision-monotone"),
    mutant("cloneset", "hot-loop", "cloneset", "written-without-end", "converged-and-stable"),
    mutant("cloneset", "off-by-one-partition", "cloneset", "in-place-release-held-back", "partition-respected"),
    mutant("cloneset", "ignores-min-ready-seconds", "cloneset", "release-with-min-ready", "max-unavailable"),
    mutant("cloneset", "counts-terminating", "cloneset", "in-place-release-beside-deleted-pods", "max-unavailable"),
    mutant("cloneset", "reports-wishes", "cloneset", "in-place-release-beside-unready-pods", "status-truthful"),
    mutant("cloneset", "rewrites-status", "cloneset", "in-place-release", "no-hot-loop"),
    mutant("daemon-set-controller", "max-unavailable-ignored", "daemonset", "daemons-released", "max-unavailable"),
    mutant("deployment-controller", "off-by-one-unavailable", "deployment", "slow-release", "max-unavailable"),
    mutant("deployment-controller", "ignores-not-ready", "deployment", "slow-release", "max-unavailable"),
    mutant("deployment-controller", "exceeds-surge", "deployment", "slow-release", "max-surge"),
    mutant("deployment-controller", "ignores-rollback-template", "deployment", "rolled-back-release", "converged-and-stable"),
    mutant("deployment-controller", "observed-generation-early", "deployment", "release-observed", "observed-means-acted"),
    mutant("deployment-controller", "rounds-unavailable-up", "deployment", "release-with-min-ready", "max-unavailable"),
    mutant("disruption-controller", "off-by-one-budget", "kubernetes", "everybody-evicted", "eviction-honours-budget"),
    mutant("disruption-controller", "counts-not-ready-as-healthy", "kubernetes", "evictions-beside-unready-pods", "disruption-bounded"),
    mutant("disruption-controller", "percent-rounds-down", "kubernetes", "everybody-evicted", "eviction-honours-budget"),
    mutant("disruption-controller", "allows-one-too-few", "kubernetes", "small-application", "budget-lets-one-go"),
    mutant("endpointslice-controller", "keeps-not-ready-endpoints", "deployment", "scale-in-with-unready-pods", "endpoints-follow-readiness"),
    mutant("endpointslice-controller", "forgets-terminating", "kubernetes", "lingering-endpoints", "endpoints-follow-readiness"),
    mutant("generic-garbage-collector", "deletes-live-dependents", "kubernetes", "workload-orphans-its-pods", "orphaned-pods-live"),
    mutant("generic-garbage-collector", "leaves-orphans", "cloneset", "workload-deleted", "no-orphans"),
    mutant("kubelet", "restarts-bystanders", "cloneset", "in-place-release", "bystander-containers-untouched"),
    mutant("kubelet", "reports-new-image-early", "cloneset", "in-place-release", "new-image-means-new-container"),
    mutant("kubelet", "forgets-orphans", "kubernetes", "forgotten-pod", "no-zombie-containers"),
    mutant("kubelet", "ready-while-terminated", "kubernetes", "process-ends", "ended-containers-are-unready"),
    mutant("kubelet", "replaces-twice", "cloneset", "in-place-release", "one-restart-per-release"),
    mutant("namespace-controller", "forgets-content", "kubernetes", "namespace-deleted", "namespaces-go-empty"),
    mutant("node-controller", "never-recovers", "kubernetes", "only-host-returns", "converged-and-stable"),
    mutant("node-controller", "ignores-zones", "kubernetes", "most-hosts-lost", "most-hosts-are-left-alone"),
    mutant("pod-garbage-collector", "keeps-orphans", "statefulset", "node-removed", "converged-and-stable"),
    mutant("replicaset-controller", "forgets-expectations", "deployment", "scale-out-with-stale-view", "max-surge"),
    mutant("replicaset-controller", "deletes-ready-first", "deployment", "scale-in-with-unready-pods", "available-at-least"),
    mutant("replicaset-controller", "deletes-newest", "deployment", "scale-in-with-unready-pods", "available-at-least"),
    mutant("replicaset-controller", "loses-failed-creates", "deployment", "scale-out-with-api-errors", "converged-and-stable"),
    mutant("replicaset-controller", "ignores-min-ready-seconds", "deployment", "release-with-min-ready", "status-truthful"),
    mutant("replicaset-controller", "acts-before-its-pods-are-listed", "deployment", "set-controller-restarts", "max-surge"),
    mutant("scheduler", "forgets-assumed-pods", "kubernetes", "full-hosts", "no-pod-is-refused-by-its-host"),
    mutant("scheduler", "takes-the-worst-node", "kubernetes", "spread-out", "hosts-share-the-pods"),
    mutant("statefulset-controller", "parallel-always", "statefulset", "members-in-their-order", "members-come-in-order"),
    mutant("statefulset-controller", "replaces-before-gone", "statefulset", "members-behind-a-partition", "at-most-one-per-identity"),
    mutant("statefulset-controller", "ignores-partition", "statefulset", "members-behind-a-partition", "partition-respected"),
    mutant("taint-eviction-controller", "evicts-at-once", "kubernetes", "short-outage", "tolerations-are-honoured"),
    mutant("ticket", "believes-at-once", "ticket", "ticket-work", "one-request-at-a-time"),
];

/// Every bug that can be planted: component, bug, and what it does wrong.
pub fn planted_bugs() -> Vec<(&'static str, &'static str, &'static str)> {
    use kubesim::controllers as built_in;
    let lists: [(&'static str, &'static [(&'static str, &'static str)]); 13] = [
        ("daemon-set-controller", built_in::daemonset::BUGS),
        ("deployment-controller", built_in::deployment::BUGS),
        ("disruption-controller", built_in::disruption::BUGS),
        ("endpointslice-controller", built_in::endpoint_slice::BUGS),
        ("generic-garbage-collector", built_in::garbage_collector::BUGS),
        ("kubelet", kubesim::node::BUGS),
        ("namespace-controller", built_in::namespace::BUGS),
        ("node-controller", built_in::node_lifecycle::BUGS),
        ("pod-garbage-collector", built_in::pod_gc::BUGS),
        ("replicaset-controller", built_in::replicaset::BUGS),
        ("scheduler", kubesim::scheduler::BUGS),
        ("statefulset-controller", built_in::statefulset::BUGS),
        ("taint-eviction-controller", built_in::taint_eviction::BUGS),
    ];
    let mut bugs = Vec::new();
    for entry in reference::actors() {
        bugs.extend(entry.bugs.iter().map(|(bug, does)| (entry.name, *bug, *does)));
    }
    for (component, list) in lists {
        bugs.extend(list.iter().map(|(bug, does)| (component, *bug, *does)));
    }
    bugs
}
