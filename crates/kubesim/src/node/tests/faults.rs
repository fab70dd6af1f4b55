//! Pods under faults of their host, their processes and their kubelet.

use kubesim_model::host::HostCommand;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::stream::Stream;
use kubesim_model::{Text, list, map, object};

use super::bench::{Bench, app, container_status, one};
use crate::node::ContainerAction;
use crate::world::Behaviour;

fn one_running(bug: Option<&'static str>) -> Bench {
    let mut bench = Bench::new(bug);
    bench.create("web", one(map! {}));
    bench.run(10_000);
    assert!(object::is_ready(&bench.pod("web")));
    bench
}

#[test]
fn a_killed_container_is_restarted_with_its_address_kept() {
    let mut bench = one_running(None);
    let ip = bench.pod("web")["status"]["podIP"].clone();
    bench.on_host(|host, now, out| {
        let kill = ContainerAction::Kill { exit_code: 137, oom: true };
        assert_eq!(host.container_action(now, &app(), kill, out).len(), 1);
    });
    bench.run(5_000);
    let pod = bench.pod("web");
    let status = container_status(&pod, "app");
    assert_eq!(status["lastState"]["terminated"]["reason"], "OOMKilled");
    assert_eq!((status["restartCount"].as_i64(), &pod["status"]["podIP"]), (Some(1), &ip));
    assert!(object::is_ready(&pod));
}

#[test]
fn a_stuck_process_fails_its_liveness_and_is_killed_at_the_end_of_the_grace() {
    let mut bench = Bench::new(None);
    let probe = map! { "httpGet" => map! { "port" => 80 } };
    let mut spec = one(map! { "livenessProbe" => probe });
    spec.set(&["terminationGracePeriodSeconds"], 5);
    bench.create("web", spec);
    bench.run(60_000);
    let at = bench.now;
    bench.on_host(|host, now, out| {
        host.container_action(now, &app(), ContainerAction::Stick, out);
    });
    bench.run(60_000);
    let (end, code) = bench.exits("app")[0];
    // Three periods of 10 s, a time-out of 1 s, a grace of 5 s.
    assert_eq!(code, 137);
    assert!((26_000..36_100).contains(&(end - at)), "{}", end - at);
    assert!(object::is_ready(&bench.pod("web")));
}

#[test]
fn a_rebooted_node_restarts_its_pods_with_new_addresses_and_the_same_uid() {
    let mut bench = one_running(None);
    let before = bench.pod("web");
    bench.power_off();
    bench.run(3_000);
    bench.power_on();
    bench.run(10_000);
    let after = bench.pod("web");
    assert!(object::is_ready(&after));
    assert_ne!(after["status"]["podIP"], before["status"]["podIP"]);
    let status = container_status(&after, "app");
    assert_eq!(status["restartCount"].as_i64(), Some(1));
    let last = &status["lastState"]["terminated"];
    assert_eq!((last["reason"].str(), last["exitCode"].as_i64()), ("Unknown", Some(255)));
    assert_eq!(object::uid(&after), object::uid(&before));
}

#[test]
fn a_restarted_kubelet_adopts_running_containers() {
    let mut bench = Bench::new(None);
    let probe = map! { "httpGet" => map! { "port" => 80 } };
    bench.create("web", one(map! { "readinessProbe" => probe }));
    bench.run(30_000);
    let mark = bench.stored.len();
    bench.stop_kubelet();
    bench.run(20_000);
    bench.start_kubelet();
    bench.run(30_000);
    assert_eq!(bench.starts("app").len(), 1);
    assert!(bench.stored[mark..].iter().all(|(_, pod)| object::is_ready(pod)));
    assert!(object::is_ready(&bench.pod("web")));
}

#[test]
fn a_pod_deleted_by_force_on_a_frozen_node_is_a_zombie_for_some_seconds_only() {
    let mut bench = one_running(None);
    bench.freeze();
    bench.run(60_000);
    bench.remove(&Resource::PODS, &ObjectKey::new("default", "web"));
    bench.run(10_000);
    assert_eq!(bench.running().len(), 1, "it runs on while nobody knows it");
    bench.thaw();
    bench.run(4_000);
    assert!(bench.running().is_empty());
}

#[test]
fn containers_of_unknown_pods_are_killed_by_housekeeping() {
    for (bug, left) in [(None, 0), (Some("forgets-orphans"), 1)] {
        let mut bench = one_running(bug);
        bench.stop_kubelet();
        bench.remove(&Resource::PODS, &ObjectKey::new("default", "web"));
        bench.run(5_000);
        bench.start_kubelet();
        bench.run(5_000);
        assert_eq!(bench.running().len(), left);
    }
}

#[test]
fn what_another_agent_starts_for_an_unknown_pod_does_not_live_long() {
    let mut bench = one_running(None);
    let pod_uid = Text::new_static("nobody");
    let pod = ObjectKey::new("default", "nobody");
    let sandbox =
        HostCommand::RunSandbox { op: 1, pod_uid: pod_uid.clone(), pod, host_network: false };
    let spec = map! { "name" => "ghost", "image" => "nginx:1" };
    bench.on_host(|host, now, out| host.command(now, 7, sandbox, out));
    bench.run(1_000);
    let start = HostCommand::StartContainer { op: 2, pod_uid, spec, attempt: 0 };
    bench.on_host(|host, now, out| host.command(now, 7, start, out));
    bench.run(1_000);
    assert_eq!(bench.starts("ghost").len(), 1);
    bench.run(5_000);
    assert_eq!((bench.exits("ghost").len(), bench.running().len()), (1, 1));
}

#[test]
fn a_partitioned_kubelet_keeps_its_pods_and_reports_later() {
    let mut bench = one_running(None);
    bench.partitioned = true;
    bench.on_host(|host, now, out| {
        let kill = ContainerAction::Kill { exit_code: 1, oom: false };
        host.container_action(now, &app(), kill, out);
    });
    bench.run(60_000);
    assert_eq!(bench.running().len(), 1);
    assert_eq!(container_status(&bench.pod("web"), "app")["restartCount"].as_i64(), Some(0));
    bench.partitioned = false;
    bench.run(10_100);
    assert_eq!(container_status(&bench.pod("web"), "app")["restartCount"].as_i64(), Some(1));
}

#[test]
fn a_foreign_change_of_ready_is_put_right_by_the_next_batch() {
    let mut bench = one_running(None);
    bench.edit("web", |pod| {
        let conditions = pod.at_mut(&["status", "conditions"]).items_mut();
        for condition in conditions.iter_mut().filter(|it| it["type"] == "Ready") {
            condition.set(&["status"], "False");
        }
    });
    assert!(!object::is_ready(&bench.pod("web")));
    bench.run(10_100);
    assert!(object::is_ready(&bench.pod("web")));
}

#[test]
fn a_rule_makes_containers_crash_until_it_is_forgotten() {
    let mut bench = one_running(None);
    bench.on_host(|host, now, out| {
        host.behave(now, "crash", &app(), Behaviour::CrashAfter(500, 3), out);
    });
    bench.run(60_000);
    let crashes = bench.exits("app");
    assert!(crashes.len() >= 3 && crashes.iter().all(|(_, code)| *code == 3));
    bench.on_host(|host, _, out| assert!(host.forget("crash", out)));
    bench.run(120_000);
    assert!(object::is_ready(&bench.pod("web")));
}

#[test]
fn planted_bugs_show() {
    let spec = map! { "containers" => list![
        map! { "name" => "app", "image" => "nginx:1" },
        map! { "name" => "cache", "image" => "redis:1" },
    ] };
    let release = |bug| {
        let mut bench = Bench::new(bug);
        bench.create("web", spec.clone());
        bench.run(20_000);
        bench.edit("web", |pod| {
            pod.at_mut(&["spec", "containers"]).items_mut()[0].set(&["image"], "nginx:2");
        });
        bench.run(20_000);
        bench
    };
    let early = |bench: &Bench| {
        let new = |pod: &kubesim_model::tree::Tree| {
            container_status(pod, "app")["image"] == "nginx:2"
                && container_status(pod, "app")["containerID"]
                    != bench.running()[0].container_id.as_str()
        };
        bench
            .first("web", |pod| new(pod) && pod["status"]["phase"] == "Running")
            .unwrap_or(u64::MAX)
            < bench.starts("app")[1]
    };
    let good = release(None);
    assert!(good.starts("cache").len() == 1 && !early(&good));
    assert_eq!(release(Some("restarts-bystanders")).starts("cache").len(), 2);
    assert_eq!(good.starts("app").len(), 2);
    assert_eq!(release(Some("replaces-twice")).starts("app").len(), 3);
    assert!(early(&release(Some("reports-new-image-early"))));
    let crash = |bug| {
        let mut bench = one_running(bug);
        bench.on_host(|host, now, out| {
            host.behave(now, "crash", &app(), Behaviour::CrashAfter(500, 3), out);
        });
        let mark = bench.stored.len();
        bench.run(60_000);
        bench.stored[mark..].iter().all(|(_, pod)| object::is_ready(pod))
    };
    assert!(!crash(None) && crash(Some("ready-while-terminated")));
}

#[test]
fn whatever_happens_to_the_node_its_pods_come_back_and_nothing_else_runs() {
    for seed in 0..150 {
        let mut bench = Bench::seeded(seed, None);
        let mut rng = Stream::new(seed, "faults");
        let probe = map! { "httpGet" => map! { "port" => 80 } };
        for pod in 0..4 {
            let container = map! { "livenessProbe" => &probe, "readinessProbe" => &probe };
            bench.create(&format!("web-{pod}"), one(container));
        }
        for _ in 0..8 {
            bench.run(rng.between(0, 40_000));
            match rng.index(7) {
                0 => {
                    bench.power_off();
                    bench.run(rng.between(0, 60_000));
                    bench.power_on();
                }
                1 => {
                    bench.freeze();
                    bench.run(rng.between(0, 60_000));
                    bench.thaw();
                }
                2 => {
                    bench.stop_kubelet();
                    bench.run(rng.between(0, 60_000));
                    bench.start_kubelet();
                }
                3 => bench.on_host(|host, now, out| {
                    let kill = ContainerAction::Kill { exit_code: 1, oom: false };
                    host.container_action(now, &app(), kill, out);
                }),
                4 => bench.on_host(|host, now, out| {
                    host.container_action(now, &app(), ContainerAction::Stick, out);
                }),
                5 => bench.edit("web-0", |pod| {
                    let image = format!("nginx:{}", pod["metadata"]["resourceVersion"].str());
                    pod.at_mut(&["spec", "containers"]).items_mut()[0].set(&["image"], image);
                }),
                _ => {
                    bench.partitioned = true;
                    bench.run(rng.between(0, 60_000));
                    bench.partitioned = false;
                    bench.list(&Resource::PODS);
                }
            }
        }
        bench.run(900_000);
        for pod in 0..4 {
            let pod = bench.pod(&format!("web-{pod}"));
            assert!(object::is_ready(&pod), "seed {seed}: {pod}");
            let status = container_status(&pod, "app");
            assert_eq!(status["image"], pod["spec"]["containers"][0]["image"], "seed {seed}");
            let id = status["containerID"].str();
            assert!(bench.running().iter().any(|info| info.container_id == id), "seed {seed}");
        }
        assert_eq!(bench.running().len(), 4, "seed {seed}");
        (0..4).for_each(|pod| bench.delete(&format!("web-{pod}"), 30));
        bench.run(120_000);
        assert!(bench.running().is_empty() && bench.pod("web-0").is_null(), "seed {seed}");
    }
}
