//! Parts that must fit together: steps and the objects that `given` applies, triggers and the steps
//! they wait for, requirements and the checks that decide them.

use std::collections::BTreeSet;

use kubesim_model::Text;
use kubesim_model::tree::Tree;

use crate::suite::checks::{CONVERGED, CheckSpec};
use crate::suite::diagnostic::{Code, Diagnostic};
use crate::suite::located::Located;
use crate::suite::model::{ResolvedScenario, Scenario};
use crate::suite::select::Trigger;
use crate::suite::steps::{Action, Step};

/// The steps of a list and of all `parallel` branches in it.
pub(super) fn every_step(steps: &[Step]) -> Vec<&Step> {
    let mut all = Vec::new();
    for step in steps {
        all.push(step);
        if let Action::Parallel(branches) = &step.action {
            branches.iter().for_each(|branch| all.extend(every_step(branch)));
        }
    }
    all
}

/// Operations speak of workloads that a step applies.
pub(super) fn workloads(row: &ResolvedScenario, found: &mut Vec<Diagnostic>) {
    let steps: Vec<&Step> =
        every_step(&row.given).into_iter().chain(every_step(&row.when)).collect();
    let mut applied: BTreeSet<Text> = BTreeSet::new();
    for step in &steps {
        if let Action::Apply(apply) = &step.action {
            let workloads = apply.manifests.iter().filter(|object| may_be_workload(object));
            applied.extend(workloads.map(|object| object.at(&["metadata", "name"]).text()));
        }
    }
    let broken = steps.iter().any(|step| match &step.action {
        Action::Apply(apply) => apply.manifests.is_empty(),
        _ => false,
    });
    let mut unknown = |name: &Located<Text>| {
        if !applied.contains(&name.value) && !broken {
            let message = format!("no step applies a workload `{}`", name.value);
            let diagnostic = Diagnostic::error(Code::UnknownWorkload, &name.at, message);
            found.push(diagnostic.suggest(name, applied.iter().map(Text::as_str)));
        }
    };
    for step in &steps {
        if let Action::Operate(operate) = &step.action {
            unknown(&operate.workload);
        }
    }
}

/// Whether a subject may mean this object: it has a pod template, or is of a kind that Kubernetes
/// does not bring.
fn may_be_workload(object: &Tree) -> bool {
    let group = object["apiVersion"].str().split_once('/').map_or("", |(group, _)| group);
    let custom = group.contains('.') && !group.ends_with(".k8s.io");
    custom || !object.at(&["spec", "template"]).is_null()
}

/// Steps have different names, and triggers wait for steps that exist.
pub(super) fn step_names(row: &ResolvedScenario, found: &mut Vec<Diagnostic>) {
    let steps: Vec<&Step> =
        every_step(&row.given).into_iter().chain(every_step(&row.when)).collect();
    let mut names: Vec<(&Text, &Step)> = Vec::new();
    for step in &steps {
        let Some(name) = &step.name else { continue };
        match names.iter().find(|(have, _)| *have == name) {
            Some((_, first)) => {
                let message = format!("there are two steps `{name}`");
                let diagnostic = Diagnostic::error(Code::DuplicateName, &step.at, message);
                found.push(diagnostic.also(&first.at, "the first"));
            }
            None => names.push((name, step)),
        }
    }
    let triggers = steps.iter().filter_map(|step| step.trigger.as_ref());
    let of_faults = row.faults.iter().filter_map(|fault| fault.trigger.as_ref());
    for step in triggers.chain(of_faults).filter_map(|trigger: &Trigger| trigger.step.as_ref()) {
        if names.iter().all(|(name, _)| **name != step.value) {
            let message = format!("no step has the name `{}`", step.value);
            let diagnostic = Diagnostic::error(Code::UnknownStepName, &step.at, message);
            let known = names.iter().map(|(name, _)| name.as_str());
            let mut diagnostic = diagnostic.suggest(step, known);
            if names.is_empty() {
                diagnostic = diagnostic.help("name a step: `- name: go\\n  scale: {…}`");
            }
            found.push(diagnostic);
        }
    }
}

/// Every requirement that the scenario proves is decided by one of its checks.
pub(super) fn decided(scenario: &Scenario, rows: &[ResolvedScenario], found: &mut Vec<Diagnostic>) {
    let Some(row) = rows.first() else { return };
    let spec = &scenario.spec;
    let written = ["always", "eventually"].iter().filter_map(|list| spec.get(list));
    let written: usize = written.map(|node| node.items().len()).sum();
    let checks: Vec<&CheckSpec> = row.always.iter().chain(&row.eventually).collect();
    if written > checks.len() {
        return;
    }
    for id in &scenario.proves {
        let Some(requirement) = scenario.vocabulary.requirement(id) else { continue };
        let decides = |invariant: &String| {
            let invariant = if invariant == "converge" { CONVERGED } else { invariant };
            checks.iter().any(|check| check.name.as_str() == invariant)
        };
        if !requirement.invariants.iter().any(decides) {
            let message = format!("no check of this scenario decides `{}`", id.value);
            let diagnostic = Diagnostic::error(Code::Undecided, &id.at, message);
            let by = requirement.invariants.join("`, `");
            found.push(diagnostic.help(format!("check one of `{by}`")));
        }
    }
}
