//! The programs under test, wherever they run: as tasks of this process, as processes beside the
//! cluster, in containers of it.

use camino::Utf8Path;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, LogParams};
use kubesim_model::{Millis, Text};

use super::api::Api;
use super::apply::{Applied, led_through};
use super::commands::{Commands, Start};
use super::deployed::{Deployed, Pods};
use super::ground::Ground;
use super::kubeconfig::Endpoint;
use super::proxy::Proxy;
use super::tasks::Tasks;
use crate::cluster::sim::{OPERATOR_AGENT, OPERATOR_USER};
use crate::cluster::{ClusterError, Lever, LeverError, Program, ProgramLog, Touched};
use crate::history::{ActorEvent, HostEvent};

/// How much of what a program printed is kept: the end.
const LOG_BYTES: i64 = 1 << 20;
const LOG_LINES: i64 = 5_000;

/// The programs that were installed.
#[derive(Default)]
pub(in crate::cluster) struct Programs {
    tasks: Tasks,
    commands: Commands,
    deployed: Deployed,
    /// What was applied for them, after those that need it.
    applied: Vec<Applied>,
}

/// What came of an installation.
#[derive(Default)]
pub(in crate::cluster) struct Installed {
    /// Users, user agents and what they are called. An empty user agent stands for all.
    pub(in crate::cluster) names: Vec<(Text, Text, Text)>,
    /// Who has started, as far as that is known before they ask for something.
    pub(in crate::cluster) started: Option<ActorEvent>,
}

impl Programs {
    /// Installs a program on the API server that `kubeconfig` leads to.
    pub(in crate::cluster) fn install(
        &mut self,
        (api, proxy): (&Api, Option<&Proxy>),
        kubeconfig: &Utf8Path,
        program: Program,
        now: Millis,
    ) -> Result<Installed, ClusterError> {
        let any_agent = |(user, name)| (user, Text::default(), name);
        match program {
            Program::Client { name, user, user_agent, start } => {
                let names = vec![(user.clone(), user_agent.clone(), name.clone())];
                let started = self.tasks.install((api, proxy), (name, user, user_agent), start)?;
                Ok(Installed { names, started: Some(started) })
            }
            Program::Command { name, argv, env, folder, account, objects } => {
                let direct = || Endpoint::of(kubeconfig).map_err(ClusterError::Environment);
                let endpoint = proxy.map_or_else(direct, |proxy| Ok(proxy.endpoint().clone()))?;
                self.applied.push(Applied::new(api, &objects)?);
                let (name, argv, env) = (&name, &argv, &env);
                let start = Start { name, argv, env, folder: &folder, account: &account };
                let user = self.commands.start((api, proxy), &endpoint, &start, now)?;
                Ok(Installed { names: vec![any_agent((user, name.clone()))], started: None })
            }
            Program::Objects { objects, .. } => {
                let users = self.deployed.take_up(&objects);
                let through = proxy.and_then(Proxy::inside);
                for ((user, name), proxy) in users.iter().zip(std::iter::repeat(proxy)) {
                    proxy.iter().for_each(|proxy| proxy.name(user.clone(), name.clone()));
                }
                self.applied.push(Applied::new(api, &led_through(through, objects))?);
                let names = users.into_iter().map(any_agent).collect();
                Ok(Installed { names, started: None })
            }
            Program::InProcess { name, .. } => {
                let text = format!("the actor `{name}` is the world's to run");
                Err(ClusterError::Environment(text))
            }
        }
    }

    /// Which incarnation of a program lives; `None` if there is no such program.
    pub(in crate::cluster) fn incarnation(&self, name: &str) -> Option<u32> {
        let task = self.tasks.incarnation(name);
        let process =
            || self.commands.incarnation(name).or_else(|| self.deployed.incarnation(name));
        task.or_else(process)
    }

    /// Whether a program is one of these, and reaches the API through the proxy if there is one:
    /// one in the cluster if the proxy is reached from there.
    pub(in crate::cluster) fn passes(&self, name: &str, proxy: &Proxy) -> bool {
        let is_beside = self.tasks.incarnation(name).or_else(|| self.commands.incarnation(name));
        is_beside.is_some() || proxy.inside().is_some() && self.deployed.incarnation(name).is_some()
    }

    /// A request of a program was seen; what is to be told, if it is the first.
    pub(in crate::cluster) fn arrived(
        &mut self,
        name: &str,
        user_agent: &Text,
    ) -> Option<ActorEvent> {
        let command = self.commands.arrived(name, user_agent);
        command.or_else(|| self.deployed.arrived(name, user_agent))
    }

    /// What a fact of a host tells of them; `None` if it is about others.
    pub(super) fn saw(&mut self, fact: &HostEvent) -> Option<Vec<ActorEvent>> {
        self.deployed.saw(fact)
    }

    /// Who stands still, or goes on, with the host that a fact is about.
    pub(super) fn stand_still(&mut self, fact: &HostEvent) -> Vec<ActorEvent> {
        self.deployed.stand_still(fact)
    }

    /// Whether what lies in a namespace is the subject's own, and nothing that a trial is about.
    pub(super) fn is_apart(&self, namespace: &str) -> bool {
        self.deployed.is_apart(namespace)
    }

    /// Starts those again that ended by themselves.
    pub(in crate::cluster) fn attend(&mut self, now: Millis) -> Vec<ActorEvent> {
        self.commands.attend(now)
    }

    /// Why one of them can't be started again.
    pub(in crate::cluster) fn trouble(&self) -> Option<String> {
        self.commands.trouble()
    }

    /// Moves a lever that acts on one of them; `None` if it does not.
    pub(super) fn pull(
        &mut self,
        lever: &Lever,
        ways: (&Api, Option<&Proxy>),
        ground: &mut dyn Ground,
        now: Millis,
    ) -> Option<Result<(Touched, Vec<ActorEvent>), LeverError>> {
        let beside = self.pull_beside(lever, ways, now);
        beside.map(Ok).or_else(|| self.deployed.pull(lever, ground))
    }

    /// The same of one that runs on this machine.
    pub(in crate::cluster) fn pull_beside(
        &mut self,
        lever: &Lever,
        ways: (&Api, Option<&Proxy>),
        now: Millis,
    ) -> Option<(Touched, Vec<ActorEvent>)> {
        self.tasks.pull(lever, ways).or_else(|| self.commands.pull(lever, now))
    }

    /// What they printed.
    pub(in crate::cluster) fn logs(&self, api: &Api) -> Vec<ProgramLog> {
        let files = self.commands.logs().map(|(program, path)| {
            // One that can't be read is empty.
            let text = std::fs::read(path).unwrap_or_default();
            let from = text.len().saturating_sub(LOG_BYTES as usize);
            ProgramLog { program, text: text[from..].to_vec() }
        });
        let files: Vec<ProgramLog> = files.collect();
        files.into_iter().chain(self.container_logs(api)).collect()
    }

    fn container_logs(&self, api: &Api) -> Vec<ProgramLog> {
        let Ok(client) = api.client_of(None, OPERATOR_USER, OPERATOR_AGENT) else {
            return Vec::new();
        };
        let mut logs = Vec::new();
        for (program, namespace, own) in self.deployed.pods() {
            let pods: kube::Api<Pod> = kube::Api::namespaced(client.clone(), namespace);
            let text = api.runtime.block_on(async {
                let mut text = String::new();
                for Pods { beginning, container } in own {
                    text.push_str(&printed(&pods, beginning, container).await);
                }
                text
            });
            logs.push(ProgramLog { program: program.clone(), text: text.into_bytes() });
        }
        logs
    }
}

/// What a container of these pods printed, in its life before this one and in this one. A cluster
/// that does not answer any more has no logs.
async fn printed(pods: &kube::Api<Pod>, beginning: &str, container: &str) -> String {
    let mut text = String::new();
    let all = pods.list(&ListParams::default()).await.map(|list| list.items);
    let names = all.unwrap_or_default().into_iter().filter_map(|pod| pod.metadata.name);
    for name in names.filter(|name| name.starts_with(beginning)) {
        for previous in [true, false] {
            let params = LogParams {
                container: Some(container.to_owned()),
                tail_lines: Some(LOG_LINES),
                limit_bytes: Some(LOG_BYTES),
                previous,
                ..LogParams::default()
            };
            text.push_str(&pods.logs(&name, &params).await.unwrap_or_default());
        }
    }
    text
}
