//! Every registered invariant against its stored histories.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;

use super::edges::{EDGES, Edge};
use super::stories::story;
use super::story::Story;
use crate::check::{CheckResult, FINDINGS, Judgement, Observed, Plan, Verdict, judge, registry};
use crate::history::{History, Limits};
use crate::suite::checks::{Check, CheckSpec};
use crate::suite::load::{Inlined, parse_subject};
use crate::suite::model::Across;
use crate::suite::vocabulary::KnownRequirement;
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
    judged_as(history, checks, &[], &[])
}

/// Judges a history by the invariants that decide these requirements, of which some are expected to
/// fail.
pub(super) fn judged_against(
    history: &History,
    requirements: &[KnownRequirement],
    expected: &[(String, Across)],
) -> Judgement {
    let idents = requirements.iter().flat_map(|requirement| &requirement.invariants);
    let checks: Vec<CheckSpec> = idents.map(|ident| check(ident)).collect();
    judged_as(history, &checks, requirements, expected)
}

fn judged_as(
    history: &History,
    checks: &[CheckSpec],
    requirements: &[KnownRequirement],
    expected: &[(String, Across)],
) -> Judgement {
    let source = Source::new("subject.yaml", history.header.subject.text.as_str());
    let subject = parse_subject(&source, &Inlined(&BTreeMap::new())).expect("a subject");
    let observed = Observed::new(&subject);
    let plan = Plan { checks, subject: &observed, requirements, expected, findings: FINDINGS };
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

/// Stores a story, reads it again and judges it; the judgement is stored as well.
fn judged_from_its_file(ident: &str, name: &str, story: &Story) -> CheckResult {
    let mut told = Vec::new();
    story.history.write(&mut told).expect("memory can be written");
    let file = stored(&folder(ident).join(format!("{name}.jsonl")), &told);
    let history = History::read(file.as_slice(), &Limits::default()).expect("a history");
    let mut judgement = judged(&history, &[ident]);
    let mut json = serde_json::to_vec_pretty(&judgement).expect("JSON");
    json.push(b'\n');
    let verdict = stored(&folder(ident).join(format!("{name}.verdict.json")), &json);
    let text = String::from_utf8_lossy(&json).into_owned();
    assert_eq!(String::from_utf8_lossy(&verdict), text, "{ident}/{name}");
    judgement.checks.remove(0)
}

#[test]
fn every_invariant_passes_its_holding_history_and_fails_its_broken_one() {
    for definition in registry() {
        let ident = definition.entry.name;
        for (name, expected) in [("holds", Verdict::Pass), ("broken", Verdict::Fail)] {
            let story = story(ident, name == "holds");
            let story = story.unwrap_or_else(|| panic!("{ident} has no story"));
            let check = judged_from_its_file(ident, name, &story);
            assert_eq!(check.verdict, expected, "{ident}/{name}: {check:?}");
        }
    }
}

#[test]
fn stories_at_the_edges_of_invariants_are_judged_as_they_should() {
    for Edge { invariant, name, verdict, stale, tell } in EDGES {
        let mut story = Story::web(&format!("{invariant}, {name}"), 3);
        tell(&mut story);
        let check = judged_from_its_file(invariant, name, &story);
        assert_eq!(
            (check.verdict, check.stale),
            (*verdict, *stale),
            "{invariant}/{name}: {check:?}"
        );
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
