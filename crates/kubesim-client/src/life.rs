//! The lives of one program: its root task, what it waits for, and when it is started again after
//! it ended of itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use kubesim::world::{RawEvent, World};
use kubesim_http::View;
use kubesim_model::actor::RequestId;
use kubesim_model::request::{Answer, Remarks};
use kubesim_model::{Millis, Text};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::hub::{Hub, Life};
use crate::service;

/// Starts a program with the client that it has to the cluster. The future is its whole life.
pub type Start = Arc<dyn Fn(kube::Client) -> BoxFuture<'static, ()> + Send + Sync>;

/// kubelet v1.36: the first restart comes at once, the next after 10 s, then twice as long each
/// time up to five minutes; ten minutes of life make it forget.
const FIRST_BACK_OFF: Millis = 10_000;
const LONGEST_BACK_OFF: Millis = 300_000;
const FORGIVEN_AFTER: Millis = 600_000;

/// Where an answer goes, with what was remarked and how it is shown.
pub(crate) type Waiting = oneshot::Sender<(Answer, Remarks, View)>;

/// A program and the incarnation of it that lives.
pub(crate) struct Program {
    pub(crate) name: Text,
    start: Start,
    incarnation: u32,
    task: Option<JoinHandle<()>>,
    started: Millis,
    ends: u32,
    /// When a program that ended of itself is started again.
    pub(crate) restart: Option<Millis>,
    pub(crate) answers: BTreeMap<RequestId, (Waiting, View)>,
    pub(crate) events: BTreeMap<usize, mpsc::UnboundedSender<RawEvent>>,
}

impl Program {
    pub(crate) fn new(name: Text, start: Start) -> Self {
        Program {
            name,
            start,
            incarnation: 0,
            task: None,
            started: 0,
            ends: 0,
            restart: None,
            answers: BTreeMap::new(),
            events: BTreeMap::new(),
        }
    }

    /// Follows what became of the program in the world: ends the task of an incarnation that is
    /// no more, and starts the task of a new one.
    pub(crate) fn follow(&mut self, at: usize, world: &World, hub: &Hub) {
        let Some((incarnation, alive)) = world.incarnation(&self.name) else { return };
        let lives = self.incarnation == incarnation && alive;
        if !lives && let Some(task) = self.task.take() {
            task.abort();
            // Whoever waits for these sees a lost connection.
            self.answers.clear();
            self.events.clear();
        }
        if alive && self.incarnation != incarnation {
            self.incarnation = incarnation;
            self.started = world.now();
            self.restart = None;
            let (start, hub) = (self.start.clone(), hub.clone());
            self.task = Some(tokio::spawn(async move {
                let _bell = Bell(hub.clone());
                let life = Life { program: at, incarnation };
                start(service::client(hub, life)).await;
            }));
        }
    }

    /// Whether the root task came to its end, by itself or by a panic: as a process that exits.
    pub(crate) fn has_ended(&self) -> bool {
        self.task.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Books the restart of a program that ended.
    pub(crate) fn book_restart(&mut self, now: Millis) {
        if now.saturating_sub(self.started) >= FORGIVEN_AFTER {
            self.ends = 0;
        }
        let wait = match self.ends {
            0 => 0,
            n => (FIRST_BACK_OFF << (n - 1).min(5)).min(LONGEST_BACK_OFF),
        };
        self.ends += 1;
        self.restart = Some(now + wait);
    }

    /// Hands over what has come for the program.
    pub(crate) fn hand_over(&mut self, world: &mut World) {
        for (id, (answer, remarks)) in world.take_answers(&self.name) {
            if let Some((waiting, view)) = self.answers.remove(&id) {
                // Who gave up waiting does not need it.
                let _ = waiting.send((answer, remarks, view.at(world.now())));
            }
        }
        for (watch, event) in world.take_raw_events(&self.name) {
            let last =
                matches!(event, RawEvent::Refused(_) | RawEvent::Closed | RawEvent::Error(_));
            if let Some(events) = self.events.get(&watch) {
                let _ = events.send(event);
            }
            if last {
                self.events.remove(&watch);
            }
        }
    }
}

/// Rings when the task ends, however it does.
struct Bell(Hub);

impl Drop for Bell {
    fn drop(&mut self) {
        self.0.ring();
    }
}
