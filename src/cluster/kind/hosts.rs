//! What really runs on the nodes: each node's container runtime, asked again and again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use kind_rs::{Container, ContainerState, Node};
use kubesim_model::resource::ObjectKey;
use kubesim_model::{Millis, Text};
use tokio::sync::{Mutex, Notify};

use crate::cluster::real::{is_of_the_system, now};
use crate::history::{ContainerFact, HostEvent, HostFact};

/// How soon it is asked again at the earliest, and, if the runtime tells of nothing, at the latest.
const GLANCE: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_secs(5);

/// For how long a runtime is listened to at a time.
const LISTEN: Duration = Duration::from_secs(120);

/// A fact, when it was seen and by how much earlier it may have been.
pub(super) type Seen = (Millis, Millis, HostEvent);

/// What those who look at a node must know of what is done to it.
#[derive(Default)]
pub(super) struct Watched {
    /// How often it lost its power: what ran then ended with it, and that is told already.
    pub(super) losses: AtomicU64,
    /// Held while something runs in the node to look at it, and by whoever lets it stand still: an
    /// engine never comes back to a container that was paused while a program was being started in
    /// it (seen with Docker 20.10).
    pub(super) quiet: Arc<Mutex<()>>,
}

/// Tells what starts and ends on a node until nobody listens.
pub(super) async fn follow(node: Node, name: Text, watched: Arc<Watched>, tell: Sender<Seen>) {
    let news = Arc::new(Notify::new());
    tokio::select! {
        () = look(&node, &name, &watched, &news, &tell) => {}
        () = listen(&node, &watched, &news) => {}
    }
}

/// Listens to the runtime, without end.
async fn listen(node: &Node, watched: &Watched, news: &Notify) {
    loop {
        // Nobody may make the node stand still before it is listened to.
        let mut starts = Some(watched.quiet.clone().lock_owned().await);
        let told = || {
            drop(starts.take());
            news.notify_one();
        };
        // One that is off, or of another kind, is looked at now and then.
        let ended = node.cri().listen(LISTEN, told).await;
        drop(starts);
        if ended.is_err() {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Looks whenever there is news, until nobody wants to know what is seen.
async fn look(node: &Node, name: &Text, watched: &Watched, news: &Notify, tell: &Sender<Seen>) {
    let mut running: BTreeMap<String, ContainerFact> = BTreeMap::new();
    let (mut since, mut lost) = (now(), 0);
    let losses = &watched.losses;
    loop {
        let looks = watched.quiet.lock().await;
        let before = losses.load(Ordering::SeqCst);
        let asked = now();
        let answer = node.cri().containers().await;
        // A node that is off answers nothing; and an answer from before it went off says nothing
        // of now.
        if let (Ok(containers), true) = (answer, before == losses.load(Ordering::SeqCst)) {
            if lost != before {
                running.clear();
                lost = before;
            }
            let seen = now();
            for fact in changes(node, &mut running, containers).await {
                let event = HostEvent { node: name.clone(), fact };
                if tell.send((seen, seen.saturating_sub(since), event)).is_err() {
                    return;
                }
            }
            since = asked;
        }
        drop(looks);
        tokio::time::sleep(GLANCE).await;
        let _ = tokio::time::timeout(LOOK, news.notified()).await;
    }
}

async fn changes(
    node: &Node,
    running: &mut BTreeMap<String, ContainerFact>,
    containers: Vec<Container>,
) -> Vec<HostFact> {
    let ours = |container: &&Container| !is_of_the_system(&container.pod.namespace);
    let is_running = |container: &&Container| container.state == ContainerState::Running;
    let now: BTreeMap<String, ContainerFact> = containers
        .iter()
        .filter(ours)
        .filter(is_running)
        .map(|container| (container.id.clone(), fact(container)))
        .collect();
    let mut facts = Vec::new();
    let ended: Vec<String> = running.keys().filter(|id| !now.contains_key(*id)).cloned().collect();
    for id in ended {
        let Some(container) = running.remove(&id) else { continue };
        // One that is gone already can't say how it ended.
        let status = node.cri().inspect(&id).await.ok();
        let exit_code = status.as_ref().and_then(|status| status.exit_code).unwrap_or(255);
        let reason = status.map_or("Unknown".to_owned(), |status| status.reason);
        facts.push(HostFact::ContainerExited { container, exit_code, reason: reason.into() });
    }
    for (id, container) in now {
        running.entry(id).or_insert_with(|| {
            facts.push(HostFact::ContainerStarted(container.clone()));
            container
        });
    }
    facts
}

pub(super) fn fact(container: &Container) -> ContainerFact {
    ContainerFact {
        container_id: Text::new(&container.id),
        pod_uid: Text::new(&container.pod.uid),
        pod: ObjectKey::new(container.pod.namespace.as_str(), container.pod.name.as_str()),
        name: Text::new(&container.name),
        image: Text::new(&container.image),
        image_id: Text::new(&container.image_ref),
    }
}
