//! Folders of clusters in the system's temporary folder. Each is named after the process that made
//! it, and the machine and process namespace that this is a process of, so that what a killed one
//! left is known and taken away by the next. One whose journal still says how to heal a cluster
//! that lives on stays until that is done.

use std::os::unix::fs::DirBuilderExt as _;
use std::sync::atomic::{AtomicU64, Ordering};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use sha2::{Digest as _, Sha256};

use super::undo::{self, FILE};

const PREFIX: &str = "shakedown-";

/// How many names of folders are tried.
const NAMES: usize = 1_000;

/// A folder of its own, which only its owner can read, taken away when it is dropped.
pub(in crate::cluster) struct Folder(Utf8PathBuf);

impl Folder {
    pub(in crate::cluster) fn new() -> std::io::Result<Folder> {
        sweep_folders();
        Folder::within(&parent())
    }

    /// One that is there also after a boot of this machine: for a cluster that is.
    pub(in crate::cluster) fn at_home() -> std::io::Result<Folder> {
        let parent = home();
        std::fs::create_dir_all(&parent)?;
        Folder::within(&parent)
    }

    fn within(parent: &Utf8Path) -> std::io::Result<Folder> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut folders = std::iter::repeat_with(|| {
            let number = COUNT.fetch_add(1, Ordering::SeqCst);
            parent.join(format!("{PREFIX}{}-{}-{number}", place(), std::process::id()))
        });
        // Process ids come again: one of that name was left by a process that is gone.
        let free = folders.by_ref().take(NAMES).find(|folder| !undo::is_needed(folder));
        let folder = free.ok_or(std::io::ErrorKind::AlreadyExists)?;
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Folder(folder))
    }

    pub(in crate::cluster) fn path(&self) -> &Utf8Path {
        &self.0
    }

    /// Its name, which no other cluster has.
    pub(in crate::cluster) fn name(&self) -> &str {
        self.0.file_name().unwrap_or(PREFIX)
    }
}

/// Takes away what harnesses that are gone have left; answers the names of the folders.
pub fn sweep_folders() -> Vec<String> {
    let mut swept = Vec::new();
    for parent in parents() {
        let mut left = left_behind(&parent);
        // Another process may do the same.
        left.retain(|name| std::fs::remove_dir_all(parent.join(name)).is_ok());
        swept.append(&mut left);
    }
    swept
}

fn parents() -> Vec<Utf8PathBuf> {
    let mut parents = vec![parent(), home()];
    parents.dedup();
    parents
}

fn parent() -> Utf8PathBuf {
    let parent = Utf8PathBuf::from_path_buf(std::env::temp_dir());
    parent.unwrap_or_else(|_| Utf8PathBuf::from("/tmp"))
}

/// Where a user's programs keep what is to be there the next time (XDG base directories).
fn home() -> Utf8PathBuf {
    let named = |variable| std::env::var(variable).ok().filter(|path| path.starts_with('/'));
    let in_home = || named("HOME").map(|home| format!("{home}/.local/state"));
    let state = named("XDG_STATE_HOME").or_else(in_home);
    state.map_or_else(parent, |state| Utf8PathBuf::from(state).join("shakedown"))
}

fn left_behind(parent: &Utf8Path) -> Vec<String> {
    let mut names = names(parent);
    names.retain(|name| is_left_behind(name) && !undo::is_needed(&parent.join(name)));
    names
}

fn names(parent: &Utf8Path) -> Vec<String> {
    let entries = parent.read_dir_utf8().into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_owned());
    names.filter(|name| name.starts_with(PREFIX)).collect()
}

/// The folders with journals, whoever made them.
pub(in crate::cluster) fn with_journals() -> Vec<Utf8PathBuf> {
    let parents = parents();
    let folders = parents.iter().flat_map(|parent| {
        names(parent).into_iter().map(|name| parent.join(name)).collect::<Vec<_>>()
    });
    folders.filter(|folder| folder.join(FILE).is_file()).collect()
}

/// Whether a folder or cluster of this name was made by a harness of this place that is gone.
pub(in crate::cluster) fn is_left_behind(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let ["shakedown", here, pid, number] = parts.as_slice() else { return false };
    let pid = pid.parse().ok().and_then(Pid::from_raw);
    *here == place()
        && number.parse::<u64>().is_ok()
        && pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

/// Eight digits for the machine since its last boot and the namespace of process numbers: elsewhere
/// the same number is another process.
fn place() -> String {
    let boot = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let digest =
        Sha256::new().chain_update(boot).chain_update(namespace.as_os_str().as_encoded_bytes());
    digest.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

impl Drop for Folder {
    fn drop(&mut self) {
        if undo::is_needed(&self.0) {
            return;
        }
        // Left in the system's temporary folder it harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_gone_process_made_is_left_behind() {
        let own = Folder::new().unwrap();
        assert!(!is_left_behind(own.name()));
        let gone = format!("shakedown-{}-2147480000-3", place());
        assert!(is_left_behind(&gone), "{gone}");
        let first = format!("shakedown-{}-1-0", place());
        for other in [&*first, "shakedown-00000000-2147480000-3", "shakedown-audit-7", "kind"] {
            assert!(!is_left_behind(other), "{other}");
        }
    }
}
