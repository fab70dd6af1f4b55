//! Facts about kube-rs programs in a world.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::watcher;
use kube::{Client, ResourceExt as _};
use kubesim::world::{Lever, RequestEffect, RequestSelector, What, World, WorldConfig};
use kubesim_model::request::{Request, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::{Millis, Text, map};

use crate::{ProgramSpec, Programs, Start, exactly};

type Notes = Arc<Mutex<Vec<String>>>;

fn start<F>(program: impl Fn(Client) -> F + Send + Sync + 'static) -> Start
where
    F: Future<Output = ()> + Send + 'static,
{
    Arc::new(move |client| Box::pin(program(client)))
}

/// Copies `data.want` of each ConfigMap into an annotation.
async fn copier(client: Client) {
    async fn reconcile(map: Arc<ConfigMap>, client: Arc<Client>) -> Result<Action, kube::Error> {
        let want = map.data.as_ref().and_then(|data| data.get("want")).cloned();
        if map.annotations().get("seen").cloned() != want {
            let api: Api<ConfigMap> = Api::namespaced((*client).clone(), "default");
            let patch = serde_json::json!({ "metadata": { "annotations": { "seen": want } } });
            api.patch(&map.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await?;
        }
        Ok(Action::requeue(Duration::from_secs(3600)))
    }
    let maps: Api<ConfigMap> = Api::all(client.clone());
    Controller::new(maps, watcher::Config::default())
        .run(reconcile, |_, _, _| Action::requeue(Duration::from_secs(1)), Arc::new(client))
        .for_each(|_| std::future::ready(()))
        .await;
}

struct Bench {
    world: World,
    programs: Programs,
    records: Vec<String>,
}

impl Bench {
    fn new(seed: u64, program: Start) -> Self {
        let mut world = World::new(WorldConfig::new(seed, 1));
        world.add_client("user", "admin", "test");
        let mut programs = Programs::new(seed, 0).unwrap();
        let name = || Text::new("copier");
        let spec = ProgramSpec { name: name(), user: name(), user_agent: name(), start: program };
        programs.add(&mut world, spec);
        Bench { world, programs, records: Vec::new() }
    }

    fn run(&mut self, until: Millis) {
        self.programs.advance(&mut self.world, until, &mut |_| false);
        let records = self.world.take_records();
        self.records.extend(records.iter().map(|record| format!("{record:?}")));
    }

    fn create(&mut self, name: &str, want: &str) {
        let object = map! {
            "metadata" => map! { "name" => name, "namespace" => "default" },
            "data" => map! { "want" => want },
        };
        self.world.submit("user", Request::create(Resource::CONFIG_MAPS, object)).unwrap();
    }

    fn seen(&self, name: &str) -> String {
        let key = ObjectKey::new("default", name);
        let object = self.world.api().get(&Resource::CONFIG_MAPS, &key).unwrap();
        object["metadata"]["annotations"]["seen"].str().to_owned()
    }

    fn pull(&mut self, lever: Lever) {
        self.world.pull(&lever).unwrap();
    }

    fn rule(&mut self, requests: RequestSelector, effect: RequestEffect) {
        let (rule, actor) = ("rule".into(), "copier".into());
        self.pull(Lever::RequestRule { rule, actor, requests, effect });
    }

    fn incarnation(&self) -> (u32, bool) {
        self.world.incarnation("copier").unwrap()
    }
}

#[test]
fn a_kube_rs_controller_reconciles_on_the_world() {
    exactly(1, || {
        let mut bench = Bench::new(1, start(copier));
        bench.create("a", "7");
        bench.run(5_000);
        assert_eq!(bench.seen("a"), "7");
        assert_eq!(bench.world.now(), 5_000);
    });
}

#[test]
fn a_program_applies_and_takes_what_others_own_only_by_force() {
    exactly(1, || {
        let notes = Notes::default();
        let told = notes.clone();
        let mut bench = Bench::new(
            1,
            start(move |client| {
                let told = told.clone();
                async move {
                    let maps: Api<ConfigMap> = Api::namespaced(client, "default");
                    let wanted = |want: &str| {
                        Patch::Apply(serde_json::json!({
                            "apiVersion": "v1", "kind": "ConfigMap", "data": { "want": want },
                            "metadata": { "name": "a" },
                        }))
                    };
                    let (one, two) = (PatchParams::apply("one"), PatchParams::apply("two"));
                    maps.patch("a", &one, &wanted("1")).await.unwrap();
                    let refused = maps.patch("a", &two, &wanted("2")).await.unwrap_err();
                    let taken = maps.patch("a", &two.force(), &wanted("2")).await.unwrap();
                    let owners: Vec<String> =
                        taken.managed_fields().iter().flat_map(|one| one.manager.clone()).collect();
                    told.lock().unwrap().push(format!("{refused}; {owners:?}"));
                    std::future::pending::<()>().await;
                }
            }),
        );
        bench.run(2_000);
        let notes = notes.lock().unwrap().join("\n");
        assert!(notes.contains("conflict with \"one\": .data.want"), "{notes}");
        assert!(notes.ends_with("[\"two\"]"), "{notes}");
    });
}

fn records(seed: u64) -> Vec<String> {
    exactly(seed, move || {
        let mut bench = Bench::new(seed, start(copier));
        (0..20).for_each(|n| bench.create(&format!("c{n}"), "1"));
        bench.run(10_000);
        let effect = RequestEffect::Refuse { code: 503, reason: "ServiceUnavailable".into() };
        bench.rule(RequestSelector { percent: 30, ..RequestSelector::default() }, effect);
        (20..40).for_each(|n| bench.create(&format!("c{n}"), "1"));
        bench.run(600_000);
        bench.records
    })
}

#[test]
fn the_same_seed_gives_the_same_records_and_another_gives_others() {
    assert_eq!(records(3), records(3));
    assert_ne!(records(3), records(4));
}

#[test]
fn a_program_sees_the_time_of_its_world() {
    let notes = Notes::default();
    let shared = notes.clone();
    exactly(1, move || {
        let program = start(move |_| {
            let notes = shared.clone();
            async move {
                tokio::time::sleep(Duration::from_secs(90)).await;
                #[allow(clippy::disallowed_methods, reason = "it is what is replaced")]
                let now = std::time::SystemTime::now();
                let since = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
                notes.lock().unwrap().push(since.to_string());
                std::future::pending::<()>().await;
            }
        });
        Bench::new(1, program).run(100_000);
    });
    assert_eq!(*notes.lock().unwrap(), ["1767225690"], "2026-01-01T00:01:30Z");
}

#[test]
fn what_outlives_a_crash_finds_its_connection_gone() {
    let notes = Notes::default();
    let shared = notes.clone();
    exactly(1, move || {
        let program = start(move |client: Client| {
            let notes = shared.clone();
            async move {
                // A task of its own is not ended with the root task.
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                    let late = client.apiserver_version().await.unwrap_err().to_string();
                    let api: Api<ConfigMap> = Api::namespaced(client, "default");
                    let made = ConfigMap { metadata: named("late"), ..ConfigMap::default() };
                    let made = api.create(&PostParams::default(), &made).await;
                    notes.lock().unwrap().push(format!("{late}; {}", made.is_err()));
                });
                std::future::pending::<()>().await;
            }
        });
        let mut bench = Bench::new(1, program);
        bench.run(10_000);
        bench.pull(Lever::CrashActor { actor: "copier".into() });
        bench.run(120_000);
        let key = ObjectKey::new("default", "late");
        assert!(bench.world.api().get(&Resource::CONFIG_MAPS, &key).is_none());
        assert_eq!(bench.incarnation(), (1, false));
    });
    let notes = notes.lock().unwrap();
    assert!(notes[0].contains("connection") && notes[0].ends_with("true"), "{notes:?}");
}

fn named(name: &str) -> kube::core::ObjectMeta {
    kube::core::ObjectMeta { name: Some(name.to_owned()), ..Default::default() }
}

#[test]
fn a_crash_at_a_write_ends_the_task_and_a_restart_begins_anew() {
    exactly(1, || {
        let mut bench = Bench::new(1, start(copier));
        let first_write = RequestSelector { writes: true, times: 1, ..RequestSelector::default() };
        bench.rule(first_write, RequestEffect::CrashBefore);
        bench.create("a", "1");
        bench.run(10_000);
        assert_eq!((bench.incarnation(), bench.seen("a")), ((1, false), String::new()));
        bench.run(60_000);
        assert_eq!(bench.incarnation(), (1, false), "nobody starts what a fault ended");
        bench.pull(Lever::StartActor { actor: "copier".into() });
        bench.run(70_000);
        assert_eq!((bench.incarnation(), bench.seen("a")), ((2, true), "1".to_owned()));
    });
}

#[test]
fn a_paused_program_writes_nothing_until_it_goes_on() {
    exactly(1, || {
        let mut bench = Bench::new(1, start(copier));
        bench.run(5_000);
        bench.pull(Lever::PauseActor { actor: "copier".into() });
        bench.create("a", "1");
        bench.run(60_000);
        assert_eq!(bench.seen("a"), "");
        bench.pull(Lever::ResumeActor { actor: "copier".into() });
        bench.run(70_000);
        assert_eq!(bench.seen("a"), "1");
    });
}

#[test]
fn an_expired_watch_is_told_in_its_stream_and_leads_to_a_new_list() {
    exactly(1, || {
        let mut bench = Bench::new(1, start(copier));
        let lists = |bench: &Bench| {
            let listed =
                |record: &&String| record.contains("verb: List") && record.contains("\"copier\"");
            bench.records.iter().filter(listed).count()
        };
        bench.run(5_000);
        assert_eq!(lists(&bench), 1);
        let (actor, resource) = ("copier".into(), None);
        bench.pull(Lever::DropWatches { actor, resource, expired: true });
        bench.create("a", "1");
        bench.run(20_000);
        assert_eq!((lists(&bench), bench.seen("a").as_str()), (2, "1"));
        let (actor, resource) = ("copier".into(), None);
        bench.pull(Lever::DropWatches { actor, resource, expired: false });
        bench.create("b", "1");
        bench.run(40_000);
        assert_eq!((lists(&bench), bench.seen("b").as_str()), (2, "1"), "resumed, not listed");
    });
}

#[test]
fn a_quiet_watch_lives_through_the_compaction_of_history_by_its_bookmarks() {
    exactly(1, || {
        let mut bench = Bench::new(1, start(copier));
        bench.run(3_600_000);
        let listed = bench
            .records
            .iter()
            .filter(|record| record.contains("verb: List") && record.contains("\"copier\""));
        assert_eq!(listed.count(), 1);
        bench.create("a", "1");
        bench.run(3_700_000);
        assert_eq!(bench.seen("a"), "1");
    });
}

#[test]
fn a_lost_response_is_an_error_for_the_program_though_it_was_carried_out() {
    let notes = Notes::default();
    let shared = notes.clone();
    exactly(1, move || {
        let program = start(move |client: Client| {
            let notes = shared.clone();
            async move {
                let api: Api<ConfigMap> = Api::namespaced(client, "default");
                let made = ConfigMap { metadata: named("a"), ..ConfigMap::default() };
                for _ in 0..2 {
                    let answer = api.create(&PostParams::default(), &made).await;
                    notes.lock().unwrap().push(match answer {
                        Err(kube::Error::Api(status)) => status.reason.clone(),
                        Err(_) => "lost".to_owned(),
                        Ok(_) => "made".to_owned(),
                    });
                }
                std::future::pending::<()>().await;
            }
        });
        let mut bench = Bench::new(1, program);
        let first = RequestSelector { times: 1, ..RequestSelector::default() };
        bench.rule(first, RequestEffect::LoseResponse);
        bench.run(5_000);
    });
    assert_eq!(*notes.lock().unwrap(), ["lost", "AlreadyExists"]);
}

#[test]
fn a_request_that_is_throttled_is_sent_again() {
    exactly(1, || {
        let mut bench = Bench::new(1, start(copier));
        let patches =
            RequestSelector { verbs: vec![Verb::MergePatch], times: 3, ..Default::default() };
        let reason = "TooManyRequests".into();
        bench.rule(patches, RequestEffect::Refuse { code: 429, reason });
        bench.create("a", "1");
        bench.run(900);
        assert_eq!(bench.seen("a"), "1", "before the controller's own retry after a second");
    });
}

#[test]
fn a_program_that_ends_is_started_again_later_each_time() {
    exactly(1, || {
        let mut bench = Bench::new(1, start(|_| tokio::time::sleep(Duration::from_secs(1))));
        bench.run(1_500);
        assert_eq!(bench.incarnation(), (2, true), "the first restart comes at once");
        bench.run(11_000);
        assert_eq!(bench.incarnation(), (2, false));
        bench.run(12_500);
        assert_eq!(bench.incarnation(), (3, true), "the second after 10 s");
    });
}

#[test]
fn events_name_actors_that_come_and_go() {
    exactly(1, || {
        let mut bench = Bench::new(1, start(copier));
        bench.run(10);
        let mut came = false;
        bench.pull(Lever::CrashActor { actor: "copier".into() });
        for record in bench.world.take_records() {
            came |= matches!(&record.what, What::Actor { actor, .. } if actor == "copier");
        }
        assert!(came);
    });
}
