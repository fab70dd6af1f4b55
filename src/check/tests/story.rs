//! A history told by hand: a CloneSet `web` of pods with the containers `app` and `cache` on
//! hosts of their own, and whatever happens to them.

use std::collections::BTreeMap;

use kubesim_model::object;
use kubesim_model::request::Verb;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, list, map};

use crate::history::*;

pub(super) const SUBJECT: &str = include_str!("../../../fixtures/histories/subject.yaml");

pub(super) struct Story {
    pub(super) history: History,
    now: Millis,
    rv: u64,
    objects: BTreeMap<(Resource, ObjectKey), Tree>,
}

pub(super) fn key(name: &str) -> ObjectKey {
    ObjectKey::new("default", name)
}

impl Story {
    pub(super) fn new(trial: &str) -> Story {
        let capabilities = ["actors", "host", "deliveries", "evictions"];
        let header = Header {
            schema: SCHEMA.into(),
            tool: "told by hand".into(),
            trial: trial.into(),
            scenario: Source::default(),
            subject: Source {
                path: "fixtures/histories/subject.yaml".into(),
                text: SUBJECT.into(),
            },
            files: BTreeMap::new(),
            params: BTreeMap::new(),
            provider: "sim".into(),
            capabilities: capabilities.map(String::from).to_vec(),
            seed: 0,
            baseline: false,
            clock: Clock::Virtual,
            began: 0,
            pace: Pace::default(),
            names: Names::default(),
        };
        let history = History { header, events: Vec::new() };
        let mut story = Story { history, now: 0, rv: 0, objects: BTreeMap::new() };
        for (actor, node) in
            [("user", ""), ("cloneset", ""), ("kcm", ""), ("kubelet-1", "worker-1")]
        {
            story.push(Body::Actor(ActorEvent {
                actor: actor.into(),
                user: actor.into(),
                user_agent: actor.into(),
                node: node.into(),
                incarnation: 1,
                phase: ActorPhase::Started,
            }));
        }
        story
    }

    /// A CloneSet with its pods, all up and known to everybody.
    pub(super) fn web(trial: &str, replicas: i64) -> Story {
        let mut story = Story::new(trial);
        story.write("user", Resource::CLONE_SETS, workload(replicas));
        for n in 0..replicas {
            story.pod(&format!("web-{n}"), "r1", true);
        }
        story.status(replicas);
        story.wait(10_000);
        story
    }

    pub(super) fn wait(&mut self, millis: Millis) -> &mut Self {
        self.now += millis;
        self
    }

    pub(super) fn push(&mut self, body: Body) -> &mut Self {
        let (n, t) = (self.history.events.len() as u64, self.now);
        self.history.events.push(Event { n, t, uncertainty: 0, cause: None, body });
        self
    }

    pub(super) fn get(&self, resource: &Resource, name: &str) -> Tree {
        self.objects[&(resource.clone(), key(name))].clone()
    }

    /// A request with these new states; `None` removes. Everybody is told at once.
    pub(super) fn request(
        &mut self,
        actor: &str,
        (verb, subresource, code): (Verb, &str, u16),
        target: (Resource, &str),
        states: Vec<(Resource, &str, Option<Tree>)>,
    ) -> &mut Self {
        let mut changes = Vec::new();
        for (resource, name, after) in states {
            self.rv += 1;
            let at = (resource.clone(), key(name));
            let before = self.objects.remove(&at);
            let after = after.map(|mut after| {
                after.set(&["metadata", "resourceVersion"], self.rv.to_string());
                self.objects.insert(at, after.clone());
                after
            });
            changes.push(Change { rv: self.rv, resource, key: key(name), before, after });
        }
        let told = changes.iter().map(|c| (c.resource.clone(), c.key.clone(), c.rv));
        let told: Vec<_> = told.collect();
        self.push(Body::Request(Box::new(RequestEvent {
            actor: actor.into(),
            incarnation: 1,
            verb,
            resource: target.0,
            key: key(target.1),
            subresource: subresource.into(),
            code,
            reason: Text::default(),
            message: String::new(),
            injected: false,
            changes,
        })));
        self.now += 1;
        for (resource, key, rv) in told {
            for actor in ["cloneset", "kcm"] {
                let (resource, key) = (resource.clone(), key.clone());
                let actor = actor.into();
                let answer = false;
                let body = Delivery { actor, incarnation: 1, resource, key, rv, answer };
                self.push(Body::Deliver(body));
            }
        }
        self
    }

    pub(super) fn write(&mut self, actor: &str, resource: Resource, object: Tree) -> &mut Self {
        let name = object::name(&object).to_owned();
        let is_new = !self.objects.contains_key(&(resource.clone(), key(&name)));
        let verb = if is_new { Verb::Create } else { Verb::Update };
        let states = vec![(resource.clone(), name.as_str(), Some(object))];
        self.request(actor, (verb, "", 200), (resource, &name), states)
    }

    /// Changes one field.
    pub(super) fn set(
        &mut self,
        actor: &str,
        (resource, name): (Resource, &str),
        path: &[&str],
        value: impl Into<Tree>,
    ) -> &mut Self {
        let mut object = self.get(&resource, name);
        object.set(path, value);
        self.write(actor, resource, object)
    }

    pub(super) fn remove(&mut self, actor: &str, resource: Resource, name: &str) -> &mut Self {
        let states = vec![(resource.clone(), name, None)];
        self.request(actor, (Verb::Delete, "", 200), (resource, name), states)
    }

    /// Marks a pod for deletion.
    pub(super) fn delete(&mut self, actor: &str, name: &str) -> &mut Self {
        let time = object::timestamp(self.now);
        self.set(actor, (Resource::PODS, name), &["metadata", "deletionTimestamp"], time)
    }

    /// A pod of `web`, made by the subject and started by its kubelet.
    pub(super) fn pod(&mut self, name: &str, revision: &str, ready: bool) -> &mut Self {
        self.write("cloneset", Resource::PODS, pod(name, revision, self.now));
        for container in ["app", "cache"] {
            self.start(name, container, &image(revision));
        }
        if ready {
            self.ready(name, true);
        }
        self
    }

    pub(super) fn ready(&mut self, name: &str, ready: bool) -> &mut Self {
        let mut pod = self.get(&Resource::PODS, name);
        let word = if ready { "True" } else { "False" };
        let condition = map! { "type" => "Ready", "status" => word };
        object::set_condition(pod.field_mut("status"), condition, self.now);
        pod.set(&["status", "phase"], "Running");
        self.write("kubelet-1", Resource::PODS, pod)
    }

    pub(super) fn fact(&self, name: &str, container: &str, image: &str) -> ContainerFact {
        ContainerFact {
            container_id: Text::from(format!("{name}/{container}/{image}")),
            pod_uid: Text::from(format!("uid-{name}")),
            pod: key(name),
            name: container.into(),
            image: image.into(),
            image_id: image.into(),
        }
    }

    pub(super) fn host(&mut self, fact: HostFact) -> &mut Self {
        self.push(Body::Host(HostEvent { node: "worker-1".into(), fact }))
    }

    pub(super) fn start(&mut self, name: &str, container: &str, image: &str) -> &mut Self {
        let fact = self.fact(name, container, image);
        self.host(HostFact::ContainerStarted(fact))
    }

    pub(super) fn exit(
        &mut self,
        name: &str,
        container: &str,
        image: &str,
        code: i32,
    ) -> &mut Self {
        let container = self.fact(name, container, image);
        let reason = "Error".into();
        self.host(HostFact::ContainerExited { container, exit_code: code, reason })
    }

    pub(super) fn fault(&mut self, phase: FaultPhase, lasting: bool) -> &mut Self {
        self.push(Body::Fault(FaultEvent {
            fault: "faults[0]".into(),
            name: "node-freeze".into(),
            phase,
            lasting,
            targets: vec!["node worker-1".into()],
            nodes: vec!["worker-1".into()],
            pods: Vec::new(),
            evidence: "no lease was renewed".into(),
        }))
    }

    pub(super) fn step(&mut self, name: &str, phase: StepPhase) -> &mut Self {
        self.push(Body::Step(StepEvent {
            step: Text::from(format!("eventually[0].{name}")),
            name: name.into(),
            phase,
            target: Text::default(),
            message: String::new(),
        }))
    }

    pub(super) fn named_step(&mut self, step: &str, phase: StepPhase) -> &mut Self {
        let (step, name) = (step.into(), "apply".into());
        let (target, message) = (Text::default(), String::new());
        self.push(Body::Step(StepEvent { step, name, phase, target, message }))
    }

    /// Writes a truthful status of `web`.
    pub(super) fn status(&mut self, ready: i64) -> &mut Self {
        let mut web = self.get(&Resource::CLONE_SETS, "web");
        let generation = web["metadata"]["generation"].clone();
        web.set(&["status", "observedGeneration"], generation);
        for field in ["replicas", "readyReplicas", "updatedReplicas"] {
            web.set(&["status", field], ready);
        }
        self.write("cloneset", Resource::CLONE_SETS, web)
    }

    /// The user asks for another image of `app`; the subject names the revision `r2`.
    pub(super) fn release(&mut self) -> &mut Self {
        let mut web = self.get(&Resource::CLONE_SETS, "web");
        let containers = web.at_mut(&["spec", "template", "spec", "containers"]).items_mut();
        containers[0].set(&["image"], image("r2"));
        web.set(&["metadata", "generation"], 2);
        self.write("user", Resource::CLONE_SETS, web.clone());
        web.set(&["status", "updateRevision"], "r2");
        web.set(&["status", "observedGeneration"], 2);
        self.write("cloneset", Resource::CLONE_SETS, web).wait(2_000)
    }

    /// The subject changes the image of `app` in a pod; the kubelet follows.
    pub(super) fn update_in_place(&mut self, name: &str) -> &mut Self {
        let mut pod = self.get(&Resource::PODS, name);
        pod.at_mut(&["spec", "containers"]).items_mut()[0].set(&["image"], image("r2"));
        pod.set(&["metadata", "labels", "controller-revision-hash"], "r2");
        self.write("cloneset", Resource::PODS, pod).wait(1_000);
        self.exit(name, "app", &image("r1"), 143).ready(name, false).wait(500);
        self.start(name, "app", &image("r2"));
        let mut pod = self.get(&Resource::PODS, name);
        let id = format!("{name}/app/{}", image("r2"));
        pod.at_mut(&["status", "containerStatuses"]).items_mut()[0].set(&["containerID"], id);
        self.write("kubelet-1", Resource::PODS, pod).wait(2_000);
        self.ready(name, true)
    }
}

pub(super) fn image(revision: &str) -> String {
    format!("example.com/app:{revision}")
}

fn containers(revision: &str) -> Tree {
    list![
        map! { "name" => "app", "image" => image(revision) },
        map! { "name" => "cache", "image" => image("r1") },
    ]
}

pub(super) fn workload(replicas: i64) -> Tree {
    map! {
        "apiVersion" => "apps.kruise.io/v1alpha1", "kind" => "CloneSet",
        "metadata" => map! {
            "name" => "web", "namespace" => "default", "uid" => "uid-web", "generation" => 1,
        },
        "spec" => map! {
            "replicas" => replicas,
            "updateStrategy" => map! { "partition" => 0, "maxUnavailable" => 1, "maxSurge" => 0 },
            "template" => map! { "spec" => map! { "containers" => containers("r1") } },
        },
        "status" => map! { "updateRevision" => "r1", "observedGeneration" => 1 },
    }
}

pub(super) fn pod(name: &str, revision: &str, now: Millis) -> Tree {
    let owner = map! { "kind" => "CloneSet", "uid" => "uid-web", "controller" => true };
    let id = |container: &str, image: &str| {
        map! { "name" => container, "containerID" => format!("{name}/{container}/{image}") }
    };
    let app = image(revision);
    map! {
        "apiVersion" => "v1", "kind" => "Pod",
        "metadata" => map! {
            "name" => name, "namespace" => "default", "uid" => format!("uid-{name}"),
            "creationTimestamp" => object::timestamp(now),
            "labels" => map! { "app" => "web", "controller-revision-hash" => revision },
            "ownerReferences" => list![owner],
        },
        "spec" => map! { "nodeName" => "worker-1", "containers" => containers(revision) },
        "status" => map! {
            "phase" => "Pending", "podIP" => format!("10.0.0.{}", name.len()),
            "containerStatuses" => list![id("app", &app), id("cache", &image("r1"))],
        },
    }
}

pub(super) fn budget(allowed: i64) -> Tree {
    map! {
        "apiVersion" => "policy/v1", "kind" => "PodDisruptionBudget",
        "metadata" => map! {
            "name" => "web", "namespace" => "default", "uid" => "uid-pdb", "generation" => 1,
        },
        "spec" => map! {
            "maxUnavailable" => "10%",
            "selector" => map! { "matchLabels" => map! { "app" => "web" } },
        },
        "status" => map! {
            "observedGeneration" => 1, "expectedPods" => 3, "desiredHealthy" => 2,
            "currentHealthy" => 2 + allowed, "disruptionsAllowed" => allowed,
        },
    }
}
