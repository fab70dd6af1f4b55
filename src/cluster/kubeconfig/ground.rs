//! What a trial stands on in a cluster that lives on: its marked nodes, and a look at whether it is
//! still there and still marked. It is given back as it was when this is dropped.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use kubesim_model::Millis;
use tokio::runtime::Handle;

use super::connection::{Connection, KubeconfigError};
use super::healer::Hands;
use super::hold::Held;
use super::hosts::{Hosts, Seen};
use super::provider::Turn;
use crate::cluster::real::{Component, Folder, Ground, Runtime, SharedJournal, now};
use crate::cluster::{Lever, LeverError, Touched};
use crate::history::{ActorPhase, HostEvent};

/// How often the cluster is looked at.
const LOOK: Duration = Duration::from_secs(3);

/// How long an API server may be silent: one that is started again takes less. In milliseconds.
const SILENT: Millis = 20_000;

/// A marked cluster in which a trial runs.
pub(super) struct Marked {
    pub(super) hosts: Option<Hosts>,
    pub(super) kubeconfig: Utf8PathBuf,
    pub(super) journal: SharedJournal,
    pub(super) hands: Hands,
    pub(super) seen: Receiver<Seen>,
    pub(super) facts: Vec<Seen>,
    pub(super) health: Health,
    /// Taken away when nothing is open in its journal any more.
    pub(super) folder: Option<Folder>,
    /// Its own: the cluster is given back when nothing of the trial goes on any more.
    pub(super) runtime: Runtime,
    /// After everything else: then the next trial may begin.
    pub(super) turn: Turn,
}

/// Whether the cluster is there, still marked and still held.
pub(super) struct Health {
    /// When all was well, and what is not.
    told: Arc<Mutex<(Millis, Result<(), KubeconfigError>)>>,
    held: Arc<Held>,
}

impl Health {
    /// Looks until nobody wants to know.
    pub(super) fn watch(connection: Connection, held: Arc<Held>, runtime: &Handle) -> Health {
        let told = Arc::new(Mutex::new((now(), Ok(()))));
        let telling = Arc::downgrade(&told);
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                let answer = connection.marker().await.map(drop);
                let Some(told) = telling.upgrade() else { return };
                let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                match answer {
                    Ok(()) => *told = (now(), Ok(())),
                    Err(error) => told.1 = Err(error),
                }
            }
        });
        Health { told, held }
    }

    fn trouble(&self) -> Option<String> {
        let lost = |error: &KubeconfigError| format!("the cluster was lost: {error}");
        if let Some(error) = self.held.trouble() {
            return Some(lost(&error));
        }
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let error = told.1.as_ref().err()?;
        let silent = now().saturating_sub(told.0);
        let waits = matches!(error, KubeconfigError::Unreachable(..)) && silent < SILENT;
        (!waits).then(|| lost(error))
    }
}

/// Tells what runs on these hosts.
pub(super) fn follow(hosts: Option<&Hosts>, runtime: &Handle) -> Receiver<Seen> {
    let (tell, seen) = channel();
    let Some(hosts) = hosts else { return seen };
    for (real, told) in hosts.nodes.iter() {
        runtime.spawn(hosts.clone().follow(real.clone(), told.clone(), tell.clone()));
    }
    seen
}

impl Ground for Marked {
    fn is_broken(&mut self) -> Option<String> {
        self.health.trouble()
    }

    fn act(&mut self, _: Component, _: ActorPhase) -> bool {
        false
    }

    fn pull(&mut self, lever: &Lever) -> Option<Result<Touched, LeverError>> {
        let pulled = self.runtime.block_on(self.hosts.as_ref()?.pull(lever))?;
        Some(pulled.map(|(touched, facts)| {
            self.facts.extend(facts.into_iter().map(|fact| (now(), 0, fact)));
            touched
        }))
    }

    fn facts(&mut self) -> Vec<(Millis, Millis, HostEvent)> {
        let mut facts = std::mem::take(&mut self.facts);
        facts.extend(self.seen.try_iter());
        facts
    }

    fn last_words(&self) -> String {
        String::new()
    }

    fn kubeconfig(&self) -> &Utf8Path {
        &self.kubeconfig
    }
}

impl Drop for Marked {
    fn drop(&mut self) {
        let left = self.journal.heal(&mut self.hands);
        self.journal.with(|journal| journal.close());
        drop(self.folder.take());
        self.turn.left(left.into_iter().map(|(_, why)| why).collect());
    }
}
