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
#[path = "api/corpus.rs"]
mod corpus;
#[path = "api/normal.rs"]
mod normal;
#[path = "api/real.rs"]
mod real;
#[path = "api/run.rs"]
mod run;
#[path = "api/simulated.rs"]
mod simulated;

use std::fs;

use corpus::{Answers, Corpus, differences};
use real::Real;

fn corpus() -> Corpus {
    Corpus::of("api")
}

fn is_blessed() -> bool {
    std::env::var_os("BLESS").is_some()
}

#[test]
fn the_simulated_server_answers_as_the_real_one_did() {
    let (corpus, mut found) = (corpus(), Vec::new());
    for (name, theme) in corpus.themes() {
        let ours = theme.cases.iter().map(|case| (case.name.clone(), run::simulated(&theme, case)));
        let ours: Answers = ours.collect();
        found.extend(differences(&name, theme.texts, (&corpus.recorded(&name), &ours)));
    }
    let complaints = compare::judge(&corpus.rules(), &found);
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn the_real_server_answers_as_recorded() {
    let Some(real) = Real::of_environment() else { return };
    let (corpus, mut found) = (corpus(), Vec::new());
    for (name, theme) in corpus.wanted() {
        let answers = theme.cases.iter();
        let answers = answers.map(|case| (case.name.clone(), run::real(&real, &theme, case)));
        let answers: Answers = answers.collect();
        if is_blessed() {
            corpus.record(&name, &answers);
        } else {
            found.extend(differences(&name, theme.texts, (&corpus.recorded(&name), &answers)));
        }
    }
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(texts.is_empty(), "recorded (-) and answered now (+):\n{}\n", texts.join("\n"));
}

#[test]
fn the_page_for_users_lists_the_accepted_differences() {
    let corpus = corpus();
    let page = compare::page(&corpus.rules(), corpus.themes().iter().map(|(_, theme)| theme));
    let path = corpus.0.join("../../docs/fidelity-api.md");
    if is_blessed() {
        fs::write(&path, &page).expect("docs are writable");
    }
    let have = fs::read_to_string(&path).unwrap_or_default();
    assert!(have == page, "docs/fidelity-api.md is stale; BLESS=1 rewrites it");
}
