//! `shakedown cleanup`: takes away what runs that were killed have left behind, and heals what they
//! have left broken in clusters that live on.

use super::exit_code::Exit;
use super::terminal::Terminal;
use crate::cluster::{Healed, Kind, heal_left_behind, sweep_folders};

/// Kind clusters first, if there is kind at all: what was broken in them goes with them.
pub(super) fn command() -> Exit {
    match Kind::sweep() {
        Ok(clusters) => {
            for cluster in clusters {
                Terminal.print(&format!("deleted the kind cluster {cluster}\n"));
            }
        }
        Err(error) => Terminal.note(&format!("kind clusters were not looked for: {error}")),
    }
    let healed = heal_left_behind(None);
    let left = told(&healed, |line| Terminal.print(&format!("{line}\n")));
    for folder in sweep_folders() {
        Terminal.print(&format!("removed the folder {folder}\n"));
    }
    if left { Exit::Environment } else { Exit::Met }
}

/// Says what was healed, and what was not; answers whether anything was not.
pub(super) fn told(healed: &[Healed], say: impl Fn(&str)) -> bool {
    for Healed { what, failed } in healed {
        match failed {
            None => say(&format!("healed: {what}")),
            Some((why, by_hand)) => {
                Terminal.error(format!("could not {what}: {why}"), &format!("by hand: {by_hand}"));
            }
        }
    }
    healed.iter().any(|healed| healed.failed.is_some())
}
