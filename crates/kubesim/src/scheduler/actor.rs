//! The scheduler as an actor: it keeps queue and snapshot in step with its watches, and carries
//! decisions out. Filters, scores and preemption are decided elsewhere.

use std::collections::BTreeMap;

use kubesim_model::actor::{Actor, Input, Io, RequestId, WatchSpec};
use kubesim_model::cache::{Cache, Change};
use kubesim_model::request::{Answer, Request, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, list, map, object};

use super::filter::{self, Filters, Rejection};
use super::preempt::{self, priority};
use super::queue::{Happening, Queue};
use super::score;
use super::snapshot::Snapshot;

/// Planted bugs: name, and what it does wrong.
pub const BUGS: &[(&str, &str)] = &[
    ("forgets-assumed-pods", "a pod counts on its node only once the watch tells that it is bound"),
    ("takes-the-worst-node", "among the feasible nodes the one with the lowest score is taken"),
];

const WATCHED: [Resource; 7] = [
    Resource::PODS,
    Resource::NODES,
    Resource::POD_DISRUPTION_BUDGETS,
    Resource::NAMESPACES,
    Resource::SERVICES,
    Resource::REPLICA_SETS,
    Resource::STATEFUL_SETS,
];

/// The scheduler (`default-scheduler`), with a planted bug if one of [`BUGS`] is named.
pub fn actor(bug: Option<&str>) -> Box<dyn Actor> {
    Box::new(Scheduler {
        forgets_assumed: bug == Some("forgets-assumed-pods"),
        takes_worst: bug == Some("takes-the-worst-node"),
        ..Scheduler::default()
    })
}

#[derive(Clone, Default)]
struct Scheduler {
    forgets_assumed: bool,
    takes_worst: bool,
    cache: Cache,
    snapshot: Snapshot,
    queue: Queue,
    /// Pods on their way to a node: uid and node.
    assumed: BTreeMap<ObjectKey, (Text, Text)>,
    /// Pods for which room is being made on a node.
    nominated: BTreeMap<ObjectKey, Text>,
    requests: BTreeMap<RequestId, Pending>,
    wakes_at: Option<Millis>,
}

#[derive(Clone)]
enum Pending {
    Bind { pod: ObjectKey, uid: Text },
    MarkVictim { victim: ObjectKey, preemptor: ObjectKey },
    DeleteVictim { preemptor: ObjectKey },
}

impl Actor for Scheduler {
    fn on(&mut self, input: Input, io: &mut Io<'_>) {
        match input {
            Input::Start => {
                WATCHED.into_iter().for_each(|watched| io.watch(WatchSpec::all(watched)))
            }
            Input::Watch(event) => {
                for change in self.cache.take(event) {
                    self.changed(&change, io.now);
                }
            }
            Input::Answer { id, answer } => self.answered(id, &answer, io),
            Input::Timer(_) => {
                self.wakes_at = None;
                self.queue.advance(io.now);
            }
            Input::Host(_) => {}
        }
        self.run(io);
    }

    fn boxed_clone(&self) -> Box<dyn Actor> {
        Box::new(self.clone())
    }
}

impl Scheduler {
    fn changed(&mut self, change: &Change, now: Millis) {
        match (&change.old, &change.new) {
            (old, new) if change.resource == Resource::NODES => self.node_changed(old, new, now),
            (old, new) if change.resource == Resource::PODS => {
                let replaced = matches!((old, new), (Some(old), Some(new))
                    if object::uid(old) != object::uid(new));
                if replaced {
                    self.pod_changed(old.as_ref(), None, now);
                    self.pod_changed(None, new.as_ref(), now);
                } else {
                    self.pod_changed(old.as_ref(), new.as_ref(), now);
                }
            }
            _ => {}
        }
    }

    fn node_changed(&mut self, old: &Option<Tree>, new: &Option<Tree>, now: Millis) {
        let Some(name) = new.as_ref().or(old.as_ref()).map(object::name) else { return };
        self.snapshot.set_node(name, new.clone().unwrap_or_default());
        let matters = |node: &Tree| {
            let labels = node["metadata"]["labels"].clone();
            (node["spec"].clone(), labels, node["status"]["allocatable"].clone())
        };
        if old.as_ref().map(matters) != new.as_ref().map(matters) {
            self.queue.happened(Happening::Node, now);
        }
    }

    fn pod_changed(&mut self, old: Option<&Tree>, new: Option<&Tree>, now: Millis) {
        let Some(pod) = new.or(old) else { return };
        let key = object::key(pod);
        let Some(pod) = new.filter(|pod| !object::is_terminal(pod)) else {
            self.forget(&key, old.into_iter().chain(new), now);
            return;
        };
        let node = pod["spec"]["nodeName"].str();
        if !node.is_empty() {
            self.pod_is_bound(old, pod, node, now);
        } else if object::is_terminating(pod) || !is_ours(pod) {
            self.queue.remove(&key);
            self.nominated.remove(&key);
        } else if !self.assumed.contains_key(&key) {
            self.pod_waits(old, pod, key, now);
        }
    }

    /// A pod is gone or has ended.
    fn forget<'t>(&mut self, key: &ObjectKey, states: impl Iterator<Item = &'t Tree>, now: Millis) {
        self.queue.remove(key);
        self.nominated.remove(key);
        let assumed = self.assumed.remove(key).map(|(_, node)| node);
        let known = states.map(|pod| pod["spec"]["nodeName"].text());
        let nodes: Vec<Text> = known.chain(assumed).filter(|node| !node.is_empty()).collect();
        nodes.iter().for_each(|node| self.snapshot.displace(node, key));
        if !nodes.is_empty() {
            self.queue.happened(Happening::PodRemoved, now);
        }
    }

    fn pod_is_bound(&mut self, old: Option<&Tree>, pod: &Tree, node: &str, now: Millis) {
        let key = object::key(pod);
        let was_bound = old.is_some_and(|old| old["spec"]["nodeName"] == node);
        let labels = |pod: &Tree| pod["metadata"]["labels"].clone();
        let same_labels = old.is_some_and(|old| labels(old) == labels(pod));
        let same_life =
            old.is_some_and(|old| object::is_terminating(old) == object::is_terminating(pod));
        let same_spec = old.is_some_and(|old| old["spec"] == pod["spec"]);
        if was_bound && same_labels && same_life && same_spec {
            return;
        }
        self.queue.remove(&key);
        self.nominated.remove(&key);
        if let Some((_, assumed)) = self.assumed.remove(&key) {
            self.snapshot.displace(&assumed, &key);
        }
        self.snapshot.place(node, pod);
        if !was_bound || !same_labels {
            self.queue.happened(Happening::PodAdded, now);
        } else if !same_spec {
            self.queue.happened(Happening::PodRemoved, now);
        }
    }

    fn pod_waits(&mut self, old: Option<&Tree>, pod: &Tree, key: ObjectKey, now: Millis) {
        let nominated = pod["status"]["nominatedNodeName"].text();
        if old.is_none() && !nominated.is_empty() {
            self.nominated.insert(key.clone(), nominated);
        }
        if !pod["spec"]["schedulingGates"].items().is_empty() {
            self.queue.remove(&key);
        } else if !self.queue.has(&key) {
            self.queue.add(key, priority(pod), now);
        } else if old.is_some_and(|old| {
            old["spec"] != pod["spec"] || old["metadata"]["labels"] != pod["metadata"]["labels"]
        }) {
            self.queue.bring_back(&key, now);
        }
    }

    fn run(&mut self, io: &mut Io<'_>) {
        if !self.cache.has_listed(&WATCHED) {
            return;
        }
        while let Some(key) = self.queue.pop() {
            match self.cache.get(&Resource::PODS, &key).cloned() {
                Some(pod) => self.schedule(&key, &pod, io),
                None => self.queue.remove(&key),
            }
        }
        let Some(due) = self.queue.next_due() else { return };
        if self.wakes_at.is_none_or(|at| at > due) {
            self.wakes_at = Some(due);
            io.timer(0, due.saturating_sub(io.now));
        }
    }

    fn schedule(&mut self, key: &ObjectKey, pod: &Tree, io: &mut Io<'_>) {
        match self.choose(key, pod, io) {
            Ok(node) => self.bind(key, pod, node, io),
            Err(rejections) => self.give_up(key, pod, &rejections, io),
        }
    }

    /// The node for a pod, or why each was rejected.
    fn choose(
        &self,
        key: &ObjectKey,
        pod: &Tree,
        io: &mut Io<'_>,
    ) -> Result<Text, BTreeMap<Text, Rejection>> {
        let filters = Filters::new(pod, &self.snapshot, &self.cache);
        let (mut feasible, mut rejections) = (Vec::new(), BTreeMap::new());
        for (name, info) in self.snapshot.nodes() {
            let claims = self.claims(key, pod, name);
            let with_claims = claims.map_or(Ok(()), |claims| filters.check(&claims));
            match with_claims.and_then(|()| filters.check(info)) {
                Ok(()) => feasible.push(name.clone()),
                Err(rejection) => {
                    rejections.insert(name.clone(), rejection);
                }
            }
        }
        if let Some(nominated) = self.nominated.get(key).filter(|name| feasible.contains(*name)) {
            return Ok(nominated.clone());
        }
        if feasible.len() < 2 {
            return feasible.pop().ok_or(rejections);
        }
        let mut scores = score::scores(pod, &feasible, &self.snapshot, &self.cache);
        if self.takes_worst {
            scores.iter_mut().for_each(|score| *score = -*score);
        }
        let highest = scores.iter().max().copied();
        let best = feasible.into_iter().zip(scores).filter(|(_, score)| Some(*score) == highest);
        let mut best: Vec<Text> = best.map(|(name, _)| name).collect();
        Ok(best.swap_remove(io.rng.index(best.len())))
    }

    /// The node together with the pods nominated to it that go before this one.
    fn claims(&self, key: &ObjectKey, pod: &Tree, node: &str) -> Option<super::snapshot::NodeInfo> {
        let others = self.nominated.iter().filter(|(other, at)| *other != key && *at == node);
        let others = others.filter_map(|(other, _)| self.cache.get(&Resource::PODS, other));
        let others: Vec<&Tree> = others.filter(|o| priority(o) >= priority(pod)).collect();
        if others.is_empty() {
            return None;
        }
        let mut info = self.snapshot.get(node)?.clone();
        others.into_iter().for_each(|other| info.add(super::snapshot::Placed::new(other)));
        Some(info)
    }

    fn bind(&mut self, key: &ObjectKey, pod: &Tree, node: Text, io: &mut Io<'_>) {
        let uid = pod["metadata"]["uid"].text();
        if !self.forgets_assumed {
            self.snapshot.place(&node, pod);
        }
        self.assumed.insert(key.clone(), (uid.clone(), node.clone()));
        self.nominated.remove(key);
        let binding = map! {
            "apiVersion" => "v1", "kind" => "Binding",
            "metadata" =>
                map! { "name" => &key.name, "namespace" => &key.namespace, "uid" => &uid },
            "target" => map! { "apiVersion" => "v1", "kind" => "Node", "name" => &node },
        };
        let request = Request::new(Verb::Create, Resource::PODS, key.clone())
            .with_subresource("binding")
            .with_body(binding);
        let id = io.request(request);
        self.requests.insert(id, Pending::Bind { pod: key.clone(), uid });
        let message = format!("Successfully assigned {key} to {node}");
        io.event(object::about(&Resource::PODS, pod), "Scheduled", message);
    }

    /// Waits for an event that helps, and makes room if the pod's priority allows it.
    fn give_up(
        &mut self,
        key: &ObjectKey,
        pod: &Tree,
        rejections: &BTreeMap<Text, Rejection>,
        io: &mut Io<'_>,
    ) {
        let mut message = filter::message(rejections);
        let nominated = self.nominated.get(key);
        match preempt::plan(pod, rejections, nominated, &self.snapshot, &self.cache) {
            Ok(plan) => {
                self.nominated.insert(key.clone(), plan.node.clone());
                self.yield_to(key, pod, &plan.node, io);
                for victim in plan.victims {
                    self.preempt(key, &victim, io);
                }
            }
            Err(reason) if !rejections.is_empty() => {
                message.push_str(" preemption: ");
                message.push_str(&reason);
                // Room that is being made is still waited for; other hopes are given up.
                if !reason.contains("terminating pod") {
                    self.nominated.remove(key);
                }
            }
            Err(_) => {}
        }
        io.event(object::about(&Resource::PODS, pod), "FailedScheduling", &message[..]);
        let mut plugins: std::collections::BTreeSet<_> =
            rejections.values().map(|rejection| rejection.plugin).collect();
        if plugins.is_empty() {
            plugins.insert(super::queue::Plugin::NodeName);
        }
        self.queue.wait(key, plugins, io.now);
        self.say_unschedulable(key, pod, message, io);
    }

    /// Pods of lower priority that hoped for the node look elsewhere.
    fn yield_to(&mut self, key: &ObjectKey, pod: &Tree, node: &Text, io: &mut Io<'_>) {
        let lower = |other: &ObjectKey| {
            let other = self.cache.get(&Resource::PODS, other);
            other.is_some_and(|other| priority(other) < priority(pod))
        };
        let losers: Vec<ObjectKey> = self
            .nominated
            .iter()
            .filter(|(other, at)| *other != key && *at == node && lower(other))
            .map(|(other, _)| other.clone())
            .collect();
        for loser in losers {
            self.nominated.remove(&loser);
            let patch = map! { "status" => map! { "nominatedNodeName" => Tree::Null } };
            let patch = Request::merge_patch(Resource::PODS, loser.clone(), patch);
            io.request(patch.with_subresource("status"));
            self.queue.bring_back(&loser, io.now);
        }
    }

    fn preempt(&mut self, preemptor: &ObjectKey, victim: &Tree, io: &mut Io<'_>) {
        if object::is_terminating(victim) {
            return;
        }
        let key = object::key(victim);
        let condition = map! {
            "type" => "DisruptionTarget", "status" => "True", "reason" => "PreemptionByScheduler",
            "message" => "default-scheduler: preempting to accommodate a higher priority pod",
            "lastTransitionTime" => object::timestamp(io.now),
        };
        let id = io.request(condition_patch(&key, condition));
        let pending = Pending::MarkVictim { victim: key, preemptor: preemptor.clone() };
        self.requests.insert(id, pending);
        let message = format!("Preempted by {preemptor}");
        io.event(object::about(&Resource::PODS, victim), "Preempted", message);
    }

    /// Writes `PodScheduled=False` and the nominated node, if they changed.
    fn say_unschedulable(&self, key: &ObjectKey, pod: &Tree, message: String, io: &mut Io<'_>) {
        let condition = map! {
            "type" => "PodScheduled", "status" => "False", "reason" => "Unschedulable",
            "message" => message, "lastProbeTime" => Tree::Null,
        };
        let mut status = pod["status"].clone();
        let said = object::condition(pod, "PodScheduled");
        let same = said.is_some_and(|said| {
            ["status", "reason", "message"].iter().all(|field| said[*field] == condition[*field])
        });
        let nominated = self.nominated.get(key).cloned().unwrap_or_default();
        if same && pod["status"]["nominatedNodeName"].str() == nominated {
            return;
        }
        object::set_condition(&mut status, condition, io.now);
        let written = status["conditions"].items().iter();
        let written = written.filter(|condition| condition["type"] == "PodScheduled");
        let written: Vec<Tree> = written.cloned().collect();
        let nominated = if nominated.is_empty() { Tree::Null } else { nominated.into() };
        let patch = map! { "conditions" => written, "nominatedNodeName" => nominated };
        let patch = map! { "status" => patch };
        let patch = Request::strategic_patch(Resource::PODS, key.clone(), patch);
        io.request(patch.with_subresource("status"));
    }

    fn answered(&mut self, id: RequestId, answer: &Answer, io: &mut Io<'_>) {
        match self.requests.remove(&id) {
            Some(Pending::Bind { pod, uid }) if answer.is_err() => self.bind_failed(&pod, &uid, io),
            Some(Pending::MarkVictim { victim, preemptor }) => match answer {
                Ok(_) => {
                    let id = io.request(Request::delete(Resource::PODS, victim));
                    self.requests.insert(id, Pending::DeleteVictim { preemptor });
                }
                Err(status) if status.is_not_found() => {}
                Err(_) => self.preemption_failed(&preemptor, io.now),
            },
            Some(Pending::DeleteVictim { preemptor }) => match answer {
                Err(status) if !status.is_not_found() => {
                    self.preemption_failed(&preemptor, io.now);
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn bind_failed(&mut self, key: &ObjectKey, uid: &Text, io: &mut Io<'_>) {
        if self.assumed.get(key).is_none_or(|(assumed, _)| assumed != uid) {
            return;
        }
        let Some((_, node)) = self.assumed.remove(key) else { return };
        self.snapshot.displace(&node, key);
        self.queue.back_off(key, io.now);
        self.queue.happened(Happening::PodRemoved, io.now);
    }

    fn preemption_failed(&mut self, preemptor: &ObjectKey, now: Millis) {
        self.nominated.remove(preemptor);
        self.queue.bring_back(preemptor, now);
    }
}

fn is_ours(pod: &Tree) -> bool {
    matches!(pod["spec"]["schedulerName"].str(), "" | "default-scheduler")
}

fn condition_patch(pod: &ObjectKey, condition: Tree) -> Request {
    let patch = map! { "status" => map! { "conditions" => list![condition] } };
    Request::strategic_patch(Resource::PODS, pod.clone(), patch).with_subresource("status")
}
