//! kube-rs programs of this process, with ordinary clients of the real API server.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::FutureExt as _;
use kubesim_client::Start;
use kubesim_model::Text;
use tokio::task::JoinHandle;

use super::api::{ADMINISTRATORS, Api};
use super::proxy::{Guest, Proxy, Who};
use crate::cluster::{ClusterError, Lever, Touched};
use crate::history::{ActorEvent, ActorPhase};

/// How long a program that ended stays down (kubelet v1.36: the first back-off of a container).
const BACK_OFF: Duration = Duration::from_secs(10);

/// The programs that were installed, by name.
#[derive(Default)]
pub(super) struct Tasks(BTreeMap<Text, Task>);

struct Task {
    start: Start,
    event: ActorEvent,
    task: JoinHandle<()>,
}

impl Tasks {
    /// Starts a program as this user.
    pub(super) fn install(
        &mut self,
        (api, proxy): (&Api, Option<&Proxy>),
        (name, user, user_agent): (Text, Text, Text),
        start: Start,
    ) -> Result<ActorEvent, ClusterError> {
        let (actor, node, phase) = (name.clone(), Text::default(), ActorPhase::Started);
        let event = ActorEvent { actor, user, user_agent, node, incarnation: 1, phase };
        let client = client(api, proxy, &event)?;
        let task = spawn(api, client, &start);
        self.0.insert(name, Task { start, event: event.clone(), task });
        Ok(event)
    }

    /// Which incarnation of a program lives; `None` if there is no such program.
    pub(super) fn incarnation(&self, name: &str) -> Option<u32> {
        self.0.get(name).map(|program| program.event.incarnation)
    }

    /// Moves a lever that ends or starts one of them; `None` if it does not. A task can't be made
    /// to stand still.
    pub(super) fn pull(
        &mut self,
        lever: &Lever,
        (api, proxy): (&Api, Option<&Proxy>),
    ) -> Option<(Touched, Vec<ActorEvent>)> {
        let (Lever::CrashActor { actor } | Lever::StartActor { actor }) = lever else {
            return None;
        };
        let program = self.0.get_mut(actor)?;
        let starts = matches!(lever, Lever::StartActor { .. });
        let lives = program.event.phase == ActorPhase::Started;
        if starts == lives {
            return Some((Touched::default(), Vec::new()));
        }
        if starts {
            let Ok(client) = client(api, proxy, &program.event) else {
                return Some((Touched::default(), Vec::new()));
            };
            program.task = spawn(api, client, &program.start);
            program.event.incarnation += 1;
            program.event.phase = ActorPhase::Started;
        } else {
            program.task.abort();
            // What it spawned may live on, as no process would.
            proxy.iter().for_each(|proxy| proxy.expel(actor));
            program.event.phase = ActorPhase::Crashed;
        }
        let touched = Touched { actors: vec![actor.clone()], ..Touched::default() };
        Some((touched, vec![program.event.clone()]))
    }
}

/// A client for a program: through the proxy if there is one.
fn client(
    api: &Api,
    proxy: Option<&Proxy>,
    event: &ActorEvent,
) -> Result<kube::Client, ClusterError> {
    let Some(proxy) = proxy else { return api.client_of(None, &event.user, &event.user_agent) };
    let token = proxy.admit(Guest {
        who: Who::Actor(event.actor.clone(), event.incarnation),
        user: event.user.clone(),
        groups: vec![Text::new_static(ADMINISTRATORS)],
    })?;
    api.client_of(Some(proxy.config_of(token)?), &event.user, &event.user_agent)
}

fn spawn(api: &Api, client: kube::Client, start: &Start) -> JoinHandle<()> {
    let start = start.clone();
    api.runtime.spawn(async move {
        loop {
            // A program that panics is started again, as one that ends is.
            let life = std::panic::AssertUnwindSafe(start(client.clone()));
            let _ = life.catch_unwind().await;
            tokio::time::sleep(BACK_OFF).await;
        }
    })
}
