//! The node lifecycle controller as an actor: the round over all nodes each 5 s, the poll of the
//! zones' queues while anything waits there, and the writes to nodes and pods.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::actor::{Actor, Input, Io, RequestId, WatchSpec};
use kubesim_model::cache::{Cache, Change};
use kubesim_model::request::{Answer, Request};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, map, object};

use super::super::pods_by_node::PodsByNode;
use super::health::{Health, Ready, with_unknown_conditions};
use super::taints::{self, Swap};
use super::zones::{self, State, Zone, Zones};

/// Planted bugs: name, and what it does wrong.
pub const BUGS: &[(&str, &str)] = &[
    ("never-recovers", "the NoExecute taint stays when a node is healthy again"),
    ("ignores-zones", "evicts at full speed, however many nodes of a zone are lost"),
];

/// `--node-monitor-period`.
const PERIOD: Millis = 5_000;
/// How often the write of a silent node's status is tried in one round.
const TRIES: u32 = 5;
const ROUND: u64 = 0;
const POLL: u64 = 1;
const WATCHED: [Resource; 3] = [Resource::NODES, Resource::PODS, Resource::LEASES];

/// The node lifecycle controller, with a planted bug if one of [`BUGS`] is named.
pub fn actor(bug: Option<&str>) -> Box<dyn Actor> {
    let never_recovers = bug == Some("never-recovers");
    let ignores_zones = bug == Some("ignores-zones");
    Box::new(NodeLifecycle { never_recovers, ignores_zones, ..NodeLifecycle::default() })
}

#[derive(Clone, Default)]
struct NodeLifecycle {
    never_recovers: bool,
    ignores_zones: bool,
    cache: Cache,
    pods: PodsByNode,
    health: BTreeMap<Text, Health>,
    zones: Zones,
    /// When the first round was: polls lie on a grid from there.
    origin: Option<Millis>,
    polls_at: Option<Millis>,
    /// Nodes as own requests answered them, until the watch has them.
    answered: BTreeMap<Text, Tree>,
    requests: BTreeMap<RequestId, Pending>,
    /// Nodes whose taints, or whose status, are being written.
    writing_taints: BTreeSet<Text>,
    writing_status: BTreeSet<Text>,
    /// Nodes whose pods could not all be marked.
    unmarked: BTreeSet<Text>,
}

#[derive(Clone)]
enum Pending {
    Silence { node: Text, tries: u32 },
    Reread { node: Text, tries: u32 },
    Taints { node: Text, from_queue: bool },
    MarkPod { node: Text },
}

impl Actor for NodeLifecycle {
    fn on(&mut self, input: Input, io: &mut Io<'_>) {
        match input {
            Input::Start => {
                io.watch(WatchSpec::all(Resource::NODES));
                io.watch(WatchSpec::all(Resource::PODS));
                let leases = WatchSpec::all(Resource::LEASES);
                let namespace = Text::new_static("kube-node-lease");
                io.watch(WatchSpec { namespace, ..leases });
            }
            Input::Watch(event) => {
                for change in self.cache.take(event) {
                    self.changed(&change, io);
                }
                if self.origin.is_none() && self.cache.has_listed(&WATCHED) {
                    self.origin = Some(io.now);
                    self.round(io);
                }
            }
            Input::Answer { id, answer } => self.answered(id, answer, io),
            Input::Timer(ROUND) => self.round(io),
            Input::Timer(_) => self.poll(io),
            Input::Host(_) => {}
        }
    }

    fn boxed_clone(&self) -> Box<dyn Actor> {
        Box::new(self.clone())
    }
}

impl NodeLifecycle {
    fn changed(&mut self, change: &Change, io: &mut Io<'_>) {
        if change.resource == Resource::PODS {
            self.pods.take(change);
            self.mark_if_newly_bound(change, io);
        } else if change.resource == Resource::NODES {
            match (&change.new, &change.old) {
                (Some(node), _) => {
                    let name = node["metadata"]["name"].text();
                    let known = self.answered.get(&name).map_or(0, object::resource_version);
                    if object::resource_version(node) >= known {
                        self.answered.remove(&name);
                    }
                    self.taint_by_condition(&name, io);
                }
                (None, Some(node)) => self.forget(&node["metadata"]["name"].text()),
                (None, None) => {}
            }
        }
    }

    fn forget(&mut self, name: &Text) {
        self.health.remove(name);
        self.answered.remove(name);
        self.unmarked.remove(name);
        self.zones.values_mut().for_each(|zone| zone.remove(name));
    }

    /// The newest state of a node that is known.
    fn node(&self, name: &Text) -> Option<Tree> {
        let cached = self.cache.get(&Resource::NODES, &ObjectKey::new("", name.clone()))?;
        Some(self.answered.get(name).unwrap_or(cached).clone())
    }

    /// Looks at every node, then at the zones.
    fn round(&mut self, io: &mut Io<'_>) {
        io.timer(ROUND, PERIOD);
        let nodes = self.cache.all(&Resource::NODES);
        let names: Vec<Text> = nodes.map(|node| node["metadata"]["name"].text()).collect();
        let mut zones: BTreeMap<Text, Vec<Ready>> = BTreeMap::new();
        for name in names {
            let Some(node) = self.node(&name) else { continue };
            let zone = zones::name(&node);
            self.zones.entry(zone.clone()).or_insert_with(Zone::new);
            let excluded =
                !node["metadata"]["labels"]["node.kubernetes.io/exclude-disruption"].is_null();
            if let Some(ready) = self.judge(&name, &node, io) {
                let seen = zones.entry(zone).or_default();
                if !excluded {
                    seen.push(ready);
                }
            }
        }
        if !self.ignores_zones {
            self.judge_zones(zones, io);
        }
        self.plan_poll(io);
    }

    /// Looks at one node; answers what its `Ready` is now, if it has any.
    fn judge(&mut self, name: &Text, node: &Tree, io: &mut Io<'_>) -> Option<Ready> {
        let lease = ObjectKey::new("kube-node-lease", name.clone());
        let lease = self.cache.get(&Resource::LEASES, &lease);
        let health = self.health.entry(name.clone()).or_insert_with(|| Health::new(io.now));
        health.look(node, lease, io.now);
        let is_silent = health.is_silent(node, io.now);
        let observed = health.ready;
        if is_silent {
            health.ready = Ready::Unknown;
            self.write_silence(name, node, TRIES, io);
        } else {
            object::condition(node, "Ready")?;
        }
        let current = if is_silent { Ready::Unknown } else { observed };
        // A node that was just found silent waits for its taint once the API knows that.
        if !self.writing_status.contains(name) {
            self.queue_by_readiness(name, node, current, io);
        }
        let fell = current != Ready::True && observed == Ready::True;
        if fell || (self.unmarked.remove(name) && current != Ready::True) {
            self.mark_pods(name, io);
        }
        Some(current)
    }

    fn write_silence(&mut self, name: &Text, node: &Tree, tries: u32, io: &mut Io<'_>) {
        if self.writing_status.contains(name) {
            return;
        }
        let Some(new) = with_unknown_conditions(node, io.now) else { return };
        let request = Request::update(Resource::NODES, new).with_subresource("status");
        let id = io.request(request);
        self.writing_status.insert(name.clone());
        self.requests.insert(id, Pending::Silence { node: name.clone(), tries });
        io.event(object::about(&Resource::NODES, node), "NodeNotReady", "Node is not ready");
    }

    /// Lets a failed node wait for its `NoExecute` taint; a healthy one loses it at once.
    fn queue_by_readiness(&mut self, name: &Text, node: &Tree, ready: Ready, io: &mut Io<'_>) {
        let other = match ready {
            Ready::True => return self.mark_reachable(name, node, io),
            Ready::False => taints::UNREACHABLE,
            Ready::Unknown => taints::NOT_READY,
        };
        if taints::has_no_execute(node, other) {
            self.write_taints(name, &Swap::no_execute(ready), false, io);
        } else if let Some(zone) = self.zones.get_mut(&zones::name(node)) {
            zone.add(name);
        }
    }

    fn mark_reachable(&mut self, name: &Text, node: &Tree, io: &mut Io<'_>) {
        if let Some(zone) = self.zones.get_mut(&zones::name(node)) {
            zone.remove(name);
        }
        if !self.never_recovers {
            self.write_taints(name, &Swap::no_execute(Ready::True), false, io);
        }
    }

    /// Follows the zones' states: nobody is evicted while all nodes of all zones are down, and
    /// fewer or none where a zone is partly down.
    fn judge_zones(&mut self, seen: BTreeMap<Text, Vec<Ready>>, io: &mut Io<'_>) {
        self.zones.retain(|name, _| seen.contains_key(name));
        let states: BTreeMap<&Text, (State, usize)> = seen
            .iter()
            .map(|(name, nodes)| (name, (State::of(nodes.iter().copied()), nodes.len())))
            .collect();
        let all_full = !states.is_empty() && states.values().all(|s| s.0 == State::Full);
        let were_full =
            !self.zones.is_empty() && self.zones.values().all(|zone| zone.state == State::Full);
        if all_full && were_full {
            return;
        }
        if were_full {
            self.health.values_mut().for_each(|health| health.heard_at = io.now);
        }
        for (name, zone) in &mut self.zones {
            let Some((state, nodes)) = states.get(name).copied() else { continue };
            if all_full {
                zone.set_interval(None, io.now);
            } else if were_full || zone.state != state {
                zone.set_interval(state.interval(nodes), io.now);
            }
            zone.state = state;
        }
        if all_full {
            let names: Vec<Text> = self.health.keys().cloned().collect();
            for name in names {
                if let Some(node) = self.node(&name) {
                    self.mark_reachable(&name, &node, io);
                }
            }
        }
    }

    fn poll(&mut self, io: &mut Io<'_>) {
        self.polls_at = None;
        let mut nodes = Vec::new();
        for zone in self.zones.values_mut() {
            nodes.extend(zone.pop(io.now));
        }
        for name in nodes {
            let Some(node) = self.node(&name) else { continue };
            let ready = Ready::of(&node);
            if ready != Ready::True {
                self.write_taints(&name, &Swap::no_execute(ready), true, io);
            }
        }
        self.plan_poll(io);
    }

    fn plan_poll(&mut self, io: &mut Io<'_>) {
        let origin = self.origin.unwrap_or(io.now);
        let Some(due) = self.zones.values().filter_map(|zone| zone.due(io.now, origin)).min()
        else {
            return;
        };
        if self.polls_at.is_none_or(|at| at > due) {
            self.polls_at = Some(due);
            io.timer(POLL, due - io.now);
        }
    }

    fn taint_by_condition(&mut self, name: &Text, io: &mut Io<'_>) {
        if let Some(node) = self.node(name) {
            self.write_taints(name, &Swap::no_schedule(&node), false, io);
        }
    }

    fn write_taints(&mut self, name: &Text, swap: &Swap, from_queue: bool, io: &mut Io<'_>) {
        let Some(node) = self.node(name) else { return };
        let Some(taints) = swap.apply(&node, io.now) else { return };
        if self.writing_taints.contains(name) {
            if from_queue {
                self.put_back(name);
            }
            return;
        }
        let version = &node["metadata"]["resourceVersion"];
        let patch = map! {
            "metadata" => map! { "resourceVersion" => version },
            "spec" => map! { "taints" => taints },
        };
        let key = ObjectKey::new("", name.clone());
        let id = io.request(Request::merge_patch(Resource::NODES, key, patch));
        self.writing_taints.insert(name.clone());
        self.requests.insert(id, Pending::Taints { node: name.clone(), from_queue });
    }

    fn put_back(&mut self, name: &Text) {
        self.zones.values_mut().for_each(|zone| zone.put_back(name));
    }

    /// A pod that is new on a node that is down is not ready either.
    fn mark_if_newly_bound(&mut self, change: &Change, io: &mut Io<'_>) {
        let Some(pod) = &change.new else { return };
        let node = &pod["spec"]["nodeName"];
        let was_there = change.old.as_ref().is_some_and(|old| old["spec"]["nodeName"] == *node);
        if was_there || node.is_null() {
            return;
        }
        let name = node.text();
        let is_up = |health: &Health| health.ready == Ready::True;
        if self.health.get(&name).is_some_and(|health| !is_up(health)) {
            self.mark_pod(&name, &pod.clone(), io);
        }
    }

    fn mark_pods(&mut self, name: &Text, io: &mut Io<'_>) {
        let pods = self.pods.on(name).filter_map(|key| self.cache.get(&Resource::PODS, key));
        let pods: Vec<Tree> = pods.cloned().collect();
        pods.iter().for_each(|pod| self.mark_pod(name, pod, io));
    }

    fn mark_pod(&mut self, name: &Text, pod: &Tree, io: &mut Io<'_>) {
        let Some(ready) = object::condition(pod, "Ready").filter(|r| r["status"] != "False") else {
            return;
        };
        let (mut pod, mut ready) = (pod.clone(), ready.clone());
        ready.set(&["status"], "False");
        object::set_condition(pod.field_mut("status"), ready, io.now);
        io.event(object::about(&Resource::PODS, &pod), "NodeNotReady", "Node is not ready");
        let id = io.request(Request::update(Resource::PODS, pod).with_subresource("status"));
        self.requests.insert(id, Pending::MarkPod { node: name.clone() });
    }

    fn answered(&mut self, id: RequestId, answer: Answer, io: &mut Io<'_>) {
        let Some(pending) = self.requests.remove(&id) else { return };
        match pending {
            Pending::Silence { node, tries } => {
                self.writing_status.remove(&node);
                match answer {
                    Ok(new) => {
                        self.learn(&node, new.clone(), io);
                        self.queue_by_readiness(&node, &new, Ready::of(&new), io);
                        self.plan_poll(io);
                    }
                    Err(_) if tries > 1 => self.reread(node, tries - 1, io),
                    Err(_) => {}
                }
            }
            Pending::Reread { node, tries } => {
                let Ok(new) = answer else { return };
                self.learn(&node, new, io);
                let silent = self.health.get(&node).is_some_and(|h| h.ready == Ready::Unknown);
                if let Some(new) = self.node(&node).filter(|_| silent && tries > 0) {
                    let silent = self.health.get(&node).is_some_and(|h| h.is_silent(&new, io.now));
                    if silent {
                        self.write_silence(&node, &new, tries, io);
                    }
                }
            }
            Pending::Taints { node, from_queue } => {
                self.writing_taints.remove(&node);
                match answer {
                    Ok(new) => self.learn(&node, new, io),
                    Err(_) => {
                        if from_queue {
                            self.put_back(&node);
                        }
                        self.reread(node, 0, io);
                    }
                }
                self.plan_poll(io);
            }
            Pending::MarkPod { node } => {
                if answer.is_err_and(|status| !status.is_not_found()) {
                    self.unmarked.insert(node);
                }
            }
        }
    }

    fn reread(&mut self, node: Text, tries: u32, io: &mut Io<'_>) {
        let key = ObjectKey::new("", node.clone());
        let id = io.request(Request::get(Resource::NODES, key));
        self.requests.insert(id, Pending::Reread { node, tries });
    }

    /// Remembers what the API answered about a node, which the watch may not have told yet.
    fn learn(&mut self, name: &Text, node: Tree, io: &mut Io<'_>) {
        let known = self.node(name).map_or(0, |known| object::resource_version(&known));
        if object::resource_version(&node) > known {
            self.answered.insert(name.clone(), node);
        }
        self.taint_by_condition(name, io);
    }
}
