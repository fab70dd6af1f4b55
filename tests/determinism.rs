//! The same seed gives the same history: twice in one process, with any number of threads, and in
//! two processes.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::AtomicBool;

use shakedown::cluster::Sim;
use shakedown::plan::{Selection, Trial, Workspace};
use shakedown::run::{Event, RunOptions, TrialOutcome, run};
use shakedown::suite::ways::Run;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The first row of each scenario with each of its subjects that needs no process of its own.
fn trials() -> Vec<Trial> {
    let workspace =
        Workspace::open(&[format!("{ROOT}/suites").into()], None).expect("the suites are valid");
    let mut seen = std::collections::BTreeSet::new();
    let mut trials = workspace
        .trials(&Selection { seed: 7, ..Selection::default() })
        .expect("the suites are valid");
    trials.retain(|trial| {
        matches!(trial.subject.run, Run::Builtin { .. } | Run::Reference { .. })
            && seen.insert((trial.scenario.name.clone(), trial.subject.name.value.clone()))
    });
    trials
}

/// A digest of each history, as it would be stored.
fn digests(trials: &[Trial], jobs: usize) -> BTreeMap<String, u64> {
    let stop = AtomicBool::new(false);
    let options = RunOptions { jobs, fail_fast: false, baselines: false, stop: &stop };
    let mut digests = BTreeMap::new();
    run(trials, &Sim, options, &mut |event| {
        if let Event::TrialFinished { name, outcome: TrialOutcome::Judged(result), .. } = event {
            let mut bytes = Vec::new();
            result.history.write(&mut bytes).expect("memory takes all");
            digests.insert(name.to_owned(), fnv(&bytes));
        }
    });
    digests
}

fn fnv(bytes: &[u8]) -> u64 {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix)
}

#[test]
fn every_suite_gives_equal_bytes_twice_and_with_any_number_of_threads() {
    let trials = trials();
    let one = digests(&trials, 1);
    assert!(one.len() >= 40, "{} of {} were judged", one.len(), trials.len());
    let two = digests(&trials, 2);
    let differ: Vec<&String> = one.keys().filter(|name| one.get(*name) != two.get(*name)).collect();
    assert!(differ.is_empty(), "{differ:?}");
}

#[test]
fn two_processes_give_equal_bytes() {
    let histories = |folder: &str| -> BTreeMap<String, u64> {
        let reports = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
        let _ = std::fs::remove_dir_all(&reports);
        let run = Command::new(env!("CARGO_BIN_EXE_shakedown"))
            .current_dir(ROOT)
            .args(["run", "suites/self-healing", "--filter", "node-crash", "--seed", "7"])
            .arg("--reports")
            .arg(&reports)
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let mut found = BTreeMap::new();
        let mut folders = vec![reports];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                let (path, kind) = (entry.path(), entry.file_type().unwrap());
                if kind.is_dir() {
                    folders.push(path);
                } else if path.ends_with("history.jsonl") {
                    let trial = path.parent().unwrap().file_name().unwrap();
                    let bytes = std::fs::read(&path).unwrap();
                    found.insert(trial.to_string_lossy().into_owned(), fnv(&bytes));
                }
            }
        }
        found
    };
    let one = histories("one");
    assert!(!one.is_empty());
    assert_eq!(one, histories("two"));
}
