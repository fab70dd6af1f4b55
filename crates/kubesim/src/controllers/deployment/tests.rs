//! Facts about the Deployment controller.

use kubesim_model::object;
use kubesim_model::request::Status;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{list, map};

use super::limits::{Limits, fenceposts};
use super::{actor, scaling};
use crate::controllers::bench::{Bench, image, release, workload};
use crate::controllers::replicaset;

const ALL: Resource = Resource::DEPLOYMENTS;
const SETS: Resource = Resource::REPLICA_SETS;

fn with(bug: Option<&str>, replicas: i64, change: impl FnOnce(&mut Tree)) -> Bench {
    let mut bench = Bench::new(vec![actor(bug), replicaset::actor(None)]);
    let mut deployment = workload("Deployment", replicas);
    deployment.set(&["spec", "progressDeadlineSeconds"], 600);
    deployment.set(&["spec", "revisionHistoryLimit"], 10);
    change(&mut deployment);
    bench.create(ALL, deployment);
    bench.run(20_000);
    assert_eq!(bench.count(object::is_ready), replicas as usize);
    bench
}

fn rolling(surge: i64, unavailable: i64) -> impl FnOnce(&mut Tree) {
    move |deployment| {
        let rolling = map! { "maxSurge" => surge, "maxUnavailable" => unavailable };
        deployment.set(&["spec", "strategy", "rollingUpdate"], rolling);
    }
}

/// Runs on and answers the most active and the fewest ready active pods that were seen.
fn extremes(bench: &mut Bench, time: u64) -> (usize, usize) {
    let (mut most, mut fewest) = (0, usize::MAX);
    for _ in 0..time / 10 {
        bench.run(10);
        most = most.max(bench.count(object::is_active));
        fewest = fewest.min(bench.count(|pod| object::is_active(pod) && object::is_ready(pod)));
    }
    (most, fewest)
}

fn has(condition: &str, status: &str, reason: &str, deployment: &Tree) -> bool {
    let found = object::condition(deployment, condition);
    found.is_some_and(|found| found["status"] == status && found["reason"] == reason)
}

#[test]
fn fenceposts_are_those_of_kubernetes() {
    for (surge, unavailable, replicas, expected) in [
        ("0%".into(), "0%".into(), 0, (0, 1)),
        ("39%".into(), "39%".into(), 0, (0, 1)),
        (Tree::from("oops"), "39%".into(), 10, (0, 3)),
        ("55%".into(), "45%".into(), 10, (6, 4)),
        ("5".into(), "1".into(), 7, (0, 1)),
        (2.into(), 1.into(), 7, (2, 1)),
        (Tree::Null, Tree::Null, 10, (3, 2)),
        (Tree::Null, Tree::Null, 1, (1, 0)),
        (0.into(), "20%".into(), 4, (0, 1)),
    ] {
        assert_eq!(fenceposts(&surge, &unavailable, replicas), expected, "{surge} {unavailable}");
    }
}

fn sized(name: &str, replicas: i64, max: i64, age: &str) -> Tree {
    let annotations = map! { "deployment.kubernetes.io/max-replicas" => max.to_string() };
    let metadata =
        map! { "name" => name, "creationTimestamp" => age, "annotations" => annotations };
    map! { "metadata" => metadata, "spec" => map! { "replicas" => replicas } }
}

#[test]
fn proportional_scaling_is_that_of_kubernetes() {
    // Sizes (newest first) before, of a Deployment of how many and with what surge, and after.
    for (before, was, is, surge, after) in [
        (vec![5, 5], 10, 12, 0, vec![6, 6]),
        (vec![5, 5], 10, 5, 0, vec![3, 2]),
        (vec![5, 5], 10, 3, 0, vec![2, 1]),
        (vec![6, 4], 10, 5, 0, vec![3, 2]),
        (vec![5, 5, 3], 13, 20, 0, vec![8, 8, 4]),
        (vec![6, 8], 14, 8, 0, vec![3, 5]),
        (vec![1, 1, 1], 3, 10, 0, vec![4, 3, 3]),
        (vec![3, 2, 1], 6, 2, 0, vec![1, 1, 0]),
        (vec![2, 2, 8], 12, 0, 0, vec![0, 0, 0]),
        (vec![7, 5], 10 + 2, 20, 4, vec![14, 10]),
    ] {
        let ages = ["2026-01-03T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"];
        let names = ["c", "b", "a"];
        let sets: Vec<Tree> = before
            .iter()
            .zip(names)
            .zip(ages)
            .map(|((size, name), age)| sized(name, *size, was, age))
            .collect();
        let limits = Limits { replicas: is, surge, unavailable: 0 };
        let sizes = scaling::proportional(sets.iter().collect(), &limits, was);
        let found: Vec<i64> = sets
            .iter()
            .map(|set| sizes.iter().find(|(of, _)| *of == set).expect("sized").1)
            .collect();
        assert_eq!(found.iter().sum::<i64>(), after.iter().sum::<i64>(), "{before:?} → {is}");
        assert_eq!(found, after, "{before:?} → {is}");
    }
}

fn available(name: &str, replicas: i64, available: i64, age: &str) -> Tree {
    let mut set = sized(name, replicas, 0, age);
    set.set(&["status", "availableReplicas"], available);
    set
}

fn first<'a>((first, _): (&'a Tree, &Tree)) -> &'a Tree {
    first
}

/// The sets with the new sizes of those that got one.
fn resized(sets: &[Tree], sizes: &[(&Tree, i64)]) -> Vec<Tree> {
    let new = |set: &Tree| {
        let mut new = set.clone();
        if let Some((_, size)) = sizes.iter().find(|(of, _)| *of == set) {
            new.set(&["spec", "replicas"], *size);
        }
        new
    };
    sets.iter().map(new).collect()
}

#[test]
fn old_sets_lose_what_is_not_available_first_and_then_what_can_be_spared() {
    let limits = |replicas, unavailable| Limits { replicas, surge: 2, unavailable };
    // New (size, available), old sets oldest first, expected new sizes of the old.
    for ((size, up), old, unavailable, expected) in [
        ((0, 0), vec![(10, 10)], 0, vec![10]),
        ((2, 0), vec![(10, 10)], 2, vec![8]),
        ((2, 2), vec![(10, 10)], 2, vec![6]),
        ((6, 5), vec![(8, 8)], 2, vec![3]),
        ((4, 0), vec![(3, 0), (8, 8)], 2, vec![0, 8]),
        ((0, 0), vec![(5, 3), (5, 5)], 2, vec![3, 5]),
        // A status that still counts a pod which the set was told to give up spares them all.
        ((9, 4), vec![(6, 7)], 3, vec![6]),
        ((6, 6), vec![(5, 3), (4, 6)], 2, vec![3, 4]),
        // Nor does it count the pods of a set that was told to give up all of them.
        ((6, 5), vec![(0, 1), (5, 5)], 2, vec![0, 3]),
    ] {
        let new = available("new", size, up, "2026-01-09T00:00:00Z");
        let old: Vec<Tree> = old
            .iter()
            .enumerate()
            .map(|(at, (size, up))| available(&at.to_string(), *size, *up, &format!("{at}")))
            .collect();
        let refs: Vec<&Tree> = old.iter().collect();
        let limits = limits(10, unavailable);
        let (cleaned, goes_on) = scaling::clean_up(&limits, &new, &refs, None);
        let cleaned = resized(&old, &cleaned);
        let active: Vec<&Tree> =
            cleaned.iter().zip(&old).filter(|(_, was)| scaling::size(was) > 0).map(first).collect();
        let taken =
            if goes_on { scaling::take_down(&limits, &new, &active, None) } else { Vec::new() };
        let sizes: Vec<i64> = resized(&cleaned, &taken).iter().map(scaling::size).collect();
        assert_eq!(sizes, expected, "new {size}/{up}, old {old:?}");
    }
}

#[test]
fn a_rollout_keeps_to_surge_and_unavailability_and_completes() {
    let mut bench = with(None, 10, rolling(2, 1));
    bench.edit(ALL, "web", release("app:2"));
    let (most, fewest) = extremes(&mut bench, 120_000);
    assert_eq!((most, fewest), (12, 9));
    assert_eq!(bench.count(|pod| image(pod) == "app:2"), 10);
    let deployment = bench.get(ALL, "web");
    assert!(has("Progressing", "True", "NewReplicaSetAvailable", &deployment));
    assert!(has("Available", "True", "MinimumReplicasAvailable", &deployment));
    assert_eq!(object::annotation(&deployment, "deployment.kubernetes.io/revision"), "2");
    assert_eq!(deployment["status"]["updatedReplicas"].as_i64(), Some(10));
    assert_eq!(bench.pods().len(), 10);
}

#[test]
fn the_planted_bugs_of_the_bounds_go_past_them() {
    let run = |bug| {
        let mut bench = with(Some(bug), 10, rolling(2, 1));
        bench.edit(ALL, "web", release("app:2"));
        extremes(&mut bench, 120_000)
    };
    assert_eq!(run("exceeds-surge").0, 13);
    assert_eq!(run("off-by-one-unavailable").1, 8);
    assert!(run("ignores-not-ready").1 < 9);
    let quarter = |bug| {
        let mut bench = with(bug, 10, |deployment| {
            rolling(0, 0)(deployment);
            let path = ["spec", "strategy", "rollingUpdate", "maxUnavailable"];
            deployment.set(&path, "25%");
        });
        bench.edit(ALL, "web", release("app:2"));
        extremes(&mut bench, 120_000).1
    };
    assert_eq!((quarter(None), quarter(Some("rounds-unavailable-up"))), (8, 7));
}

#[test]
fn a_broken_release_stops_and_is_reported_at_the_deadline_and_a_rollback_uses_the_old_set() {
    let mut bench = with(None, 4, rolling(1, 0));
    let first = bench.all(&SETS)[0].clone();
    bench.start = None;
    bench.edit(ALL, "web", release("app:broken"));
    let (_, fewest) = extremes(&mut bench, 60_000);
    assert_eq!(fewest, 4);
    bench.run(560_000);
    let deployment = bench.get(ALL, "web");
    assert!(has("Progressing", "False", "ProgressDeadlineExceeded", &deployment));
    bench.start = Some(2_000);
    bench.edit(ALL, "web", release("app:1"));
    bench.run(60_000);
    assert_eq!(bench.count(|pod| image(pod) == "app:1"), 4);
    assert_eq!(bench.pods().len(), 4);
    let first = bench.get(SETS, object::name(&first));
    assert_eq!(object::annotation(&first, "deployment.kubernetes.io/revision"), "3");
    assert_eq!(object::annotation(&first, "deployment.kubernetes.io/revision-history"), "1");
    assert_eq!(bench.all(&SETS).len(), 2);
}

#[test]
fn the_planted_bug_does_not_roll_back() {
    let mut bench = with(Some("ignores-rollback-template"), 2, |_| {});
    bench.edit(ALL, "web", release("app:2"));
    bench.run(60_000);
    assert_eq!(bench.count(|pod| image(pod) == "app:2"), 2);
    bench.edit(ALL, "web", release("app:1"));
    bench.run(60_000);
    assert_eq!(bench.count(|pod| image(pod) == "app:2"), 2);
}

#[test]
fn a_generation_is_reported_as_observed_only_with_what_was_done_for_it() {
    let early = |bug| {
        let mut bench = with(bug, 3, |_| {});
        bench.edit(ALL, "web", release("app:2"));
        let mut lied = false;
        for _ in 0..2_000 {
            bench.run(1);
            let deployment = bench.get(ALL, "web");
            let status = &deployment["status"];
            let observed =
                status["observedGeneration"].as_i64() == Some(object::generation(&deployment));
            let updated = status["updatedReplicas"].as_i64().unwrap_or(0) as usize;
            lied |= observed && updated > bench.count(|pod| image(pod) == "app:2");
        }
        lied
    };
    assert!(!early(None));
    assert!(early(Some("observed-generation-early")));
}

#[test]
fn recreate_waits_until_the_old_pods_have_ended() {
    let mut bench = with(None, 3, |deployment| {
        deployment.set(&["spec", "strategy", "type"], "Recreate");
    });
    bench.stop = Some(5_000);
    bench.edit(ALL, "web", release("app:2"));
    for _ in 0..4_000 {
        bench.run(10);
        let images: Vec<String> = bench.pods().iter().map(|pod| image(pod).to_owned()).collect();
        let mixed = images.iter().any(|i| i == "app:1") && images.iter().any(|i| i == "app:2");
        assert!(!mixed, "{images:?}");
    }
    assert_eq!(bench.count(object::is_ready), 3);
    assert_eq!(bench.count(|pod| image(pod) == "app:2"), 3);
}

#[test]
fn a_paused_deployment_scales_but_does_not_roll_out() {
    let mut bench = with(None, 4, |_| {});
    bench.edit(ALL, "web", |deployment| deployment.set(&["spec", "paused"], true));
    bench.run(1_000);
    assert!(has("Progressing", "Unknown", "DeploymentPaused", &bench.get(ALL, "web")));
    bench.edit(ALL, "web", release("app:2"));
    bench.edit(ALL, "web", |deployment| deployment.set(&["spec", "replicas"], 6));
    bench.run(60_000);
    assert_eq!(bench.count(|pod| image(pod) == "app:1"), 6);
    bench.edit(ALL, "web", |deployment| deployment.set(&["spec", "paused"], false));
    bench.run(60_000);
    assert_eq!(bench.count(|pod| image(pod) == "app:2"), 6);
    assert_eq!(bench.pods().len(), 6);
}

#[test]
fn scaling_in_the_middle_of_a_rollout_ends_with_the_new_template_only() {
    let mut bench = with(None, 10, rolling(3, 2));
    bench.edit(ALL, "web", release("app:2"));
    bench.run(2_500);
    bench.edit(ALL, "web", |deployment| deployment.set(&["spec", "replicas"], 20));
    bench.run(120_000);
    assert_eq!(bench.count(|pod| image(pod) == "app:2"), 20);
    assert_eq!(bench.pods().len(), 20);
}

#[test]
fn old_sets_beyond_the_history_limit_are_deleted() {
    let mut bench = with(None, 1, |deployment| {
        deployment.set(&["spec", "revisionHistoryLimit"], 2);
    });
    for version in 2..7 {
        bench.edit(ALL, "web", release(&format!("app:{version}")));
        bench.run(30_000);
    }
    assert_eq!(bench.all(&SETS).len(), 3);
}

#[test]
fn a_name_that_is_taken_by_a_stranger_is_avoided_with_the_collision_count() {
    let mut bench = with(None, 1, |_| {});
    let mut next = bench.get(ALL, "web");
    release("app:2")(&mut next);
    let hash = crate::controllers::owned::template::hash_of(&next["spec"]["template"], 0);
    let metadata = map! { "name" => format!("web-{hash}"), "namespace" => "n" };
    bench.create(SETS, map! { "metadata" => metadata, "spec" => map! { "replicas" => 0 } });
    bench.edit(ALL, "web", release("app:2"));
    bench.run(60_000);
    assert_eq!(bench.get(ALL, "web")["status"]["collisionCount"].as_i64(), Some(1));
    assert_eq!(bench.count(|pod| image(pod) == "app:2"), 1);
}

#[test]
fn a_failing_create_of_the_set_is_reported_and_repeated() {
    let mut bench = Bench::new(vec![actor(None), replicaset::actor(None)]);
    bench.fail = |request, writes| {
        let fails = request.resource == SETS && writes < 8;
        fails.then(|| Status::new(403, "Forbidden", "quota"))
    };
    let mut deployment = workload("Deployment", 2);
    deployment.set(&["spec", "progressDeadlineSeconds"], 600);
    bench.create(ALL, deployment);
    bench.run(15);
    assert!(has("Progressing", "False", "ReplicaSetCreateError", &bench.get(ALL, "web")));
    bench.run(60_000);
    assert_eq!(bench.count(object::is_ready), 2);
}

#[test]
fn a_deployment_of_any_content_is_survived() {
    let mut bench = Bench::new(vec![actor(None), replicaset::actor(None)]);
    for spec in [Tree::Null, 3.into(), map! { "selector" => 1, "replicas" => -7 }, list![1]] {
        bench.create(
            ALL,
            map! { "metadata" => map! { "name" => "web", "namespace" => "n" }, "spec" => spec },
        );
        bench.run(1_000);
        bench.delete(ALL, "web");
        bench.run(1_000);
    }
}

#[test]
fn a_failed_write_to_an_old_set_is_dropped_until_the_deadline_is_looked_at() {
    let mut bench = with(None, 6, rolling(2, 1));
    bench.start = None;
    // The new set is made, and then the old one can't be made smaller: once, and with nothing else
    // to report.
    bench.edit(ALL, "web", release("app:2"));
    bench.run(10_000);
    let old = |set: &Tree| set["spec"]["template"]["spec"]["containers"][0]["image"] == "app:1";
    let name = bench.all(&SETS).into_iter().find(old).map(|set| object::name(&set).to_owned());
    let name = name.expect("the old set is there");
    let size = |bench: &Bench| bench.get(SETS, &name)["spec"]["replicas"].as_i64();
    assert_eq!(size(&bench), Some(5));
    bench.fail = |request, _| {
        let shrinks =
            request.resource == SETS && request.body["spec"]["replicas"].as_i64() == Some(5);
        shrinks.then(|| Status::new(500, "InternalError", "injected"))
    };
    bench.edit(SETS, &name, |set| set.set(&["spec", "replicas"], 6));
    bench.run(100_000);
    assert_eq!(size(&bench), Some(6));
    bench.fail = |_, _| None;
    bench.run(100_000);
    assert_eq!(size(&bench), Some(6));
    bench.run(600_000);
    assert_eq!(size(&bench), Some(5));
}
