//! Every registered invariant against its stored histories.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;

use super::stories::story;
use crate::check::{FINDINGS, Judgement, Observed, Plan, Verdict, judge, registry};
use crate::history::{History, Limits};
use crate::suite::checks::{Check, CheckSpec};
use crate::suite::load::{Inlined, parse_subject};
use crate::suite::{Place, Source};

pub(super) fn check(ident: &str) -> CheckSpec {
    let name = crate::suite::Located::new(ident.into(), Place::nowhere());
    CheckSpec { at: Place::nowhere(), name, check: Check::Invariant(Default::default()) }
}

/// Judges a history by its own subject, with these invariants and their defaults.
pub(super) fn judged(history: &History, idents: &[&str]) -> Judgement {
    let checks: Vec<CheckSpec> = idents.iter().map(|ident| check(ident)).collect();
    judged_by(history, &checks)
}

/// Judges a history by its own subject, with these checks.
pub(super) fn judged_by(history: &History, checks: &[CheckSpec]) -> Judgement {
    let source = Source::new("subject.yaml", history.header.subject.text.as_str());
    let subject = parse_subject(&source, &Inlined(&BTreeMap::new())).expect("a subject");
    let observed = Observed::new(&subject);
    let plan =
        Plan { checks, subject: &observed, requirements: &[], expected: &[], findings: FINDINGS };
    judge(history, &plan)
}

fn folder(ident: &str) -> Utf8PathBuf {
    Utf8PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/histories").join(ident)
}

/// The file as it is stored; written first if `BLESS` is set.
fn stored(path: &Utf8PathBuf, new: &[u8]) -> Vec<u8> {
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, new).expect("a writable file");
    }
    std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}; BLESS=1 writes it"))
}

#[test]
fn every_invariant_passes_its_holding_history_and_fails_its_broken_one() {
    for definition in registry() {
        let ident = definition.entry.name;
        for (name, expected) in [("holds", Verdict::Pass), ("broken", Verdict::Fail)] {
            let story = story(ident, name == "holds");
            let story = story.unwrap_or_else(|| panic!("{ident} has no story"));
            let mut told = Vec::new();
            story.history.write(&mut told).expect("memory can be written");
            let file = stored(&folder(ident).join(format!("{name}.jsonl")), &told);
            let history = History::read(file.as_slice(), &Limits::default()).expect("a history");
            let judgement = judged(&history, &[ident]);
            let mut json = serde_json::to_vec_pretty(&judgement).expect("JSON");
            json.push(b'\n');
            let verdict = stored(&folder(ident).join(format!("{name}.verdict.json")), &json);
            let text = String::from_utf8_lossy(&json).into_owned();
            assert_eq!(judgement.checks[0].verdict, expected, "{ident}/{name}: {text}");
            assert_eq!(String::from_utf8_lossy(&verdict), text, "{ident}/{name}");
        }
    }
}

#[test]
fn idents_are_kebab_case_names_of_files() {
    let root = Utf8PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/check/invariants");
    for definition in registry() {
        let ident = definition.entry.name;
        let is_kebab = |c: char| c.is_ascii_lowercase() || c == '-';
        assert!(ident.chars().all(is_kebab), "{ident}");
        assert!(root.join(format!("{}.rs", ident.replace('-', "_"))).exists(), "{ident}");
        assert!(definition.doc.len() > 100, "{ident}");
    }
    let files = std::fs::read_dir(&root).expect("the folder").count();
    assert_eq!(files, registry().len() + 1, "a file of an invariant is not registered");
}
