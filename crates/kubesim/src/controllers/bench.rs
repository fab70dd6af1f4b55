//! For tests: a small API with the actors on it, delayed watches and a crude kubelet.
//!
//! It knows what the workload controllers need and no more: optimistic concurrency, generation,
//! generated names, owner references, graceful deletion of pods.

use std::collections::BTreeMap;

use kubesim_model::actor::{Actor, Effect, Input, Io, WatchEvent, WatchSpec};
use kubesim_model::object;
use kubesim_model::request::{Answer, Request, Status, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::stream::Stream;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, list, map};

enum Due {
    Input(usize, Input),
    Request(usize, u64, Box<Request>),
    Ready(ObjectKey),
    Gone(ObjectKey),
}

struct Member {
    actor: Box<dyn Actor>,
    watches: Vec<WatchSpec>,
    rng: Stream,
    next_request: u64,
}

pub(super) struct Bench {
    pub now: Millis,
    /// From a change to its delivery.
    pub watch_delay: Millis,
    /// From a pod's creation to its readiness; `None` for never.
    pub start: Option<Millis>,
    /// From a pod's deletion to its end; `None` for never.
    pub stop: Option<Millis>,
    /// Answers of requests that are to fail.
    pub fail: fn(&Request, usize) -> Option<Status>,
    /// Every write: when, what, and how it was answered.
    pub log: Vec<(Millis, Request, Answer)>,
    objects: BTreeMap<(Resource, ObjectKey), Tree>,
    members: Vec<Member>,
    queue: BTreeMap<(Millis, u64), Due>,
    order: u64,
    version: u64,
    uids: u64,
}

impl Bench {
    pub(super) fn new(actors: Vec<Box<dyn Actor>>) -> Self {
        let mut bench = Bench {
            now: 0,
            watch_delay: 5,
            start: Some(2_000),
            stop: Some(1_000),
            fail: |_, _| None,
            log: Vec::new(),
            objects: BTreeMap::new(),
            members: Vec::new(),
            queue: BTreeMap::new(),
            order: 0,
            version: 100,
            uids: 0,
        };
        for (index, actor) in actors.into_iter().enumerate() {
            let rng = Stream::new(1, &index.to_string());
            bench.members.push(Member { actor, watches: Vec::new(), rng, next_request: 0 });
            bench.push(0, Due::Input(index, Input::Start));
        }
        bench
    }

    fn push(&mut self, after: Millis, due: Due) {
        self.order += 1;
        self.queue.insert((self.now + after, self.order), due);
    }

    /// Lets this much time pass.
    pub(super) fn run(&mut self, time: Millis) {
        let end = self.now + time;
        let mut steps = 0;
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((at, _), due) = entry.remove_entry();
            self.now = at;
            self.step(due);
            steps += 1;
            assert!(steps < 200_000, "the controllers run hot at {at} ms");
        }
        self.now = end;
    }

    fn step(&mut self, due: Due) {
        match due {
            Due::Input(index, input) => self.give(index, input),
            Due::Request(index, id, request) => {
                let answer = self.request(&request);
                self.push(1, Due::Input(index, Input::Answer { id, answer }));
            }
            Due::Ready(key) => self.make_ready(&key),
            Due::Gone(key) => self.remove(&Resource::PODS, &key),
        }
    }

    fn give(&mut self, index: usize, input: Input) {
        let mut effects = Vec::new();
        let member = &mut self.members[index];
        let mut io = Io::new(self.now, &mut member.rng, &mut member.next_request, &mut effects);
        member.actor.on(input, &mut io);
        for effect in effects {
            match effect {
                Effect::Request { id, request } => self.push(1, Due::Request(index, id, request)),
                Effect::Timer { token, at } => {
                    self.push(at - self.now, Due::Input(index, Input::Timer(token)));
                }
                Effect::Watch(spec) => {
                    let resource = spec.resource.clone();
                    let items = self.all(&resource);
                    self.members[index].watches.push(spec);
                    let listed = WatchEvent::Listed { resource, items };
                    self.push(1, Due::Input(index, Input::Watch(listed)));
                }
                Effect::Host(_) | Effect::Event { .. } => {}
            }
        }
    }

    pub(super) fn all(&self, resource: &Resource) -> Vec<Tree> {
        let of = |(key, _): &(&(Resource, ObjectKey), &Tree)| key.0 == *resource;
        self.objects.iter().filter(of).map(|(_, object)| object.clone()).collect()
    }

    pub(super) fn pods(&self) -> Vec<Tree> {
        self.all(&Resource::PODS)
    }

    pub(super) fn get(&self, resource: Resource, name: &str) -> Tree {
        self.objects.get(&(resource, ObjectKey::new("n", name))).cloned().unwrap_or_default()
    }

    /// How many pods satisfy `is`.
    pub(super) fn count(&self, is: fn(&Tree) -> bool) -> usize {
        self.pods().iter().filter(|pod| is(pod)).count()
    }

    /// The names of the pods, in order.
    pub(super) fn names(&self) -> Vec<Text> {
        self.pods().iter().map(|pod| Text::new(object::name(pod))).collect()
    }

    /// Changes an object as a user or a kubelet would.
    pub(super) fn edit(&mut self, resource: Resource, name: &str, change: impl FnOnce(&mut Tree)) {
        let key = ObjectKey::new("n", name);
        let mut object = self.get(resource.clone(), name);
        change(&mut object);
        self.put(&resource, key, object);
    }

    /// Makes an object as a user would.
    pub(super) fn create(&mut self, resource: Resource, object: Tree) {
        let answer = self.request(&Request::create(resource, object));
        assert!(answer.is_ok(), "{answer:?}");
    }

    /// Deletes an object as a user would.
    pub(super) fn delete(&mut self, resource: Resource, name: &str) {
        let answer = self.request(&Request::delete(resource, ObjectKey::new("n", name)));
        assert!(answer.is_ok(), "{answer:?}");
    }

    /// Takes an object away at once.
    pub(super) fn remove(&mut self, resource: &Resource, key: &ObjectKey) {
        if let Some(object) = self.objects.remove(&(resource.clone(), key.clone())) {
            self.version += 1;
            self.publish(resource, WatchEvent::Deleted { resource: resource.clone(), object });
        }
    }

    fn put(&mut self, resource: &Resource, key: ObjectKey, mut object: Tree) -> Tree {
        let entry = (resource.clone(), key);
        let old = self.objects.get(&entry).cloned().unwrap_or_default();
        if old["spec"] != object["spec"] {
            object.set(&["metadata", "generation"], object::generation(&old) + 1);
        }
        if old == object {
            return old;
        }
        self.version += 1;
        object.set(&["metadata", "resourceVersion"], self.version.to_string());
        self.objects.insert(entry, object.clone());
        let event = WatchEvent::Applied { resource: resource.clone(), object: object.clone() };
        self.publish(resource, event);
        object
    }

    fn publish(&mut self, resource: &Resource, event: WatchEvent) {
        for index in 0..self.members.len() {
            if self.members[index].watches.iter().any(|spec| spec.resource == *resource) {
                self.push(self.watch_delay, Due::Input(index, Input::Watch(event.clone())));
            }
        }
    }

    fn make_ready(&mut self, key: &ObjectKey) {
        let now = self.now;
        let entry = (Resource::PODS, key.clone());
        let Some(mut pod) = self.objects.get(&entry).cloned() else { return };
        pod.set(&["status", "phase"], "Running");
        let ready = map! { "type" => "Ready", "status" => "True" };
        object::set_condition(pod.field_mut("status"), ready, now);
        self.put(&Resource::PODS, key.clone(), pod);
    }

    fn request(&mut self, request: &Request) -> Answer {
        let writes = self.log.len();
        let answer = match (self.fail)(request, writes) {
            Some(failure) => Err(failure),
            None => self.handle(request),
        };
        if request.verb.is_write() {
            self.log.push((self.now, request.clone(), answer.clone()));
        }
        answer
    }

    fn handle(&mut self, request: &Request) -> Answer {
        let entry = (request.resource.clone(), request.key.clone());
        let have = self.objects.get(&entry).cloned();
        let missing = || Status::new(404, "NotFound", "not found");
        match request.verb {
            Verb::Create => self.make(request),
            Verb::Get => have.ok_or_else(missing),
            Verb::Update => {
                let have = have.ok_or_else(missing)?;
                let mut new = request.body.clone();
                if object::resource_version(&new) != object::resource_version(&have) {
                    return Err(Status::new(409, "Conflict", "changed"));
                }
                if request.subresource == "status" {
                    new.set(&["spec"], &have["spec"]);
                } else {
                    new.set(&["status"], &have["status"]);
                }
                Ok(self.put(&request.resource, request.key.clone(), new))
            }
            Verb::Delete => {
                let mut have = have.ok_or_else(missing)?;
                let at_once = request.body["gracePeriodSeconds"].as_i64() == Some(0);
                if request.resource != Resource::PODS || at_once {
                    self.remove(&request.resource, &request.key);
                } else if !object::is_terminating(&have) {
                    have.set(&["metadata", "deletionTimestamp"], object::timestamp(self.now));
                    have = self.put(&request.resource, request.key.clone(), have);
                    if let Some(stop) = self.stop {
                        self.push(stop, Due::Gone(request.key.clone()));
                    }
                }
                Ok(have)
            }
            Verb::StrategicPatch => {
                let mut have = have.ok_or_else(missing)?;
                let reference = &request.body["metadata"]["ownerReferences"][0];
                let owners = have.at_mut(&["metadata", "ownerReferences"]).items_mut();
                owners.retain(|owner| owner["uid"] != reference["uid"]);
                if reference["$patch"].is_null() {
                    owners.push(reference.clone());
                }
                Ok(self.put(&request.resource, request.key.clone(), have))
            }
            _ => Err(Status::new(405, "MethodNotAllowed", "the bench does not do this")),
        }
    }

    fn make(&mut self, request: &Request) -> Answer {
        let mut object = request.body.clone();
        self.uids += 1;
        let mut key = request.key.clone();
        if key.name.is_empty() {
            let prefix = object["metadata"]["generateName"].text();
            key.name = Text::from(format!("{prefix}{:04}", self.uids));
            object.set(&["metadata", "name"], &key.name);
        }
        if self.objects.contains_key(&(request.resource.clone(), key.clone())) {
            return Err(Status::new(409, "AlreadyExists", "exists"));
        }
        object.set(&["metadata", "uid"], format!("uid-{}", self.uids));
        object.set(&["metadata", "creationTimestamp"], object::timestamp(self.now));
        if request.resource == Resource::PODS {
            object.set(&["status", "phase"], "Pending");
            if object["spec"]["nodeName"].is_null() {
                let required = "requiredDuringSchedulingIgnoredDuringExecution";
                let affinity = object.at(&["spec", "affinity", "nodeAffinity", required]);
                let pin = &affinity["nodeSelectorTerms"][0]["matchFields"][0]["values"][0];
                let node = pin.as_str().unwrap_or("worker-1").to_owned();
                object.set(&["spec", "nodeName"], node);
            }
            if let Some(start) = self.start {
                self.push(start, Due::Ready(key.clone()));
            }
        }
        Ok(self.put(&request.resource, key, object))
    }
}

/// A workload of `kind` with three replicas of `app:1`.
pub(super) fn workload(kind: &str, replicas: i64) -> Tree {
    let labels = map! { "app" => "web" };
    map! {
        "apiVersion" => "apps/v1", "kind" => kind,
        "metadata" => map! { "name" => "web", "namespace" => "n" },
        "spec" => map! {
            "replicas" => replicas,
            "selector" => map! { "matchLabels" => &labels },
            "template" => map! {
                "metadata" => map! { "labels" => labels },
                "spec" => map! { "containers" => list![map! { "name" => "app", "image" => "app:1" }] },
            },
        },
    }
}

/// Sets the image of a workload's template.
pub(super) fn release(image: &str) -> impl FnOnce(&mut Tree) {
    move |object| {
        let container = map! { "name" => "app", "image" => image };
        object.set(&["spec", "template", "spec", "containers"], list![container]);
    }
}

/// The image of a pod.
pub(super) fn image(pod: &Tree) -> &str {
    pod["spec"]["containers"][0]["image"].str()
}
