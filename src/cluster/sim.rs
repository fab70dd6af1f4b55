//! The provider `sim`: clusters that are worlds of kubesim, in virtual time.

use std::collections::BTreeMap;

use kubesim::world::{ActorSpec, NodeConfig, Record, World, WorldConfig};
use kubesim_client::{ProgramSpec, Programs};
use kubesim_model::request::{Answer, Request, Status};
use kubesim_model::{Millis, Text, map};

use super::sim_record::observation;
use super::{
    Advance, CONTROL_PLANE, Capabilities, Capability, Cluster, ClusterError, ClusterSpec, Lever,
    LeverError, NodeSpec, Program, Provider, Ticket, Touched,
};
use crate::history::Clock;

/// The provider.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sim;

/// Who sends the requests of steps: the user of an administrator's kubeconfig (kubeadm v1.36).
pub(super) const OPERATOR: &str = "kubectl";
pub(super) const OPERATOR_USER: &str = "kubernetes-admin";
pub(super) const OPERATOR_AGENT: &str = "kubectl/v1.36";

/// What is simulated.
pub(super) const VERSION: &str = "1.36";

impl Provider for Sim {
    fn name(&self) -> &'static str {
        "sim"
    }

    fn version(&self) -> Option<&str> {
        Some(VERSION)
    }

    fn capabilities(&self) -> Capabilities {
        // It has no address, and nothing runs in its containers.
        Capabilities::all_but(&[
            Capability::Commands,
            Capability::Images,
            Capability::RuntimeFaults,
            Capability::PacketLoss,
        ])
    }

    fn clock(&self) -> Clock {
        Clock::Virtual
    }

    fn provision(&self, spec: &ClusterSpec) -> Result<Box<dyn Cluster>, ClusterError> {
        let mut world = World::new(world_config(spec));
        world.add_client(OPERATOR, OPERATOR_USER, OPERATOR_AGENT);
        Ok(Box::new(SimCluster::new(spec.seed, world)))
    }
}

/// The world that a cluster is to be.
pub(super) fn world_config(spec: &ClusterSpec) -> WorldConfig {
    let mut config = WorldConfig::new(spec.seed, 0);
    config.nodes = spec.nodes.iter().map(node_config).collect();
    config.bugs.clone_from(&spec.bugs);
    config.record_deliveries_of.clone_from(&spec.record_deliveries_of);
    config
}

pub(super) fn node_config(node: &NodeSpec) -> NodeConfig {
    let mut config = NodeConfig::new(node.name.clone());
    let kubelet = &mut config.kubelet;
    kubelet.zone.clone_from(&node.zone);
    kubelet.labels.clone_from(&node.labels);
    kubelet.taints.clone_from(&node.taints);
    kubelet.capacity.extend(node.capacity.iter().cloned());
    if node.is_control_plane {
        kubelet.labels.push((Text::new_static(CONTROL_PLANE), Text::default()));
        kubelet.taints.push(map! { "key" => CONTROL_PLANE, "effect" => "NoSchedule" });
    }
    config
}

/// A world as a cluster.
struct SimCluster {
    seed: u64,
    world: World,
    /// The kube-rs programs, once there are any; then it is they who step the world.
    programs: Option<Programs>,
    /// Requests without an answer yet: our ticket and the world's number.
    pending: Vec<(Ticket, u64)>,
    answers: BTreeMap<Ticket, Answer>,
    next: u64,
}

impl SimCluster {
    fn new(seed: u64, world: World) -> Self {
        let (pending, answers) = (Vec::new(), BTreeMap::new());
        SimCluster { seed, world, programs: None, pending, answers, next: 0 }
    }

    /// Goes on until there are records or answers, at most to `until`; the records.
    fn go_on(&mut self, until: Millis) -> Vec<Record> {
        let SimCluster { world, programs, pending, answers, .. } = self;
        let mut records = Vec::new();
        let mut stop = |world: &mut World| {
            records.extend(world.take_records());
            let answered = collect_answers(world, pending, answers);
            answered || !records.is_empty()
        };
        match programs {
            Some(programs) => programs.advance(world, until, &mut stop),
            None => step(world, until, &mut stop),
        }
        records
    }

    fn install_client(&mut self, spec: ProgramSpec) -> Result<(), ClusterError> {
        if self.programs.is_none() {
            let programs = Programs::new(self.seed, self.world.now());
            let failed = |error| ClusterError::Environment(format!("no tokio runtime: {error}"));
            self.programs = Some(programs.map_err(failed)?);
        }
        if let Some(programs) = &mut self.programs {
            programs.add(&mut self.world, spec);
        }
        Ok(())
    }
}

/// Steps a world until `stop` says so, at most to `until`.
fn step(world: &mut World, until: Millis, stop: &mut dyn FnMut(&mut World) -> bool) {
    while !stop(world) {
        match world.next_event() {
            Some(at) if at <= until => drop(world.step()),
            _ => return world.advance_to(until),
        }
    }
}

/// Collects the answers that have come. Answers whether there were any.
pub(super) fn collect_answers(
    world: &mut World,
    pending: &mut Vec<(Ticket, u64)>,
    answers: &mut BTreeMap<Ticket, Answer>,
) -> bool {
    let before = answers.len();
    pending.retain(|(ticket, id)| match world.take_answer(OPERATOR, *id) {
        Some(answer) => {
            answers.insert(*ticket, answer);
            false
        }
        None => true,
    });
    answers.len() > before
}

impl Cluster for SimCluster {
    fn now(&self) -> Millis {
        self.world.now()
    }

    fn advance(&mut self, until: Millis) -> Result<Advance, ClusterError> {
        let records = self.go_on(until);
        // Programs have timers of their own that the world does not know.
        let idle = self.programs.is_none() && self.world.next_event().is_none();
        let idle = idle && records.is_empty() && self.pending.is_empty();
        Ok(Advance { observed: records.into_iter().filter_map(observation).collect(), idle })
    }

    fn install(&mut self, program: &Program) -> Result<(), ClusterError> {
        match program.clone() {
            Program::InProcess { name, user, user_agent, node, start } => {
                let actor = ActorSpec::new(name, move || start());
                self.world.add_actor(ActorSpec { user, user_agent, node, ..actor });
                Ok(())
            }
            Program::Client { name, user, user_agent, start } => {
                self.install_client(ProgramSpec { name, user, user_agent, start })
            }
            other => {
                let what = format!("run the program `{other:?}`");
                Err(ClusterError::Unsupported { provider: "sim", what })
            }
        }
    }

    fn submit(&mut self, request: Request) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        match self.world.submit(OPERATOR, request) {
            Some(id) => self.pending.push((ticket, id)),
            None => drop(self.answers.insert(ticket, Err(Status::connection_lost()))),
        }
        ticket
    }

    fn take_answer(&mut self, ticket: Ticket) -> Option<Answer> {
        self.answers.remove(&ticket)
    }

    fn pull(&mut self, lever: &Lever) -> Result<Touched, LeverError> {
        self.world.pull(lever)
    }

    fn fork(&self) -> Option<Box<dyn Cluster>> {
        // The tasks of programs can't be copied.
        self.programs.is_none().then(|| {
            Box::new(SimCluster {
                seed: self.seed,
                world: self.world.clone(),
                programs: None,
                pending: self.pending.clone(),
                answers: self.answers.clone(),
                next: self.next,
            }) as Box<dyn Cluster>
        })
    }
}
