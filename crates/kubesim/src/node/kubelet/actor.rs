//! The kubelet as an actor: what reaches it, and whose work that is.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::actor::{Actor, Input, Io, RequestId, WatchSpec};
use kubesim_model::host::{HostCommand, HostEvent, OpId, ProbeKind};
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

use super::config::{Bug, KubeletConfig};
use super::heartbeat::Heartbeat;
use super::worker::Worker;

/// The kubelet of `node`, with one of [`super::BUGS`] planted in it, or none.
pub fn kubelet(node: &str, config: KubeletConfig, bug: Option<&str>) -> Box<dyn Actor> {
    Box::new(Kubelet {
        node: node.into(),
        config,
        bug: bug.and_then(Bug::named),
        inventory: None,
        boot_id: Text::default(),
        listed: None,
        workers: BTreeMap::new(),
        by_container: BTreeMap::new(),
        orphans: BTreeMap::new(),
        ops: BTreeMap::new(),
        next_op: 0,
        timers: BTreeMap::new(),
        next_timer: 0,
        requests: BTreeMap::new(),
        changed: BTreeSet::new(),
        phases: Phases::default(),
        heartbeat: Heartbeat::default(),
    })
}

/// Where in their periods the kubelet's clocks stand.
#[derive(Clone, Default)]
pub(super) struct Phases {
    pub(super) relist: Millis,
    pub(super) batch: Millis,
    pub(super) housekeeping: Millis,
}

/// What a command to the runtime was for.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Inventory,
    /// Something that the worker of this pod waits for.
    Work(Text),
    /// The sandbox of this pod is to be gone.
    SandboxStop(Text),
    Probe {
        pod_uid: Text,
        unit: usize,
        container_id: Text,
        kind: ProbeKind,
    },
}

/// What a timer is for.
#[derive(Clone, Debug)]
pub(super) enum Due {
    Relist,
    RelistPod(Text),
    Sync(Text),
    Batch(Text),
    Final(Text),
    Released(Text),
    Probe { pod_uid: Text, unit: usize, container_id: Text, kind: ProbeKind },
    Housekeeping,
    OrphanSandbox(Text),
    Lease,
    NodeStatus,
}

/// What a request was for.
#[derive(Clone, Debug)]
pub(super) enum Sent {
    PodStatus(Text),
    PodDelete(Text),
    Lease { create: bool },
    Node { create: bool },
}

#[derive(Clone)]
pub(super) struct Kubelet {
    pub(super) node: Text,
    pub(super) config: KubeletConfig,
    pub(super) bug: Option<Bug>,
    /// What the runtime had when the kubelet started, until it is taken over.
    pub(super) inventory: Option<HostEvent>,
    pub(super) boot_id: Text,
    /// The first list of pods, until the inventory is there too.
    pub(super) listed: Option<Vec<Tree>>,
    pub(super) workers: BTreeMap<Text, Worker>,
    pub(super) by_container: BTreeMap<Text, (Text, usize)>,
    /// Containers of pods that the API does not know, by the pod's uid.
    pub(super) orphans: BTreeMap<Text, BTreeSet<Text>>,
    ops: BTreeMap<OpId, Asked>,
    next_op: OpId,
    timers: BTreeMap<u64, Due>,
    next_timer: u64,
    requests: BTreeMap<RequestId, Sent>,
    /// Pods with something for the next relist to notice.
    pub(super) changed: BTreeSet<Text>,
    pub(super) phases: Phases,
    pub(super) heartbeat: Heartbeat,
}

impl Kubelet {
    pub(super) fn ask(
        &mut self,
        asked: Asked,
        io: &mut Io<'_>,
        command: impl FnOnce(OpId) -> HostCommand,
    ) -> OpId {
        let op = self.next_op;
        self.next_op += 1;
        self.ops.insert(op, asked);
        io.host(command(op));
        op
    }

    /// Names a command whose answer nobody waits for.
    pub(super) fn unasked(&mut self) -> OpId {
        self.next_op += 1;
        self.next_op - 1
    }

    pub(super) fn answer_to(&mut self, op: OpId) -> Option<Asked> {
        self.ops.remove(&op)
    }

    pub(super) fn after(&mut self, wait: Millis, due: Due, io: &mut Io<'_>) {
        let token = self.next_timer;
        self.next_timer += 1;
        self.timers.insert(token, due);
        io.timer(token, wait);
    }

    pub(super) fn sent(&mut self, id: RequestId, sent: Sent) {
        self.requests.insert(id, sent);
    }

    /// Does something with a pod's worker, if there is one.
    pub(super) fn with(
        &mut self,
        uid: &str,
        io: &mut Io<'_>,
        work: impl FnOnce(&mut Self, &mut Worker, &mut Io<'_>),
    ) {
        let Some((uid, mut worker)) = self.workers.remove_entry(uid) else { return };
        work(self, &mut worker, io);
        self.workers.insert(uid, worker);
    }

    fn start(&mut self, io: &mut Io<'_>) {
        // Answers to the commands of an earlier incarnation must not be taken for ours.
        self.next_op = (io.rng.bits() >> 16) << 8;
        self.phases = Phases {
            relist: io.rng.between(0, 999),
            batch: io.rng.between(0, 9_999),
            housekeeping: io.rng.between(0, 1_999),
        };
        let fields = format!("spec.nodeName={}", self.node);
        io.watch(WatchSpec::all(Resource::PODS).with_fields(fields));
        let fields = format!("metadata.name={}", self.node);
        io.watch(WatchSpec::all(Resource::NODES).with_fields(fields));
        self.ask(Asked::Inventory, io, |op| HostCommand::List { op });
    }

    fn timer(&mut self, token: u64, io: &mut Io<'_>) {
        let Some(due) = self.timers.remove(&token) else { return };
        match due {
            Due::Relist => self.relist(io),
            Due::RelistPod(uid) => self.relist_pod(&uid, io),
            Due::Sync(uid) => self.with(&uid, io, |kubelet, worker, io| {
                if worker.again_at <= io.now {
                    kubelet.sync(worker, io);
                }
            }),
            Due::Batch(uid) => self.with(&uid, io, |kubelet, worker, io| {
                worker.waits_for_batch = false;
                kubelet.report(worker, io);
            }),
            Due::Final(uid) => {
                self.with(&uid, io, |kubelet, worker, io| kubelet.finish(worker, io));
            }
            Due::Released(uid) => {
                self.with(&uid, io, |kubelet, worker, io| kubelet.released(worker, io));
                self.drop_if_over(&uid);
            }
            Due::Probe { pod_uid, unit, container_id, kind } => {
                self.with(&pod_uid, io, |kubelet, worker, io| {
                    kubelet.probe(worker, unit, &container_id, kind, io);
                });
            }
            Due::Housekeeping => self.kill_orphans(io),
            Due::OrphanSandbox(uid) => self.stop_orphan_sandbox(&uid, io),
            Due::Lease => self.renew_lease(io),
            Due::NodeStatus => self.check_node_status(io),
        }
    }

    fn answered(&mut self, id: RequestId, answer: kubesim_model::request::Answer, io: &mut Io<'_>) {
        match self.requests.remove(&id) {
            Some(Sent::PodStatus(uid)) => self.with(&uid, io, |kubelet, worker, io| {
                kubelet.status_answered(worker, answer, io);
            }),
            Some(Sent::PodDelete(uid)) => self.with(&uid, io, |kubelet, worker, io| {
                kubelet.delete_answered(worker, &answer, io);
            }),
            Some(Sent::Lease { create }) => self.lease_answered(create, &answer, io),
            Some(Sent::Node { create }) => self.node_answered(create, answer, io),
            None => {}
        }
    }
}

impl Actor for Kubelet {
    fn on(&mut self, input: Input, io: &mut Io<'_>) {
        match input {
            Input::Start => {
                self.start(io);
                self.start_heartbeat(io);
            }
            Input::Watch(event) if *event.resource() == Resource::NODES => {
                self.node_seen(event, io);
            }
            Input::Watch(event) => self.pods_seen(event, io),
            Input::Answer { id, answer } => self.answered(id, answer, io),
            Input::Timer(token) => self.timer(token, io),
            Input::Host(event) => self.host_told(event, io),
        }
    }

    fn boxed_clone(&self) -> Box<dyn Actor> {
        Box::new(self.clone())
    }
}

/// How long from `now` until a clock with this period and phase strikes next.
pub(super) fn until_tick(now: Millis, period: Millis, phase: Millis) -> Millis {
    period - (now + period - phase % period) % period
}
