//! Names that must exist elsewhere: requirements, subjects, operations, parameters.

use std::collections::BTreeSet;

use kubesim_model::Text;

use super::parts::every_step;
use crate::suite::diagnostic::{Code, Diagnostic};
use crate::suite::located::Located;
use crate::suite::model::{ResolvedScenario, Scenario};
use crate::suite::steps::Action;

/// `proves` names requirements of the catalogue.
pub(super) fn requirements(scenario: &Scenario, found: &mut Vec<Diagnostic>) {
    let known = &scenario.vocabulary.requirements;
    for id in &scenario.proves {
        if scenario.vocabulary.requirement(id).is_none() {
            let message = format!("unknown requirement `{}`", id.value);
            let diagnostic = Diagnostic::error(Code::UnknownRequirement, &id.at, message);
            let ids = known.iter().map(|requirement| requirement.id.as_str());
            found.push(diagnostic.label("not in the catalogue").suggest(id, ids));
        }
    }
}

/// `subjects` names subjects of which there are files.
pub(super) fn subjects(scenario: &Scenario, found: &mut Vec<Diagnostic>) {
    for name in &scenario.subjects {
        if scenario.vocabulary.subject(name).is_none() {
            let message = format!("unknown subject `{}`", name.value);
            let diagnostic = Diagnostic::error(Code::UnknownSubject, &name.at, message);
            let known = scenario.vocabulary.subjects.iter().map(|subject| subject.name.as_str());
            found.push(diagnostic.label("there is no file of it").suggest(name, known));
        }
    }
}

/// `expect` speaks of subjects and requirements of the scenario, and of each subject once.
pub(super) fn expectations(scenario: &Scenario, found: &mut Vec<Diagnostic>) {
    let mut unused = |name: &Located<Text>, list: &str, known: &[Located<Text>]| {
        if known.iter().all(|have| have.value != name.value) {
            let message = format!("`{}` is not in `{list}`, so nothing is expected", name.value);
            let diagnostic = Diagnostic::error(Code::UnusedExpectation, &name.at, message);
            found.push(diagnostic.suggest(name, known.iter().map(|have| have.as_str())));
        }
    };
    for expectation in &scenario.expect {
        unused(&expectation.subject, "subjects", &scenario.subjects);
        for id in &expectation.fails {
            unused(id, "proves", &scenario.proves);
        }
    }
    for (at, expectation) in scenario.expect.iter().enumerate() {
        let earlier = &scenario.expect[..at];
        for id in &expectation.fails {
            let again = earlier
                .iter()
                .find(|have| have.subject == expectation.subject && have.fails.contains(id));
            if let Some(first) = again {
                let message = format!("`{}` of this subject is expected twice", id.value);
                let diagnostic = Diagnostic::error(Code::DuplicateEntry, &id.at, message);
                found.push(diagnostic.also(&first.subject.at, "the first"));
            }
        }
    }
}

/// Every parameter is used by something.
pub(super) fn parameters(scenario: &Scenario, used: &BTreeSet<Text>, found: &mut Vec<Diagnostic>) {
    let matrix = scenario.matrix.iter().map(|(name, _)| name);
    for name in matrix.chain(scenario.params.iter().map(|(name, _)| name)) {
        if !used.contains(&name.value) {
            let message = format!("nothing uses the parameter `{}`", name.value);
            let diagnostic = Diagnostic::error(Code::UnusedParameter, &name.at, message);
            let help = format!("write `${{{{ params.{} }}}}` where it is wanted", name.value);
            found.push(diagnostic.help(help));
        }
    }
}

/// Every subject describes the operations that the steps ask for.
pub(super) fn operations(scenario: &Scenario, row: &ResolvedScenario, found: &mut Vec<Diagnostic>) {
    for step in every_step(&row.given).into_iter().chain(every_step(&row.when)) {
        let Action::Operate(operate) = &step.action else { continue };
        for name in &scenario.subjects {
            let Some(subject) = scenario.vocabulary.subject(name) else { continue };
            if subject.operations.iter().any(|have| have == operate.operation.as_str()) {
                continue;
            }
            let operation = &operate.operation;
            let message =
                format!("the subject `{}` has no operation `{}`", name.value, operation.value);
            let diagnostic = Diagnostic::error(Code::UnknownOperation, &operation.at, message);
            let known = subject.operations.iter().map(String::as_str);
            found.push(diagnostic.also(&name.at, "the subject").suggest(operation, known));
        }
    }
}
