//! Everything that has a name in scenario files, with its documentation: what `explain` says and
//! what the pages of `docs/` are made of.

use super::way;
use crate::check::{self, Definition};
use crate::cluster;
use crate::fault::{Ends, FAULTS, Fault};
use crate::plan::Workspace;
use crate::report::text::time;
use crate::suite::checks::BUILT_IN;
use crate::suite::requirements::Requirement;
use crate::suite::steps::STEPS;
use crate::suite::ways::WAYS;
use crate::suite::{Entry, Param, ParamKind};

/// The kinds of topics, in the order in which they are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Invariant,
    Check,
    Fault,
    Step,
    Requirement,
    Capability,
    Way,
}

impl Kind {
    pub(super) const ALL: [Kind; 7] = [
        Kind::Invariant,
        Kind::Check,
        Kind::Fault,
        Kind::Step,
        Kind::Requirement,
        Kind::Capability,
        Kind::Way,
    ];

    /// The heading over many.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Kind::Invariant => "Invariants",
            Kind::Check => "Checks of the scenario's own",
            Kind::Fault => "Faults",
            Kind::Step => "Steps",
            Kind::Requirement => "Requirements",
            Kind::Capability => "Capabilities of providers",
            Kind::Way => "Ways to run a subject",
        }
    }

    pub(super) fn noun(self) -> &'static str {
        match self {
            Kind::Invariant => "invariant",
            Kind::Check => "check",
            Kind::Fault => "fault",
            Kind::Step => "step",
            Kind::Requirement => "requirement",
            Kind::Capability => "capability of providers",
            Kind::Way => "way to run a subject",
        }
    }

    /// Where its examples stand, and as what.
    pub(super) fn place(self) -> (&'static str, &'static str) {
        match self {
            Kind::Way => ("In a subject file", ""),
            _ => ("In a scenario", "- "),
        }
    }
}

/// One name with its documentation.
#[derive(Clone, Debug)]
pub(super) struct Topic {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// One sentence.
    pub(super) doc: String,
    /// More, in paragraphs.
    pub(super) details: Vec<String>,
    pub(super) params: &'static [Param],
    /// An example, as it stands in a file.
    pub(super) example: Option<String>,
}

/// All topics, by kind and in the order of their catalogues.
pub(super) fn topics(workspace: &Workspace) -> Vec<Topic> {
    let invariants = check::registry().iter().map(|one| invariant(one, workspace));
    let checks = BUILT_IN.iter().map(|entry| of_entry(Kind::Check, entry, Vec::new()));
    let steps = STEPS.iter().map(|entry| of_entry(Kind::Step, entry, Vec::new()));
    let requirements = workspace.requirements.iter().map(|one| requirement(one, workspace));
    let capabilities = cluster::Capability::ALL.iter().map(|capability| Topic {
        kind: Kind::Capability,
        name: capability.as_str().to_owned(),
        doc: capability.doc().to_owned(),
        details: needed_by(*capability),
        params: &[],
        example: None,
    });
    invariants
        .chain(checks)
        .chain(FAULTS.iter().map(fault))
        .chain(steps)
        .chain(requirements)
        .chain(capabilities)
        .chain(WAYS.iter().map(way::topic))
        .collect()
}

fn of_entry(kind: Kind, entry: &Entry, details: Vec<String>) -> Topic {
    Topic {
        kind,
        name: entry.name.to_owned(),
        doc: entry.doc.to_owned(),
        details,
        params: entry.params,
        example: example(entry.name, entry.params),
    }
}

fn invariant(one: &Definition, workspace: &Workspace) -> Topic {
    let mut details = vec![one.doc.to_owned()];
    if !one.needs.is_empty() {
        let needs = one.needs.iter().map(|need| format!("`{}`", need.word()));
        let needs = needs.collect::<Vec<_>>().join(", ");
        details.push(format!("A history without {needs} leaves it undecided."));
    }
    let decides = workspace
        .requirements
        .iter()
        .filter(|requirement| requirement.invariants.iter().any(|by| *by.value == *one.entry.name));
    let ids: Vec<&str> = decides.map(|requirement| requirement.id.as_str()).collect();
    if !ids.is_empty() {
        details.push(format!("Decides {}.", ids.join(", ")));
    }
    of_entry(Kind::Invariant, &one.entry, details)
}

fn fault(one: &Fault) -> Topic {
    let ends = match one.ends {
        Ends::WhenAsked => {
            "It ends after `for`; without it, when the steps of `when` have ended.".to_owned()
        }
        Ends::AtOnce => "It is over as soon as it has happened; `for` means nothing.".to_owned(),
        Ends::After(span) => format!("It ends after `for`, which is {} if not given.", time(span)),
        Ends::AfterBite(span) => {
            format!("It ends `for` after it took effect; {} if not given.", time(span))
        }
    };
    let lasting = match one.ends {
        Ends::AtOnce => "",
        _ => " With `for: lasting` it stays until the trial is judged.",
    };
    let mut needs: Vec<String> = one.needs.iter().map(|need| format!("`{need}`")).collect();
    let given = one.given.iter();
    needs.extend(given.map(|(name, need)| format!("with `{name}` also `{need}`")));
    let details = vec![
        one.details.to_owned(),
        format!("{ends}{lasting}"),
        format!("A provider needs {}.", needs.join(", ")),
    ];
    of_entry(Kind::Fault, &one.entry(), details)
}

fn requirement(one: &Requirement, workspace: &Workspace) -> Topic {
    let mut details: Vec<String> = one.rationale.iter().map(ToString::to_string).collect();
    let by: Vec<String> = one.invariants.iter().map(|name| format!("`{}`", name.value)).collect();
    details.push(format!("Decided by {}.", by.join(", ")));
    let profiles: Vec<&str> = one.profiles.iter().map(|name| name.value.as_str()).collect();
    if !profiles.is_empty() {
        details.push(format!("Profiles: {}.", profiles.join(", ")));
    }
    let proves = |scenario: &&crate::suite::Scenario| {
        scenario.proves.iter().any(|id| id.value == one.id.value)
    };
    let names: Vec<String> = workspace
        .scenarios
        .iter()
        .filter(proves)
        .map(|scenario| format!("`{}`", scenario.name.value))
        .collect();
    if !names.is_empty() {
        details.push(format!("Scenarios: {}.", names.join(", ")));
    }
    Topic {
        kind: Kind::Requirement,
        name: one.id.to_string(),
        doc: one.statement.to_string(),
        details,
        params: &[],
        example: None,
    }
}

fn needed_by(capability: cluster::Capability) -> Vec<String> {
    let faults = FAULTS.iter().filter(|fault| fault.needs.contains(&capability));
    let mut names: Vec<String> = faults.map(|fault| format!("`{}`", fault.name)).collect();
    let word = capability.as_str();
    let invariants =
        check::registry().iter().filter(|one| one.needs.iter().any(|need| need.word() == word));
    names.extend(invariants.map(|one| format!("`{}`", one.entry.name)));
    if names.is_empty() { names } else { vec![format!("Needed by {}.", names.join(", "))] }
}

/// An entry as it stands in a scenario, with its required parameters and defaults.
fn example(name: &str, params: &[Param]) -> Option<String> {
    if name == "parallel" {
        return Some("parallel: [[STEP, …], [STEP, …]]".to_owned());
    }
    let shown = params.iter().filter_map(|param| {
        let value = match (param.default, param.kind, param.required) {
            (Some(default), ..) => default.to_owned(),
            (_, ParamKind::Select, _) => "{mode: one}".to_owned(),
            (_, kind, true) => sample(kind),
            _ => return None,
        };
        Some(format!("{}: {value}", param.name))
    });
    let shown: Vec<String> = shown.collect();
    Some(format!("{name}: {{{}}}", shown.join(", ")))
}

fn sample(kind: ParamKind) -> String {
    match kind {
        ParamKind::Duration => "30s".to_owned(),
        ParamKind::Int => "3".to_owned(),
        ParamKind::Probability => "0.5".to_owned(),
        ParamKind::Word(words) => words.first().copied().unwrap_or_default().to_owned(),
        ParamKind::Bool => "true".to_owned(),
        ParamKind::Amount => "10%".to_owned(),
        ParamKind::Text | ParamKind::Texts => "TEXT".to_owned(),
        ParamKind::Cel => "\"EXPRESSION\"".to_owned(),
        ParamKind::Select => "{mode: one}".to_owned(),
        ParamKind::Any => "{…}".to_owned(),
    }
}

/// What may stand for a parameter.
pub(super) fn noun(param: &Param) -> String {
    match param.kind {
        ParamKind::Word(words) => {
            words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        }
        kind => kind.noun().to_owned(),
    }
}
