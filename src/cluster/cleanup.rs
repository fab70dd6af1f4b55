//! Healing what harnesses that are gone have left broken in clusters that live on, by their
//! journals.

use camino::Utf8Path;
use serde_json::Value;

use super::kind::KindReach;
use super::kubeconfig::KubeconfigReach;
use super::real::{Healer, Journal, JournalError, Undo, with_journals};

/// One thing that a harness has left broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Healed {
    /// What was to be done about it.
    pub what: String,
    /// Why that could not be done, and how a person does it.
    pub failed: Option<(String, String)>,
}

/// Heals what harnesses that are gone have left broken, the last first in each cluster; with a
/// provider named, only in its clusters. What can't be healed stays written down.
pub fn heal_left_behind(provider: Option<&str>) -> Vec<Healed> {
    with_journals().iter().flat_map(|folder| heal(folder, provider)).collect()
}

fn heal(folder: &Utf8Path, provider: Option<&str>) -> Vec<Healed> {
    let mut journal = match Journal::left_in(folder) {
        Ok(journal) => journal,
        // Its harness lives.
        Err(JournalError::InUse) => return Vec::new(),
        Err(JournalError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            return Vec::new();
        }
        Err(error) => {
            let what = format!("read the journal in `{folder}`");
            let by_hand = format!("look at it, and remove `{folder}`");
            return vec![Healed { what, failed: Some((error.to_string(), by_hand)) }];
        }
    };
    let header = journal.header().clone();
    // With a cluster that does not live on, all that is broken in it is taken away.
    if !header.lives_on || provider.is_some_and(|provider| provider != header.provider) {
        return Vec::new();
    }
    let open = journal.open_entries();
    let mut healed = Vec::new();
    if !open.is_empty() {
        let reach = Reach::read(&header.provider, &header.reach);
        let mut healer = reach.connect();
        for undo in open {
            let done = match &mut healer {
                Ok(Some(healer)) => healer.heal(&undo),
                // With its cluster, all that was broken in it is gone.
                Ok(None) => Ok(()),
                Err(why) => Err(why.clone()),
            };
            if done.is_ok() {
                // It is done once more by the next who finds it.
                let _ = journal.strike(&undo);
            }
            let by_hand = || format!("{} (written down in {folder})", reach.by_hand(&undo));
            let failed = done.err().map(|why| (why, by_hand()));
            healed.push(Healed { what: told(&undo), failed });
        }
    }
    if journal.close() {
        // It may hold what else a harness has left; that is swept with the other folders.
        let _ = std::fs::remove_dir(folder);
    }
    healed
}

/// How the cluster of a journal is reached.
enum Reach {
    Kind(KindReach),
    Kubeconfig(KubeconfigReach),
    Unknown(String),
}

impl Reach {
    fn read(provider: &str, reach: &Value) -> Reach {
        let unknown = |error: serde_json::Error| Reach::Unknown(format!("`{provider}`: {error}"));
        match provider {
            "kind" => KindReach::read(reach).map_or_else(unknown, Reach::Kind),
            "kubeconfig" => {
                serde_json::from_value(reach.clone()).map_or_else(unknown, Reach::Kubeconfig)
            }
            other => Reach::Unknown(format!("there is no provider `{other}`")),
        }
    }

    /// `None` if the cluster is no more.
    fn connect(&self) -> Result<Option<Box<dyn Healer>>, String> {
        match self {
            Reach::Kind(reach) => reach.connect(),
            Reach::Kubeconfig(reach) => reach.connect().map(Some),
            Reach::Unknown(why) => Err(why.clone()),
        }
    }

    fn by_hand(&self, undo: &Undo) -> String {
        match self {
            Reach::Kind(reach) => reach.by_hand(undo),
            Reach::Kubeconfig(reach) => reach.by_hand(undo),
            Reach::Unknown(_) => told(undo),
        }
    }
}

/// What takes something back, in words.
fn told(undo: &Undo) -> String {
    use super::Lever;
    match undo {
        Undo::Lever(Lever::PowerOn { node }) => format!("start the node {node}"),
        Undo::Lever(Lever::Thaw { node }) => format!("let the node {node} go on"),
        Undo::Lever(Lever::StartKubelet { node }) => format!("start the kubelet of {node}"),
        Undo::Lever(Lever::Join { node }) => format!("join the node {node} again"),
        Undo::Lever(Lever::UnstickContainer { container }) => {
            format!("let the processes of {}/{} go on", container.namespace, container.pod)
        }
        Undo::Lever(lever) => format!("{lever:?}"),
        Undo::Component(component, _) => format!("let the {} work", component.as_str()),
        Undo::Delete { path, .. } => format!("delete {path}"),
        Undo::Empty { namespace, .. } => format!("empty the namespace {namespace}"),
        Undo::Node { name, patch } => format!("give the node {name} back {patch}"),
    }
}
