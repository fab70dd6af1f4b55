//! A tiny world for one node: a host, its kubelet, and an API that stores pods, the Node and
//! leases.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::actor::{Actor, Effect, Input, Io, WatchEvent};
use kubesim_model::host::ContainerInfo;
use kubesim_model::request::{Answer, Request, Status, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::stream::Stream;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, list, map, object};

use crate::node::{Host, HostFact, HostOut, KubeletConfig, kubelet};
use crate::world::ContainerSelector;

const KUBELET: u32 = 0;
const DELAY: Millis = 2;

pub(super) struct Bench {
    pub(super) now: Millis,
    pub(super) host: Host,
    pub(super) facts: Vec<(Millis, HostFact)>,
    pub(super) requests: Vec<(Millis, Request)>,
    /// Each state of each pod's status that the API stored.
    pub(super) stored: Vec<(Millis, Tree)>,
    pub(super) objects: BTreeMap<(Resource, ObjectKey), Tree>,
    pub(super) inputs: usize,
    /// Whether no message passes between node and API.
    pub(super) partitioned: bool,
    /// How much later than answers watches tell of an object.
    pub(super) watch_lag: Millis,
    actor: Option<Box<dyn Actor>>,
    bug: Option<&'static str>,
    queue: BTreeMap<(Millis, u64), Input>,
    held: Vec<Input>,
    next: u64,
    next_request: u64,
    rng: Stream,
    version: u64,
    watching: BTreeSet<Resource>,
}

impl Bench {
    pub(super) fn new(bug: Option<&'static str>) -> Bench {
        Bench::seeded(1, bug)
    }

    pub(super) fn seeded(seed: u64, bug: Option<&'static str>) -> Bench {
        let mut bench = Bench {
            now: 0,
            host: Host::new("w1", 1, seed),
            facts: Vec::new(),
            requests: Vec::new(),
            stored: Vec::new(),
            objects: BTreeMap::new(),
            inputs: 0,
            partitioned: false,
            watch_lag: 0,
            actor: None,
            bug,
            queue: BTreeMap::new(),
            held: Vec::new(),
            next: 0,
            next_request: 0,
            rng: Stream::new(seed, "kubelet/w1"),
            version: 0,
            watching: BTreeSet::new(),
        };
        bench.start_kubelet();
        bench
    }

    pub(super) fn start_kubelet(&mut self) {
        self.actor = Some(kubelet("w1", KubeletConfig::new("172.18.0.3"), self.bug));
        self.queue.clear();
        self.push(0, Input::Start);
    }

    pub(super) fn stop_kubelet(&mut self) {
        self.actor = None;
        self.watching.clear();
    }

    pub(super) fn freeze(&mut self) {
        self.host.freeze(self.now);
    }

    pub(super) fn thaw(&mut self) {
        self.host.thaw(self.now);
        for input in std::mem::take(&mut self.held) {
            self.push(0, input);
        }
    }

    pub(super) fn power_off(&mut self) {
        self.stop_kubelet();
        let mut out = HostOut::default();
        self.host.power_off(self.now, &mut out);
        self.take(out);
    }

    pub(super) fn power_on(&mut self) {
        let mut out = HostOut::default();
        self.host.power_on(self.now, &mut out);
        self.take(out);
        self.start_kubelet();
    }

    pub(super) fn on_host(&mut self, act: impl FnOnce(&mut Host, Millis, &mut HostOut)) {
        let mut out = HostOut::default();
        act(&mut self.host, self.now, &mut out);
        self.take(out);
    }

    fn push(&mut self, after: Millis, input: Input) {
        self.queue.insert((self.now + after, self.next), input);
        self.next += 1;
    }

    /// Runs for `time`.
    pub(super) fn run(&mut self, time: Millis) {
        let end = self.now + time;
        loop {
            let queued = self.queue.keys().next().map(|(at, _)| *at);
            let Some(at) = [queued, self.host.next()].into_iter().flatten().min() else { break };
            let at = at.max(self.now);
            if at > end {
                break;
            }
            self.now = at;
            let mut out = HostOut::default();
            self.host.advance(at, &mut out);
            self.take(out);
            if queued.is_some_and(|queued| queued <= at) {
                let (_, input) = self.queue.pop_first().expect("just seen");
                self.deliver(input);
            }
        }
        self.now = end;
    }

    fn take(&mut self, out: HostOut) {
        let now = self.now;
        self.facts.extend(out.facts.into_iter().map(|fact| (now, fact)));
        for (who, event) in out.events {
            if who.is_none_or(|who| who == KUBELET) {
                self.push(0, Input::Host(event));
            }
        }
    }

    fn deliver(&mut self, input: Input) {
        if self.host.is_frozen() {
            self.held.push(input);
            return;
        }
        let Some(mut actor) = self.actor.take() else { return };
        self.inputs += 1;
        let mut effects = Vec::new();
        let mut rng = self.rng.clone();
        actor.on(input, &mut Io::new(self.now, &mut rng, &mut self.next_request, &mut effects));
        self.rng = rng;
        self.actor = Some(actor);
        for effect in effects {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Request { id, request } => {
                let answer = match self.partitioned {
                    true => Err(Status::connection_lost()),
                    false => self.handle(*request),
                };
                self.push(DELAY, Input::Answer { id, answer });
            }
            Effect::Timer { token, at } => self.push(at - self.now, Input::Timer(token)),
            Effect::Watch(spec) => {
                self.watching.insert(spec.resource.clone());
                self.list(&spec.resource);
            }
            Effect::Host(command) => {
                let mut out = HostOut::default();
                self.host.command(self.now, KUBELET, command, &mut out);
                self.take(out);
            }
            Effect::Event { .. } => {}
        }
    }

    /// Delivers the whole content, as after a re-list.
    pub(super) fn list(&mut self, resource: &Resource) {
        let stored = self.objects.iter().filter(|((have, _), _)| have == resource);
        let items = stored.map(|(_, object)| object.clone()).collect();
        self.push(DELAY, Input::Watch(WatchEvent::Listed { resource: resource.clone(), items }));
    }

    fn handle(&mut self, request: Request) -> Answer {
        self.requests.push((self.now, request.clone()));
        let at = (request.resource.clone(), request.key.clone());
        match (request.verb, self.objects.get(&at).cloned()) {
            (Verb::Create, None) => Ok(self.put(request.resource, request.body)),
            (Verb::Create, Some(_)) => Err(Status::new(409, "AlreadyExists", "exists")),
            (_, None) => Err(Status::new(404, "NotFound", "not found")),
            (Verb::Delete, Some(object)) => {
                if request.body["preconditions"]["uid"] != object["metadata"]["uid"] {
                    return Err(Status::new(409, "Conflict", "uid"));
                }
                self.remove(&at.0, &at.1);
                Ok(object)
            }
            (_, Some(object)) => {
                let new = merged(&object, &request.body);
                Ok(if new == object { object } else { self.put(request.resource, new) })
            }
        }
    }

    /// Stores an object and tells the watches.
    pub(super) fn put(&mut self, resource: Resource, mut object: Tree) -> Tree {
        self.version += 1;
        object.set(&["metadata", "resourceVersion"], self.version.to_string());
        if resource == Resource::PODS {
            self.stored.push((self.now, object.clone()));
        }
        self.objects.insert((resource.clone(), object::key(&object)), object.clone());
        if self.watching.contains(&resource) && !self.partitioned {
            let object = object.clone();
            let event = WatchEvent::Applied { resource, object };
            self.push(DELAY + self.watch_lag, Input::Watch(event));
        }
        object
    }

    /// Removes an object at once.
    pub(super) fn remove(&mut self, resource: &Resource, key: &ObjectKey) {
        let Some(object) = self.objects.remove(&(resource.clone(), key.clone())) else { return };
        if self.watching.contains(resource) && !self.partitioned {
            let resource = resource.clone();
            self.push(DELAY, Input::Watch(WatchEvent::Deleted { resource, object }));
        }
    }

    pub(super) fn pod(&self, name: &str) -> Tree {
        let key = (Resource::PODS, ObjectKey::new("default", name));
        self.objects.get(&key).cloned().unwrap_or_default()
    }

    /// Changes a pod's object.
    pub(super) fn edit(&mut self, name: &str, change: impl FnOnce(&mut Tree)) {
        let mut pod = self.pod(name);
        change(&mut pod);
        self.put(Resource::PODS, pod);
    }

    /// Makes a pod with this spec, bound to the node.
    pub(super) fn create(&mut self, name: &str, mut spec: Tree) {
        spec.set(&["nodeName"], "w1");
        let metadata = map! {
            "name" => name, "namespace" => "default", "uid" => format!("uid-{name}"),
            "generation" => 1,
        };
        let status = map! { "phase" => "Pending" };
        let pod =
            map! { "kind" => "Pod", "metadata" => metadata, "spec" => spec, "status" => status };
        self.put(Resource::PODS, pod);
    }

    /// Asks for a graceful deletion, as the API server notes it.
    pub(super) fn delete(&mut self, name: &str, grace: i64) {
        let now = self.now;
        self.edit(name, |pod| {
            let generation = object::generation(pod) + 1;
            pod.set(&["metadata", "generation"], generation);
            pod.set(&["metadata", "deletionTimestamp"], object::timestamp(now));
            pod.set(&["metadata", "deletionGracePeriodSeconds"], grace);
        });
    }

    pub(super) fn running(&self) -> Vec<ContainerInfo> {
        self.host.containers().filter(|info| info.exited.is_none()).cloned().collect()
    }

    /// When the process of a container started, each time.
    pub(super) fn starts(&self, name: &str) -> Vec<Millis> {
        let starts = self.facts.iter().filter_map(|(at, fact)| match fact {
            HostFact::ContainerStarted(info) if info.name == name => Some(*at),
            _ => None,
        });
        starts.collect()
    }

    /// The ends of a container: when, and exit code.
    pub(super) fn exits(&self, name: &str) -> Vec<(Millis, i32)> {
        let exits = self.facts.iter().filter_map(|(at, fact)| match fact {
            HostFact::ContainerExited(info) if info.name == name => {
                info.exited.as_ref().map(|(_, code, _)| (*at, *code))
            }
            _ => None,
        });
        exits.collect()
    }

    /// Whether a pod's stored state meets `holds`, and since when first.
    pub(super) fn first(&self, name: &str, holds: impl Fn(&Tree) -> bool) -> Option<Millis> {
        let mut states = self.stored.iter().filter(|(_, pod)| object::name(pod) == name);
        states.find(|(_, pod)| holds(pod)).map(|(at, _)| *at)
    }
}

/// A strategic merge as far as pods and nodes need it: conditions by type, other lists replaced.
fn merged(have: &Tree, patch: &Tree) -> Tree {
    let mut new = have.clone();
    for (field, value) in patch.fields() {
        let field = field.as_str();
        if field == "conditions" {
            for condition in value.items() {
                let items = new.field_mut(field).items_mut();
                match items.iter().position(|one| one["type"] == condition["type"]) {
                    Some(at) => items[at] = condition.clone(),
                    None => items.push(condition.clone()),
                }
            }
        } else if value.as_map().is_some() && have[field].as_map().is_some() {
            new.set(&[field], merged(&have[field], value));
        } else {
            let items = value.items().iter();
            let kept: Vec<Tree> = items.filter(|item| item["$patch"].is_null()).cloned().collect();
            let value = if value.items().is_empty() { value.clone() } else { kept.into() };
            new.set(&[field], value);
        }
    }
    new
}

/// A spec with one container `app`.
pub(super) fn one(container: Tree) -> Tree {
    let mut container = container;
    container.set(&["name"], "app");
    if container["image"].is_null() {
        container.set(&["image"], "nginx:1");
    }
    map! { "containers" => list![container] }
}

pub(super) fn container_status(pod: &Tree, name: &str) -> Tree {
    let lists = [&pod["status"]["initContainerStatuses"], &pod["status"]["containerStatuses"]];
    let mut all = lists.into_iter().flat_map(Tree::items);
    all.find(|status| status["name"] == name).cloned().unwrap_or_default()
}

pub(super) fn app() -> ContainerSelector {
    ContainerSelector { container: Text::new_static("app"), ..ContainerSelector::default() }
}
