//! In which order the kubelet writes a pod's status, and when (kubelet v1.36.3).

use kubesim_model::request::Verb;
use kubesim_model::tree::Tree;
use kubesim_model::{list, map, object};

use super::bench::{Bench, container_status, one};
use crate::node::HostFact;

fn is_running(pod: &Tree, name: &str) -> bool {
    !container_status(pod, name)["state"]["running"].is_null()
}

#[test]
fn a_ready_sandbox_is_reported_before_the_images_are_there() {
    let mut bench = Bench::new(None);
    bench.create("web", one(map! {}));
    bench.run(10_000);
    let up = bench.facts.iter().find(|(_, fact)| matches!(fact, HostFact::SandboxStarted { .. }));
    let ready = |pod: &Tree| object::has_condition(pod, "PodReadyToStartContainers");
    let at = bench.first("web", ready).expect("it came up");
    assert_eq!(up.map(|(at, _)| *at), Some(at));
    let (_, pod) = bench.stored.iter().find(|(_, pod)| ready(pod)).expect("it came up");
    assert!(pod["status"]["podIP"].is_null() && !is_running(pod, "app"), "{pod}");
}

#[test]
fn a_started_container_is_reported_at_once_and_one_that_ended_at_the_next_relist() {
    for seed in 0..30 {
        let mut bench = Bench::seeded(seed, None);
        let command = list!["sh", "-c", "sleep 3; exit 1"];
        bench.create("web", one(map! { "image" => "busybox:1", "command" => command }));
        bench.run(12_000);
        let shown = bench.first("web", |pod| is_running(pod, "app")).expect("it ran");
        let started = bench.starts("app")[0];
        assert!(shown - started <= 60, "seed {seed}: {started} {shown}");
        let ended = |pod: &Tree| !container_status(pod, "app")["state"]["terminated"].is_null();
        let shown = bench.first("web", ended).expect("it ended");
        let (ended, _) = bench.exits("app")[0];
        assert!(shown - ended <= 1_000, "seed {seed}: {ended} {shown}");
    }
}

#[test]
fn a_deletion_is_observed_at_once_and_the_end_is_known_before_the_pod_is_gone() {
    for seed in 0..30 {
        let mut bench = Bench::seeded(seed, None);
        bench.create("web", one(map! {}));
        bench.run(10_000);
        let (at, mark) = (bench.now, bench.stored.len() + 1);
        bench.delete("web", 30);
        bench.run(6_000);
        let after = &bench.stored[mark..];
        let (seen, first) = &after[0];
        assert!(seen - at <= 10, "seed {seed}");
        assert_eq!(first["status"]["observedGeneration"].as_i64(), Some(2));
        assert!(is_running(first, "app") && object::is_ready(first), "{first}");
        let (over, last) = &after[1];
        assert_eq!((after.len(), last["status"]["phase"].str()), (2, "Succeeded"));
        assert_eq!(object::condition(last, "Ready").unwrap()["reason"], "PodCompleted");
        let delete = bench.requests.iter().find(|(_, request)| request.verb == Verb::Delete);
        let gone = delete.expect("the kubelet asks for the final delete").0 - over;
        assert!((50..=1_300).contains(&gone), "seed {seed}: {gone}");
    }
}

#[test]
fn after_a_boot_a_pod_has_no_address_until_its_new_sandbox() {
    let mut bench = Bench::new(None);
    bench.create("web", one(map! {}));
    bench.run(10_000);
    let old = bench.pod("web")["status"]["podIP"].clone();
    bench.power_off();
    bench.run(3_000);
    let mark = bench.stored.len();
    bench.power_on();
    bench.run(10_000);
    let after = &bench.stored[mark..];
    let first = &after[0].1;
    assert!(first["status"]["podIP"].is_null() && !object::is_ready(first), "{first}");
    let state = &container_status(first, "app")["state"]["terminated"];
    assert_eq!((state["exitCode"].as_i64(), state["reason"].str()), (Some(255), "Unknown"));
    assert!(after.iter().all(|(_, pod)| pod["status"]["podIP"] != old));
    assert!(object::is_ready(&bench.pod("web")));
}

#[test]
fn after_a_boot_a_pod_stays_initialized_and_is_pending_only_while_its_init_container_runs() {
    // Observed on kind, v1.36.3: a killed and started node, a pod with one init container.
    let mut bench = Bench::new(None);
    let spec = map! {
        "initContainers" => list![
            map! { "name" => "init", "image" => "busybox:1", "command" => list!["sleep", "1"] },
        ],
        "containers" => list![map! { "name" => "app", "image" => "nginx:1" }],
    };
    bench.create("web", spec);
    bench.run(20_000);
    assert!(object::is_ready(&bench.pod("web")));
    bench.power_off();
    bench.run(3_000);
    let mark = bench.stored.len();
    bench.power_on();
    bench.run(20_000);
    let states = bench.stored[mark..].iter().map(|(_, pod)| {
        assert!(object::has_condition(pod, "Initialized"), "{pod}");
        let init = container_status(pod, "init");
        let runs = !init["state"]["running"].is_null();
        let first = init["restartCount"].as_i64() == Some(0);
        assert_eq!(init["ready"].is_true(), !runs, "{pod}");
        (pod["status"]["phase"].str(), first, runs)
    });
    let mut states: Vec<_> = states.collect();
    states.dedup();
    let expected = [("Running", true, false), ("Pending", false, true), ("Running", false, false)];
    assert_eq!(states, expected);
    assert!(object::is_ready(&bench.pod("web")));
}

/// When a pod with this container was seen to run and when to be ready.
fn running_and_ready(seed: u64, container: Tree) -> (u64, u64) {
    let mut bench = Bench::seeded(seed, None);
    // Later than the start of the kubelet, which lets probes of pods that it finds wait.
    bench.run(100);
    bench.create("web", one(container));
    bench.run(60_000);
    let running = bench.first("web", |pod| is_running(pod, "app")).expect("it ran");
    (running, bench.first("web", object::is_ready).expect("it became ready"))
}

#[test]
fn an_initial_delay_ends_with_a_period_that_began_at_the_first_syncs() {
    // Observed on kind, v1.36.3: with a delay of 5 s and a period of 10 s ready after 11.1 s.
    for seed in 0..30 {
        let probe = map! { "tcpSocket" => 80, "initialDelaySeconds" => 5, "periodSeconds" => 10 };
        let (running, ready) = running_and_ready(seed, map! { "readinessProbe" => probe });
        let took = ready - running;
        assert!((10_000..11_100).contains(&took), "seed {seed}: {took}");
    }
}

#[test]
fn readiness_is_asked_when_a_container_is_seen_to_run_and_again_at_the_next_relist() {
    // Observed on kind, v1.36.3, with a program that needs 0.2 s: ready 0 s to 1 s after it was
    // seen to run (median 0.4 s of 91 pods), also with a period of 10 s; one that needed 7 s was
    // ready after 11.2 s with a period of 5 s.
    let mut soon = 0;
    for seed in 0..60 {
        let probe = map! { "tcpSocket" => 80, "periodSeconds" => 10 };
        let (running, ready) = running_and_ready(seed, map! { "readinessProbe" => probe });
        let took = ready - running;
        soon += u32::from(took <= 1_050);
        assert!(took <= 1_050 || (10_000..11_100).contains(&took), "seed {seed}: {took}");
    }
    assert!((1..60).contains(&soon), "{soon}");
}

#[test]
fn every_sync_of_a_pod_asks_for_what_is_not_ready() {
    for seed in 0..10 {
        let mut bench = Bench::seeded(seed, None);
        let probe = map! { "tcpSocket" => 80, "periodSeconds" => 600 };
        let command = list!["sh", "-c", "sleep 20; exit 1"];
        let spec = map! { "containers" => list![
            map! { "name" => "app", "image" => "nginx:1", "readinessProbe" => probe },
            map! { "name" => "side", "image" => "busybox:1", "command" => command },
        ] };
        bench.run(100);
        bench.create("web", spec);
        bench.run(60_000);
        let ready = |pod: &Tree| container_status(pod, "app")["ready"].is_true();
        let ready = bench.first("web", ready).expect("it became ready");
        let (ended, _) = bench.exits("side")[0];
        assert!(ready <= ended + 1_100, "seed {seed}: {ended} {ready}");
    }
}

#[test]
fn a_missing_image_of_a_container_that_ran_ends_up_in_its_crash_back_off_too() {
    // Observed on kind, v1.36.3, after the image of a running pod was changed to a missing one:
    // pulls after 0 s, 12 s and 43 s, with CrashLoopBackOff before the last.
    for seed in 0..20 {
        let mut bench = Bench::seeded(seed, None);
        bench.host.image_rule("rule", "nginx:9", true, 0);
        bench.create("web", one(map! { "image" => "nginx:1" }));
        bench.run(20_000);
        let mark = bench.stored.len();
        bench.edit("web", |pod| {
            pod.at_mut(&["spec", "containers"]).items_mut()[0].set(&["image"], "nginx:9");
        });
        bench.run(150_000);
        let reasons = bench.stored[mark..].iter().map(|(_, pod)| {
            let status = container_status(pod, "app");
            status["state"]["waiting"]["reason"].str().to_string()
        });
        let mut reasons: Vec<_> = reasons.filter(|reason| !reason.is_empty()).collect();
        reasons.dedup();
        assert_eq!(reasons[..2], ["ErrImagePull", "ImagePullBackOff"], "seed {seed}");
        assert!(reasons.iter().any(|one| one == "CrashLoopBackOff"), "seed {seed}: {reasons:?}");
    }
}

#[test]
fn a_pod_that_is_deleted_before_it_ran_fails_for_want_of_ready_containers() {
    // Observed on kind, v1.36.3, with a pod whose image was not to be had.
    let mut bench = Bench::new(None);
    bench.host.image_rule("rule", "nginx:9", true, 0);
    bench.create("web", one(map! { "image" => "nginx:9" }));
    bench.run(20_000);
    let mark = bench.stored.len() + 1;
    bench.delete("web", 30);
    bench.run(6_000);
    let (_, last) = bench.stored[mark..].last().expect("its end is reported");
    assert_eq!(last["status"]["phase"], "Failed");
    for kind in ["Ready", "ContainersReady"] {
        assert_eq!(object::condition(last, kind).unwrap()["reason"], "ContainersNotReady");
    }
    let ended = &container_status(last, "app")["state"]["terminated"];
    assert_eq!(ended["exitCode"].as_i64(), Some(137));
    assert_eq!(ended["reason"], "ContainerStatusUnknown");
}
