//! Facts about trials, shown on the scenarios of the repository.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use camino::{Utf8Path, Utf8PathBuf};

use super::{Event, RunOptions, TrialOutcome, TrialResult, record_trial, run};
use crate::check::Verdict;
use crate::cluster::Sim;
use crate::history::{Body, FaultPhase, StepPhase};
use crate::plan::{PlanError, StoredPlan, Trial, known_requirement, vocabulary};
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
    // Three steps, and the mark at which settling ended.
    assert_eq!(events.iter().filter(finished).count(), 4);
}

#[test]
fn the_same_seed_gives_the_same_history_and_another_seed_another() {
    let one = recorded(&trial(NODE_CRASH, 7), false);
    let two = recorded(&trial(NODE_CRASH, 7), false);
    let other = recorded(&trial(NODE_CRASH, 8), false);
    assert!(one.history == two.history);
    assert!(one.history.events != other.history.events);
}

#[test]
fn a_plan_repeats_its_trial() {
    let trial = trial(NODE_CRASH, 3);
    let text = StoredPlan::of(&trial, false, &Sim).to_json();
    let replayed = StoredPlan::parse(&text).unwrap();
    assert_eq!(replayed.is_exact(), Ok(()));
    let replayed = shown(replayed.trial());
    assert_eq!(replayed.name(), trial.name());
    let (one, two) = (recorded(&trial, false), recorded(&replayed, false));
    assert_eq!(one.history.header, two.history.header);
    assert!(one.history.events == two.history.events);
    assert_eq!(one.judgement, two.judgement);
}

#[test]
fn a_plan_of_another_simulator_or_schema_is_told_apart() {
    let mut plan = StoredPlan::of(&trial(NODE_CRASH, 3), false, &Sim);
    plan.revision = "another".to_owned();
    assert!(matches!(plan.is_exact(), Err(PlanError::OtherRevision { .. })));
    let other = StoredPlan::parse(r#"{"schema":"shakedown/plan-v9"}"#);
    assert!(matches!(other, Err(PlanError::OtherSchema { .. })));
    assert!(matches!(StoredPlan::parse("\0"), Err(PlanError::NotAPlan(_))));
}

#[test]
fn any_number_of_threads_tells_the_same_in_the_same_order() {
    let trials: Vec<Trial> = (1..=4).map(|seed| trial(NODE_CRASH, seed)).collect();
    let told = |jobs| {
        let stop = AtomicBool::new(false);
        let options = RunOptions { jobs, fail_fast: false, baselines: true, stop: &stop };
        let mut told = Vec::new();
        run(&trials, &Sim, options, &mut |event| {
            if let Event::TrialFinished { index, outcome: TrialOutcome::Judged(result), .. } = event
            {
                told.push((index, result.judgement.clone(), result.history.events.len()));
            }
        });
        told
    };
    let one = told(1);
    assert_eq!(one.len(), 4);
    assert!(one == told(3));
}

#[test]
fn nothing_begins_after_a_stop() {
    let stop = AtomicBool::new(true);
    let options = RunOptions { jobs: 2, fail_fast: false, baselines: true, stop: &stop };
    let mut last = String::new();
    run(&[trial(NODE_CRASH, 1)], &Sim, options, &mut |event| last = format!("{event:?}"));
    assert_eq!(last, "RunFinished { finished: 0, interrupted: true }");
}

/// The node crash with another fault, and with lines of the file replaced.
fn altered(fault: &str) -> TrialResult {
    let mut plan = StoredPlan::of(&trial(NODE_CRASH, 1), false, &Sim);
    let line = plan.scenario.text.lines().find(|line| line.contains("- node-crash:")).unwrap();
    plan.scenario.text = plan.scenario.text.replace(line, &format!("    - {fault}"));
    recorded(&shown(plan.trial()), false)
}

#[test]
fn a_partition_bites_only_if_it_outlasts_a_renewal_of_the_lease() {
    let bites = |span: &str| {
        let fault = format!("node-partition: {{select: {{workload: web}}, for: {span}}}");
        altered(&fault).judgement.faults[0].bit
    };
    assert!(!bites("5s"));
    assert!(bites("30s"));
}

#[test]
fn a_kubelet_that_is_stopped_for_a_moment_was_stopped() {
    let result = altered("kubelet-stop: {select: {workload: web}, for: 5s}");
    assert!(result.judgement.faults[0].evidence.contains("ended"), "{}", story(&result));
}

#[test]
fn convergence_is_seen_when_it_has_been_held_and_not_when_something_happens_next() {
    let result = recorded(&trial(NODE_CRASH, 1), true);
    let end = result.history.events.iter().find_map(|event| match &event.body {
        Body::Step(step) if step.step == "given[1]" && step.phase == StepPhase::Finished => {
            Some(event.t)
        }
        _ => None,
    });
    assert!(end.is_some_and(|end| (30_000..90_000).contains(&end)), "{end:?}");
}
