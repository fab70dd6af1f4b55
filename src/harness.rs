//! Suites as an ordinary Rust test: what an author of a kube-rs controller calls from the `main` of
//! a test with `harness = false`. One test for each case of the suites; its failure is the
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
//! `requirements.yaml`. `SHAKEDOWN_SEED` (1) is the first seed and `SHAKEDOWN_TRIALS` (3) the number
//! of seeds for each case.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use kubesim_model::Text;
use libtest_mimic::{Arguments, Failed, Trial as Test};

use crate::check::{Judgement, Outcome};
use crate::cluster::{Program, Sim};
use crate::plan::{Trial, known_requirement, vocabulary};
use crate::run::{record_trial, serve_trial};
use crate::subject::Programs;
use crate::suite::requirements::Requirement;
use crate::suite::{self, Diagnostic, Subject, load_requirements, load_subjects, load_suite};

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
    let tests = match cases(Utf8Path::new(folder)) {
        Ok(cases) => cases.into_iter().map(|case| case.test(&programs)).collect(),
        Err(found) => {
            let text = suite::render::render(&found, suite::render::Colour::Plain);
            vec![Test::test("the suites are valid", move || Err(text.into()))]
        }
    };
    libtest_mimic::run(&arguments, tests).exit_code()
}

/// The seeds of one case.
struct Case {
    name: String,
    trials: Vec<Trial>,
}

impl Case {
    fn test(self, programs: &Programs) -> Test {
        let programs = programs.clone();
        Test::test(self.name, move || {
            self.trials.into_iter().try_for_each(|mut trial| {
                trial.programs.extend(programs.clone());
                run(&trial)
            })
        })
    }
}

fn run(trial: &Trial) -> Result<(), Failed> {
    if trial.skipped(&Sim).is_some() {
        return Ok(());
    }
    let judgement = record_trial(trial, false, &Sim)?.judgement;
    match judgement.outcome {
        Outcome::Met => Ok(()),
        _ => Err(told(trial, &judgement).into()),
    }
}

fn told(trial: &Trial, judgement: &Judgement) -> String {
    let mut text = format!("{}: {}\n", trial.name(), judgement.verdict.word());
    let own = judgement.reasons.iter();
    let reasons = own.chain(judgement.checks.iter().flat_map(|check| &check.reasons));
    for reason in reasons {
        let _ = writeln!(text, "  undecided: {}", reason.text);
    }
    for finding in judgement.checks.iter().flat_map(|check| &check.findings) {
        let seconds = finding.t as f64 / 1_000.0;
        let _ = writeln!(text, "  {}: {}", finding.invariant, finding.message);
        let _ = writeln!(
            text,
            "    {} at {seconds} s, resourceVersion {}: {} against {}",
            finding.object, finding.rv, finding.value, finding.limit
        );
        for fault in &finding.faults {
            let _ = writeln!(text, "    while {fault}");
        }
    }
    let _ = write!(text, "  again: SHAKEDOWN_SEED={} SHAKEDOWN_TRIALS=1 cargo test", trial.seed);
    text
}

fn cases(folder: &Utf8Path) -> Result<Vec<Case>, Vec<Diagnostic>> {
    let known = vocabulary(&[], &[]);
    let own = folder.join("requirements.yaml");
    let requirements: Vec<Requirement> = match own.exists() {
        true => load_requirements(&own, &known)?.requirements,
        false => Vec::new(),
    };
    let paths: [Utf8PathBuf; 1] = [folder.to_owned()];
    let subjects = load_subjects(&paths)?;
    let known = Arc::new(vocabulary(&requirements, &subjects));
    let catalogue: Vec<_> = requirements.iter().map(known_requirement).collect();
    let subjects: Vec<Arc<Subject>> = subjects.into_iter().map(Arc::new).collect();
    let seed = number("SHAKEDOWN_SEED", 1);
    let mut cases = Vec::new();
    for scenario in load_suite(&paths, &known)?.scenarios {
        for row in suite::rows(&scenario) {
            let row = suite::resolve(&scenario, &row)?;
            let named = |subject: &&Arc<Subject>| {
                scenario.subjects.iter().any(|name| name.value == subject.name.value)
            };
            for subject in subjects.iter().filter(named) {
                let trial = |seed| Trial::new(&scenario, row.clone(), subject, &catalogue, seed);
                let seeds = seed..seed.saturating_add(number("SHAKEDOWN_TRIALS", 3));
                let trials: Vec<Trial> = seeds.map(trial).collect();
                let name = trials.first().map(Trial::case).unwrap_or_default();
                cases.push(Case { name, trials });
            }
        }
    }
    Ok(cases)
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
