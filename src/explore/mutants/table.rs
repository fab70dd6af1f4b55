//! The table of mutants as text: one line a bug, and beneath it those that were not caught.

use std::fmt::Write as _;

use super::hunt::{Fate, Hunt};

/// The table, with what survived told plainly at its end.
pub fn table(hunts: &[Hunt]) -> String {
    let mut text = String::new();
    let width = hunts.iter().map(|hunt| hunt.mutant.name().len()).max().unwrap_or(0).max(3);
    let _ = writeln!(text, "{:width$}  {:32}  {:>5}  {:>7}", "bug", "caught by", "seeds", "time");
    for hunt in hunts {
        let by = match &hunt.fate {
            Fate::Caught { .. } => hunt.mutant.caught_by,
            Fate::Survived { .. } => "- survived",
            Fate::FalseAlarm { .. } => "- false alarm",
            Fate::Broken(_) => "- could not be run",
            Fate::Interrupted => "- interrupted",
        };
        let (name, seconds) = (hunt.mutant.name(), hunt.took.as_secs_f64());
        let _ = writeln!(text, "{name:width$}  {by:32}  {:>5}  {seconds:>6.1}s", hunt.trials);
    }
    let caught = hunts.iter().filter(|hunt| matches!(hunt.fate, Fate::Caught { .. })).count();
    let _ = writeln!(text, "\n{caught} of {} caught by the named invariant", hunts.len());
    for hunt in hunts {
        if let Some(why) = escaped(hunt) {
            let _ = writeln!(text, "\n{}: {}", hunt.mutant.name(), hunt.mutant.does());
            let _ = writeln!(text, "  {why}");
        }
    }
    text
}

/// Why a bug was not caught.
fn escaped(hunt: &Hunt) -> Option<String> {
    let mutant = hunt.mutant;
    let (by, scenario) = (mutant.caught_by, mutant.scenario);
    Some(match &hunt.fate {
        Fate::Caught { .. } => return None,
        Fate::Survived { others, unknown } => {
            let why = mutant.survives.map_or_else(
                || format!("`{by}` found nothing in {} seeds of {scenario}", hunt.trials),
                |why| format!("known to survive: {why}"),
            );
            let others: Vec<String> =
                others.iter().map(|(name, seed)| format!("{name} (seed {seed})")).collect();
            let failed = match others.is_empty() {
                true => "no other check failed".to_owned(),
                false => format!("failed instead: {}", others.join(", ")),
            };
            format!("{why}; {failed}; {unknown} seeds were unknown")
        }
        Fate::FalseAlarm { seed, finding } => {
            format!("{scenario} does not pass without the bug (seed {seed}): {finding}")
        }
        Fate::Broken(why) => why.clone(),
        Fate::Interrupted => "the hunt was ended before it was over".to_owned(),
    })
}
