//! `shakedown cleanup`: takes away what runs that were killed have left behind.

use super::exit_code::Exit;
use super::terminal::Terminal;
use crate::cluster::{Kind, sweep_folders};

/// Folders first, then kind clusters, if there is kind at all.
pub(super) fn command() -> Exit {
    for folder in sweep_folders() {
        Terminal.print(&format!("removed the folder {folder}\n"));
    }
    match Kind::sweep() {
        Ok(clusters) => {
            for cluster in clusters {
                Terminal.print(&format!("deleted the kind cluster {cluster}\n"));
            }
            Exit::Met
        }
        Err(error) => {
            Terminal.note(&format!("kind clusters were not looked for: {error}"));
            Exit::Met
        }
    }
}
