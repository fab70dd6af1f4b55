//! Facts about trials, shown on the scenarios of the repository.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::{TrialResult, record_trial};
use crate::check::Verdict;
use crate::cluster::Sim;
use crate::history::{Body, FaultPhase, StepPhase};
use crate::plan::{Trial, known_requirement, vocabulary};
use crate::suite::{self, load_requirements, load_subjects, load_suite, render};

fn root() -> &'static Utf8Path {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn shown<T>(result: Result<T, Vec<suite::Diagnostic>>) -> T {
    result.unwrap_or_else(|found| panic!("{}", render::render(&found, render::Colour::Plain)))
}

/// The first row of a scenario file with its first subject.
fn trial(path: &str, seed: u64) -> Trial {
    let none = Arc::new(vocabulary(&[], &[]));
    let requirements = root().join("suites/requirements.yaml");
    let requirements = shown(load_requirements(&requirements, &none)).requirements;
    let subjects = shown(load_subjects(&[root().join("fixtures/subjects")]));
    let vocabulary = Arc::new(vocabulary(&requirements, &subjects));
    let paths: [Utf8PathBuf; 1] = [root().join(path)];
    let scenario = shown(load_suite(&paths, &vocabulary)).scenarios.remove(0);
    let row = shown(suite::resolve(&scenario, &suite::rows(&scenario)[0]));
    let name = &scenario.subjects[0].value;
    let subject = subjects.into_iter().find(|subject| subject.name.value == *name).unwrap();
    let catalogue: Vec<_> = requirements.iter().map(known_requirement).collect();
    Trial::new(&scenario, row, &Arc::new(subject), &catalogue, seed)
}

fn recorded(trial: &Trial, baseline: bool) -> TrialResult {
    record_trial(trial, baseline, &Sim).unwrap()
}

fn story(result: &TrialResult) -> String {
    let told = result.history.events.iter().filter_map(|event| match &event.body {
        Body::Step(step) => {
            Some(format!("{} {} {:?} {}", event.t, step.step, step.phase, step.message))
        }
        Body::Fault(fault) => {
            Some(format!("{} {} {:?} {}", event.t, fault.fault, fault.phase, fault.evidence))
        }
        _ => None,
    });
    format!("{}\n{:#?}", told.collect::<Vec<_>>().join("\n"), result.judgement)
}

const NODE_CRASH: &str = "suites/self-healing/deployment-node-crash.yaml";

#[test]
fn a_deployment_survives_a_host_that_dies_for_good() {
    let result = recorded(&trial(NODE_CRASH, 1), false);
    assert_eq!(result.judgement.verdict, Verdict::Pass, "{}", story(&result));
    let phases = |phase| {
        let events = result.history.events.iter();
        events.filter(|e| matches!(&e.body, Body::Fault(f) if f.phase == phase)).count()
    };
    assert_eq!((phases(FaultPhase::Bit), phases(FaultPhase::Healed)), (1, 0));
}

#[test]
fn a_baseline_has_the_steps_and_no_fault() {
    let result = recorded(&trial(NODE_CRASH, 1), true);
    assert_eq!(result.judgement.verdict, Verdict::Pass, "{}", story(&result));
    let events = &result.history.events;
    assert!(!events.iter().any(|event| matches!(event.body, Body::Fault(_))));
    let finished = |e: &&crate::history::Event| matches!(&e.body, Body::Step(s) if s.phase == StepPhase::Finished);
    assert_eq!(events.iter().filter(finished).count(), 3);
}

#[test]
fn the_same_seed_gives_the_same_history_and_another_seed_another() {
    let one = recorded(&trial(NODE_CRASH, 7), false);
    let two = recorded(&trial(NODE_CRASH, 7), false);
    let other = recorded(&trial(NODE_CRASH, 8), false);
    assert!(one.history == two.history);
    assert!(one.history.events != other.history.events);
}
