//! Comparing what controllers write with what is recorded, and recording it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::case::{Case, Corpus};
use crate::real::Real;
use crate::simulated;
use crate::theme::Theme;

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(file)
}

fn corpus(file: &str) -> Corpus {
    Corpus::read(&fs::read_to_string(path(file)).expect("the decisions are there"))
}

/// What a case has recorded and now has otherwise, for people.
fn difference(case: &Case, now: &[String]) -> String {
    let (recorded, now) = (case.writes.join("\n  - "), now.join("\n  + "));
    format!("{}:\n  - {recorded}\n  + {now}", case.name)
}

/// Holds the simulated controller against what the real one wrote.
pub(crate) fn with_simulated(theme: &dyn Theme, file: &str) {
    let only = std::env::var("SHAKEDOWN_CASE").unwrap_or_default();
    let mut complaints = Vec::new();
    for case in corpus(file).cases.iter().filter(|case| case.name.contains(&only)) {
        let now = simulated::writes(theme, case);
        match (&case.accepted, now == case.writes) {
            (None, false) => complaints.push(difference(case, &now)),
            (Some(_), true) => complaints.push(format!("{}: differs no more", case.name)),
            _ => {}
        }
    }
    assert!(complaints.is_empty(), "{}:\n{}", complaints.len(), complaints.join("\n"));
}

/// Holds the real controller, if the environment names one, against what it wrote before; with
/// `BLESS=1` records it.
pub(crate) fn with_real(theme: &dyn Theme, file: &str) {
    let Some(mut real) = Real::of_environment() else { return };
    let mut corpus = corpus(file);
    let mut written = real.writes(theme, &corpus.cases);
    let mut complaints = Vec::new();
    for case in &mut corpus.cases {
        let now = written.remove(&case.name).unwrap_or_default();
        if now != case.writes {
            complaints.push(difference(case, &now));
        }
        case.writes = now;
    }
    if std::env::var_os("BLESS").is_some() {
        fs::write(path(file), corpus.text()).expect("recordings are writable");
    } else {
        assert!(complaints.is_empty(), "{}:\n{}", complaints.len(), complaints.join("\n"));
    }
}
