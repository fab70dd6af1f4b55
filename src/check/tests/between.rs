//! Facts about subjects that act through other objects, as a Deployment through its ReplicaSets.

use kubesim_model::resource::Resource;
use kubesim_model::{list, map};

use super::fixtures::{check, judged, judged_by};
use super::story::{SUBJECT, Story, pod};
use crate::check::Verdict;
use crate::suite::checks::{Check, CheckSpec};
use crate::suite::duration::Amount;
use crate::suite::faults::{Arg, Args};
use crate::suite::{Located, Place};

const SET: (Resource, &str) = (Resource::REPLICA_SETS, "set");

/// A Deployment `web` of three pods under one ReplicaSet; `cloneset` is the Deployment's controller
/// and `kcm` the ReplicaSet's.
fn deployment() -> Story {
    let mut story = Story::new("deployment");
    story.history.header.subject.text = SUBJECT
        .replace("apps.kruise.io/v1alpha1, kind: CloneSet", "apps/v1, kind: Deployment")
        .replace("users: [cloneset]", "users: [cloneset, kcm]");
    let strategy = map! { "maxUnavailable" => 1, "maxSurge" => 0 };
    let web = map! {
        "metadata" => map! { "name" => "web", "namespace" => "default", "uid" => "uid-web" },
        "spec" => map! { "replicas" => 3, "updateStrategy" => strategy },
    };
    story.write("user", Resource::DEPLOYMENTS, web);
    let owner = |uid: &str| list![map! { "uid" => uid, "controller" => true }];
    let metadata = map! {
        "name" => "set", "namespace" => "default", "uid" => "uid-set",
        "ownerReferences" => owner("uid-web"),
    };
    let set = map! {
        "metadata" => metadata, "spec" => map! { "replicas" => 3 },
        "status" => map! { "availableReplicas" => 3 },
    };
    story.write("cloneset", Resource::REPLICA_SETS, set);
    for name in ["web-0", "web-1", "web-2"] {
        let mut pod = pod(name, "r1", 0);
        pod.set(&["metadata", "ownerReferences"], owner("uid-set"));
        story.write("kcm", Resource::PODS, pod).ready(name, true);
    }
    story.wait(10_000);
    story
}

fn lower(story: &mut Story, replicas: i64) {
    story.set("cloneset", SET, &["spec", "replicas"], replicas).wait(20);
}

fn verdict(story: &Story, ident: &str) -> (Verdict, u64) {
    let judgement = judged(&story.history, &[ident]);
    (judgement.checks[0].verdict, judgement.checks[0].stale)
}

#[test]
fn lowering_too_far_is_found_when_the_pods_go() {
    let mut story = deployment();
    lower(&mut story, 1);
    assert_eq!(verdict(&story, "disruption-bounded"), (Verdict::Pass, 0));
    story.delete("kcm", "web-0").delete("kcm", "web-1");
    assert_eq!(verdict(&story, "disruption-bounded"), (Verdict::Fail, 0));
}

#[test]
fn a_right_lowering_that_meets_a_new_loss_is_stale() {
    let mut story = deployment();
    lower(&mut story, 2);
    story.ready("web-0", false).delete("kcm", "web-1");
    assert_eq!(verdict(&story, "disruption-bounded"), (Verdict::Pass, 1));
}

#[test]
fn deleting_an_available_pod_beside_one_known_to_be_down_is_found() {
    let mut story = deployment();
    lower(&mut story, 2);
    story.ready("web-0", false).wait(5_000).delete("kcm", "web-1");
    assert_eq!(verdict(&story, "disruption-bounded"), (Verdict::Fail, 0));
}

#[test]
fn a_replica_set_that_makes_more_than_its_size_is_found() {
    for (name, size, expected) in [("few", 3, Verdict::Fail), ("stale", 4, Verdict::Fail)] {
        let mut story = deployment();
        story.set("cloneset", SET, &["spec", "replicas"], size).wait(2_000);
        let mut extra = pod("web-3", "r1", 0);
        let owner = map! { "uid" => "uid-set", "controller" => true };
        extra.set(&["metadata", "ownerReferences"], list![owner]);
        story.write("kcm", Resource::PODS, extra);
        assert_eq!(verdict(&story, "max-surge").0, expected, "{name}");
    }
}

#[test]
fn a_replica_set_may_fill_up_to_a_size_that_it_was_told_a_moment_ago_and_that_is_gone() {
    for (wait, expected) in [(20, (Verdict::Pass, 1)), (5_000, (Verdict::Fail, 0))] {
        let mut story = deployment();
        let web = (Resource::DEPLOYMENTS, "web");
        story.set("user", web.clone(), &["spec", "replicas"], 4);
        story.set("cloneset", SET, &["spec", "replicas"], 4).wait(20);
        story.set("user", web, &["spec", "replicas"], 2);
        story.set("cloneset", SET, &["spec", "replicas"], 2).wait(wait);
        let mut extra = pod("web-3", "r1", 0);
        let owner = map! { "uid" => "uid-set", "controller" => true };
        extra.set(&["metadata", "ownerReferences"], list![owner]);
        story.write("kcm", Resource::PODS, extra);
        assert_eq!(verdict(&story, "max-surge"), expected, "after {wait} ms");
    }
}

#[test]
fn a_replica_set_may_fill_up_while_the_deployment_is_scaled_in() {
    let mut story = deployment();
    story.delete("kcm", "web-0").remove("kubelet-1", Resource::PODS, "web-0").wait(5_000);
    story.set("user", (Resource::DEPLOYMENTS, "web"), &["spec", "replicas"], 2);
    let mut extra = pod("web-3", "r1", 0);
    let owner = map! { "uid" => "uid-set", "controller" => true };
    extra.set(&["metadata", "ownerReferences"], list![owner]);
    story.write("kcm", Resource::PODS, extra);
    assert_eq!(verdict(&story, "max-surge"), (Verdict::Pass, 1));
}

#[test]
fn lowering_is_judged_by_the_limit_of_the_check_not_by_the_workloads_own() {
    let mut story = deployment();
    lower(&mut story, 2);
    story.delete("kcm", "web-0");
    let most = Located::new(Arg::Amount(Amount::Count(3)), Place::nowhere());
    let args = Args([("available".into(), most)].into());
    let all = CheckSpec { check: Check::Invariant(args), ..check("available-at-least") };
    assert_eq!(judged_by(&story.history, &[all]).verdict, Verdict::Fail);
    assert_eq!(verdict(&story, "max-unavailable"), (Verdict::Pass, 0));
}
