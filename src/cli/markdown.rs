//! The Markdown of the pages of `docs/`.

use super::exit_code::Exit;
use super::topic::{Topic, noun};
use crate::plan::Workspace;
use crate::report::text::wrapped;

const WIDTH: usize = 100;

const MADE: &str =
    "<!-- Made by `shakedown docs` of the catalogues. Change them, not this page. -->\n";

/// `invariants.md`.
pub(super) fn invariants(invariants: &[&Topic], checks: &[&Topic]) -> String {
    let intro = "An invariant is a claim over the whole history of a trial. A scenario asks for it \
                 under `always` (it holds at every moment) or `eventually` (it is judged once \
                 transient faults are healed). What breaks it is a finding, and makes the trial fail; \
                 what it can't decide is `unknown`, with the reason.";
    let mut text = head("Invariants", intro, invariants);
    invariants.iter().for_each(|topic| text.push_str(&section(topic)));
    text.push_str("\n# Checks that are written otherwise\n");
    checks.iter().for_each(|topic| text.push_str(&section(topic)));
    text
}

/// `faults.md`.
pub(super) fn faults(faults: &[&Topic], capabilities: &[&Topic]) -> String {
    let intro = "A fault disturbs the cluster while the steps of `when` go on. Each has a `trigger` \
                 (a time, a step or an event; without one, a moment drawn from the seed), evidence \
                 that it took effect, and a heal. One that never took effect makes the trial \
                 `unknown`: nothing was shown.";
    let mut text = head("Faults", intro, faults);
    faults.iter().for_each(|topic| text.push_str(&section(topic)));
    text.push_str(
        "\n# What providers can do\n\n| capability | meaning | needed by |\n|---|---|---|\n",
    );
    for topic in capabilities {
        let needed = topic.details.join(" ");
        let needed = needed.trim_start_matches("Needed by ").trim_end_matches('.');
        text.push_str(&format!("| `{}` | {} | {needed} |\n", topic.name, topic.doc));
    }
    text
}

/// `steps.md`.
pub(super) fn steps(steps: &[&Topic]) -> String {
    let intro = "A step is something that a user or an operator does. Steps stand under `given` \
                 (before any fault) and `when`. Each is a mapping of one key; beside it a step may \
                 have a `name` and a `trigger`.";
    let mut text = head("Steps", intro, steps);
    steps.iter().for_each(|topic| text.push_str(&section(topic)));
    text
}

/// `subjects.md`.
pub(super) fn subjects(ways: &[&Topic]) -> String {
    let intro = "A subject file says under `run` how the controller under test is run. A provider \
                 that can't run it so skips its trials and says why: nothing runs beside `sim`, which has \
                 no address; `served` is the same simulation with one, and stands in for `sim` where \
                 no `--provider` is given. Nodes are simulated in both and in `local`, so that no \
                 image runs there.";
    let mut text = head("Ways to run a subject", intro, ways);
    ways.iter().for_each(|topic| text.push_str(&section(topic)));
    text
}

/// `requirements.md`.
pub(super) fn requirements(requirements: &[&Topic], workspace: &Workspace) -> String {
    let intro = "A requirement is a numbered claim about a controller. Scenarios say which ones they \
                 prove; it fails if one of the invariants that decide it has a finding.";
    let mut text = head("Requirements", intro, requirements);
    if !workspace.profiles.is_empty() {
        text.push_str("\n## Profiles\n\n");
        for (name, meaning) in &workspace.profiles {
            text.push_str(&format!("* **{name}**: {meaning}\n"));
        }
    }
    requirements.iter().for_each(|topic| text.push_str(&section(topic)));
    text
}

/// `exit-codes.md`.
pub(super) fn exit_codes() -> String {
    let intro = "The exit code is part of the interface: a gate may branch on it. If several apply, \
                 the worst of 70, 1, 5, 4 and 3 wins. Trouble of the environment is never a failure.";
    let mut text = format!("# Exit codes\n\n{MADE}\n{}\n\n", wrapped(intro, WIDTH));
    text.push_str("| code | meaning |\n|---|---|\n");
    for (exit, meaning) in Exit::ALL {
        text.push_str(&format!("| {} | {meaning} |\n", exit as u8));
    }
    text
}

fn head(title: &str, intro: &str, topics: &[&Topic]) -> String {
    let mut text = format!("# {title}\n\n{MADE}\n{}\n\n", wrapped(intro, WIDTH));
    for topic in topics {
        let anchor = topic.name.to_lowercase();
        let (first, _) =
            topic.doc.split_once(". ").unwrap_or((topic.doc.trim_end_matches('.'), ""));
        text.push_str(&format!("* [`{}`](#{anchor}): {first}.\n", topic.name));
    }
    text
}

fn section(topic: &Topic) -> String {
    let mut text = format!("\n## {}\n\n{}\n", topic.name, wrapped(&topic.doc, WIDTH));
    for paragraph in &topic.details {
        text.push_str(&format!("\n{}\n", wrapped(paragraph, WIDTH)));
    }
    if !topic.params.is_empty() {
        text.push_str("\n| parameter | takes | if not given | meaning |\n|---|---|---|---|\n");
    }
    for param in topic.params {
        let default = match (param.required, param.default) {
            (true, _) => "required".to_owned(),
            (_, Some(default)) => format!("`{default}`"),
            _ => String::new(),
        };
        text.push_str(&format!(
            "| `{}` | {} | {default} | {} |\n",
            param.name,
            noun(param),
            param.doc
        ));
    }
    if let Some(example) = &topic.example {
        let (_, dash) = topic.kind.place();
        text.push_str(&format!("\n```yaml\n{dash}{example}\n```\n"));
    }
    text
}
