//! The marked nodes, reached by a shell: what runs on them, and what is done to it.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::time::Duration;

use kind_rs::{Container, ContainerState, ContainerStatus};
use kubesim_model::resource::ObjectKey;
use kubesim_model::{Millis, Text};

use super::access::NodeAccess;
use crate::cluster::real::{Names, now};
use crate::cluster::{ContainerSelector, Direction, Lever, LeverError, Touched};
use crate::history::{ContainerFact, HostEvent, HostFact};

/// How long to wait between two questions.
const GLANCE: Duration = Duration::from_millis(500);

/// Which containers there are.
const CONTAINERS: &str = "crictl ps --all --output json 2>/dev/null";

/// Drops all packets between the node and the API server that its kubelet speaks to, and proves it
/// by a connection that does not come about. IPv4 only. An API server on the node itself can't be
/// cut off from it.
const CUT: &str = r#"
server=$(sed -n 's/^ *server: *//p' /etc/kubernetes/kubelet.conf /var/lib/kubelet/kubeconfig \
    2>/dev/null | head -n 1)
server=${server#*://}; server=${server%%/*}
host=${server%:*}; port=${server##*:}
[ "$host" != "$port" ] || port=443
addresses=$(getent ahostsv4 "$host" | cut -d' ' -f1 | sort -u)
[ -n "$addresses" ]
for address in $addresses; do
    case $address in 127.*) echo "the API server is $host, the node itself" >&2; exit 1;; esac
    iptables -w 5 -I INPUT 1 -s "$address" -m comment --comment shakedown -j DROP
    iptables -w 5 -I OUTPUT 1 -d "$address" -m comment --comment shakedown -j DROP
done
for address in $addresses; do
    if timeout 1 bash -c "</dev/tcp/$address/$port" 2>/dev/null; then
        echo "$address:$port is still reached" >&2
        exit 1
    fi
done"#;

/// Takes all such rules away; there may be none.
const JOIN: &str = r"
iptables-save -t filter | grep -- '--comment shakedown' | sed 's/^-A/-D/' | while read -r rule; do
    iptables -w 5 $rule
done";

/// The marked nodes with a shell on each.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    pub(super) access: NodeAccess,
    pub(super) nodes: Names,
    pub(super) namespaces: Names,
}

/// A fact, when it was seen and by how much earlier it may have been.
pub(super) type Seen = (Millis, Millis, HostEvent);

/// What a lever touched, and the facts that it made.
pub(super) type Moved = (Touched, Vec<HostEvent>);

impl Hosts {
    /// Moves a lever that acts on a host; `None` if it is none, or can't be moved by a shell.
    pub(super) async fn pull(&self, lever: &Lever) -> Option<Result<Moved, LeverError>> {
        let on_node = async |node: &Text, script: &str| self.on_node(node, script).await;
        Some(match lever {
            Lever::KillContainer { container, .. } => self.signal(container, "KILL").await,
            Lever::StickContainer { container } => self.signal(container, "STOP").await,
            Lever::UnstickContainer { container } => self.signal(container, "CONT").await,
            Lever::Partition { node, direction } => on_node(node, &cut(*direction)).await,
            lever => {
                let (node, script) = script(lever)?;
                on_node(&node, script).await
            }
        })
    }

    async fn on_node(&self, node: &Text, script: &str) -> Result<Moved, LeverError> {
        let real = self.nodes.real(node).ok_or_else(|| LeverError::NoSuchNode(node.clone()))?;
        self.access.run(real, script).await.map_err(LeverError::Failed)?;
        Ok((Touched { nodes: vec![node.clone()], ..Touched::default() }, Vec::new()))
    }

    /// Sends a signal to the first process of all containers that match. A container that ends in
    /// the meantime needs none.
    async fn signal(
        &self,
        selector: &ContainerSelector,
        signal: &'static str,
    ) -> Result<Moved, LeverError> {
        let (mut touched, mut facts, mut failed) = (Touched::default(), Vec::new(), None);
        for (real, told) in self.nodes.iter() {
            if !selector.node.is_empty() && selector.node != *told {
                continue;
            }
            let running = match self.running(real).await {
                Ok(running) => running,
                Err(why) => {
                    failed.get_or_insert(why);
                    continue;
                }
            };
            for container in running.into_iter().filter(|container| matches(selector, container)) {
                let script = signalling(&container.container_id, signal);
                match self.access.run(real, &script).await {
                    Ok(said) if said.contains(GONE) => continue,
                    Ok(_) => {}
                    Err(why) => {
                        failed.get_or_insert(why);
                        continue;
                    }
                }
                touched.nodes.push(told.clone());
                touched.pods.push(container.pod_uid.clone());
                if signal != "KILL" {
                    let stuck = signal == "STOP";
                    let fact = HostFact::ContainerStuck { container, stuck };
                    facts.push(HostEvent { node: told.clone(), fact });
                }
            }
        }
        touched.nodes.dedup();
        touched.pods.dedup();
        match failed {
            // What it may have left standing somewhere stands still.
            Some(why) if signal == "CONT" => Err(LeverError::Failed(why)),
            _ => Ok((touched, facts)),
        }
    }

    /// What runs on a node of the marked namespaces.
    async fn running(&self, real: &str) -> Result<Vec<ContainerFact>, String> {
        let json = self.access.run(real, CONTAINERS).await?;
        let containers = Container::read_list(json.as_bytes())?;
        let running = containers.iter().filter(|it| it.state == ContainerState::Running);
        Ok(running.filter_map(|container| self.fact(container)).collect())
    }

    fn fact(&self, container: &Container) -> Option<ContainerFact> {
        let namespace = self.namespaces.told(&container.pod.namespace)?;
        Some(ContainerFact {
            container_id: Text::new(&container.id),
            pod_uid: Text::new(&container.pod.uid),
            pod: ObjectKey::new(namespace.clone(), container.pod.name.as_str()),
            name: Text::new(&container.name),
            image: Text::new(&container.image),
            image_id: Text::new(&container.image_ref),
        })
    }

    /// Tells what starts and ends on a node until nobody listens.
    pub(super) async fn follow(self, real: Text, told: Text, tell: Sender<Seen>) {
        let mut running: BTreeMap<Text, ContainerFact> = BTreeMap::new();
        let mut asked = now();
        loop {
            // A node that can't be reached says nothing.
            if let Ok(containers) = self.running(&real).await {
                let seen = now();
                for fact in self.changes(&real, &mut running, containers).await {
                    let event = HostEvent { node: told.clone(), fact };
                    if tell.send((seen, seen.saturating_sub(asked), event)).is_err() {
                        return;
                    }
                }
                asked = seen;
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    async fn changes(
        &self,
        real: &str,
        running: &mut BTreeMap<Text, ContainerFact>,
        containers: Vec<ContainerFact>,
    ) -> Vec<HostFact> {
        let id = |container: ContainerFact| (container.container_id.clone(), container);
        let now: BTreeMap<Text, ContainerFact> = containers.into_iter().map(id).collect();
        let before = std::mem::replace(running, now);
        let mut facts = Vec::new();
        for (id, container) in &before {
            if !running.contains_key(id) {
                // One that is gone already can't say how it ended.
                let script = format!("crictl inspect --output json {id} 2>/dev/null");
                let json = self.access.run(real, &script).await.unwrap_or_default();
                let status = ContainerStatus::read(json.as_bytes()).ok();
                let exit_code = status.as_ref().and_then(|status| status.exit_code).unwrap_or(255);
                let reason = status.map_or("Unknown".to_owned(), |status| status.reason).into();
                let container = container.clone();
                facts.push(HostFact::ContainerExited { container, exit_code, reason });
            }
        }
        let new = running.iter().filter(|(id, _)| !before.contains_key(*id));
        facts.extend(new.map(|(_, container)| HostFact::ContainerStarted(container.clone())));
        facts
    }
}

/// The node that a lever acts on, and what to run there; what a shell can't do has none.
pub(super) fn script(lever: &Lever) -> Option<(Text, &'static str)> {
    match lever {
        Lever::StopKubelet { node } => Some((node.clone(), "systemctl stop kubelet")),
        Lever::StartKubelet { node } => Some((node.clone(), "systemctl start kubelet")),
        Lever::Join { node } => Some((node.clone(), JOIN)),
        Lever::PauseActor { actor } => Some((kubelet_of(actor)?, "systemctl kill -s STOP kubelet")),
        Lever::ResumeActor { actor } => {
            Some((kubelet_of(actor)?, "systemctl kill -s CONT kubelet"))
        }
        _ => None,
    }
}

/// The node whose kubelet an actor is, if it is one.
fn kubelet_of(actor: &str) -> Option<Text> {
    actor.strip_prefix("kubelet/").map(Text::new)
}

/// What drops the packets of these directions.
fn cut(direction: Direction) -> String {
    let other = match direction {
        Direction::Both => return CUT.to_owned(),
        Direction::In => " OUTPUT ",
        Direction::Out => " INPUT ",
    };
    let lines = CUT.lines().filter(|line| !line.contains(other));
    lines.collect::<Vec<_>>().join("\n")
}

/// What is said of a container without a process.
const GONE: &str = "it has ended";

/// Signals the first process of a container: its number may be another's by now, so it is looked
/// whether it is still the container's.
fn signalling(id: &str, signal: &str) -> String {
    let template = "{{.info.pid}}";
    format!(
        "pid=$(crictl inspect --output go-template --template '{template}' {id} 2>/dev/null) || pid=
if [ -n \"$pid\" ] && grep -qsF {id} /proc/$pid/cgroup; then kill -s {signal} $pid
else echo '{GONE}'; fi"
    )
}

fn matches(selector: &ContainerSelector, container: &ContainerFact) -> bool {
    let like = |wanted: &str, have: &str| match wanted.strip_suffix('*') {
        Some(start) => have.starts_with(start),
        None => wanted.is_empty() || wanted == have,
    };
    like(&selector.namespace, &container.pod.namespace)
        && like(&selector.pod, &container.pod.name)
        && like(&selector.container, &container.name)
        && like(&selector.image, &container.image)
}
