//! For tests of the scheduler and of the controllers around nodes: a small API with one actor on
//! it, and nodes that renew their leases while they live.
//!
//! It knows what those actors ask for and no more: versions, patches, binding, finalizers and
//! graceful deletion of bound pods, which end only when the test says so.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::actor::{Actor, Effect, Input, Io, WatchEvent, WatchSpec};
use kubesim_model::request::{Answer, Request, Status, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::stream::Stream;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, list, map, object};

enum Due {
    Input(Input),
    Request(u64, Box<Request>),
    Renew(Text),
}

/// An actor on an API.
pub(crate) struct Testbed {
    pub(crate) now: Millis,
    /// From a change to its delivery.
    pub(crate) watch_delay: Millis,
    /// Nodes whose kubelets live.
    pub(crate) alive: BTreeSet<Text>,
    /// Every write: when and what.
    pub(crate) log: Vec<(Millis, Request)>,
    /// How many requests were made, reads too.
    pub(crate) requests: usize,
    actor: Box<dyn Actor>,
    rng: Stream,
    next_request: u64,
    watched: Vec<Resource>,
    objects: BTreeMap<(Resource, ObjectKey), Tree>,
    queue: BTreeMap<(Millis, u64), Due>,
    order: u64,
    version: u64,
}

impl Testbed {
    pub(crate) fn new(actor: Box<dyn Actor>) -> Self {
        let mut bed = Testbed {
            now: 0,
            watch_delay: 5,
            alive: BTreeSet::new(),
            log: Vec::new(),
            requests: 0,
            actor,
            rng: Stream::new(7, "testbed"),
            next_request: 0,
            watched: Vec::new(),
            objects: BTreeMap::new(),
            queue: BTreeMap::new(),
            order: 0,
            version: 100,
        };
        bed.push(1, Due::Input(Input::Start));
        bed
    }

    fn push(&mut self, after: Millis, due: Due) {
        self.order += 1;
        self.queue.insert((self.now + after, self.order), due);
    }

    /// Lets this much time pass.
    pub(crate) fn run(&mut self, time: Millis) {
        let end = self.now + time;
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((at, _), due) = entry.remove_entry();
            self.now = at;
            match due {
                Due::Input(input) => self.give(input),
                Due::Request(id, request) => {
                    let answer = self.request(&request);
                    self.push(1, Due::Input(Input::Answer { id, answer }));
                }
                Due::Renew(node) if self.alive.contains(&node) => self.renew(node),
                Due::Renew(_) => {}
            }
            assert!(self.order < 500_000, "the actor runs hot");
        }
        self.now = end;
    }

    fn give(&mut self, input: Input) {
        let mut effects = Vec::new();
        let mut io = Io::new(self.now, &mut self.rng, &mut self.next_request, &mut effects);
        self.actor.on(input, &mut io);
        for effect in effects {
            match effect {
                Effect::Request { id, request } => self.push(1, Due::Request(id, request)),
                Effect::Timer { token, at } => {
                    self.push(at - self.now, Due::Input(Input::Timer(token)));
                }
                Effect::Watch(WatchSpec { resource, .. }) => {
                    self.watched.push(resource.clone());
                    let listed = WatchEvent::Listed { items: self.all(&resource), resource };
                    self.push(1, Due::Input(Input::Watch(listed)));
                }
                Effect::Host(_) | Effect::Event { .. } => {}
            }
        }
    }

    /// Adds a node of this zone that lives, reports and renews its lease each 10 s.
    pub(crate) fn add_node(&mut self, name: &str, zone: &str) {
        let labels = map! {
            "kubernetes.io/hostname" => name, "topology.kubernetes.io/zone" => zone,
        };
        let conditions = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"].map(|kind| {
            let status = if kind == "Ready" { "True" } else { "False" };
            map! { "type" => kind, "status" => status, "lastHeartbeatTime" => "x" }
        });
        let node = map! {
            "metadata" => map! { "name" => name, "labels" => labels },
            "status" => map! {
                "allocatable" => map! { "cpu" => "4", "memory" => "8Gi", "pods" => "110" },
                "conditions" => Vec::from(conditions),
            },
        };
        self.put(&Resource::NODES, node);
        self.alive.insert(Text::new(name));
        self.renew(Text::new(name));
    }

    /// The node's kubelet is back and says that it is ready.
    pub(crate) fn revive(&mut self, name: &str) {
        self.alive.insert(Text::new(name));
        self.renew(Text::new(name));
        let now = self.now;
        self.edit(Resource::NODES, "", name, |node| {
            let ready = map! {
                "type" => "Ready", "status" => "True",
                "lastHeartbeatTime" => object::timestamp(now),
            };
            object::set_condition(node.field_mut("status"), ready, now);
        });
    }

    fn renew(&mut self, node: Text) {
        let lease = map! {
            "metadata" => map! { "namespace" => "kube-node-lease", "name" => &node },
            "spec" => map! { "renewTime" => object::micro_timestamp(self.now) },
        };
        self.put(&Resource::LEASES, lease);
        self.push(10_000, Due::Renew(node));
    }

    pub(crate) fn all(&self, resource: &Resource) -> Vec<Tree> {
        let of = |(key, _): &(&(Resource, ObjectKey), &Tree)| key.0 == *resource;
        self.objects.iter().filter(of).map(|(_, object)| object.clone()).collect()
    }

    /// The object, or `Null`.
    pub(crate) fn get(&self, resource: Resource, namespace: &str, name: &str) -> Tree {
        let key = (resource, ObjectKey::new(namespace, name));
        self.objects.get(&key).cloned().unwrap_or_default()
    }

    /// The pod of this name in namespace `n`.
    pub(crate) fn pod(&self, name: &str) -> Tree {
        self.get(Resource::PODS, "n", name)
    }

    /// The node of this name.
    pub(crate) fn node(&self, name: &str) -> Tree {
        self.get(Resource::NODES, "", name)
    }

    /// Changes an object as somebody else would.
    pub(crate) fn edit(
        &mut self,
        resource: Resource,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Tree),
    ) {
        let mut object = self.get(resource.clone(), namespace, name);
        change(&mut object);
        self.put(&resource, object);
    }

    /// Stores an object, in whatever state; without a uid it gets its name as one.
    pub(crate) fn put(&mut self, resource: &Resource, mut object: Tree) -> Tree {
        let key = (resource.clone(), object::key(&object));
        if object::uid(&object).is_empty() {
            let uid = format!("uid-{}", key.1.name);
            object.set(&["metadata", "uid"], uid);
        }
        let old = self.objects.get(&key).cloned().unwrap_or_default();
        if old == object {
            return old;
        }
        self.version += 1;
        object.set(&["metadata", "resourceVersion"], self.version.to_string());
        self.objects.insert(key, object.clone());
        self.publish(WatchEvent::Applied { resource: resource.clone(), object: object.clone() });
        object
    }

    /// Takes an object away at once.
    pub(crate) fn remove(&mut self, resource: Resource, namespace: &str, name: &str) {
        let key = (resource.clone(), ObjectKey::new(namespace, name));
        if let Some(object) = self.objects.remove(&key) {
            self.publish(WatchEvent::Deleted { resource, object });
        }
    }

    fn publish(&mut self, event: WatchEvent) {
        if self.watched.contains(event.resource()) {
            self.push(self.watch_delay, Due::Input(Input::Watch(event)));
        }
    }

    /// Carries a request out.
    pub(crate) fn request(&mut self, request: &Request) -> Answer {
        self.requests += 1;
        if request.verb.is_write() {
            self.log.push((self.now, request.clone()));
        }
        let key = (request.resource.clone(), request.key.clone());
        let have = self.objects.get(&key).cloned();
        let missing = || Status::new(404, "NotFound", "not found");
        match (request.verb, request.subresource.as_str()) {
            (Verb::Create, "binding") => self.bind(have.ok_or_else(missing)?, &request.body),
            (Verb::Create, "") => {
                let mut object = request.body.clone();
                if object::name(&object).is_empty() {
                    let prefix = object["metadata"]["generateName"].text();
                    let name = format!("{prefix}{}", self.version);
                    object.set(&["metadata", "name"], name);
                }
                Ok(self.put(&request.resource, object))
            }
            (Verb::Get, "scale") => {
                let replicas = have.ok_or_else(missing)?["spec"]["replicas"].clone();
                Ok(map! { "spec" => map! { "replicas" => replicas } })
            }
            (Verb::Get, _) => have.ok_or_else(missing),
            (Verb::List, _) => {
                let of = |o: &Tree| object::namespace(o) == request.key.namespace;
                let items = self.all(&request.resource).into_iter().filter(of);
                Ok(map! { "items" => items.collect::<Vec<_>>() })
            }
            (Verb::DeleteCollection, _) => {
                let of = |o: &Tree| object::namespace(o) == request.key.namespace;
                for item in self.all(&request.resource).into_iter().filter(of) {
                    self.delete(&request.resource, item, &Tree::Null);
                }
                Ok(Tree::map())
            }
            (Verb::Update | Verb::MergePatch | Verb::StrategicPatch | Verb::Apply, _) => {
                let have = have.ok_or_else(missing)?;
                let version = &request.body["metadata"]["resourceVersion"];
                if !version.is_null() && *version != have["metadata"]["resourceVersion"] {
                    return Err(Status::new(409, "Conflict", "changed"));
                }
                let mut new = have;
                if request.verb == Verb::Update {
                    new = request.body.clone();
                } else {
                    merge(&mut new, &request.body);
                }
                let new = self.put(&request.resource, new);
                let unheld = new["metadata"]["finalizers"].items().is_empty()
                    && new["spec"]["finalizers"].items().is_empty();
                if object::is_terminating(&new) && unheld && request.resource != Resource::PODS {
                    self.remove(key.0, &key.1.namespace, &key.1.name);
                }
                Ok(new)
            }
            (Verb::Delete, _) => {
                let have = have.ok_or_else(missing)?;
                let uid = &request.body["preconditions"]["uid"];
                if !uid.is_null() && *uid != have["metadata"]["uid"] {
                    return Err(Status::new(409, "Conflict", "another uid"));
                }
                self.delete(&request.resource, have, &request.body);
                Ok(Tree::map())
            }
            _ => Err(Status::new(405, "MethodNotAllowed", "the testbed does not do this")),
        }
    }

    fn delete(&mut self, resource: &Resource, mut have: Tree, options: &Tree) {
        let finalizer = match options["propagationPolicy"].str() {
            "Foreground" => Some("foregroundDeletion"),
            "Orphan" => Some("orphan"),
            _ => None,
        };
        if let Some(finalizer) = finalizer {
            have.set(&["metadata", "finalizers"], list![finalizer]);
        }
        let is_bound = *resource == Resource::PODS && !have["spec"]["nodeName"].is_null();
        let held = !have["metadata"]["finalizers"].items().is_empty();
        if held || (is_bound && options["gracePeriodSeconds"].as_i64() != Some(0)) {
            have.set(&["metadata", "deletionTimestamp"], object::timestamp(self.now));
            self.put(resource, have);
        } else {
            let key = object::key(&have);
            self.remove(resource.clone(), &key.namespace, &key.name);
        }
    }

    fn bind(&mut self, mut pod: Tree, binding: &Tree) -> Answer {
        if !pod["spec"]["nodeName"].is_null() {
            return Err(Status::new(409, "Conflict", "already assigned"));
        }
        pod.set(&["spec", "nodeName"], &binding["target"]["name"]);
        Ok(self.put(&Resource::PODS, pod))
    }
}

fn merge(target: &mut Tree, patch: &Tree) {
    for (key, value) in patch.fields() {
        if value.is_null() {
            target.remove(&[key]);
        } else if key == "conditions" {
            for condition in value.items() {
                let list = target.field_mut(key).items_mut();
                list.retain(|have| have["type"] != condition["type"]);
                list.push(condition.clone());
            }
        } else if value.as_map().is_some() {
            merge(target.field_mut(key), value);
        } else {
            target.set(&[key], value);
        }
    }
}

/// A pod of namespace `n` with label `app: web` that asks for this much CPU; bound if `node` is
/// given, and then running and ready.
pub(crate) fn pod(name: &str, node: &str, cpu: &str) -> Tree {
    let mut pod = map! {
        "metadata" => map! {
            "name" => name, "namespace" => "n", "labels" => map! { "app" => "web" },
        },
        "spec" => map! {
            "containers" => list![map! {
                "name" => "app",
                "resources" => map! { "requests" => map! { "cpu" => cpu } },
            }],
        },
        "status" => map! { "phase" => "Pending" },
    };
    if !node.is_empty() {
        pod.set(&["spec", "nodeName"], node);
        let ready = map! { "type" => "Ready", "status" => "True" };
        pod.set(
            &["status"],
            map! { "phase" => "Running", "podIP" => name, "conditions" => list![ready] },
        );
    }
    pod
}
