//! The provider `sim`: clusters that are worlds of kubesim, in virtual time.

use std::collections::BTreeMap;

use kubesim::world::{ActorSpec, NodeConfig, World, WorldConfig};
use kubesim_model::Millis;
use kubesim_model::request::{Answer, Request, Status};

use super::sim_record::observation;
use super::{
    Advance, Capabilities, Capability, Cluster, ClusterError, ClusterSpec, Lever, LeverError,
    NodeSpec, Program, Provider, Ticket, Touched,
};
use crate::history::Clock;

/// The provider.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sim;

/// Who sends the requests of steps: the user of an administrator's kubeconfig (kubeadm v1.36).
const OPERATOR: &str = "kubectl";
const OPERATOR_USER: &str = "kubernetes-admin";
const OPERATOR_AGENT: &str = "kubectl/v1.36";

impl Provider for Sim {
    fn name(&self) -> &'static str {
        "sim"
    }

    fn capabilities(&self) -> Capabilities {
        let all = Capability::ALL.iter().copied();
        all.filter(|capability| *capability != Capability::Scripts).collect()
    }

    fn clock(&self) -> Clock {
        Clock::Virtual
    }

    fn provision(&self, spec: &ClusterSpec) -> Result<Box<dyn Cluster>, ClusterError> {
        let mut config = WorldConfig::new(spec.seed, 0);
        config.nodes = spec.nodes.iter().map(node_config).collect();
        config.bugs = spec.bugs.clone();
        config.record_deliveries_of = spec.record_deliveries_of.clone();
        let mut world = World::new(config);
        world.add_client(OPERATOR, OPERATOR_USER, OPERATOR_AGENT);
        Ok(Box::new(SimCluster { world, pending: Vec::new(), answers: BTreeMap::new(), next: 0 }))
    }
}

fn node_config(node: &NodeSpec) -> NodeConfig {
    let mut config = NodeConfig::new(node.name.clone());
    config.zone = node.zone.clone().unwrap_or_default();
    config.labels.clone_from(&node.labels);
    config
}

/// A world as a cluster.
#[derive(Clone)]
struct SimCluster {
    world: World,
    /// Requests without an answer yet: our ticket and the world's number.
    pending: Vec<(Ticket, u64)>,
    answers: BTreeMap<Ticket, Answer>,
    next: u64,
}

impl SimCluster {
    /// Collects the answers that have come. Answers whether there were any.
    fn collect_answers(&mut self) -> bool {
        let before = self.answers.len();
        let (world, answers) = (&mut self.world, &mut self.answers);
        self.pending.retain(|(ticket, id)| match world.take_answer(OPERATOR, *id) {
            Some(answer) => {
                answers.insert(*ticket, answer);
                false
            }
            None => true,
        });
        self.answers.len() > before
    }
}

impl Cluster for SimCluster {
    fn now(&self) -> Millis {
        self.world.now()
    }

    fn advance(&mut self, until: Millis) -> Result<Advance, ClusterError> {
        loop {
            let records = self.world.take_records();
            let answered = self.collect_answers();
            if !records.is_empty() || answered {
                let observed = records.into_iter().filter_map(observation).collect();
                return Ok(Advance { observed, idle: false });
            }
            match self.world.next_event() {
                Some(at) if at <= until => drop(self.world.step()),
                next => {
                    self.world.advance_to(until);
                    return Ok(Advance { observed: Vec::new(), idle: next.is_none() });
                }
            }
        }
    }

    fn install(&mut self, program: &Program) -> Result<(), ClusterError> {
        let Program::InProcess { name, user, user_agent, node, start } = program else {
            let what = format!("run the program `{program:?}`");
            return Err(ClusterError::Unsupported { provider: "sim", what });
        };
        let start = start.clone();
        self.world.add_actor(ActorSpec {
            user: user.clone(),
            user_agent: user_agent.clone(),
            node: node.clone(),
            ..ActorSpec::new(name.clone(), move || start())
        });
        Ok(())
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
        Some(Box::new(self.clone()))
    }
}
