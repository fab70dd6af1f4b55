//! Facts about Jobs, CronJobs and quotas in whole worlds: controllers, nodes and API together.

use kubesim::world::{Lever, RequestEffect, RequestSelector, World, WorldConfig};
use kubesim_model::actor::WatchSpec;
use kubesim_model::request::{Answer, Request};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, list, map, object};

const MINUTE: Millis = 60_000;
const JOB_CONTROLLER: &str = "job-controller";

/// A Job whose pods run this script, with these fields of its spec.
fn job(script: &str, fields: Tree) -> Tree {
    let mut job = map! {
        "apiVersion" => "batch/v1", "kind" => "Job",
        "metadata" => map! { "name" => "web", "namespace" => "default" },
        "spec" => spec(script),
    };
    for (field, value) in fields.fields() {
        job.set(&["spec", field], value);
    }
    job
}

fn spec(script: &str) -> Tree {
    let container = map! {
        "name" => "app", "image" => "busybox:1.36", "command" => list!["sh", "-c", script],
    };
    let pod = map! { "restartPolicy" => "Never", "containers" => list![container] };
    map! { "template" => map! { "spec" => pod } }
}

fn world(seed: u64) -> World {
    let mut world = World::new(WorldConfig::new(seed, 3));
    world.add_client("user", "admin", "test");
    run(&mut world, 5_000);
    world
}

fn run(world: &mut World, until: Millis) {
    while world.next_event().is_some_and(|at| at <= until) {
        world.step();
    }
    world.advance_to(until);
}

fn ask(world: &mut World, request: Request) -> Answer {
    let id = world.submit("user", request).expect("the client lives");
    loop {
        if let Some(answer) = world.take_answer("user", id) {
            return answer;
        }
        assert!(world.step(), "an answer comes");
    }
}

fn make(world: &mut World, resource: Resource, object: Tree) {
    ask(world, Request::create(resource, object)).expect("it can be made");
}

fn key() -> ObjectKey {
    ObjectKey::new("default", "web")
}

fn status(world: &World) -> Tree {
    let job = world.api().get(&Resource::JOBS, &key());
    job.map(|job| job["status"].clone()).unwrap_or_default()
}

fn all(world: &World, resource: Resource) -> Vec<Tree> {
    world.api().list(&WatchSpec::all(resource)).expect("it is served").0
}

fn ends(world: &World) -> Vec<Text> {
    let status = status(world);
    let conditions = status["conditions"].items().iter();
    conditions.filter(|one| one["status"] == "True").map(|one| one["type"].text()).collect()
}

#[test]
fn a_job_completes_when_enough_pods_have_ended_well() {
    let mut world = world(1);
    let fields = map! { "completions" => 5, "parallelism" => 2 };
    make(&mut world, Resource::JOBS, job("sleep 3", fields));
    run(&mut world, 8_000);
    assert_eq!(status(&world)["active"].as_i64(), Some(2));
    run(&mut world, MINUTE);
    assert_eq!(ends(&world), ["SuccessCriteriaMet", "Complete"]);
    let status = status(&world);
    assert_eq!(status["succeeded"].as_i64(), Some(5), "{status}");
    assert!(status["active"].is_null() && status["failed"].is_null(), "{status}");
    assert_eq!(status["uncountedTerminatedPods"], map! {});
    let pods = all(&world, Resource::PODS);
    assert_eq!(pods.len(), 5);
    for pod in pods {
        assert_eq!(pod["status"]["phase"], "Succeeded");
        assert!(pod["metadata"]["finalizers"].is_null(), "nothing keeps it");
        let ended = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
        assert_eq!(ended["exitCode"].as_i64(), Some(0));
    }
}

#[test]
fn failed_pods_are_replaced_later_each_time_until_the_limit() {
    let mut world = world(2);
    make(&mut world, Resource::JOBS, job("exit 3", map! { "backoffLimit" => 2 }));
    run(&mut world, 2 * MINUTE);
    assert_eq!(ends(&world), ["FailureTarget", "Failed"]);
    assert_eq!(status(&world)["failed"].as_i64(), Some(3));
    let pods = all(&world, Resource::PODS);
    let time = |value: &Tree| object::parse_time(value.str()).expect("a time") / 1_000;
    let mut begun: Vec<Millis> =
        pods.iter().map(|pod| time(&pod["metadata"]["creationTimestamp"])).collect();
    begun.sort_unstable();
    let gaps: Vec<Millis> = begun.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!((10..=20).contains(&gaps[0]) && (20..=30).contains(&gaps[1]), "{gaps:?}");
    let code = &pods[0]["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"];
    assert_eq!(code.as_i64(), Some(3));
}

#[test]
fn each_index_succeeds_or_fails_for_itself() {
    let mut world = world(3);
    let fields = map! {
        "completions" => 4, "parallelism" => 4, "completionMode" => "Indexed",
        "backoffLimitPerIndex" => 1,
    };
    make(&mut world, Resource::JOBS, job("exit $((JOB_COMPLETION_INDEX % 2))", fields));
    run(&mut world, 2 * MINUTE);
    let status = status(&world);
    assert_eq!(ends(&world), ["FailureTarget", "Failed"]);
    assert_eq!(status["conditions"][0]["reason"], "FailedIndexes");
    assert_eq!((status["completedIndexes"].str(), status["failedIndexes"].str()), ("0,2", "1,3"));
    assert_eq!(status["failed"].as_i64(), Some(4), "two indexes, twice each: {status}");
    let names = all(&world, Resource::PODS);
    assert!(names.iter().all(|pod| object::name(pod).starts_with("web-")));
    assert_eq!(names[0]["spec"]["hostname"], "web-0");
}

#[test]
fn a_policy_ends_a_job_with_its_first_pod() {
    let mut world = world(4);
    let codes = map! { "operator" => "In", "values" => list![42] };
    let rule = map! { "action" => "FailJob", "onExitCodes" => codes };
    let fields = map! {
        "completions" => 2, "parallelism" => 2,
        "podFailurePolicy" => map! { "rules" => list![rule] },
    };
    make(&mut world, Resource::JOBS, job("sleep 1; exit 42", fields));
    run(&mut world, MINUTE);
    assert_eq!(status(&world)["conditions"][0]["reason"], "PodFailurePolicy");
    assert_eq!(all(&world, Resource::PODS).len(), 2);
}

#[test]
fn a_suspended_job_loses_its_pods_and_gets_new_ones() {
    let mut world = world(5);
    make(&mut world, Resource::JOBS, job("sleep 20", map! {}));
    run(&mut world, 10_000);
    let suspend = |value: bool| {
        let patch = map! { "spec" => map! { "suspend" => value } };
        Request::merge_patch(Resource::JOBS, key(), patch)
    };
    ask(&mut world, suspend(true)).expect("it can be suspended");
    run(&mut world, MINUTE);
    assert!(all(&world, Resource::PODS).is_empty());
    assert_eq!(ends(&world), ["Suspended"]);
    ask(&mut world, suspend(false)).expect("it can be resumed");
    run(&mut world, 2 * MINUTE);
    assert_eq!(ends(&world), ["SuccessCriteriaMet", "Complete"]);
}

#[test]
fn a_deadline_ends_a_job() {
    let mut world = world(6);
    make(&mut world, Resource::JOBS, job("sleep 600", map! { "activeDeadlineSeconds" => 30 }));
    run(&mut world, 30_000);
    assert!(ends(&world).is_empty());
    run(&mut world, 2 * MINUTE);
    assert_eq!(ends(&world), ["FailureTarget", "Failed"]);
    assert_eq!(status(&world)["conditions"][0]["reason"], "DeadlineExceeded");
}

/// What a Job says at last whose controller is ended and started again every so often.
fn interrupted(every: Millis) -> Tree {
    let mut world = world(7);
    let fields = map! { "completions" => 6, "parallelism" => 3 };
    make(&mut world, Resource::JOBS, job("sleep 2", fields));
    let name = Text::new(JOB_CONTROLLER);
    while world.now() < 2 * MINUTE {
        let until = world.now() + every;
        run(&mut world, until);
        world.pull(&Lever::CrashActor { actor: name.clone() }).expect("it runs");
        world.pull(&Lever::StartActor { actor: name.clone() }).expect("it can be started");
    }
    run(&mut world, 5 * MINUTE);
    assert_eq!(ends(&world), ["SuccessCriteriaMet", "Complete"]);
    let held = all(&world, Resource::PODS);
    assert!(held.iter().all(|pod| pod["metadata"]["finalizers"].is_null()));
    status(&world)["succeeded"].clone()
}

#[test]
fn no_pod_is_counted_twice_or_lost_when_the_controller_starts_anew() {
    for every in [700, 1_900, 3_100] {
        assert_eq!(interrupted(every).as_i64(), Some(6), "every {every} ms");
    }
}

#[test]
fn lost_answers_and_conflicts_change_nothing() {
    let mut world = world(8);
    world
        .pull(&Lever::RequestRule {
            rule: Text::new("bad"),
            actor: Text::new(JOB_CONTROLLER),
            requests: RequestSelector::default(),
            effect: RequestEffect::LoseResponse,
        })
        .expect("the actor is there");
    let fields = map! { "completions" => 3, "parallelism" => 3 };
    make(&mut world, Resource::JOBS, job("sleep 2", fields));
    run(&mut world, 20_000);
    world.pull(&Lever::Forget { rule: Text::new("bad") }).expect("the rule is there");
    run(&mut world, 20 * MINUTE);
    assert_eq!(status(&world)["succeeded"].as_i64(), Some(3));
    assert_eq!(ends(&world), ["SuccessCriteriaMet", "Complete"]);
}

#[test]
fn pods_of_a_deleted_job_go_even_if_its_controller_was_away() {
    let mut world = world(9);
    make(&mut world, Resource::JOBS, job("sleep 600", map! {}));
    run(&mut world, 15_000);
    let name = Text::new(JOB_CONTROLLER);
    world.pull(&Lever::CrashActor { actor: name.clone() }).expect("it runs");
    let delete = Request::delete(Resource::JOBS, key());
    let mut delete = delete;
    delete.body.set(&["propagationPolicy"], "Background");
    ask(&mut world, delete).expect("it can be deleted");
    run(&mut world, 2 * MINUTE);
    assert_eq!(all(&world, Resource::PODS).len(), 1, "its finalizer keeps it");
    world.pull(&Lever::StartActor { actor: name }).expect("it can be started");
    run(&mut world, 4 * MINUTE);
    assert!(all(&world, Resource::PODS).is_empty());
}

#[test]
fn a_cron_job_makes_jobs_that_go_some_time_after_their_end() {
    let mut world = world(10);
    let mut template = spec("sleep 5");
    template.set(&["ttlSecondsAfterFinished"], 90);
    make(
        &mut world,
        Resource::CRON_JOBS,
        map! {
            "apiVersion" => "batch/v1", "kind" => "CronJob",
            "metadata" => map! { "name" => "web", "namespace" => "default" },
            "spec" => map! {
                "schedule" => "*/2 * * * *", "jobTemplate" => map! { "spec" => template },
            },
        },
    );
    run(&mut world, 3 * MINUTE);
    assert_eq!(all(&world, Resource::JOBS).len(), 1);
    run(&mut world, 3 * MINUTE + 55_000);
    assert!(all(&world, Resource::JOBS).is_empty(), "its time is over");
    assert!(all(&world, Resource::PODS).is_empty());
    run(&mut world, 5 * MINUTE);
    let cron = world.api().get(&Resource::CRON_JOBS, &key()).expect("there");
    assert_eq!(cron["status"]["lastScheduleTime"], "2026-01-01T00:04:00Z");
    assert!(!cron["status"]["lastSuccessfulTime"].is_null());
}

#[test]
fn a_quota_lets_a_replication_controller_have_no_more_pods_than_it_may() {
    let mut world = world(11);
    let hard = map! { "pods" => "2" };
    let metadata = |name: &str| map! { "name" => name, "namespace" => "default" };
    let quota = map! { "metadata" => metadata("q"), "spec" => map! { "hard" => hard } };
    make(&mut world, Resource::RESOURCE_QUOTAS, quota);
    run(&mut world, 7_000);
    let labels = map! { "app" => "web" };
    let container = map! { "name" => "app", "image" => "registry.k8s.io/pause:3.10" };
    let pod = map! { "containers" => list![container] };
    let template = map! { "metadata" => map! { "labels" => labels }, "spec" => pod };
    let spec = map! { "replicas" => 3, "template" => template };
    let controller = map! { "metadata" => metadata("web"), "spec" => spec };
    make(&mut world, Resource::REPLICATION_CONTROLLERS, controller);
    run(&mut world, MINUTE);
    assert_eq!(all(&world, Resource::PODS).len(), 2);
    let used = |world: &World| {
        let key = ObjectKey::new("default", "q");
        world.api().get(&Resource::RESOURCE_QUOTAS, &key).expect("there")["status"]["used"].clone()
    };
    assert_eq!(used(&world), map! { "pods" => "2" });
    let web = world.api().get(&Resource::REPLICATION_CONTROLLERS, &key()).expect("there");
    assert_eq!(web["status"]["readyReplicas"].as_i64(), Some(2));
    assert!(object::has_condition(web, "ReplicaFailure"), "{web}");
    let patch = map! { "spec" => map! { "hard" => map! { "pods" => "5" } } };
    let key = ObjectKey::new("default", "q");
    let patch = Request::merge_patch(Resource::RESOURCE_QUOTAS, key, patch);
    ask(&mut world, patch).expect("it can be raised");
    run(&mut world, 4 * MINUTE);
    assert_eq!(all(&world, Resource::PODS).len(), 3);
    assert_eq!(used(&world), map! { "pods" => "3" });
}
