//! What actors tell of objects, kept as Event objects, as `kubectl describe` and `kubectl events`
//! show them: what is told again is counted, and forgotten after an hour (client-go v0.36,
//! `tools/record`; kube-apiserver v1.36, `--event-ttl`).

use std::collections::BTreeMap;

use kubesim::world::{Record, What, World};
use kubesim_model::request::Request;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, map, object};

/// Who writes Events in the names of others.
const RECORDER: &str = "event-recorder";
/// How long an Event is kept, and how often old ones are looked for.
const KEPT: Millis = 3_600_000;
const SWEEP: Millis = 60_000;
/// How many different ones are counted.
const COUNTED: usize = 4_096;

/// What is counted: object, reason and message.
type Told = (Text, Text, Text);

/// The Events that were told.
#[derive(Default)]
pub(crate) struct Notes {
    counted: BTreeMap<Told, (ObjectKey, i64)>,
    next_sweep: Millis,
}

impl Notes {
    /// Takes part in a world.
    pub(crate) fn of(world: &mut World) -> Notes {
        world.add_client(RECORDER, "system:apiserver", "event-recorder");
        Notes::default()
    }

    /// Keeps what was told, and forgets what is old.
    pub(crate) fn keep(&mut self, world: &mut World, records: &[Record]) {
        for record in records {
            if let What::Event { actor, about, reason, message } = &record.what {
                self.note(world, actor, (about.clone(), reason.clone(), message.clone()));
            }
        }
        if world.now() >= self.next_sweep {
            self.next_sweep = world.now() + SWEEP;
            sweep(world);
        }
    }

    fn note(&mut self, world: &mut World, actor: &Text, told: Told) {
        let now = object::timestamp(world.now());
        if let Some((key, count)) = self.counted.get_mut(&told) {
            *count += 1;
            let patch = map! { "count" => *count, "lastTimestamp" => &now };
            let patch = Request::merge_patch(Resource::EVENTS, key.clone(), patch);
            if world.ask(RECORDER, patch).is_some_and(|(answer, _)| answer.is_ok()) {
                return;
            }
        }
        let Some(event) = event(world, actor, &told, &now) else { return };
        let key = object::key(&event);
        // A namespace that ends takes no more of them.
        if world
            .ask(RECORDER, Request::create(Resource::EVENTS, event))
            .is_some_and(|(a, _)| a.is_ok())
        {
            if self.counted.len() >= COUNTED {
                self.counted.clear();
            }
            self.counted.insert(told, (key, 1));
        }
    }
}

/// The Event about an object that is there.
fn event(world: &World, actor: &Text, (about, reason, message): &Told, now: &Text) -> Option<Tree> {
    let (resource, key) = about.split_once(' ')?;
    let (namespace, name) = key.split_once('/').unwrap_or(("", key));
    let resource = Resource::new(resource);
    let kind = world.api().resources().find(|kind| kind.resource == resource)?;
    let found = world.api().get(&resource, &ObjectKey::new(namespace, name));
    // Those of nodes are known by their names alone.
    let uid = found.map_or(Tree::Null, |found| found["metadata"]["uid"].clone());
    let mut involved = map! {
        "kind" => kind.kind.clone(), "apiVersion" => kind.api_version(), "name" => name,
        "uid" => uid,
    };
    if !namespace.is_empty() {
        involved.set(&["namespace"], namespace);
    }
    let (component, host) = match actor.split_once('/') {
        Some((component, host)) => (component, host),
        None if actor == "scheduler" => ("default-scheduler", ""),
        None => (actor.as_str(), ""),
    };
    let mut source = map! { "component" => component };
    if !host.is_empty() {
        source.set(&["host"], host);
    }
    let namespace = if namespace.is_empty() { "default" } else { namespace };
    let number = world.api().version() + 1;
    Some(map! {
        "apiVersion" => "v1", "kind" => "Event",
        "metadata" => map! {
            "name" => format!("{name}.{:x}", world.now() * 1_000_000 + number),
            "namespace" => namespace,
        },
        "involvedObject" => involved, "reason" => reason, "message" => message,
        "type" => if is_warning(reason) { "Warning" } else { "Normal" },
        "source" => source, "firstTimestamp" => now, "lastTimestamp" => now, "count" => 1,
        "reportingComponent" => component, "reportingInstance" => host,
    })
}

fn is_warning(reason: &str) -> bool {
    reason.starts_with("Failed")
        || matches!(reason, "BackOff" | "Unhealthy" | "NodeNotReady" | "Evicted" | "Preempted")
}

/// Takes away what is older than it may be.
fn sweep(world: &mut World) {
    let spec = kubesim_model::actor::WatchSpec::all(Resource::EVENTS);
    let Ok((events, _)) = world.api().list(&spec) else { return };
    let oldest = world.now().saturating_sub(KEPT);
    let is_old = |event: &&Tree| {
        let told = [&event["lastTimestamp"], &event["eventTime"]];
        let made = &event["metadata"]["creationTimestamp"];
        let times =
            told.into_iter().chain([made]).filter_map(|time| object::parse_time(time.str()));
        times.max().is_some_and(|told| told < oldest)
    };
    let old: Vec<ObjectKey> = events.iter().filter(is_old).map(object::key).collect();
    for key in old {
        world.ask(RECORDER, Request::delete(Resource::EVENTS, key));
    }
}
