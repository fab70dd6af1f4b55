//! How a world begins: API server, machines with kubelets, scheduler and built-in controllers.

use std::collections::BTreeMap;

use kubesim_model::{Millis, Text};

use super::World;
use super::config::{ActorSpec, NodeConfig, Staff, WorldConfig};
use super::hosts::Machine;
use super::queue::{Due, Queue};
use super::rules::Rules;
use crate::api::{Api, ApiConfig, Snapshot};
use crate::node::{Host, KubeletConfig, kubelet, node_address};
use crate::{controllers, scheduler};

/// The name of a node's kubelet among the actors.
pub(super) fn kubelet_name(node: &str) -> Text {
    Text::from(format!("kubelet/{node}"))
}

/// What the API server needs to know of the cluster.
fn api_config(config: &WorldConfig) -> ApiConfig {
    let has_clients = config.clients.is_some();
    ApiConfig {
        service_accounts: has_clients,
        tracks_from_creation: has_clients,
        has_caller: config.calls_webhooks,
        authorization: config.authorization,
        ..ApiConfig::default()
    }
}

impl World {
    /// A cluster with the configured nodes and everything that Kubernetes brings, about to start.
    pub fn new(config: WorldConfig) -> World {
        World::starting_at(config, 0, &Staff::everybody())
    }

    /// A cluster that starts at the time `now`, with these built-in actors only.
    pub fn starting_at(config: WorldConfig, now: Millis, staff: &Staff) -> World {
        let nodes = if staff.has(Staff::KUBELET) { config.nodes.clone() } else { Vec::new() };
        let mut world = World::empty(WorldConfig { nodes, ..config }, now);
        if staff.has(Staff::SCHEDULER) {
            world.add_scheduler();
        }
        world.add_controllers(staff);
        world
    }

    /// A cluster that goes on with what was kept of another, as after all its machines were started
    /// again. Its time is `now`, or that of what was kept if that is later.
    pub fn restored(config: WorldConfig, now: Millis, staff: &Staff, kept: &Snapshot) -> World {
        let seed = config.seed;
        let mut world = World::starting_at(config, now.max(kept.time), staff);
        world.api = Api::restored(seed, api_config(&world.config), kept);
        world
    }

    /// A world with nothing but its nodes.
    pub(super) fn empty(config: WorldConfig, now: Millis) -> World {
        let mut world = World {
            now,
            api: Api::starting_at(config.seed, api_config(&config), now),
            slots: Vec::new(),
            names: BTreeMap::new(),
            machines: Vec::new(),
            watchers: BTreeMap::new(),
            rules: Rules::default(),
            queue: Queue::default(),
            answers: BTreeMap::new(),
            remarks: Default::default(),
            records: Vec::new(),
            next_record: 0,
            cause: None,
            compact_to: 0,
            remote: None,
            steps: 0,
            waiting: Default::default(),
            config,
        };
        world.queue.book(now + world.config.window, 0, Due::Compact);
        for (index, node) in world.config.nodes.clone().into_iter().enumerate() {
            world.add_node(index, &node);
        }
        world
    }

    fn add_node(&mut self, index: usize, node: &NodeConfig) {
        let index = index as u32;
        let host = Host::new(&node.name, index, self.config.seed);
        self.machines.push(Machine::new(node.name.clone(), host));
        let settings = KubeletConfig { address: node_address(index), ..node.kubelet.clone() };
        let name = node.name.clone();
        let bug = self.config.bug("kubelet").map(Text::new);
        self.add_actor(ActorSpec {
            user: Text::from(format!("system:node:{}", node.name)),
            user_agent: Text::new_static("kubelet/v1.36"),
            node: Some(node.name.clone()),
            // kubeAPIQPS and kubeAPIBurst (kubelet v1.36).
            rate: Some((50, 100)),
            ..ActorSpec::new(kubelet_name(&node.name), move || {
                kubelet(&name, settings.clone(), bug.as_deref())
            })
        });
    }

    fn add_scheduler(&mut self) {
        let bug = self.config.bug("scheduler").map(Text::new);
        self.add_actor(ActorSpec {
            user: Text::new_static("system:kube-scheduler"),
            user_agent: Text::new_static("kube-scheduler/v1.36"),
            // clientConnection qps and burst (kube-scheduler v1.36).
            rate: Some((50, 100)),
            ..ActorSpec::new("scheduler", move || scheduler::actor(bug.as_deref()))
        });
    }

    fn add_controllers(&mut self, staff: &Staff) {
        let clients = self.config.clients.clone();
        let mut all: BTreeMap<&str, controllers::MakeActor> =
            controllers::all().into_iter().collect();
        if let Some(clients) = clients {
            all.extend(controllers::for_clients());
            let certificate = clients.root_certificate;
            if staff.has(Staff::PUBLISHER) {
                self.add_actor(ActorSpec {
                    user_agent: Text::new_static("kube-controller-manager/v1.36"),
                    rate: Some((20, 30)),
                    ..ActorSpec::new(Staff::PUBLISHER, move || {
                        controllers::furnish::root_certificate(&certificate)
                    })
                });
            }
        }
        for (name, start) in all.into_iter().filter(|(name, _)| staff.has(name)) {
            let bug = self.config.bug(name).map(Text::new);
            self.add_actor(ActorSpec {
                user_agent: Text::new_static("kube-controller-manager/v1.36"),
                // clientConnection qps and burst, of each controller's own client
                // (kube-controller-manager v1.36).
                rate: Some((20, 30)),
                ..ActorSpec::new(name, move || start(bug.as_deref()))
            });
        }
    }
}
