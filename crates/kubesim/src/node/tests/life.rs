//! The life of pods on a healthy node.

use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{list, map, object};

use super::bench::{Bench, container_status, one};

fn waiting(pod: &Tree) -> String {
    container_status(pod, "app")["state"]["waiting"]["reason"].str().to_owned()
}

#[test]
fn a_pod_comes_up_with_an_address_and_true_conditions() {
    let mut bench = Bench::new(None);
    bench.create("web", one(map! {}));
    bench.run(10_000);
    let pod = bench.pod("web");
    assert_eq!(pod["status"]["phase"], "Running");
    assert!(object::is_ready(&pod), "{pod}");
    for kind in ["Initialized", "ContainersReady", "PodReadyToStartContainers"] {
        assert!(object::has_condition(&pod, kind), "{kind}");
    }
    assert_eq!(pod["status"]["podIP"], "10.244.1.2");
    assert_eq!(pod["status"]["podIPs"][0]["ip"], "10.244.1.2");
    assert_eq!(pod["status"]["qosClass"], "BestEffort");
    assert_eq!(pod["status"]["observedGeneration"].as_i64(), Some(1));
    let status = container_status(&pod, "app");
    assert_eq!(status["image"], "nginx:1");
    assert!(status["imageID"].str().starts_with("sha256:") && status["started"].is_true());
    assert!(bench.first("web", |pod| waiting(pod) == "ContainerCreating").is_some());
}

#[test]
fn a_healthy_pod_costs_nothing_but_heartbeats() {
    let mut bench = Bench::new(None);
    let probe = map! { "httpGet" => map! { "port" => 80 } };
    for pod in 0..6 {
        let container = map! { "readinessProbe" => &probe, "livenessProbe" => &probe };
        bench.create(&format!("web-{pod}"), one(container));
    }
    bench.run(60_000);
    assert!((0..6).all(|pod| object::is_ready(&bench.pod(&format!("web-{pod}")))));
    let (inputs, requests) = (bench.inputs, bench.requests.len());
    bench.run(600_000);
    assert!(bench.requests.len() - requests <= 60 + 3, "leases and node status only");
    assert!(bench.inputs - inputs < 140, "{}", bench.inputs - inputs);
}

#[test]
fn readiness_follows_its_probe_and_its_loss_takes_three_periods() {
    let mut bench = Bench::new(None);
    let probe = map! { "httpGet" => map! { "port" => 80 }, "periodSeconds" => 5 };
    bench.create("web", one(map! { "readinessProbe" => probe }));
    bench.run(30_000);
    assert!(object::is_ready(&bench.pod("web")));
    let running = bench.first("web", |pod| pod["status"]["phase"] == "Running").unwrap();
    let ready = bench.first("web", object::is_ready).unwrap();
    assert!(ready >= running);
    let never = crate::world::Behaviour::NeverReady;
    let at = bench.now;
    bench.on_host(|host, now, out| {
        let touched = host.behave(now, "rule", &super::bench::app(), never, out);
        assert_eq!(touched.len(), 1);
    });
    bench.run(30_000);
    let pod = bench.pod("web");
    assert!(!object::is_ready(&pod));
    assert_eq!(object::condition(&pod, "Ready").unwrap()["reason"], "ContainersNotReady");
    let lost =
        bench.stored.iter().find(|(when, pod)| *when > at && !object::is_ready(pod)).unwrap();
    assert!((10_000..=15_010).contains(&(lost.0 - at)), "{}", lost.0 - at);
    assert!(bench.exits("app").is_empty(), "readiness restarts nothing");
    bench.on_host(|host, _, out| assert!(host.forget("rule", out)));
    bench.run(6_000);
    assert!(object::is_ready(&bench.pod("web")));
}

#[test]
fn a_change_that_comes_with_the_answer_to_a_status_is_acted_on() {
    // One of these moments is just before the kubelet reports that the container is ready.
    for wait in (0..14_000).step_by(40) {
        let mut bench = Bench::new(None);
        bench.watch_lag = 50;
        bench.create("web", one(map! { "readinessProbe" => map! { "tcpSocket" => 80 } }));
        bench.run(wait);
        bench.edit("web", |pod| {
            pod.at_mut(&["spec", "containers"]).items_mut()[0].set(&["image"], "nginx:2");
        });
        bench.run(60_000);
        assert_eq!(container_status(&bench.pod("web"), "app")["image"], "nginx:2", "at {wait}");
    }
}

#[test]
fn a_changed_image_restarts_only_that_container_in_place() {
    let mut bench = Bench::new(None);
    let spec = map! { "restartPolicy" => "Never", "containers" => list![
        map! { "name" => "app", "image" => "nginx:1" },
        map! { "name" => "cache", "image" => "redis:1" },
    ] };
    bench.create("web", spec);
    bench.run(20_000);
    let before = bench.pod("web");
    assert!(object::is_ready(&before));
    let mark = bench.stored.len();
    bench.edit("web", |pod| {
        pod.at_mut(&["spec", "containers"]).items_mut()[0].set(&["image"], "nginx:2");
    });
    bench.run(10_000);
    let after = bench.pod("web");
    assert_eq!(after["status"]["podIP"], before["status"]["podIP"]);
    let status = container_status(&after, "app");
    assert_eq!(status["restartCount"].as_i64(), Some(1));
    assert_eq!(status["image"], "nginx:2");
    assert_ne!(status["imageID"], container_status(&before, "app")["imageID"]);
    assert!(!status["lastState"]["terminated"].is_null());
    assert_eq!(bench.starts("cache").len(), 1);
    // Seen on v1.36.3: without a readiness probe, Ready never goes False.
    let ready = bench.stored[mark..].iter().all(|(_, pod)| object::is_ready(pod));
    assert!(ready);
    let started = bench.starts("app")[1];
    let old_id = &container_status(&before, "app")["imageID"];
    let early = bench.stored.iter().any(|(at, pod)| {
        *at < started && *at > 20_000 && container_status(pod, "app")["imageID"] != *old_id
    });
    assert!(!early, "the new imageID is reported only once the container runs");
}

#[test]
fn a_crashing_container_is_restarted_at_once_and_then_with_doubling_waits() {
    let mut bench = Bench::new(None);
    bench.create("web", one(map! { "image" => "busybox", "command" => list!["false"] }));
    bench.run(240_000);
    let gap = |at: usize| bench.starts("app")[at + 1] - bench.exits("app")[at].0;
    assert!(gap(0) <= 4_000, "{}", gap(0));
    assert!((10_000..17_000).contains(&gap(1)), "{}", gap(1));
    assert!((20_000..32_000).contains(&gap(2)), "{}", gap(2));
    assert!((40_000..62_000).contains(&gap(3)), "{}", gap(3));
    assert!(bench.first("web", |pod| waiting(pod) == "CrashLoopBackOff").is_some());
    let last = container_status(&bench.pod("web"), "app");
    assert!(last["restartCount"].as_i64().unwrap() >= 4);
}

#[test]
fn a_finished_pod_reports_its_containers_first_and_its_phase_later() {
    for (command, phase, reason) in
        [("true", "Succeeded", "PodCompleted"), ("false", "Failed", "PodFailed")]
    {
        let mut bench = Bench::new(None);
        let mut spec = one(map! { "image" => "busybox", "command" => list![command] });
        spec.set(&["restartPolicy"], "Never");
        bench.create("job", spec);
        bench.run(15_000);
        assert_eq!(bench.pod("job")["status"]["phase"], phase);
        let ended = |pod: &Tree| {
            let ready = object::condition(pod, "Ready");
            ready.is_some_and(|ready| ready["reason"] == reason)
        };
        let ended = bench.first("job", ended).unwrap();
        let over = bench.first("job", object::is_terminal).unwrap();
        assert!((500..2_500).contains(&(over - ended)), "{}", over - ended);
        assert_eq!(bench.starts("app").len(), 1);
    }
}

#[test]
fn a_deleted_pod_is_terminal_before_it_is_gone() {
    let mut bench = Bench::new(None);
    bench.create("web", one(map! {}));
    bench.run(10_000);
    bench.delete("web", 30);
    bench.run(6_000);
    assert!(bench.pod("web").is_null());
    assert!(bench.running().is_empty());
    let last = &bench.stored.last().unwrap().1;
    assert_eq!(last["status"]["phase"], "Succeeded");
    let exit = container_status(last, "app")["state"]["terminated"]["exitCode"].as_i64();
    assert_eq!(exit, Some(0));
}

#[test]
fn sigterm_unheeded_is_sigkill_at_the_end_of_the_grace() {
    let mut bench = Bench::new(None);
    let sleep = map! { "image" => "busybox", "command" => list!["sleep", "3600"] };
    bench.create("web", one(sleep));
    bench.run(10_000);
    let at = bench.now;
    bench.delete("web", 7);
    bench.run(20_000);
    let (end, code) = bench.exits("app")[0];
    assert_eq!((code, (7_000..7_050).contains(&(end - at))), (137, true));
    assert_eq!(bench.stored.last().unwrap().1["status"]["phase"], "Failed");
}

#[test]
fn pre_stop_spends_the_grace() {
    let mut bench = Bench::new(None);
    let hook = map! { "preStop" => map! { "sleep" => map! { "seconds" => 5 } } };
    bench.create("web", one(map! { "lifecycle" => hook }));
    bench.run(10_000);
    let at = bench.now;
    bench.delete("web", 30);
    bench.run(20_000);
    let took = bench.exits("app")[0].0 - at;
    assert!((5_000..5_600).contains(&took), "{took}");
}

#[test]
fn init_containers_run_in_order_and_sidecars_end_last() {
    let mut bench = Bench::new(None);
    let spec = map! {
        "restartPolicy" => "Never",
        "initContainers" => list![
            map! { "name" => "one", "image" => "busybox", "command" => list!["sleep", "2"] },
            map! { "name" => "mesh", "image" => "envoy:1", "restartPolicy" => "Always",
                "startupProbe" => map! { "periodSeconds" => 1 } },
            map! { "name" => "two", "image" => "busybox", "command" => list!["true"] },
        ],
        "containers" => list![
            map! { "name" => "app", "image" => "busybox", "command" => list!["sleep", "5"] },
        ],
    };
    bench.create("job", spec);
    bench.run(60_000);
    let order = ["one", "mesh", "two", "app"].map(|name| bench.starts(name)[0]);
    assert!(order.is_sorted(), "{order:?}");
    assert!(bench.exits("one")[0].0 <= order[1] && bench.exits("two")[0].0 <= order[3]);
    assert!(bench.exits("app")[0].0 <= bench.exits("mesh")[0].0);
    assert_eq!(bench.pod("job")["status"]["phase"], "Succeeded");
    assert!(bench.running().is_empty());
}

#[test]
fn a_missing_image_waits_with_back_off_and_heals() {
    let mut bench = Bench::new(None);
    bench.host.image_rule("rule", "nginx:*", true, 0);
    bench.create("web", one(map! {}));
    bench.run(20_000);
    assert!(bench.first("web", |pod| waiting(pod) == "ErrImagePull").is_some());
    assert!(bench.first("web", |pod| waiting(pod) == "ImagePullBackOff").is_some());
    assert_eq!(bench.pod("web")["status"]["phase"], "Pending");
    bench.on_host(|host, _, out| assert!(host.forget("rule", out)));
    bench.run(60_000);
    assert!(object::is_ready(&bench.pod("web")));
}

#[test]
fn a_taken_host_port_or_too_little_cpu_fails_the_pod() {
    let mut bench = Bench::new(None);
    let port = map! { "ports" => list![map! { "hostPort" => 80, "containerPort" => 80 }] };
    bench.create("a", one(port.clone()));
    bench.run(10_000);
    bench.create("b", one(port));
    let cpu = map! { "requests" => map! { "cpu" => "9" } };
    bench.create("c", one(map! { "resources" => cpu }));
    bench.run(5_000);
    for (name, reason) in [("b", "NodePorts"), ("c", "OutOfcpu")] {
        let status = &bench.pod(name)["status"];
        assert_eq!((status["phase"].str(), status["reason"].str()), ("Failed", reason));
    }
    assert_eq!(bench.running().len(), 1);
}

#[test]
fn a_readiness_gate_holds_ready_back_until_its_condition_is_true() {
    let mut bench = Bench::new(None);
    let mut spec = one(map! {});
    spec.set(&["readinessGates"], list![map! { "conditionType" => "InPlaceUpdateReady" }]);
    bench.create("web", spec);
    bench.run(10_000);
    let pod = bench.pod("web");
    assert_eq!(object::condition(&pod, "Ready").unwrap()["reason"], "ReadinessGatesNotReady");
    assert!(object::has_condition(&pod, "ContainersReady"));
    bench.edit("web", |pod| {
        let gate = map! { "type" => "InPlaceUpdateReady", "status" => "True" };
        pod.at_mut(&["status", "conditions"]).items_mut().push(gate);
    });
    bench.run(100);
    let pod = bench.pod("web");
    assert!(object::is_ready(&pod) && object::has_condition(&pod, "InPlaceUpdateReady"));
}

#[test]
fn a_node_registers_and_renews_its_lease_every_10_s() {
    let mut bench = Bench::new(None);
    bench.run(100_000);
    let node = bench.objects[&(Resource::NODES, ObjectKey::new("", "w1"))].clone();
    assert!(object::has_condition(&node, "Ready"));
    let leases = bench.requests.iter().filter(|(_, it)| it.resource == Resource::LEASES).count();
    assert!((11..=13).contains(&leases), "{leases}");
    let mut bad = node;
    bad.set(&["status", "conditions"], list![map! { "type" => "Ready", "status" => "Unknown" }]);
    bench.put(Resource::NODES, bad);
    bench.run(10_100);
    let node = &bench.objects[&(Resource::NODES, ObjectKey::new("", "w1"))];
    assert!(object::has_condition(node, "Ready"), "repaired by the check every 10 s");
}
