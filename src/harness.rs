//! Suites as an ordinary Rust test: what an author of a kube-rs controller calls from the `main` of
//! a test with `harness = false`. One test for each scenario; its failure is the
//! findings. Owns no judgement.
//!
//! ```no_run
//! use shakedown::harness::{main, program};
//! # async fn run(_: kube::Client) {}
//!
//! fn test() -> std::process::ExitCode {
//!     main("tests/shakedown", [program("my-controller", run)])
//! }
//! ```
//!
//! The folder holds scenarios, subjects and, if they name requirements of their own, a file
//! `requirements.yaml`. `SHAKEDOWN_SEED` (1) is the first seed and `SHAKEDOWN_TRIALS` (3) the
//! number of seeds for each case.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use camino::Utf8Path;
use kubesim_model::Text;
use libtest_mimic::{Arguments, Failed, Trial as Test};

use crate::check::Outcome;
use crate::cluster::{Program, Sim};
use crate::plan::{Selection, Trial, Workspace};
use crate::report::model::{TrialReport, never_failed};
use crate::report::table::{self, Detail};
use crate::run::{Event, RunOptions, run, serve_trial};
use crate::subject::Programs;
use crate::suite::{self, Diagnostic, Scenario};

/// A kube-rs program for subjects that say `run: {inProcess: NAME}`. `run` is called with a client
/// for each incarnation; its future is the program's whole life. It acts as the service account of
/// its name in the namespace `default`.
pub fn program<F>(
    name: &str,
    run: impl Fn(kube::Client) -> F + Send + Sync + 'static,
) -> (Text, Program)
where
    F: Future<Output = ()> + Send + 'static,
{
    let program = Program::Client {
        name: Text::new(name),
        user: Text::from(format!("system:serviceaccount:default:{name}")),
        user_agent: Text::new(name),
        start: Arc::new(move |client| Box::pin(run(client))),
    };
    (Text::new(name), program)
}

/// Runs the suites in `folder` with these programs. To be called first in `main`: the same
/// executable is started again for each trial, and then does not return.
pub fn main(folder: &str, programs: impl IntoIterator<Item = (Text, Program)>) -> ExitCode {
    let programs: Programs = programs.into_iter().collect();
    serve_trial(&programs);
    let arguments = Arguments::from_args();
    let tests = match tests(Utf8Path::new(folder), &programs) {
        Ok(tests) => tests,
        Err(found) => {
            let text = suite::render::render(&found, suite::render::Colour::Plain);
            vec![Test::test("the suites are valid", move || Err(text.into()))]
        }
    };
    libtest_mimic::run(&arguments, tests).exit_code()
}

/// The trials of each scenario. What is beside the folder in a repository of suites is found too.
fn tests(folder: &Utf8Path, programs: &Programs) -> Result<Vec<Test>, Vec<Diagnostic>> {
    let workspace = Workspace::open(&[folder.to_owned()], None)?;
    let seed = number("SHAKEDOWN_SEED", 1);
    let seeds = number("SHAKEDOWN_TRIALS", 3);
    let mut trials = workspace.trials(&Selection { seed, seeds, ..Selection::default() })?;
    trials.iter_mut().for_each(|trial| trial.programs.extend(programs.clone()));
    let test = |scenario: &Scenario| {
        let own = |trial: &&Trial| trial.scenario.name == scenario.name.value;
        let trials: Vec<Trial> = trials.iter().filter(own).cloned().collect();
        Test::test(scenario.name.to_string(), move || judged(&trials))
    };
    Ok(workspace.scenarios.iter().map(test).collect())
}

/// Fails unless every outcome is as expected.
fn judged(trials: &[Trial]) -> Result<(), Failed> {
    let mut reports = Vec::new();
    let stop = AtomicBool::new(false);
    // Tests run side by side already.
    let options = RunOptions { jobs: 1, fail_fast: false, baselines: true, stop: &stop };
    run(trials, &Sim, options, &mut |event| {
        if let Event::TrialFinished { index, outcome, .. } = event {
            reports.push(TrialReport::new(&trials[index], outcome, None));
        }
    });
    let mut text = table::expectations(&never_failed(&reports));
    reports.retain(|report| matches!(report.outcome, Outcome::Unexpected | Outcome::Unknown));
    if reports.is_empty() && text.is_empty() {
        return Ok(());
    }
    text.push_str(&table::trials(&reports, None, Detail::Quiet));
    text.push_str("again: SHAKEDOWN_SEED=N SHAKEDOWN_TRIALS=1 cargo test\n");
    Err(Failed::from(anstream::adapter::strip_str(&text).to_string()))
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
