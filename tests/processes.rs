//! Trials with kube-rs programs give the same bytes in every process and with any number of jobs.

#![expect(clippy::unwrap_used, reason = "this is a test with a main of its own")]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use libtest_mimic::{Arguments, Failed, Trial as Test};
use shakedown::check::Outcome;
use shakedown::cluster::Sim;
use shakedown::plan::{Trial, known_requirement, vocabulary};
use shakedown::run::{Event, RunOptions, TrialOutcome, record_trial, run, serve_trial};
use shakedown::suite::{self, load_requirements, load_subjects, load_suite};

const SEEDS: std::ops::Range<u64> = 1..5;
const SCENARIOS: [&str; 3] = [
    "suites/in-place/sidecars-keep-running.yaml",
    "suites/in-place/controller-crashes-in-place.yaml",
    "suites/convergence/unruly-api.yaml",
];

fn main() -> ExitCode {
    serve_trial(&shakedown::subject::programs());
    let arguments = Arguments::from_args();
    let same = Test::test("the_same_seed_gives_the_same_bytes_in_any_process", same_bytes);
    let seeds = Test::test("another_seed_gives_other_bytes", other_bytes);
    let jobs = Test::test("jobs_do_not_matter", jobs_do_not_matter);
    let kept = Test::test("cloneset_kube_keeps_what_cloneset_keeps", kept);
    libtest_mimic::run(&arguments, vec![same, seeds, jobs, kept]).exit_code()
}

/// The first row of a scenario with the subject `cloneset-kube`.
fn trial(path: &str, seed: u64) -> Trial {
    let requirements = "suites/requirements.yaml".into();
    let requirements = load_requirements(requirements, &vocabulary(&[], &[])).unwrap().requirements;
    let subjects = load_subjects(&["fixtures/subjects".into()]).unwrap();
    let known = Arc::new(vocabulary(&requirements, &subjects));
    let scenario = load_suite(&[path.into()], &known).unwrap().scenarios.remove(0);
    let row = suite::resolve(&scenario, &suite::rows(&scenario)[0]).unwrap();
    let mut subjects = subjects.into_iter();
    let subject = subjects.find(|subject| *subject.name.value == *"cloneset-kube").unwrap();
    let catalogue: Vec<_> = requirements.iter().map(known_requirement).collect();
    Trial::new(&scenario, row, &Arc::new(subject), &catalogue, seed)
}

fn bytes(trial: &Trial) -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    record_trial(trial, false, &Sim)?.history.write(&mut bytes)?;
    Ok(bytes)
}

fn same_bytes() -> Result<(), Failed> {
    for seed in SEEDS {
        for path in SCENARIOS {
            let trial = trial(path, seed);
            if bytes(&trial)? != bytes(&trial)? {
                return Err(format!("{}: two processes, two histories", trial.name()).into());
            }
        }
    }
    Ok(())
}

fn other_bytes() -> Result<(), Failed> {
    let events = |seed| -> Result<Vec<u8>, Failed> {
        let bytes = bytes(&trial(SCENARIOS[0], seed))?;
        let header = bytes.iter().position(|byte| *byte == b'\n').unwrap_or_default();
        Ok(bytes[header..].to_vec())
    };
    if events(1)? == events(2)? { Err("two seeds, one history".into()) } else { Ok(()) }
}

fn jobs_do_not_matter() -> Result<(), Failed> {
    let trials: Vec<Trial> = SEEDS.map(|seed| trial(SCENARIOS[0], seed)).collect();
    let told = |jobs| {
        let stop = AtomicBool::new(false);
        let options = RunOptions { jobs, fail_fast: false, baselines: true, stop: &stop };
        let mut told = Vec::new();
        run(&trials, &Sim, options, &mut |event| {
            if let Event::TrialFinished { outcome: TrialOutcome::Judged(result), .. } = event {
                let mut bytes = Vec::new();
                result.history.write(&mut bytes).unwrap();
                told.push(bytes);
            }
        });
        told
    };
    let one = told(1);
    match one.len() == trials.len() && one == told(4) {
        true => Ok(()),
        false => Err("another number of jobs, another history".into()),
    }
}

fn kept() -> Result<(), Failed> {
    for seed in SEEDS {
        for path in SCENARIOS {
            let trial = trial(path, seed);
            let judgement = record_trial(&trial, false, &Sim)?.judgement;
            if judgement.outcome != Outcome::Met {
                return Err(format!("{}: {judgement:#?}", trial.name()).into());
            }
        }
    }
    Ok(())
}
