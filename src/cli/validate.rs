//! `shakedown validate`: reads all files and runs nothing.

use super::args::Selection;
use super::catalogue;
use super::exit_code::Exit;
use super::terminal::Terminal;
use crate::report::table::Detail;
use crate::report::text::{GOOD, count, styled};

/// Checks the files that are selected.
pub(super) fn command(select: &Selection, detail: Detail) -> Exit {
    let workspace = match catalogue::open(select) {
        Ok(workspace) => workspace,
        Err(exit) => return exit,
    };
    let trials = match workspace.trials(&catalogue::selection(select, 1, 1)) {
        Ok(trials) => trials,
        Err(found) => return catalogue::invalid(&found),
    };
    if workspace.scenarios.is_empty() {
        return catalogue::nothing(&workspace, select);
    }
    if detail != Detail::Quiet {
        let counts = [
            count(workspace.scenarios.len(), "scenario"),
            count(workspace.subjects.len(), "subject"),
            count(workspace.requirements.len(), "requirement"),
        ];
        let trials = count(trials.len(), "trial");
        let good = styled(GOOD, "✓");
        Terminal.print(&format!("{good} {}: {trials} a seed\n", counts.join(", ")));
    }
    Exit::Met
}
