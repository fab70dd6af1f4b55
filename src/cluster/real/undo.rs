//! What takes back what was done to a cluster that may live on: written down and on the disk before
//! it is done, and struck out when it is healed. A file of lines, each a JSON object: the first
//! says which cluster and how to reach it, the others open an entry or strike it out.
//!
//! The file is locked as long as its harness lives, so that one of a harness that is gone can be
//! told, wherever the harness ran.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Write as _};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::ground::Component;
use crate::cluster::Lever;
use crate::history::ActorPhase;

/// What is written, and what can be read.
const SCHEMA: &str = "shakedown/undo/v2";

/// The name of the file, in the folder of its cluster.
pub(in crate::cluster) const FILE: &str = "undo.jsonl";

/// One thing that takes something back. Doing it twice does no harm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cluster) enum Undo {
    /// Moves this lever.
    Lever(Lever),
    /// Brings a program of the control plane into this phase.
    Component(Component, ActorPhase),
    /// Deletes the object at this path of the API, if it bears this mark.
    Delete { path: String, mark: String },
    /// Deletes what is in this namespace, but for what was there before.
    Empty { namespace: String, keep: BTreeSet<String> },
    /// Gives a node back what it had, by a merge patch.
    Node { name: String, patch: Value },
}

/// What takes `lever` back, which is a lever too; `None` if it has no end.
pub(in crate::cluster) fn inverse(lever: &Lever) -> Option<Lever> {
    Some(match lever.clone() {
        Lever::PowerOff { node } => Lever::PowerOn { node },
        Lever::Freeze { node } => Lever::Thaw { node },
        Lever::StopKubelet { node } => Lever::StartKubelet { node },
        Lever::Partition { node, .. } => Lever::Join { node },
        Lever::LosePackets { node, .. } => Lever::KeepPackets { node },
        Lever::StopRuntime { node } => Lever::StartRuntime { node },
        Lever::StickContainer { container } => Lever::UnstickContainer { container },
        Lever::CrashActor { actor } => Lever::StartActor { actor },
        Lever::PauseActor { actor } => Lever::ResumeActor { actor },
        Lever::Behave { rule, .. }
        | Lever::ImageRule { rule, .. }
        | Lever::RequestRule { rule, .. }
        | Lever::WatchRule { rule, .. } => Lever::Forget { rule },
        Lever::PowerOn { .. }
        | Lever::Thaw { .. }
        | Lever::StartKubelet { .. }
        | Lever::Join { .. }
        | Lever::KeepPackets { .. }
        | Lever::StartRuntime { .. }
        | Lever::OomContainer { .. }
        | Lever::UnstickContainer { .. }
        | Lever::StartActor { .. }
        | Lever::ResumeActor { .. }
        | Lever::Forget { .. }
        | Lever::KillContainer { .. }
        | Lever::DropWatches { .. } => return None,
    })
}

/// Of which cluster a journal is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::cluster) struct Header {
    schema: String,
    /// The provider's name.
    pub(in crate::cluster) provider: String,
    /// How the provider reaches the cluster.
    pub(in crate::cluster) reach: Value,
    /// Whether the cluster outlives its harness. If not, deleting it heals everything.
    pub(in crate::cluster) lives_on: bool,
}

impl Header {
    pub(in crate::cluster) fn new(provider: &str, reach: &impl Serialize, lives_on: bool) -> Self {
        let reach = serde_json::to_value(reach).unwrap_or_default();
        Header { schema: SCHEMA.to_owned(), provider: provider.to_owned(), reach, lives_on }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Open { number: u64, undo: Undo },
    Done { number: u64 },
}

/// The journal of one cluster.
#[derive(Debug)]
pub(in crate::cluster) struct Journal {
    path: Utf8PathBuf,
    file: File,
    header: Header,
    next: u64,
    open: Vec<(u64, Undo)>,
    /// Whether the last line was cut off.
    torn: bool,
}

/// Why a journal can't be read.
#[derive(Debug, Error)]
pub(in crate::cluster) enum JournalError {
    /// Its harness lives, or somebody heals it.
    #[error("it is in use")]
    InUse,
    /// The file can't be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Another version wrote it, or another program.
    #[error("it does not have the form `{SCHEMA}`")]
    Foreign,
}

impl Journal {
    /// A new journal in the folder of a cluster.
    pub(in crate::cluster) fn create(folder: &Utf8Path, header: Header) -> std::io::Result<Self> {
        let path = folder.join(FILE);
        let file = File::options().append(true).create_new(true).open(&path)?;
        file.try_lock()?;
        let line = serde_json::to_vec(&header)?;
        let mut journal = Journal { path, file, header, next: 0, open: Vec::new(), torn: false };
        journal.write(line)?;
        // A file is there after a crash only if its folder says so.
        File::open(folder)?.sync_all()?;
        Ok(journal)
    }

    /// A new journal in place of another, of which nothing is needed: the cluster is as it was.
    pub(in crate::cluster) fn renew(folder: &Utf8Path, header: Header) -> std::io::Result<Self> {
        match std::fs::remove_file(folder.join(FILE)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Journal::create(folder, header),
        }
    }

    /// The journal that a harness has left behind in this folder.
    pub(in crate::cluster) fn left_in(folder: &Utf8Path) -> Result<Self, JournalError> {
        let path = folder.join(FILE);
        let file = File::options().read(true).append(true).open(&path)?;
        file.try_lock().map_err(|_| JournalError::InUse)?;
        Journal::read(path, file)
    }

    fn read(path: Utf8PathBuf, mut file: File) -> Result<Self, JournalError> {
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        // What is cut off was not on the disk yet, so nothing was done.
        let (whole, rest) = text.rsplit_once('\n').unwrap_or(("", &text));
        let mut lines = whole.lines();
        let header = match lines.next().map(serde_json::from_str::<Header>) {
            None => Header::new("", &(), false),
            Some(Ok(header)) if header.schema == SCHEMA => header,
            Some(_) => return Err(JournalError::Foreign),
        };
        let torn = !rest.is_empty();
        let mut journal = Journal { path, file, header, next: 0, open: Vec::new(), torn };
        // One that was cut off is no JSON: what it says was not done.
        for line in lines.filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            match Line::deserialize(line).map_err(|_| JournalError::Foreign)? {
                Line::Open { number, undo } => {
                    journal.next = journal.next.max(number + 1);
                    journal.open.push((number, undo));
                }
                Line::Done { number } => journal.open.retain(|(open, _)| *open != number),
            }
        }
        Ok(journal)
    }

    /// A journal onto a file that is there.
    #[cfg(test)]
    pub(super) fn onto(path: &Utf8Path, header: Header) -> Self {
        let file = File::options().append(true).open(path).unwrap();
        Journal { path: path.to_owned(), file, header, next: 0, open: Vec::new(), torn: false }
    }

    pub(in crate::cluster) fn header(&self) -> &Header {
        &self.header
    }

    /// What is to be taken back, the last first.
    pub(in crate::cluster) fn open_entries(&self) -> Vec<Undo> {
        self.open.iter().rev().map(|(_, undo)| undo.clone()).collect()
    }

    /// Writes down what takes back what is about to be done.
    pub(in crate::cluster) fn open(&mut self, undo: Undo) -> std::io::Result<()> {
        if self.open.iter().any(|(_, open)| *open == undo) {
            return Ok(());
        }
        let number = self.next;
        self.write(serde_json::to_vec(&Line::Open { number, undo: undo.clone() })?)?;
        self.next += 1;
        self.open.push((number, undo));
        Ok(())
    }

    /// Strikes an entry out: it was done.
    pub(in crate::cluster) fn strike(&mut self, undo: &Undo) -> std::io::Result<()> {
        let Some(at) = self.open.iter().position(|(_, open)| open == undo) else { return Ok(()) };
        let (number, _) = self.open.remove(at);
        self.write(serde_json::to_vec(&Line::Done { number })?)
    }

    /// Takes the file away if nothing in it is open; answers whether it did.
    pub(in crate::cluster) fn close(&mut self) -> bool {
        self.open.is_empty() && std::fs::remove_file(&self.path).is_ok()
    }

    /// A line of its own, on the disk when this returns.
    fn write(&mut self, mut line: Vec<u8>) -> std::io::Result<()> {
        if self.torn {
            line.insert(0, b'\n');
        }
        line.push(b'\n');
        self.torn = true;
        self.file.write_all(&line)?;
        self.file.sync_data()?;
        self.torn = false;
        Ok(())
    }
}

/// Whether something is open in this folder that nobody heals by taking its cluster away.
pub(in crate::cluster) fn is_needed(folder: &Utf8Path) -> bool {
    let path = folder.join(FILE);
    let journal = File::open(&path).map_err(JournalError::from);
    match journal.and_then(|file| Journal::read(path, file)) {
        Ok(journal) => journal.header.lives_on && !journal.open.is_empty(),
        Err(JournalError::Io(error)) => error.kind() != std::io::ErrorKind::NotFound,
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> Utf8PathBuf {
        let name = format!("shakedown-undo-{}-{name}", std::process::id());
        let folder = Utf8PathBuf::from_path_buf(std::env::temp_dir().join(name)).unwrap();
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn thaw(node: &'static str) -> Undo {
        Undo::Lever(Lever::Thaw { node: node.into() })
    }

    fn header() -> Header {
        Header::new("kind", &"a", true)
    }

    #[test]
    fn what_is_open_is_found_again_the_last_first() {
        let folder = folder("open");
        let mut journal = Journal::create(&folder, header()).unwrap();
        let crash = Undo::Component(Component::Scheduler, ActorPhase::Started);
        for undo in [thaw("a"), thaw("b"), crash.clone(), thaw("a")] {
            journal.open(undo).unwrap();
        }
        journal.strike(&thaw("a")).unwrap();
        assert!(!journal.close(), "two are open");
        assert!(matches!(Journal::left_in(&folder), Err(JournalError::InUse)));
        drop(journal);
        let mut left = Journal::left_in(&folder).unwrap();
        assert_eq!(left.header(), &header());
        assert_eq!(left.open_entries(), [crash.clone(), thaw("b")]);
        left.strike(&crash).unwrap();
        left.strike(&thaw("b")).unwrap();
        assert!(left.close());
        assert!(!folder.join(FILE).exists());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_line_that_was_cut_off_was_not_done_and_spoils_no_other() {
        let folder = folder("torn");
        drop(Journal::create(&folder, header()).unwrap());
        let path = folder.join(FILE);
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(br#"{"open":{"number":0,"undo":{"lev"#).unwrap();
        let mut left = Journal::left_in(&folder).unwrap();
        assert_eq!(left.open_entries(), []);
        left.open(thaw("b")).unwrap();
        drop(left);
        assert_eq!(Journal::left_in(&folder).unwrap().open_entries(), [thaw("b")]);
        // Killed before its first line was whole, it has done nothing.
        std::fs::write(&path, "{\"schema\"").unwrap();
        assert_eq!(Journal::left_in(&folder).unwrap().open_entries(), []);
        std::fs::write(&path, "{\"schema\":\"shakedown/undo/v9\"}\n").unwrap();
        assert!(matches!(Journal::left_in(&folder), Err(JournalError::Foreign)));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn trial_after_trial_has_a_journal_in_the_same_folder() {
        let folder = folder("renew");
        let undo = Undo::Lever(Lever::Thaw { node: "a".into() });
        let mut first = Journal::renew(&folder, Header::new("kind", &"a", false)).unwrap();
        first.open(undo.clone()).unwrap();
        // The first one may not be closed yet.
        let second = Journal::renew(&folder, Header::new("kind", &"a", false)).unwrap();
        assert_eq!(second.open_entries(), []);
        first.strike(&undo).unwrap();
        drop((first, second));
        assert_eq!(Journal::left_in(&folder).unwrap().open_entries(), []);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_ends_by_itself_has_no_inverse_and_an_inverse_has_none() {
        use crate::cluster::{ContainerSelector, Direction};
        let node = || Text::new_static("worker-1");
        let join = inverse(&Lever::Partition { node: node(), direction: Direction::In }).unwrap();
        assert_eq!(join, Lever::Join { node: node() });
        assert_eq!(inverse(&join), None);
        let container = ContainerSelector::default();
        assert_eq!(inverse(&Lever::KillContainer { container, exit_code: 137 }), None);
    }

    use kubesim_model::Text;
}
