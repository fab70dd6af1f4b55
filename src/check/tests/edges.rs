//! Stories at the edges of invariants: what looks like a violation and is none, and the reverse.
//! They are stored beside the plain ones, in `fixtures/histories`.

use kubesim_model::request::Verb;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{list, map, object};

use super::story::{Story, budget, image, pod, workload};
use crate::check::Verdict;
use crate::history::{Body, Change, FaultPhase, StepPhase};

const WEB: (Resource, &str) = (Resource::CLONE_SETS, "web");
const PODS: Resource = Resource::PODS;
const REVISION: &str = "controller-revision-hash";
const BUDGETS: Resource = Resource::POD_DISRUPTION_BUDGETS;

/// A story that an invariant has to judge so.
pub(super) struct Edge {
    pub(super) invariant: &'static str,
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    /// How often a limit is passed because nobody could know.
    pub(super) stale: u64,
    pub(super) tell: fn(&mut Story),
}

const fn holds(invariant: &'static str, name: &'static str, tell: fn(&mut Story)) -> Edge {
    Edge { invariant, name, verdict: Verdict::Pass, stale: 0, tell }
}

const fn stale(invariant: &'static str, name: &'static str, tell: fn(&mut Story)) -> Edge {
    Edge { invariant, name, verdict: Verdict::Pass, stale: 1, tell }
}

const fn broken(invariant: &'static str, name: &'static str, tell: fn(&mut Story)) -> Edge {
    Edge { invariant, name, verdict: Verdict::Fail, stale: 0, tell }
}

/// All of them. Each begins with a CloneSet `web` of three pods, all up.
pub(super) const EDGES: &[Edge] = &[
    holds("max-unavailable", "taken-back-before-the-kubelet-acted", taken_back),
    broken("max-unavailable", "readiness-gates-taken-away", gates_taken_away),
    holds("max-unavailable", "workload-deleted-in-the-foreground", deleted_in_the_foreground),
    holds("max-unavailable", "namespace-deleted", namespace_deleted),
    broken("max-unavailable", "available-with-time-alone", available_with_time_alone),
    holds("disruption-bounded", "told-of-as-lost", told_of_as_lost),
    holds("disruption-bounded", "evicted-for-a-taint", evicted_for_a_taint),
    holds("disruption-bounded", "made-anew-under-its-name", made_anew),
    stale("disruption-bounded", "up-for-a-moment", up_for_a_moment),
    stale("disruption-bounded", "scaled-out-a-moment-ago", |story| scaled_out(story, 50)),
    broken("disruption-bounded", "scaled-out-long-ago", |story| scaled_out(story, 5_000)),
    stale("max-surge", "gone-and-scaled-in-a-moment-ago", gone_and_scaled_in),
    holds("partition-respected", "made-anew-with-a-partition", made_anew_with_a_partition),
    broken("bystander-containers-untouched", "fault-long-ago", |story| after_a_fault(story, 600)),
    holds("bystander-containers-untouched", "fault-just-before", |story| after_a_fault(story, 10)),
    holds("no-zombie-containers", "long-grace-period", |story| gone_for(story, 140)),
    broken("no-zombie-containers", "longer-than-its-grace-period", |story| gone_for(story, 160)),
    holds("no-orphans", "owner-was-never-seen", owner_was_never_seen),
    broken("status-truthful", "available-with-time-alone", said_with_time_alone),
    broken("status-truthful", "of-an-old-generation", said_of_an_old_generation),
    holds("revision-monotone", "status-follows-later", status_follows_later),
    broken("revision-monotone", "back-before-the-status-follows", back_before_the_status),
    holds("revision-monotone", "overtaken-before-the-status-follows", overtaken),
    holds("no-hot-loop", "follows-what-happens", follows_what_happens),
    broken("no-hot-loop", "made-again-and-again", made_again_and_again),
];

/// The image of a container is changed and changed back while its kubelet is away.
fn taken_back(story: &mut Story) {
    story.release();
    let path = ["spec", "containers"];
    let old = story.get(&PODS, "web-0").at(&path).clone();
    let mut new = old.clone();
    new.items_mut()[0].set(&["image"], image("r2"));
    story.set("cloneset", (PODS, "web-0"), &path, new).wait(2_000);
    story.set("cloneset", (PODS, "web-0"), &path, old).wait(5_000);
    story.delete("cloneset", "web-1");
}

/// Who takes readiness gates away takes pods down, though `Ready` follows later.
fn gates_taken_away(story: &mut Story) {
    let gate = |story: &mut Story, actor: &str, name: &str, value: &str| {
        let mut pod = story.get(&PODS, name);
        pod.set(&["spec", "readinessGates"], list![map! { "conditionType" => "Gate" }]);
        let condition = map! { "type" => "Gate", "status" => value };
        object::set_condition(pod.field_mut("status"), condition, 0);
        story.write(actor, PODS, pod);
    };
    for name in ["web-0", "web-1", "web-2"] {
        gate(story, "user", name, "True");
    }
    story.wait(5_000);
    gate(story, "cloneset", "web-0", "False");
    gate(story, "cloneset", "web-1", "False");
}

/// A workload that is being deleted takes its pods along.
fn deleted_in_the_foreground(story: &mut Story) {
    let time = object::timestamp(10_000);
    story.set("user", WEB, &["metadata", "deletionTimestamp"], time).wait(5_000);
    for name in ["web-0", "web-1", "web-2"] {
        story.delete("cloneset", name);
    }
}

fn namespace_deleted(story: &mut Story) {
    let metadata = map! { "name" => "default", "deletionTimestamp" => object::timestamp(10_000) };
    let namespace = map! { "kind" => "Namespace", "metadata" => metadata };
    let (resource, key) = (Resource::NAMESPACES, ObjectKey::new("", "default"));
    let after = Some(namespace);
    let change = Change { rv: 1_000, resource, key, before: None, after };
    story.request("user", (Verb::Delete, "", 200), (Resource::NAMESPACES, "default"), Vec::new());
    if let Some(Body::Request(request)) = story.history.events.last_mut().map(|e| &mut e.body) {
        request.changes.push(change);
    }
    story.wait(2_000);
    for name in ["web-0", "web-1", "web-2"] {
        story.delete("cloneset", name);
    }
}

/// As the node controller does of the pods of a lost host.
fn told_of_as_lost(story: &mut Story) {
    for name in ["web-0", "web-1"] {
        let mut pod = story.get(&PODS, name);
        let condition = map! { "type" => "Ready", "status" => "False" };
        object::set_condition(pod.field_mut("status"), condition, 10_000);
        story.write("cloneset", PODS, pod);
    }
}

fn evicted_for_a_taint(story: &mut Story) {
    for name in ["web-0", "web-1"] {
        let mut pod = story.get(&PODS, name);
        let reason = "DeletionByTaintManager";
        let target = map! { "type" => "DisruptionTarget", "status" => "True", "reason" => reason };
        object::set_condition(pod.field_mut("status"), target, 10_000);
        story.write("cloneset", PODS, pod).delete("cloneset", name);
    }
}

/// Removes `web` and its pods, and makes another one of its name; answers its uid.
fn again(story: &mut Story, partition: i64) -> &'static str {
    for name in ["web-0", "web-1", "web-2"] {
        story.delete("user", name).remove("kubelet-1", PODS, name);
    }
    story.remove("user", Resource::CLONE_SETS, "web").wait(5_000);
    let mut web = workload(3);
    web.set(&["metadata", "uid"], "uid-again");
    web.set(&["status", "updateRevision"], "r2");
    web.set(&["spec", "updateStrategy", "partition"], partition);
    story.write("user", Resource::CLONE_SETS, web).wait(2_000);
    "uid-again"
}

fn pod_of(name: &str, owner: &str) -> Tree {
    let mut pod = pod(name, "r2", 20_000);
    let owner = map! { "kind" => "CloneSet", "uid" => owner, "controller" => true };
    pod.set(&["metadata", "ownerReferences"], list![owner]);
    pod
}

/// What the earlier workload had up says nothing of the later one.
fn made_anew(story: &mut Story) {
    let owner = again(story, 0);
    for name in ["web-a", "web-b", "web-c"] {
        story.write("cloneset", PODS, pod_of(name, owner));
    }
    story.ready("web-a", true).wait(5_000).delete("cloneset", "web-a");
}

/// The first revision of a new workload is nobody's update.
fn made_anew_with_a_partition(story: &mut Story) {
    let owner = again(story, 2);
    for name in ["web-a", "web-b", "web-c"] {
        story.write("cloneset", PODS, pod_of(name, owner));
    }
}

/// The subject may have seen the moment in which a pod was up.
fn up_for_a_moment(story: &mut Story) {
    story.ready("web-0", false).wait(5_000).ready("web-0", true).wait(20).ready("web-0", false);
    story.wait(20).delete("cloneset", "web-1");
}

/// The budget wants more pods since the workload was scaled out, which its controller is told of.
fn scaled_out(story: &mut Story, millis: u64) {
    let mut half = budget(1);
    let selector = half["spec"]["selector"].clone();
    half.set(&["spec"], map! { "minAvailable" => "60%", "selector" => selector });
    story.write("kcm", BUDGETS, half.clone()).wait(5_000);
    story.set("user", WEB, &["spec", "replicas"], 5).wait(millis);
    let mut gone = story.get(&PODS, "web-0");
    gone.set(&["metadata", "deletionTimestamp"], object::timestamp(20_000));
    half.set(&["status", "disruptionsAllowed"], 0);
    let states = vec![(BUDGETS, "web", Some(half)), (PODS, "web-0", Some(gone))];
    story.request("user", (Verb::Create, "eviction", 201), (PODS, "web-0"), states);
}

/// The subject fills up what it was just told is gone, and is not yet told that less is wanted.
fn gone_and_scaled_in(story: &mut Story) {
    story.delete("user", "web-0").remove("kubelet-1", PODS, "web-0");
    story.set("user", WEB, &["spec", "replicas"], 2).pod("web-9", "r1", false);
}

/// A bystander is stopped in a release; so many seconds before, a fault on its host ended.
fn after_a_fault(story: &mut Story, seconds: u64) {
    story.fault(FaultPhase::Injected, false).fault(FaultPhase::Bit, false).wait(60_000);
    story.fault(FaultPhase::Healed, false).wait(seconds * 1_000).release();
    story.exit("web-0", "cache", &image("r1"), 143);
}

/// A pod with a grace period of 120 s runs for so long after it was removed from the API.
fn gone_for(story: &mut Story, seconds: u64) {
    story.set("user", (PODS, "web-0"), &["spec", "terminationGracePeriodSeconds"], 120);
    story.remove("user", PODS, "web-0").wait(seconds * 1_000);
    for container in ["app", "cache"] {
        story.exit("web-0", container, &image("r1"), 137);
    }
    story.wait(1_000).status(2);
}

/// A recording that leaves kinds out: the pod's owner is a Job, and no Job was recorded.
fn owner_was_never_seen(story: &mut Story) {
    story.write("user", PODS, pod_of("job-1", "uid-job")).ready("job-1", true);
    story.wait(400_000).status(3);
}

/// Pods become available after a while, and nothing happens then.
fn available_with_time_alone(story: &mut Story) {
    story.set("user", WEB, &["spec", "minReadySeconds"], 30);
    for name in ["web-0", "web-1", "web-2"] {
        story.ready(name, false).wait(1_000).ready(name, true);
    }
    story.wait(60_000).delete("cloneset", "web-0").delete("cloneset", "web-1");
}

/// The subject does not look again when pods become available.
fn said_with_time_alone(story: &mut Story) {
    for name in ["web-0", "web-1", "web-2"] {
        story.ready(name, false).wait(1_000).ready(name, true);
    }
    story.set("user", WEB, &["spec", "minReadySeconds"], 30);
    story.set("cloneset", WEB, &["status", "availableReplicas"], 0);
    story.wait(120_000).step("wait", StepPhase::Finished);
}

/// The subject does not look at the new spec, so what it says is right of the old one.
fn said_of_an_old_generation(story: &mut Story) {
    story.set("user", WEB, &["metadata", "generation"], 2).wait(60_000);
    story.step("wait", StepPhase::Finished);
}

/// A pod gets its new revision before the status names it.
fn status_follows_later(story: &mut Story) {
    story.set("user", WEB, &["metadata", "generation"], 2).wait(40);
    story.update_in_place("web-0");
    story.set("cloneset", WEB, &["status", "updateRevision"], "r2");
    story.set("cloneset", WEB, &["status", "observedGeneration"], 2);
}

/// A pod gets its new revision and loses it again before the status names it.
fn back_before_the_status(story: &mut Story) {
    story.set("user", WEB, &["metadata", "generation"], 2).wait(40);
    story.update_in_place("web-0");
    story.set("cloneset", (PODS, "web-0"), &["metadata", "labels", REVISION], "r1").wait(40);
    story.set("cloneset", WEB, &["status", "updateRevision"], "r2");
    story.set("cloneset", WEB, &["status", "observedGeneration"], 2);
}

/// The same, but the release was taken back in between, of which the status tells at once.
fn overtaken(story: &mut Story) {
    story.set("user", WEB, &["metadata", "generation"], 2).wait(40);
    story.update_in_place("web-0");
    story.set("user", WEB, &["metadata", "generation"], 3).wait(40);
    story.set("cloneset", (PODS, "web-0"), &["metadata", "labels", REVISION], "r1").wait(40);
    story.set("cloneset", WEB, &["status", "observedGeneration"], 3);
}

/// A status comes back to what it was, for so does what it tells of.
fn follows_what_happens(story: &mut Story) {
    for n in 0..60 {
        story.ready("web-0", n % 2 == 0).wait(50);
        story
            .set("cloneset", WEB, &["status", "readyReplicas"], 2 + i64::from(n % 2 == 0))
            .wait(50);
    }
}

/// A create that fails because what it makes is there already.
fn made_again_and_again(story: &mut Story) {
    for _ in 0..30 {
        story.request("cloneset", (Verb::Create, "", 409), (PODS, "web-0"), Vec::new());
        if let Some(Body::Request(request)) = story.history.events.last_mut().map(|e| &mut e.body) {
            request.reason = "AlreadyExists".into();
        }
        story.wait(100);
    }
}
