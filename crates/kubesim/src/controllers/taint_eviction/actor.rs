//! The taint eviction controller: one timer for each pod that has to go, and the deletion itself.

use std::collections::BTreeMap;

use kubesim_model::actor::{Actor, Input, Io, RequestId, WatchSpec};
use kubesim_model::cache::{Cache, Change};
use kubesim_model::request::{Answer, Request};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, list, map, object, selector};

use super::super::pods_by_node::PodsByNode;

/// Planted bugs: name, and what it does wrong.
pub const BUGS: &[(&str, &str)] =
    &[("evicts-at-once", "tolerationSeconds of pods are ignored: they are deleted at once")];

/// How often a deletion is tried, and after which time again.
const TRIES: u32 = 5;
const BETWEEN_TRIES: Millis = 10;
const WATCHED: [Resource; 2] = [Resource::NODES, Resource::PODS];

/// The taint eviction controller, with a planted bug if one of [`BUGS`] is named.
pub fn actor(bug: Option<&str>) -> Box<dyn Actor> {
    let at_once = bug == Some("evicts-at-once");
    Box::new(TaintEviction { at_once, ..TaintEviction::default() })
}

#[derive(Clone, Default)]
struct TaintEviction {
    at_once: bool,
    cache: Cache,
    pods: PodsByNode,
    /// What became of each pod that does not tolerate its node for ever.
    evictions: BTreeMap<ObjectKey, Eviction>,
    timers: BTreeMap<u64, ObjectKey>,
    next_timer: u64,
    requests: BTreeMap<RequestId, (ObjectKey, Step)>,
}

#[derive(Clone)]
struct Eviction {
    timer: u64,
    began: Millis,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Waiting,
    Deleting { tries_left: u32 },
    Done,
}

#[derive(Clone, Copy)]
enum Step {
    Read,
    Mark,
    Delete,
}

impl Actor for TaintEviction {
    fn on(&mut self, input: Input, io: &mut Io<'_>) {
        match input {
            Input::Start => {
                WATCHED.into_iter().for_each(|watched| io.watch(WatchSpec::all(watched)))
            }
            Input::Watch(event) => {
                let had_listed = self.cache.has_listed(&WATCHED);
                let changes = self.cache.take(event);
                let is_pods = |change: &&Change| change.resource == Resource::PODS;
                changes.iter().filter(is_pods).for_each(|change| self.pods.take(change));
                if had_listed {
                    changes.iter().for_each(|change| self.changed(change, io));
                } else if self.cache.has_listed(&WATCHED) {
                    let nodes: Vec<Tree> = self.cache.all(&Resource::NODES).cloned().collect();
                    nodes.iter().for_each(|node| self.look_at_node(node, io));
                }
            }
            Input::Answer { id, answer } => self.answered(id, &answer, io),
            Input::Timer(token) => self.timer(token, io),
            Input::Host(_) => {}
        }
    }

    fn boxed_clone(&self) -> Box<dyn Actor> {
        Box::new(self.clone())
    }
}

impl TaintEviction {
    fn changed(&mut self, change: &Change, io: &mut Io<'_>) {
        let field = |object: &Option<Tree>, path: &[&str]| {
            object.as_ref().map(|object| object.at(path).clone())
        };
        let is_changed = |path: &[&str]| field(&change.old, path) != field(&change.new, path);
        if change.resource == Resource::NODES {
            let gone = map! {};
            let node = change.new.as_ref().unwrap_or(&gone);
            if change.new.is_none() {
                let name = change.old.as_ref().map(|old| old["metadata"]["name"].text());
                self.cancel_node(&name.unwrap_or_default());
            } else if is_changed(&["spec", "taints"]) {
                self.look_at_node(node, io);
            }
            return;
        }
        let key = change.new.as_ref().or(change.old.as_ref()).map(object::key).unwrap_or_default();
        let replaced = is_changed(&["metadata", "uid"]);
        if replaced {
            self.cancel(&key);
        }
        let Some(pod) = &change.new else { return };
        let matters =
            replaced || is_changed(&["spec", "nodeName"]) || is_changed(&["spec", "tolerations"]);
        if matters {
            let node = ObjectKey::new("", pod["spec"]["nodeName"].text());
            let node = self.cache.get(&Resource::NODES, &node);
            let taints = node.map(no_execute_taints).unwrap_or_default();
            if !taints.is_empty() {
                self.look_at_pod(&pod.clone(), &taints, io);
            }
        }
    }

    fn look_at_node(&mut self, node: &Tree, io: &mut Io<'_>) {
        let taints = no_execute_taints(node);
        let name = node["metadata"]["name"].text();
        if taints.is_empty() {
            return self.cancel_node(&name);
        }
        let pods = self.pods.on(&name).filter_map(|key| self.cache.get(&Resource::PODS, key));
        let pods: Vec<Tree> = pods.cloned().collect();
        pods.iter().for_each(|pod| self.look_at_pod(pod, &taints, io));
    }

    fn cancel_node(&mut self, name: &Text) {
        let keys: Vec<ObjectKey> = self.pods.on(name).cloned().collect();
        keys.iter().for_each(|key| self.cancel(key));
    }

    fn cancel(&mut self, key: &ObjectKey) {
        if let Some(eviction) = self.evictions.remove(key) {
            self.timers.remove(&eviction.timer);
        }
    }

    fn look_at_pod(&mut self, pod: &Tree, taints: &[Tree], io: &mut Io<'_>) {
        let key = object::key(pod);
        let Some(patience) = patience(&pod["spec"]["tolerations"], taints) else {
            // Tolerated for ever: what waits is called off.
            return self.cancel(&key);
        };
        let patience = if self.at_once { 0 } else { patience };
        match self.evictions.get(&key) {
            // The first deadline stays; a pod that cannot stay at all goes now.
            Some(have) if have.state != State::Waiting => return,
            Some(have) if patience > 0 && have.began < io.now => return,
            _ => self.cancel(&key),
        }
        let timer = self.next_timer;
        self.next_timer += 1;
        let eviction = Eviction { timer, began: io.now, state: State::Waiting };
        self.evictions.insert(key.clone(), eviction);
        self.timers.insert(timer, key);
        if patience == 0 {
            self.timer(timer, io);
        } else {
            io.timer(timer, patience);
        }
    }

    fn timer(&mut self, token: u64, io: &mut Io<'_>) {
        let Some(key) = self.timers.remove(&token) else { return };
        let Some(eviction) = self.evictions.get_mut(&key) else { return };
        if eviction.state == State::Waiting {
            eviction.state = State::Deleting { tries_left: TRIES };
            let about = Text::from(format!("{} {key}", Resource::PODS));
            io.event(about, "TaintManagerEviction", format!("Marking for deletion Pod {key}"));
        }
        self.send(Request::get(Resource::PODS, key.clone()), key, Step::Read, io);
    }

    fn send(&mut self, request: Request, key: ObjectKey, step: Step, io: &mut Io<'_>) {
        let id = io.request(request);
        self.requests.insert(id, (key, step));
    }

    fn answered(&mut self, id: RequestId, answer: &Answer, io: &mut Io<'_>) {
        let Some((key, step)) = self.requests.remove(&id) else { return };
        match (step, answer) {
            (_, Err(_)) => self.try_again(&key, io),
            (Step::Read, Ok(pod)) => match mark(pod, io.now) {
                Some(request) => self.send(request, key, Step::Mark, io),
                None => {
                    self.send(Request::delete(Resource::PODS, key.clone()), key, Step::Delete, io)
                }
            },
            (Step::Mark, Ok(_)) => {
                self.send(Request::delete(Resource::PODS, key.clone()), key, Step::Delete, io);
            }
            (Step::Delete, Ok(_)) => {
                if let Some(eviction) = self.evictions.get_mut(&key) {
                    eviction.state = State::Done;
                }
            }
        }
    }

    /// After the last try the pod is left until its node or itself changes again.
    fn try_again(&mut self, key: &ObjectKey, io: &mut Io<'_>) {
        let Some(eviction) = self.evictions.get_mut(key) else { return };
        match eviction.state {
            State::Deleting { tries_left } if tries_left > 1 => {
                eviction.state = State::Deleting { tries_left: tries_left - 1 };
                let timer = self.next_timer;
                self.next_timer += 1;
                eviction.timer = timer;
                self.timers.insert(timer, key.clone());
                io.timer(timer, BETWEEN_TRIES);
            }
            _ => self.cancel(key),
        }
    }
}

fn no_execute_taints(node: &Tree) -> Vec<Tree> {
    let taints = node["spec"]["taints"].items().iter();
    taints.filter(|taint| taint["effect"] == "NoExecute").cloned().collect()
}

/// How long the pod may stay under these taints; `None` for ever.
fn patience(tolerations: &Tree, taints: &[Tree]) -> Option<Millis> {
    let mut shortest = None;
    for taint in taints {
        let alone = |toleration: &&Tree| selector::tolerates(&list![*toleration], taint);
        let Some(toleration) = tolerations.items().iter().find(alone) else { return Some(0) };
        if let Some(seconds) = toleration["tolerationSeconds"].as_i64() {
            let patience = Millis::try_from(seconds).unwrap_or(0).saturating_mul(1000);
            // Longer than any trial, and far from the end of the numbers.
            let patience = patience.min(Millis::MAX / 4);
            shortest = Some(shortest.map_or(patience, |have: Millis| have.min(patience)));
        }
    }
    shortest
}

/// The patch that says why the pod goes; `None` if it says so already.
fn mark(pod: &Tree, now: Millis) -> Option<Request> {
    let condition = map! {
        "type" => "DisruptionTarget", "status" => "True", "reason" => "DeletionByTaintManager",
        "message" => "Taint manager: deleting due to NoExecute taint",
    };
    let mut status = pod["status"].clone();
    if !object::set_condition(&mut status, condition, now) {
        return None;
    }
    let conditions = status["conditions"].items().iter();
    let new = conditions.filter(|condition| condition["type"] == "DisruptionTarget");
    let new: Vec<Tree> = new.cloned().collect();
    let patch = map! {
        "metadata" => map! { "uid" => &pod["metadata"]["uid"] },
        "status" => map! { "conditions" => new },
    };
    let patch = Request::strategic_patch(Resource::PODS, object::key(pod), patch);
    Some(patch.with_subresource("status"))
}
