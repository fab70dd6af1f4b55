//! For every invariant, one story in which it holds and one in which it is broken.

use kubesim_model::request::Verb;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{list, map};

use super::story::{Story, budget, image, pod, workload};
use crate::history::{FaultPhase, StepPhase};

const WEB: (Resource, &str) = (Resource::CLONE_SETS, "web");

/// The story of an invariant; `None` if there is none.
pub(super) fn story(ident: &str, holds: bool) -> Option<Story> {
    let trial = format!("{ident}, {}", if holds { "holds" } else { "broken" });
    let tell: fn(&mut Story, bool) = match ident {
        "converged-and-stable" => converged,
        "eviction-honours-budget" => eviction,
        "budget-lets-one-go" => stubborn,
        "disruption-bounded" | "max-unavailable" => disruption,
        "available-at-least" => available,
        "max-surge" => surge,
        "in-place-identity-kept" | "bystander-containers-untouched" => in_place,
        "one-restart-per-release" => one_restart,
        "no-zombie-containers" => zombie,
        "no-orphans" => orphan,
        "partition-respected" => partition,
        "status-truthful" => status,
        "revision-monotone" => revision,
        "at-most-one-per-identity" => identity,
        "no-hot-loop" => hot_loop,
        "endpoints-follow-readiness" => endpoints,
        _ => return None,
    };
    let mut story = Story::web(&trial, 3);
    tell(&mut story, holds);
    Some(story)
}

fn converged(story: &mut Story, holds: bool) {
    story.release();
    for name in ["web-0", "web-1", "web-2"] {
        if holds || name != "web-1" {
            story.update_in_place(name);
        }
    }
    story.status(3).wait(2_000_000).step("converge", StepPhase::Finished);
}

fn eviction(story: &mut Story, holds: bool) {
    story.write("user", Resource::POD_DISRUPTION_BUDGETS, budget(i64::from(holds)));
    story.wait(2_000);
    evict(story, "web-0");
}

fn evict(story: &mut Story, name: &str) {
    let pods = Resource::PODS;
    let mut gone = story.get(&pods, name);
    gone.set(&["metadata", "deletionTimestamp"], "2026-01-01T00:01:00Z");
    let budgets = Resource::POD_DISRUPTION_BUDGETS;
    let states = vec![(budgets, "web", Some(budget(0))), (pods.clone(), name, Some(gone))];
    story.request("user", (Verb::Create, "eviction", 201), (pods, name), states);
}

fn stubborn(story: &mut Story, holds: bool) {
    let mut whole = budget(i64::from(holds));
    whole.set(&["spec", "maxUnavailable"], i64::from(holds));
    story.write("user", Resource::POD_DISRUPTION_BUDGETS, whole);
}

fn disruption(story: &mut Story, holds: bool) {
    // A pod is down by a fault; another one is taken down while all know, or when it is up again.
    story.fault(FaultPhase::Injected, false).fault(FaultPhase::Bit, false).ready("web-0", false);
    story.wait(5_000).fault(FaultPhase::Healed, false);
    if holds {
        story.ready("web-0", true).wait(2_000);
    }
    story.delete("cloneset", "web-1");
}

fn available(story: &mut Story, holds: bool) {
    story.ready("web-0", false).ready("web-1", false).wait(2_000);
    let doomed = if holds { "web-0" } else { "web-2" };
    story.delete("cloneset", doomed);
}

fn surge(story: &mut Story, holds: bool) {
    if holds {
        story.set("user", WEB, &["spec", "updateStrategy", "maxSurge"], 1).wait(2_000);
    }
    story.pod("web-9", "r1", true);
}

fn in_place(story: &mut Story, holds: bool) {
    story.release();
    if holds {
        story.update_in_place("web-0");
        return;
    }
    story.delete("cloneset", "web-0").wait(1_000);
    story.exit("web-0", "app", &image("r1"), 143).exit("web-0", "cache", &image("r1"), 143);
    story.remove("kubelet-1", Resource::PODS, "web-0").pod("web-9", "r2", true);
}

fn one_restart(story: &mut Story, holds: bool) {
    story.release().update_in_place("web-0").wait(5_000);
    let code = if holds { 1 } else { 143 };
    story.exit("web-0", "app", &image("r2"), code).start("web-0", "app", &image("r2"));
}

fn zombie(story: &mut Story, holds: bool) {
    story.delete("user", "web-0").wait(1_000).remove("user", Resource::PODS, "web-0");
    if holds {
        story.wait(5_000);
        for container in ["app", "cache"] {
            story.exit("web-0", container, &image("r1"), 137);
        }
    }
    story.wait(100_000).status(2);
}

fn orphan(story: &mut Story, holds: bool) {
    story.remove("user", Resource::CLONE_SETS, "web").wait(5_000);
    if holds {
        for name in ["web-0", "web-1", "web-2"] {
            story.delete("kcm", name);
        }
    }
    story.wait(200_000).step("wait", StepPhase::Finished);
}

fn partition(story: &mut Story, holds: bool) {
    let most = if holds { 1 } else { 2 };
    story.set("user", WEB, &["spec", "updateStrategy", "partition"], most).release();
    story.update_in_place("web-0").wait(2_000).update_in_place("web-1");
}

fn status(story: &mut Story, holds: bool) {
    story.ready("web-0", false);
    if holds {
        story.wait(3_000).set("cloneset", WEB, &["status", "readyReplicas"], 2);
    }
    story.wait(60_000).step("wait", StepPhase::Finished);
}

fn revision(story: &mut Story, holds: bool) {
    story.release().update_in_place("web-0").wait(5_000);
    let label = ["metadata", "labels", "controller-revision-hash"];
    if holds {
        // A rollback makes the old revision the one to update to.
        story.set("user", WEB, &["spec", "rollback"], true);
        story.set("cloneset", WEB, &["status", "updateRevision"], "r1").wait(2_000);
    }
    story.set("cloneset", (Resource::PODS, "web-0"), &label, "r1");
}

fn identity(story: &mut Story, holds: bool) {
    let remover = if holds { "user" } else { "cloneset" };
    story.remove(remover, Resource::PODS, "web-0").wait(1_000);
    let mut again = pod("web-0", "r1", 20_000);
    again.set(&["metadata", "uid"], "uid-again");
    story.write("cloneset", Resource::PODS, again);
    let mut fact = story.fact("web-0", "app", &image("r1"));
    fact.pod_uid = "uid-again".into();
    fact.container_id = "again/app".into();
    story.host(crate::history::HostFact::ContainerStarted(fact));
}

fn hot_loop(story: &mut Story, holds: bool) {
    let pause = if holds { 5_000 } else { 100 };
    for n in 0..60 {
        let message = if n % 2 == 0 { "a" } else { "b" };
        story.set("cloneset", WEB, &["status", "message"], message).wait(pause);
    }
}

fn endpoints(story: &mut Story, holds: bool) {
    let selector = map! { "app" => "web" };
    let service = map! {
        "apiVersion" => "v1", "kind" => "Service",
        "metadata" => map! { "name" => "web", "namespace" => "default", "uid" => "uid-svc" },
        "spec" => map! { "selector" => selector },
    };
    story.write("user", Resource::SERVICES, service).wait(1_000);
    let slice = |ready: [bool; 3]| -> Tree {
        let endpoint = |n: usize| {
            let target = map! { "name" => format!("web-{n}") };
            map! { "conditions" => map! { "ready" => ready[n] }, "targetRef" => target }
        };
        let labels = map! { "kubernetes.io/service-name" => "web" };
        map! {
            "metadata" => map! {
                "name" => "web-abc", "namespace" => "default", "uid" => "uid-slice",
                "labels" => labels,
            },
            "endpoints" => list![endpoint(0), endpoint(1), endpoint(2)],
        }
    };
    story.write("kcm", Resource::ENDPOINT_SLICES, slice([true; 3])).wait(1_000);
    story.ready("web-0", false);
    if holds {
        story.wait(1_000).write("kcm", Resource::ENDPOINT_SLICES, slice([false, true, true]));
    }
    story.wait(60_000).step("wait", StepPhase::Finished);
}

/// A CloneSet that is told of and has no pods.
pub(super) fn empty() -> Story {
    let mut story = Story::new("empty");
    story.write("user", Resource::CLONE_SETS, workload(0));
    story
}
