//! The agent on a host: acts on requests that the workflow writes on pods, and acknowledges them.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::actor::{Actor, Input, Io, RequestId, WatchEvent, WatchSpec};
use kubesim_model::host::{ContainerInfo, HostCommand, HostEvent, OpId};
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, object};

use super::pod;

/// How long until something is looked at, or tried, again.
const PAUSE: Millis = 1_000;
const DEFAULT_GRACE_SECONDS: i64 = 30;

/// The agent of the node of this name. It has no bugs to plant.
pub fn agent(node: Text) -> Box<dyn Actor> {
    Box::new(Agent { node, ..Agent::default() })
}

#[derive(Clone, Default)]
struct Agent {
    node: Text,
    /// What it knows of the pods on its node, by uid.
    pods: BTreeMap<Text, Tree>,
    /// What it does or has done about the request on a pod, by the pod's uid.
    jobs: BTreeMap<Text, Job>,
    /// What is under way, and for which job.
    requests: BTreeMap<RequestId, Handle>,
    listings: BTreeMap<OpId, Handle>,
    timers: BTreeMap<u64, Handle>,
    next: u64,
}

/// Names a job: the pod's uid and the request's id.
type Handle = (Text, Text);

#[derive(Clone)]
struct Job {
    id: Text,
    container: Text,
    image: Text,
    phase: Phase,
}

#[derive(Clone, PartialEq)]
enum Phase {
    /// Write the new image into the pod.
    Change,
    /// Look whether the container runs with the new image.
    AwaitImage,
    /// Look which containers run, and stop them.
    FindRunning,
    /// Wait until these containers have ended.
    Stopping(BTreeSet<Text>),
    /// Tell that it is done.
    Acknowledge,
    Done,
}

impl Agent {
    /// Takes a pod in and looks whether there is something new to do.
    fn consider(&mut self, pod: Tree, io: &mut Io<'_>) {
        let uid = Text::new(object::uid(&pod));
        let request = pod::open_request(&pod);
        self.pods.insert(uid.clone(), pod);
        let Some(request) = request else {
            self.jobs.remove(&uid);
            return;
        };
        let id = request["id"].text();
        if self.jobs.get(&uid).is_some_and(|job| job.id == id) {
            return;
        }
        let phase = match request["op"].str() {
            "change" => Phase::Change,
            "stop" => Phase::FindRunning,
            _ => return,
        };
        let (container, image) = (request["container"].text(), request["image"].text());
        self.jobs.insert(uid.clone(), Job { id: id.clone(), container, image, phase });
        self.advance((uid, id), io);
    }

    /// Does what a job's phase asks for.
    fn advance(&mut self, handle: Handle, io: &mut Io<'_>) {
        let Some(job) = self.job(&handle) else { return };
        let (job, Some(pod)) = (job.clone(), self.pods.get(&handle.0)) else { return };
        match job.phase {
            Phase::Change => {
                let id = io.request(pod::change_image(pod, &job.container, &job.image));
                self.requests.insert(id, handle);
            }
            Phase::Acknowledge => {
                let id = io.request(pod::acknowledge(pod, &job.id));
                self.requests.insert(id, handle);
            }
            Phase::AwaitImage | Phase::FindRunning => {
                let op = self.number();
                self.listings.insert(op, handle);
                io.host(HostCommand::List { op });
            }
            Phase::Stopping(_) | Phase::Done => {}
        }
    }

    fn answered(&mut self, handle: Handle, fine: bool, io: &mut Io<'_>) {
        let Some(job) = self.job(&handle) else { return };
        match (fine, &job.phase) {
            (true, Phase::Change) => job.phase = Phase::AwaitImage,
            (true, _) => job.phase = Phase::Done,
            (false, _) => return self.advance_later(handle, io),
        }
        self.advance(handle, io);
    }

    fn listed(&mut self, handle: Handle, containers: &[ContainerInfo], io: &mut Io<'_>) {
        let grace = self.pods.get(&handle.0).map_or(0, grace);
        let Some(job) = self.job(&handle) else { return };
        let running =
            containers.iter().filter(|have| have.pod_uid == handle.0 && have.exited.is_none());
        match job.phase {
            Phase::AwaitImage => {
                let runs =
                    |have: &ContainerInfo| have.name == job.container && have.image == job.image;
                if !running.into_iter().any(runs) {
                    return self.advance_later(handle, io);
                }
                job.phase = Phase::Acknowledge;
            }
            Phase::FindRunning => {
                let ids: BTreeSet<Text> = running.map(|have| have.container_id.clone()).collect();
                job.phase = match ids.is_empty() {
                    true => Phase::Acknowledge,
                    false => Phase::Stopping(ids.clone()),
                };
                for container_id in ids {
                    let op = self.number();
                    io.host(HostCommand::StopContainer { op, container_id, grace });
                }
            }
            _ => return,
        }
        self.advance(handle, io);
    }

    fn exited(&mut self, container_id: &str, io: &mut Io<'_>) {
        let mut done = Vec::new();
        for (uid, job) in &mut self.jobs {
            let Phase::Stopping(waiting) = &mut job.phase else { continue };
            if waiting.remove(container_id) && waiting.is_empty() {
                job.phase = Phase::Acknowledge;
                done.push((uid.clone(), job.id.clone()));
            }
        }
        done.into_iter().for_each(|handle| self.advance(handle, io));
    }

    /// The job, unless the request was taken back or replaced meanwhile.
    fn job(&mut self, (uid, id): &Handle) -> Option<&mut Job> {
        self.jobs.get_mut(uid).filter(|job| job.id == *id)
    }

    fn advance_later(&mut self, handle: Handle, io: &mut Io<'_>) {
        let token = self.number();
        self.timers.insert(token, handle);
        io.timer(token, PAUSE);
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn watched(&mut self, event: WatchEvent, io: &mut Io<'_>) {
        match event {
            WatchEvent::Listed { items, .. } => {
                let there: BTreeSet<Text> =
                    items.iter().map(|pod| Text::new(object::uid(pod))).collect();
                self.pods.retain(|uid, _| there.contains(uid));
                self.jobs.retain(|uid, _| there.contains(uid));
                items.into_iter().for_each(|pod| self.consider(pod, io));
            }
            WatchEvent::Applied { object, .. } => self.consider(object, io),
            WatchEvent::Deleted { object, .. } => {
                self.pods.remove(object::uid(&object));
                self.jobs.remove(object::uid(&object));
            }
        }
    }
}

/// The pod's grace for its containers, in milliseconds.
fn grace(pod: &Tree) -> Millis {
    let seconds = pod["spec"]["terminationGracePeriodSeconds"].as_i64();
    Millis::try_from(seconds.unwrap_or(DEFAULT_GRACE_SECONDS)).unwrap_or(0).saturating_mul(1000)
}

impl Actor for Agent {
    fn on(&mut self, input: Input, io: &mut Io<'_>) {
        match input {
            Input::Start => {
                let mine = format!("spec.nodeName={}", self.node);
                io.watch(WatchSpec::all(Resource::PODS).with_fields(mine));
            }
            Input::Watch(event) => self.watched(event, io),
            Input::Answer { id, answer } => {
                if let Some(handle) = self.requests.remove(&id) {
                    self.answered(handle, answer.is_ok(), io);
                }
            }
            Input::Timer(token) => {
                if let Some(handle) = self.timers.remove(&token) {
                    self.advance(handle, io);
                }
            }
            Input::Host(HostEvent::Inventory { op, containers, .. }) => {
                if let Some(handle) = self.listings.remove(&op) {
                    self.listed(handle, &containers, io);
                }
            }
            Input::Host(HostEvent::ContainerExited { container_id, .. }) => {
                self.exited(&container_id, io);
            }
            Input::Host(_) => {}
        }
    }

    fn boxed_clone(&self) -> Box<dyn Actor> {
        Box::new(self.clone())
    }
}
