//! The simulated API server against kube-apiserver: the request sequences of `fixtures/api`, sent
//! through the HTTP edge, must be answered as a real server answered them.
//!
//! The answers in `fixtures/api/recorded` are a real server's, written by this test when
//! `SHAKEDOWN_REAL_API` and `SHAKEDOWN_REAL_TOKEN` name one on loopback with an empty store and no
//! controllers, and `BLESS=1` is set; without it the test shows what the server answers otherwise
//! than recorded. Differences that are accepted stand in `fixtures/api/differences.yaml`, each
//! with its number and its reason, so that one more and one less fail.

#[path = "api/arms.rs"]
mod arms;
#[path = "api/case.rs"]
mod case;
#[path = "api/compare.rs"]
mod compare;
#[path = "api/normal.rs"]
mod normal;
#[path = "api/real.rs"]
mod real;
#[path = "api/run.rs"]
mod run;
#[path = "api/simulated.rs"]
mod simulated;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use case::Theme;
use compare::Rule;
use real::Real;
use serde_json::Value;

/// What a theme's cases were answered, by name of the case.
type Answers = BTreeMap<String, Vec<Value>>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/api")
}

fn is_blessed() -> bool {
    std::env::var_os("BLESS").is_some()
}

fn themes() -> Vec<(String, Theme)> {
    let entries = fs::read_dir(folder().join("cases")).expect("the cases are there");
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let theme = |path: PathBuf| {
        let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("cases are readable");
        (name.clone(), Theme::read(&text).unwrap_or_else(|error| panic!("{name}: {error}")))
    };
    paths.into_iter().map(theme).collect()
}

fn recorded(theme: &str) -> Answers {
    let path = folder().join("recorded").join(format!("{theme}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|_| "{}".to_owned());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn differences_of(
    theme: &str,
    texts: bool,
    (real, ours): (&Answers, &Answers),
) -> Vec<compare::Difference> {
    let mut found = Vec::new();
    let gone: Vec<&String> = real.keys().filter(|name| !ours.contains_key(*name)).collect();
    assert!(gone.is_empty(), "{theme}: recorded, but there are no such cases: {gone:?}");
    for (name, ours) in ours {
        let real = real.get(name).map(Vec::as_slice).unwrap_or_default();
        compare::answers(&format!("{theme}/{name}"), texts, (real, ours), &mut found);
    }
    found
}

#[test]
fn the_simulated_server_answers_as_the_real_one_did() {
    let mut found = Vec::new();
    for (name, theme) in themes() {
        let ours: Answers = theme
            .cases
            .iter()
            .map(|case| (case.name.clone(), run::simulated(&theme, case)))
            .collect();
        found.extend(differences_of(&name, theme.texts, (&recorded(&name), &ours)));
    }
    let text = fs::read_to_string(folder().join("differences.yaml")).expect("it is readable");
    let rules: Vec<Rule> = serde_saphyr::from_str(&text).expect("the list of differences is valid");
    let complaints = compare::judge(&rules, &found);
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn the_real_server_answers_as_recorded() {
    let Some(real) = Real::of_environment() else { return };
    let mut found = Vec::new();
    let only = std::env::var("SHAKEDOWN_REAL_THEME").ok();
    for (name, theme) in
        themes().into_iter().filter(|(name, _)| only.as_ref().is_none_or(|it| it == name))
    {
        let answers: Answers = theme
            .cases
            .iter()
            .map(|case| (case.name.clone(), run::real(&real, &theme, case)))
            .collect();
        if is_blessed() {
            let text = serde_json::to_string_pretty(&answers).expect("answers are JSON");
            fs::create_dir_all(folder().join("recorded")).expect("the folder can be made");
            let path = folder().join("recorded").join(format!("{name}.json"));
            fs::write(path, text + "\n").expect("recordings are writable");
        } else {
            found.extend(differences_of(&name, theme.texts, (&recorded(&name), &answers)));
        }
    }
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(texts.is_empty(), "recorded (-) and answered now (+):\n{}\n", texts.join("\n"));
}

#[test]
fn the_page_for_users_lists_the_accepted_differences() {
    let text = fs::read_to_string(folder().join("differences.yaml")).expect("it is readable");
    let rules: Vec<Rule> = serde_saphyr::from_str(&text).expect("the list of differences is valid");
    let page = compare::page(&rules, themes().iter().map(|(_, theme)| theme));
    let path = folder().join("../../docs/fidelity-api.md");
    if is_blessed() {
        fs::write(&path, &page).expect("docs are writable");
    }
    let have = fs::read_to_string(&path).unwrap_or_default();
    assert!(have == page, "docs/fidelity-api.md is stale; BLESS=1 rewrites it");
}
