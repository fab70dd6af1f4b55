//! `shakedown list`: the scenarios with what they prove.

use std::collections::BTreeMap;

use super::args::Selection;
use super::catalogue;
use super::exit_code::Exit;
use super::terminal::Terminal;
use crate::report::table::Detail;
use crate::report::text::{BOLD, DIM, NAME, count, styled, wrapped};
use crate::suite::{Scenario, rows};

/// Lists the scenarios that are selected, by theme.
pub(super) fn command(select: &Selection, detail: Detail) -> Exit {
    let workspace = match catalogue::open(select) {
        Ok(workspace) => workspace,
        Err(exit) => return exit,
    };
    let wanted = catalogue::selection(select, 1, 1);
    let mut themes: BTreeMap<&str, Vec<&Scenario>> = BTreeMap::new();
    for scenario in workspace.scenarios.iter().filter(|scenario| wanted.wants(scenario)) {
        let theme = scenario.labels.get("theme").map_or("", |theme| theme.as_str());
        themes.entry(theme).or_default().push(scenario);
    }
    if themes.is_empty() {
        return catalogue::nothing(&workspace, select);
    }
    let mut text = String::new();
    let (mut scenarios, mut trials) = (0, 0);
    for (theme, list) in themes {
        if detail != Detail::Quiet {
            let theme = if theme.is_empty() { "without a theme" } else { theme };
            text.push_str(&format!("{}\n", styled(BOLD, theme)));
        }
        for scenario in list {
            let subjects = match select.subject.is_empty() {
                true => scenario.subjects.iter().map(|name| name.to_string()).collect(),
                false => select.subject.clone(),
            };
            let rows = rows(scenario).len();
            scenarios += 1;
            trials += rows * subjects.len();
            text.push_str(&one(scenario, &subjects, rows, detail));
        }
    }
    if detail != Detail::Quiet {
        let sum = format!("{}, {} a seed", count(scenarios, "scenario"), count(trials, "trial"));
        text.push_str(&format!("\n{sum}\n"));
    }
    Terminal.print(&text);
    Exit::Met
}

fn one(scenario: &Scenario, subjects: &[String], rows: usize, detail: Detail) -> String {
    if detail == Detail::Quiet {
        return format!("{}\n", scenario.name.value);
    }
    let ids: Vec<String> = scenario.proves.iter().map(|id| id.to_string()).collect();
    let rows = if rows == 1 { String::new() } else { format!(" × {rows} rows") };
    let mut text = format!("  {}\n", styled(NAME, &scenario.name.value));
    if let Some(description) = &scenario.description {
        text.push_str(&format!("    {}\n", wrapped(description, 92).replace('\n', "\n    ")));
    }
    let with = format!("{}{rows}", subjects.join(", "));
    text.push_str(&format!("    {} {}\n", styled(DIM, "proves"), ids.join(", ")));
    text.push_str(&format!("    {} {with}\n", styled(DIM, "with  ")));
    for expected in &scenario.expect {
        let fails: Vec<String> = expected.fails.iter().map(|id| id.to_string()).collect();
        let (subject, fails) = (&expected.subject.value, fails.join(", "));
        text.push_str(&format!("    {} {subject} fails {fails}\n", styled(DIM, "expect")));
    }
    if detail == Detail::Verbose {
        text.push_str(&format!("    {} {}\n", styled(DIM, "file  "), scenario.source.path));
    }
    text
}
