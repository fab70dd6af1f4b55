//! Facts about watches and the world's thread, without sockets.

use std::sync::Arc;

use kubesim::world::{Staff, World, WorldConfig};
use kubesim_http::{Form, View, Watching};
use kubesim_model::actor::WatchSpec;
use kubesim_model::map;
use kubesim_model::request::Request;
use kubesim_model::resource::{ObjectKey, Resource};
use tokio::sync::mpsc::Receiver;

use crate::clock::Clock;
use crate::watchers::{News, Told, Watchers};

const MAPS: Resource = Resource::CONFIG_MAPS;

struct Cluster {
    world: World,
    watchers: Watchers,
}

impl Cluster {
    fn new() -> Cluster {
        let nobody = Staff::only(Vec::<&str>::new());
        let mut world = World::starting_at(WorldConfig::new(1, 0), 0, &nobody);
        world.add_client("me", "me", "");
        let watchers = Watchers::following(world.api().version());
        Cluster { world, watchers }
    }

    fn watch(&mut self, from: u64) -> Receiver<News> {
        let spec = WatchSpec::all(MAPS);
        let timeout_seconds = None;
        let watching =
            Watching { spec, from, bookmarks: true, initial_events: false, timeout_seconds };
        let view = View::of(self.world.api(), &MAPS, "v1", Form::Whole, 0);
        self.watchers.open(&mut self.world, "me".into(), &watching, view).unwrap().1
    }

    fn make(&mut self, name: &str) {
        let metadata = map! { "name" => name, "namespace" => "default" };
        let request = Request::create(MAPS, map! { "metadata" => metadata });
        self.world.ask("me", request).unwrap().0.unwrap();
        self.watchers.follow(&mut self.world);
    }
}

fn next(events: &mut Receiver<News>) -> String {
    match events.try_recv() {
        Ok(News::Told(Told::Initial(items, _))) => format!("{} objects", items.len()),
        Ok(News::Told(Told::Missed(lines))) => format!("missed {}", lines.len()),
        Ok(News::Told(Told::Change(line))) => {
            String::from_utf8_lossy(&line.bytes(false)).into_owned()
        }
        Ok(News::Told(Told::UpTo(_))) => "up to here".to_owned(),
        Ok(News::Told(Told::Failed(status))) => status.code.to_string(),
        Ok(News::Stored(_)) => "as it is stored".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn who_does_not_listen_loses_his_watch_and_hinders_nobody() {
    let mut cluster = Cluster::new();
    let (mut deaf, mut good) = (cluster.watch(0), cluster.watch(0));
    assert_eq!(next(&mut good), "0 objects");
    for number in 0..1_100 {
        cluster.make(&format!("map-{number}"));
        assert!(next(&mut good).contains("ADDED"));
    }
    let mut told = 0;
    while deaf.try_recv().is_ok() {
        told += 1;
    }
    assert_eq!(told, 1_000);
    assert!(deaf.is_closed() && !good.is_closed());
}

#[test]
fn those_who_see_the_same_share_its_line() {
    let mut cluster = Cluster::new();
    let (mut one, mut other) = (cluster.watch(0), cluster.watch(0));
    cluster.make("a");
    let line = |events: &mut Receiver<News>| {
        let _ = events.try_recv();
        match events.try_recv() {
            Ok(News::Told(Told::Change(line))) => line,
            _ => panic!("a change was made"),
        }
    };
    assert!(Arc::ptr_eq(&line(&mut one), &line(&mut other)));
}

#[test]
fn a_watch_goes_on_from_its_version() {
    let mut cluster = Cluster::new();
    let before = cluster.world.api().version();
    cluster.make("a");
    cluster.make("b");
    assert_eq!(next(&mut cluster.watch(before)), "missed 2");
    // What has not been yet is waited for.
    let mut early = cluster.watch(before + 3);
    cluster.make("c");
    assert!(early.try_recv().is_err());
    cluster.make("d");
    assert!(next(&mut early).contains("\"d\""));
    let mut late = cluster.watch(before);
    let deleted = Request::delete(MAPS, ObjectKey::new("default", "a"));
    cluster.world.ask("me", deleted).unwrap().0.unwrap();
    cluster.watchers.follow(&mut cluster.world);
    assert_eq!(next(&mut late), "missed 4");
    assert!(next(&mut late).contains("DELETED"));
}

#[test]
fn time_goes_as_fast_as_it_is_told() {
    let (slow, fast) = (Clock::starting_at(1_000, 0.001), Clock::starting_at(1_000, 10_000.0));
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert!(slow.now() <= 1_001 && fast.now() >= 51_000);
    assert!(slow.until(2_000) > std::time::Duration::from_secs(900));
    assert!(fast.until(2_000).is_zero());
}
