//! A tiny cluster for the tests of this crate: a store, delayed watches, and nodes that run pods.
//! It knows only what the controllers here use.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::actor::{Actor, Effect, Input, Io, WatchEvent};
use kubesim_model::host::{HostCommand, HostEvent};
use kubesim_model::request::{Answer, Request, Status, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::stream::Stream;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, list, map, object};

use crate::ticket::{ACKNOWLEDGED_ANNOTATION, REQUEST_ANNOTATION};

type Selects = fn(&Request) -> bool;
type Id = (Resource, ObjectKey);

enum Event {
    Input(u32, Input),
    Kubelet(ObjectKey),
}

/// The cluster with one controller.
pub(crate) struct World {
    pub(crate) now: Millis,
    pub(crate) store: BTreeMap<Id, Tree>,
    /// Every write that was asked for, with its answer.
    pub(crate) log: Vec<(Millis, Request, Answer)>,
    pub(crate) watch_delay: Millis,
    /// How long a kubelet takes to see and do anything.
    pub(crate) kubelet_delay: Millis,
    /// Nodes whose kubelets do nothing.
    pub(crate) dead: BTreeSet<&'static str>,
    /// Answers the next request that this selects with an error of this code; after carrying it
    /// out if the code is 0.
    pub(crate) fail: Option<(Selects, u16)>,
    /// The fewest ready and the most active pods after any write since they were set.
    pub(crate) least_ready: usize,
    pub(crate) most_active: usize,
    /// What the actor asked of its host.
    pub(crate) commands: Vec<HostCommand>,
    actor: Box<dyn Actor>,
    incarnation: u32,
    watched: BTreeSet<Resource>,
    queue: BTreeMap<(Millis, u64), Event>,
    sequence: u64,
    version: u64,
    next_request: u64,
    rng: Stream,
}

impl World {
    pub(crate) fn new(actor: Box<dyn Actor>) -> World {
        let mut world = World {
            now: 0,
            store: BTreeMap::new(),
            log: Vec::new(),
            watch_delay: 5,
            kubelet_delay: 200,
            dead: BTreeSet::new(),
            fail: None,
            least_ready: usize::MAX,
            most_active: 0,
            commands: Vec::new(),
            actor,
            incarnation: 0,
            watched: BTreeSet::new(),
            queue: BTreeMap::new(),
            sequence: 0,
            version: 0,
            next_request: 0,
            rng: Stream::new(7, "test"),
        };
        world.push(0, Event::Input(0, Input::Start));
        world
    }

    /// Starts a new incarnation; what was on the way to the old one is lost.
    pub(crate) fn restart(&mut self, actor: Box<dyn Actor>) {
        self.actor = actor;
        self.incarnation += 1;
        self.watched.clear();
        self.push(self.now, Event::Input(self.incarnation, Input::Start));
    }

    /// Runs for so many milliseconds.
    pub(crate) fn run(&mut self, span: Millis) {
        let until = self.now + span;
        while let Some((&(at, _), _)) = self.queue.first_key_value() {
            if at > until {
                break;
            }
            self.now = at;
            let (_, event) = self.queue.pop_first().expect("there is a first");
            match event {
                Event::Input(incarnation, input) if incarnation == self.incarnation => {
                    self.step(input);
                }
                Event::Input(..) => {}
                Event::Kubelet(key) => self.kubelet(&key),
            }
        }
        self.now = until;
    }

    pub(crate) fn pods(&self) -> Vec<&Tree> {
        let all = self.store.iter();
        all.filter(|((resource, _), _)| *resource == Resource::PODS).map(|(_, pod)| pod).collect()
    }

    pub(crate) fn active(&self) -> Vec<&Tree> {
        self.pods().into_iter().filter(|pod| object::is_active(pod)).collect()
    }

    pub(crate) fn get(&self, resource: Resource, name: &str) -> &Tree {
        &self.store[&(resource, ObjectKey::new("default", name))]
    }

    /// Carries out a request as a user.
    pub(crate) fn user(&mut self, request: Request) -> Tree {
        self.handle(&request).expect("a user's request succeeds")
    }

    pub(crate) fn merge(&mut self, resource: Resource, name: &str, patch: Tree) {
        self.user(Request::merge_patch(resource, ObjectKey::new("default", name), patch));
    }

    pub(crate) fn host(&mut self, event: HostEvent) {
        self.push(self.now, Event::Input(self.incarnation, Input::Host(event)));
    }

    fn push(&mut self, at: Millis, event: Event) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), event);
    }

    fn step(&mut self, input: Input) {
        let mut effects = Vec::new();
        let mut io = Io::new(self.now, &mut self.rng, &mut self.next_request, &mut effects);
        self.actor.on(input, &mut io);
        for effect in effects {
            match effect {
                Effect::Request { id, request } => {
                    let answer = self.request(*request);
                    self.push(
                        self.now + 2,
                        Event::Input(self.incarnation, Input::Answer { id, answer }),
                    );
                }
                Effect::Timer { token, at } => {
                    self.push(at, Event::Input(self.incarnation, Input::Timer(token)));
                }
                Effect::Watch(spec) => {
                    let items = self.list(&spec.resource);
                    self.watched.insert(spec.resource.clone());
                    let listed = WatchEvent::Listed { resource: spec.resource, items };
                    self.push(self.now + 1, Event::Input(self.incarnation, Input::Watch(listed)));
                }
                Effect::Host(command) => self.commands.push(command),
                Effect::Event { .. } => {}
            }
        }
    }

    fn list(&self, resource: &Resource) -> Vec<Tree> {
        let all = self.store.iter();
        all.filter(|((have, _), _)| have == resource).map(|(_, item)| item.clone()).collect()
    }

    fn request(&mut self, request: Request) -> Answer {
        let failure = self.fail.filter(|(selects, _)| selects(&request)).map(|(_, code)| code);
        let answer = match failure {
            Some(0) => self.handle(&request).and(Err(Status::connection_lost())),
            Some(409) => Err(Status::new(409, "Conflict", "planted")),
            Some(code) => Err(Status::new(code, "Planted", "planted")),
            None => self.handle(&request),
        };
        if failure.is_some() {
            self.fail = None;
        }
        if request.verb.is_write() {
            self.log.push((self.now, request, answer.clone()));
        }
        answer
    }

    fn handle(&mut self, request: &Request) -> Answer {
        let id = (request.resource.clone(), request.key.clone());
        let missing = || Status::new(404, "NotFound", format!("{}", request.key));
        match request.verb {
            Verb::List => Ok(map! { "items" => self.list(&request.resource) }),
            Verb::Create if self.store.contains_key(&id) => {
                Err(Status::new(409, "AlreadyExists", "exists"))
            }
            Verb::Create => Ok(self.create(id, request.body.clone())),
            _ => {
                let old = self.store.get(&id).cloned().ok_or_else(missing)?;
                match request.verb {
                    Verb::Get => Ok(old),
                    Verb::Delete => self.delete(id, old, request),
                    Verb::MergePatch | Verb::StrategicPatch => self.patch(id, old, request),
                    _ => Err(Status::new(405, "MethodNotAllowed", "not in this test")),
                }
            }
        }
    }

    fn create(&mut self, id: Id, mut body: Tree) -> Tree {
        self.version += 1;
        body.set(&["metadata", "uid"], format!("uid-{}", self.version));
        body.set(&["metadata", "generation"], 1);
        body.set(&["metadata", "creationTimestamp"], object::timestamp(self.now));
        if id.0 == Resource::PODS && body["spec"]["nodeName"].is_null() {
            body.set(&["spec", "nodeName"], format!("n{}", self.pods().len() % 3));
        }
        self.write(id, body)
    }

    fn delete(&mut self, id: Id, mut old: Tree, request: &Request) -> Answer {
        let uid = &request.body["preconditions"]["uid"];
        if !uid.is_null() && uid != &old["metadata"]["uid"] {
            return Err(Status::new(409, "Conflict", "uid"));
        }
        if id.0 == Resource::PODS && request.body["gracePeriodSeconds"].as_i64() != Some(0) {
            old.set(&["metadata", "deletionTimestamp"], object::timestamp(self.now));
            return Ok(self.write(id, old));
        }
        self.remove(&id);
        Ok(map! { "kind" => "Status", "status" => "Success" })
    }

    fn patch(&mut self, id: Id, old: Tree, request: &Request) -> Answer {
        let version = &request.body["metadata"]["resourceVersion"];
        if !version.is_null() && version != &old["metadata"]["resourceVersion"] {
            return Err(Status::new(409, "Conflict", "resourceVersion"));
        }
        let mut new = old.clone();
        apply(&mut new, &request.body, request.verb == Verb::StrategicPatch);
        if new["spec"] != old["spec"] {
            new.set(&["metadata", "generation"], object::generation(&old) + 1);
        }
        if new == old { Ok(old) } else { Ok(self.write(id, new)) }
    }

    fn write(&mut self, id: Id, mut new: Tree) -> Tree {
        self.version += 1;
        new.set(&["metadata", "resourceVersion"], format!("{}", self.version));
        self.store.insert(id.clone(), new.clone());
        let event = WatchEvent::Applied { resource: id.0.clone(), object: new.clone() };
        self.deliver(&id.0, event);
        if id.0 == Resource::PODS {
            self.push(self.now + self.kubelet_delay, Event::Kubelet(id.1));
        }
        self.measure();
        new
    }

    /// Takes an object out of the store at once.
    pub(crate) fn remove(&mut self, id: &Id) {
        if let Some(mut old) = self.store.remove(id) {
            self.version += 1;
            old.set(&["metadata", "resourceVersion"], format!("{}", self.version));
            self.deliver(&id.0, WatchEvent::Deleted { resource: id.0.clone(), object: old });
            self.measure();
        }
    }

    /// Starts to watch over the numbers of ready and active pods.
    pub(crate) fn measure_anew(&mut self) {
        (self.least_ready, self.most_active) = (usize::MAX, 0);
        self.measure();
    }

    fn measure(&mut self) {
        let active = self.active();
        let ready = active.iter().filter(|pod| object::is_ready(pod)).count();
        let active = active.len();
        self.least_ready = self.least_ready.min(ready);
        self.most_active = self.most_active.max(active);
    }

    fn deliver(&mut self, resource: &Resource, event: WatchEvent) {
        if self.watched.contains(resource) {
            let input = Event::Input(self.incarnation, Input::Watch(event));
            self.push(self.now + self.watch_delay, input);
        }
    }

    /// Brings the containers to the images of the spec (`bad` ones never run) and tells so.
    fn kubelet(&mut self, key: &ObjectKey) {
        let id = (Resource::PODS, key.clone());
        let Some(pod) = self.store.get(&id).cloned() else { return };
        if self.dead.contains(pod["spec"]["nodeName"].str()) || object::is_terminal(&pod) {
            return;
        }
        if object::is_terminating(&pod) {
            return self.remove(&id);
        }
        let mut new = pod.clone();
        obey(&mut new);
        new.set(&["status", "phase"], "Running");
        new.set(&["status", "observedGeneration"], object::generation(&pod));
        let statuses = &pod["status"]["containerStatuses"];
        let containers = new["spec"]["containers"].items().iter();
        let statuses: Vec<Tree> = containers.map(|spec| container_status(spec, statuses)).collect();
        let running = statuses.iter().all(|status| !status["state"]["running"].is_null());
        new.set(&["status", "containerStatuses"], statuses);
        let gates = pod["spec"]["readinessGates"].items().iter();
        let open = gates.map(|gate| gate["conditionType"].str());
        let ready = running && open.into_iter().all(|gate| object::has_condition(&pod, gate));
        let status = if ready { "True" } else { "False" };
        let condition = map! { "type" => "Ready", "status" => status };
        object::set_condition(new.at_mut(&["status"]), condition, self.now);
        if new != pod {
            self.write(id, new);
        }
    }
}

/// What the ticket agent would do about the request on a pod.
fn obey(pod: &mut Tree) {
    let text = object::annotation(pod, REQUEST_ANNOTATION);
    let Ok(request) = serde_json::from_str::<Tree>(text) else { return };
    if request["op"] == "change" {
        let containers = pod.at_mut(&["spec", "containers"]).items_mut();
        containers[0].set(&["image"], &request["image"]);
    }
    pod.set(&["metadata", "annotations", ACKNOWLEDGED_ANNOTATION], &request["id"]);
}

fn container_status(spec: &Tree, statuses: &Tree) -> Tree {
    let old = statuses.items().iter().find(|status| status["name"] == spec["name"]);
    if let Some(old) = old.filter(|old| old["image"] == spec["image"]) {
        return old.clone();
    }
    let running = !spec["image"].str().contains("bad");
    let state = if running { "running" } else { "waiting" };
    map! {
        "name" => &spec["name"], "image" => &spec["image"],
        "imageID" => running.then(|| format!("sha256:{}", spec["image"].str())),
        "restartCount" => old.map_or(0, |old| old["restartCount"].as_i64().unwrap_or(0) + 1),
        "state" => map! { state => map! { "x" => 1 } },
    }
}

/// A merge patch; the strategic one merges containers by name and conditions by type.
fn apply(to: &mut Tree, patch: &Tree, strategic: bool) {
    for (key, value) in patch.fields() {
        let merge_key = match key.as_str() {
            "containers" => "name",
            "conditions" => "type",
            _ => "",
        };
        if value.is_null() {
            to.remove(&[key]);
        } else if value.as_map().is_some() {
            apply(to.field_mut(key), value, strategic);
        } else if strategic && !merge_key.is_empty() {
            let list = to.field_mut(key).items_mut();
            for item in value.items() {
                match list.iter_mut().find(|have| have[merge_key] == item[merge_key]) {
                    Some(have) => apply(have, item, strategic),
                    None => list.push(item.clone()),
                }
            }
        } else {
            to.set(&[key], value);
        }
    }
}

/// A pod template with the containers `app` of this image and `cache`.
pub(crate) fn template(image: &str) -> Tree {
    map! {
        "metadata" => map! { "labels" => map! { "app" => "web" } },
        "spec" => map! { "containers" => list![
            map! { "name" => "app", "image" => image },
            map! { "name" => "cache", "image" => "redis:7" },
        ] },
    }
}

/// The image of a pod's container `app`.
pub(crate) fn image(pod: &Tree) -> Text {
    pod["spec"]["containers"][0]["image"].text()
}
