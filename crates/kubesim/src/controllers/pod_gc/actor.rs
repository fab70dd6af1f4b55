//! The pod garbage collector: a look at all pods each 20 s.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::actor::{Actor, Input, Io, RequestId, WatchSpec};
use kubesim_model::cache::Cache;
use kubesim_model::request::{Answer, Request};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, map, object};

/// Planted bugs: name, and what it does wrong.
pub const BUGS: &[(&str, &str)] =
    &[("keeps-orphans", "pods of nodes that no longer exist are never removed")];

const PERIOD: Millis = 20_000;
/// A node must be gone for this long before its pods are.
const QUARANTINE: Millis = 40_000;
/// `--terminated-pod-gc-threshold`.
const MOST_TERMINATED: usize = 12_500;
const WATCHED: [Resource; 2] = [Resource::PODS, Resource::NODES];

/// The pod garbage collector, with a planted bug if one of [`BUGS`] is named.
pub fn actor(bug: Option<&str>) -> Box<dyn Actor> {
    let keeps_orphans = bug == Some("keeps-orphans");
    Box::new(PodGc { keeps_orphans, ..PodGc::default() })
}

#[derive(Clone, Default)]
struct PodGc {
    keeps_orphans: bool,
    has_begun: bool,
    cache: Cache,
    /// Nodes that are missing, and since when.
    missing: BTreeMap<Text, Millis>,
    requests: BTreeMap<RequestId, Pending>,
}

#[derive(Clone)]
enum Pending {
    Node(Text),
    Mark(ObjectKey),
}

impl Actor for PodGc {
    fn on(&mut self, input: Input, io: &mut Io<'_>) {
        match input {
            Input::Start => {
                WATCHED.into_iter().for_each(|watched| io.watch(WatchSpec::all(watched)))
            }
            Input::Watch(event) => {
                self.cache.take(event);
                if !self.has_begun && self.cache.has_listed(&WATCHED) {
                    self.has_begun = true;
                    self.round(io);
                }
            }
            Input::Timer(_) => self.round(io),
            Input::Answer { id, answer } => self.answered(id, &answer, io),
            Input::Host(_) => {}
        }
    }

    fn boxed_clone(&self) -> Box<dyn Actor> {
        Box::new(self.clone())
    }
}

impl PodGc {
    fn round(&mut self, io: &mut Io<'_>) {
        io.timer(0, PERIOD);
        self.collect_terminated(io);
        if !self.keeps_orphans {
            self.look_for_missing_nodes(io);
        }
        let lost = |pod: &&Tree| object::is_terminating(pod) && self.is_lost(pod);
        let lost: Vec<Tree> = self.cache.all(&Resource::PODS).filter(lost).cloned().collect();
        lost.iter().for_each(|pod| self.remove(pod, None, io));
    }

    /// Whether a terminating pod has nobody who could end it: it was never bound, or its node is
    /// declared out of service.
    fn is_lost(&self, pod: &Tree) -> bool {
        let node = pod["spec"]["nodeName"].text();
        if node.is_empty() {
            return true;
        }
        let Some(node) = self.cache.get(&Resource::NODES, &ObjectKey::new("", node)) else {
            return false;
        };
        let mut taints = node["spec"]["taints"].items().iter();
        !object::is_ready(node)
            && taints.any(|taint| taint["key"] == "node.kubernetes.io/out-of-service")
    }

    fn look_for_missing_nodes(&mut self, io: &mut Io<'_>) {
        let named = self.cache.all(&Resource::PODS).map(|pod| pod["spec"]["nodeName"].text());
        let named: BTreeSet<Text> = named.filter(|name| !name.is_empty()).collect();
        let exists = |name: &Text| {
            self.cache.get(&Resource::NODES, &ObjectKey::new("", name.clone())).is_some()
        };
        let missing: BTreeSet<Text> = named.into_iter().filter(|name| !exists(name)).collect();
        self.missing.retain(|name, _| missing.contains(name));
        for name in missing {
            let since = *self.missing.entry(name.clone()).or_insert(io.now);
            if io.now >= since + QUARANTINE {
                let id =
                    io.request(Request::get(Resource::NODES, ObjectKey::new("", name.clone())));
                self.requests.insert(id, Pending::Node(name));
            }
        }
    }

    fn collect_terminated(&mut self, io: &mut Io<'_>) {
        let pods = self.cache.all(&Resource::PODS).filter(|pod| object::is_terminal(pod));
        let mut ended: Vec<&Tree> = pods.collect();
        let Some(excess) = ended.len().checked_sub(MOST_TERMINATED).filter(|n| *n > 0) else {
            return;
        };
        ended.sort_by_key(|pod| {
            let created = object::parse_time(pod["metadata"]["creationTimestamp"].str());
            (pod["status"]["reason"] != "Evicted", created, object::key(pod))
        });
        let oldest: Vec<Tree> = ended.into_iter().take(excess).cloned().collect();
        oldest.iter().for_each(|pod| self.remove(pod, None, io));
    }

    /// Marks a pod that has not ended as failed, then deletes it without grace.
    fn remove(&mut self, pod: &Tree, condition: Option<Tree>, io: &mut Io<'_>) {
        let key = object::key(pod);
        if object::is_terminal(pod) {
            io.request(Request::delete(Resource::PODS, key).with_grace(0));
            return;
        }
        let mut status = map! { "phase" => "Failed" };
        if let Some(condition) = condition {
            object::set_condition(&mut status, condition, io.now);
        }
        let patch = map! { "status" => status };
        let patch = Request::strategic_patch(Resource::PODS, key.clone(), patch);
        let id = io.request(patch.with_subresource("status"));
        self.requests.insert(id, Pending::Mark(key));
    }

    fn answered(&mut self, id: RequestId, answer: &Answer, io: &mut Io<'_>) {
        match (self.requests.remove(&id), answer) {
            (Some(Pending::Mark(key)), Ok(_)) => {
                io.request(Request::delete(Resource::PODS, key).with_grace(0));
            }
            (Some(Pending::Node(node)), Err(status)) if status.is_not_found() => {
                let on_node = |pod: &&Tree| pod["spec"]["nodeName"] == node.as_str();
                let pods = self.cache.all(&Resource::PODS).filter(on_node);
                for pod in pods.cloned().collect::<Vec<_>>() {
                    let condition = map! {
                        "type" => "DisruptionTarget", "status" => "True",
                        "reason" => "DeletionByPodGC", "message" => "PodGC: node no longer exists",
                    };
                    self.remove(&pod, Some(condition), io);
                }
            }
            _ => {}
        }
    }
}
