//! What several commands begin with: reading what a user selected, and saying what is wrong with
//! it.

use std::collections::BTreeMap;

use super::args::Selection as Args;
use super::exit_code::Exit;
use super::terminal::Terminal;
use crate::plan::{Selection, Workspace};
use crate::suite::{Code, Diagnostic, Place};

/// Reads the scenarios that are selected, with all that belongs to them.
pub(super) fn open(select: &Args) -> Result<Workspace, Exit> {
    let opened = Workspace::open(&select.paths, select.subjects_dir.as_deref());
    let workspace = opened.map_err(|found| invalid(&found))?;
    for name in &select.subject {
        if workspace.subject(name).is_none() {
            let message = format!("there is no subject `{name}`");
            let found = Diagnostic::error(Code::UnknownSubject, &Place::nowhere(), message);
            let known = workspace.subjects.iter().map(|subject| subject.name.as_str());
            Terminal.diagnostics(&[found.suggest(name, known)]);
            return Err(Exit::Usage);
        }
    }
    Ok(workspace)
}

/// The same as the planner has it.
pub(super) fn selection(select: &Args, seed: u64, seeds: u64) -> Selection {
    Selection {
        filter: select.filter.clone(),
        subjects: select.subject.clone(),
        seed,
        seeds,
        ..Selection::default()
    }
}

/// Says what is wrong with files.
pub(super) fn invalid(found: &[Diagnostic]) -> Exit {
    Terminal.diagnostics(found);
    Exit::Invalid
}

/// Says that nothing is selected.
pub(super) fn nothing(workspace: &Workspace, select: &Args) -> Exit {
    let help = match (&select.filter, workspace.scenarios.is_empty()) {
        (Some(_), false) => {
            let mut themes: BTreeMap<&str, usize> = BTreeMap::new();
            for scenario in &workspace.scenarios {
                if let Some(theme) = scenario.labels.get("theme") {
                    *themes.entry(theme.as_str()).or_default() += 1;
                }
            }
            let themes: Vec<&str> = themes.into_keys().collect();
            match themes.is_empty() {
                true => "`shakedown list` shows all scenarios".to_owned(),
                false => format!("`shakedown list` shows all; themes: {}", themes.join(", ")),
            }
        }
        _ => "`shakedown new DIR` writes a first scenario".to_owned(),
    };
    Terminal.error("no scenario is selected, nothing was run", &help);
    Exit::Nothing
}
