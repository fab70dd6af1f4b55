//! Looks after the containers of all nodes: what happens to one that the trial did not ask for (it
//! was stopped, started again or deleted from outside) is trouble of the environment.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kind_rs::{Node, Status};
use kubesim_model::Text;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// How often a node is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// How often in a row an engine may not say how a node is: it may have much to do.
const SILENCES: u32 = 3;

/// What a node does, as far as the trial has a say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// It runs since then, if that is known yet.
    Running(Option<Timestamp>),
    /// Something is, or was, done to it that stops it.
    Disturbed,
}

/// What becomes of a node.
#[derive(Clone)]
struct Watch {
    wanted: Arc<Mutex<(Wanted, u32)>>,
    lost: Arc<Mutex<Option<String>>>,
}

/// Those who look.
pub(super) struct Guard {
    nodes: Vec<(Text, Watch)>,
    lost: Arc<Mutex<Option<String>>>,
    /// They end with the guard.
    _lookers: JoinSet<()>,
}

impl Guard {
    /// Looks after these nodes from now on. All of them run.
    pub(super) fn new<'a>(
        nodes: impl Iterator<Item = (&'a Text, &'a Node)>,
        runtime: &Handle,
    ) -> Guard {
        let lost: Arc<Mutex<Option<String>>> = Arc::default();
        let mut lookers = JoinSet::new();
        let watched = |(name, node): (&Text, &Node)| {
            let wanted = Arc::new(Mutex::new((Wanted::Running(None), 0)));
            let watch = Watch { wanted, lost: lost.clone() };
            lookers.spawn_on(look(node.clone(), name.clone(), watch.clone()), runtime);
            (name.clone(), watch)
        };
        let nodes = nodes.map(watched).collect();
        Guard { nodes, lost, _lookers: lookers }
    }

    /// The trial is about to stop a node.
    pub(super) fn disturb(&self, name: &Text) {
        self.want(name, Wanted::Disturbed);
    }

    /// The trial has let a node go on.
    pub(super) fn restore(&self, name: &Text) {
        self.want(name, Wanted::Running(None));
    }

    fn want(&self, name: &Text, wanted: Wanted) {
        let watches = self.nodes.iter().filter(|(have, _)| have == name);
        for (_, watch) in watches {
            let mut current = locked(&watch.wanted);
            *current = (wanted, current.1 + 1);
        }
    }

    /// What has become of a node that nobody of the trial wanted.
    pub(super) fn trouble(&self) -> Option<String> {
        locked(&self.lost).clone()
    }
}

async fn look(node: Node, name: Text, watch: Watch) {
    let mut silences = 0;
    let why = loop {
        tokio::time::sleep(LOOK).await;
        let before = *locked(&watch.wanted);
        let state = node.state().await;
        let mut wanted = locked(&watch.wanted);
        // What is said of it may be from before the trial did something to it, or after.
        if before.1 != wanted.1 {
            continue;
        }
        match state {
            Ok(state) => match compare(wanted.0, &state.status, state.started_at) {
                Ok(known) => (wanted.0, silences) = (known, 0),
                Err(why) => break why,
            },
            Err(error) if error.is_timeout() && silences < SILENCES => silences += 1,
            Err(error) => break format!("is gone: {error}"),
        }
    };
    locked(&watch.lost).get_or_insert(format!("the node {name} {why}"));
}

/// What is known of a node now, or what was done to it from outside.
fn compare(
    wanted: Wanted,
    status: &Status,
    started_at: Option<Timestamp>,
) -> Result<Wanted, String> {
    match wanted {
        Wanted::Disturbed => Ok(wanted),
        Wanted::Running(_) if *status != Status::Running => {
            Err(format!("is {status:?}, and nobody of this trial did that"))
        }
        Wanted::Running(Some(since)) if started_at.is_some_and(|at| at != since) => {
            Err("was started again, and nobody of this trial did that".to_owned())
        }
        Wanted::Running(_) => Ok(Wanted::Running(started_at)),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_trial_did_not_do_to_a_node_is_trouble() {
        let (boot, later) = (Some(Timestamp::UNIX_EPOCH), Some(Timestamp::MAX));
        let known = compare(Wanted::Running(None), &Status::Running, boot).unwrap();
        assert_eq!(compare(known, &Status::Running, boot), Ok(known));
        let again = compare(known, &Status::Running, later).unwrap_err();
        assert!(again.contains("started again"), "{again}");
        for status in [Status::Exited, Status::Paused, Status::Dead] {
            assert!(compare(known, &status, boot).is_err());
            assert_eq!(compare(Wanted::Disturbed, &status, boot), Ok(Wanted::Disturbed));
        }
    }
}
