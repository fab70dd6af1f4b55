//! Folders of clusters in the system's temporary folder. Each is named after the process that made
//! it, and the machine and process namespace that this is a process of, so that what a killed one
//! left is known and taken away by the next. One whose journal still says how to heal a cluster
//! that lives on stays until that is done.

use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::sync::atomic::{AtomicU64, Ordering};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sha2::{Digest as _, Sha256};

use super::undo::{self, FILE};

const PREFIX: &str = "shakedown-";

/// How many names of folders are tried.
const NAMES: usize = 1_000;

/// A folder of its own, which only its owner can read, taken away when it is dropped unless it is
/// to last.
pub(crate) struct Folder {
    path: Utf8PathBuf,
    lasts: bool,
}

impl Folder {
    pub(crate) fn new() -> std::io::Result<Folder> {
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
        Ok(Folder { path: folder, lasts: false })
    }

    /// The folder of this name, which is there when this process has ended; made if there is none.
    pub(in crate::cluster) fn lasting(name: &str) -> std::io::Result<Folder> {
        let path = parent().join(name);
        match std::fs::DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let found = std::fs::symlink_metadata(&path)?;
                if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
                    let text = format!("`{path}` is somebody else's");
                    return Err(std::io::Error::other(text));
                }
            }
            made => made?,
        }
        Ok(Folder { path, lasts: true })
    }

    /// Sees to it that it is taken away when it is dropped.
    pub(in crate::cluster) fn go(&mut self) {
        self.lasts = false;
    }

    pub(crate) fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Its name, which no other cluster has.
    pub(in crate::cluster) fn name(&self) -> &str {
        self.path.file_name().unwrap_or(PREFIX)
    }
}

/// Takes away what harnesses that are gone have left; answers the names of the folders.
pub fn sweep_folders() -> Vec<String> {
    let mut swept = Vec::new();
    for parent in parents() {
        let mut left = left_behind(&parent);
        left.iter().for_each(|name| end_programs_of(&parent.join(name)));
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

/// What a program under test, and whatever it starts, has in its environment: the folder that it
/// was given. Whoever looks at a kubeconfig there has not.
pub(super) const OWNED_BY: &str = "SHAKEDOWN_PROGRAM_OF";

/// Ends the processes of programs under test that were given this folder: those that such a program
/// has started do not end with the harness.
fn end_programs_of(folder: &Utf8Path) {
    let told = format!("{OWNED_BY}={folder}");
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        // Those of others can't be read, and are none of ours.
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        if let Some(pid) = pid.and_then(Pid::from_raw)
            && variables.any(|variable| variable == told.as_bytes())
        {
            // It may have ended meanwhile.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
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
        if undo::is_needed(&self.path) {
            return;
        }
        // Left in the system's temporary folder it harms nobody.
        if !self.lasts {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_was_given_a_folder_is_ended_with_it_and_nobody_else() {
        let (own, other) = (Folder::new().unwrap(), Folder::new().unwrap());
        let sleeper = |variable: &str, value: &str| {
            std::process::Command::new("sleep").arg("60").env(variable, value).spawn().unwrap()
        };
        let mut ended = sleeper(OWNED_BY, own.path().as_str());
        let stay = [(OWNED_BY, other.path()), ("KUBECONFIG", &own.path().join("kubeconfig"))];
        let mut stay = stay.map(|(variable, value)| sleeper(variable, value.as_str()));
        end_programs_of(own.path());
        assert!(!ended.wait().unwrap().success());
        for sleeper in &mut stay {
            assert!(sleeper.try_wait().unwrap().is_none());
            sleeper.kill().unwrap();
            sleeper.wait().unwrap();
        }
    }

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
