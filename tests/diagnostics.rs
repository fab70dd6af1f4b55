//! Every mistake in `fixtures/diagnostics/NAME.yaml` is explained as `NAME.stderr` says. `BLESS=1`
//! rewrites the expected texts. A file that starts with `subject-` or `requirements-` is of that
//! kind, all others are scenarios. The catalogue here is this test's own, so that the texts don't
//! change with the product's.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use libtest_mimic::{Arguments, Failed, Trial};
use shakedown::suite::render::{Colour, render};
use shakedown::suite::vocabulary::{KnownRequirement, KnownSubject};
use shakedown::suite::{
    Code, Diagnostic, Entry, Param, ParamKind, Vocabulary, load_requirements, load_subjects,
    load_suite,
};

const FOLDER: &str = "fixtures/diagnostics";
/// At least so many kinds of mistake are covered.
const LEAST: usize = 40;

fn main() {
    let arguments = Arguments::from_args();
    let mut names = names();
    names.sort();
    let mut trials: Vec<Trial> =
        names.into_iter().map(|name| Trial::test(name.clone(), move || compare(&name))).collect();
    trials.push(Trial::test("forty_kinds_of_mistake_are_covered", covered));
    libtest_mimic::run(&arguments, trials).exit();
}

fn names() -> Vec<String> {
    let entries = Utf8Path::new(FOLDER).read_dir_utf8().expect("the fixtures are there");
    let paths = entries.map(|entry| entry.expect("a readable folder").into_path());
    let files = paths.filter(|path| path.extension() == Some("yaml"));
    files.filter_map(|path| path.file_stem().map(str::to_owned)).collect()
}

fn found(name: &str) -> Vec<Diagnostic> {
    let path = Utf8PathBuf::from(format!("{FOLDER}/{name}.yaml"));
    let vocabulary = Arc::new(vocabulary());
    if name.starts_with("subject-") {
        return load_subjects(&[path]).err().unwrap_or_default();
    }
    if name.starts_with("requirements-") {
        return load_requirements(&path, &vocabulary).err().unwrap_or_default();
    }
    let mut paths = vec![path];
    if name == "duplicate-scenario-name" {
        paths.push(Utf8PathBuf::from(format!("{FOLDER}/files/second.yaml")));
    }
    load_suite(&paths, &vocabulary).err().unwrap_or_default()
}

fn compare(name: &str) -> Result<(), Failed> {
    let got = render(&found(name), Colour::Plain);
    let path = format!("{FOLDER}/{name}.stderr");
    if std::env::var_os("BLESS").is_some() {
        return std::fs::write(&path, got).map_err(|error| error.to_string().into());
    }
    let want = std::fs::read_to_string(&path).unwrap_or_default();
    if got == want {
        return Ok(());
    }
    Err(format!("{path} says otherwise (BLESS=1 rewrites it)\n--- want\n{want}\n--- got\n{got}")
        .into())
}

/// Files without a mistake (`ok-…`) say nothing, all others something; forty codes occur.
fn covered() -> Result<(), Failed> {
    let mut codes = std::collections::BTreeSet::new();
    for name in names() {
        let found = found(&name);
        if found.is_empty() != name.starts_with("ok-") {
            return Err(format!("`{name}` has {} mistakes", found.len()).into());
        }
        codes.extend(found.iter().map(|diagnostic| diagnostic.code));
    }
    let missing: Vec<&Code> = Code::ALL.iter().filter(|code| !codes.contains(code)).collect();
    if codes.len() < LEAST {
        return Err(format!("{} kinds are covered, these are not: {missing:?}", codes.len()).into());
    }
    Ok(())
}

const FREEZE: &[Param] = &[Param::new("select", ParamKind::Select, "Which nodes.")];
const API_ERROR: &[Param] = &[
    Param::new("status", ParamKind::Int, "The status.").required(),
    Param::new("probability", ParamKind::Probability, "How often.").default("1"),
    Param::new("verb", ParamKind::Word(&["get", "list", "update"]), "Which requests."),
];
const ZOMBIES: &[Param] = &[Param::new("within", ParamKind::Duration, "So long.").default("30s")];
const AVAILABLE: &[Param] = &[Param::new("atLeast", ParamKind::Amount, "So many.").required()];

fn vocabulary() -> Vocabulary {
    let entry = |name, params| Entry { name, doc: "", params };
    let requirement = |id: &str, by: &[&str]| KnownRequirement {
        id: id.to_owned(),
        invariants: by.iter().map(|name| (*name).to_owned()).collect(),
    };
    let subject = |name: &str, operations: &[&str]| KnownSubject {
        name: name.to_owned(),
        operations: operations.iter().map(|name| (*name).to_owned()).collect(),
    };
    Vocabulary {
        faults: vec![
            entry("node-crash", FREEZE),
            entry("node-freeze", FREEZE),
            entry("api-error", API_ERROR),
        ],
        invariants: vec![
            entry("disruption-bounded", &[]),
            entry("in-place-identity-kept", &[]),
            entry("no-zombie-containers", ZOMBIES),
            entry("available-at-least", AVAILABLE),
        ],
        requirements: vec![
            requirement("CONV-1", &["converged-and-stable"]),
            requirement("CONV-2", &["no-zombie-containers"]),
            requirement("BUDGET-1", &["disruption-bounded", "available-at-least"]),
        ],
        subjects: vec![
            subject("deployment", &["release", "scale", "pause", "resume", "rollback"]),
            subject("cloneset", &["release", "scale", "pause", "resume", "partition", "rollback"]),
        ],
        subject_capabilities: vec!["in-place-update", "partition"],
        provider_capabilities: vec!["host-truth", "script"],
    }
}
