//! A folder of themes, and what a real server has answered to each of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::case::Theme;
use crate::compare::{self, Difference, Rule};

/// What a theme's cases were answered, by name of the case.
pub(crate) type Answers = BTreeMap<String, Vec<Value>>;

/// A folder with `cases`, what was `recorded`, and the accepted `differences.yaml`.
pub(crate) struct Corpus(pub(crate) PathBuf);

impl Corpus {
    /// One of the folders of `fixtures`.
    pub(crate) fn of(name: &str) -> Corpus {
        Corpus(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name))
    }

    /// All themes by name.
    pub(crate) fn themes(&self) -> Vec<(String, Theme)> {
        let entries = fs::read_dir(self.0.join("cases")).expect("the cases are there");
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        let theme = |path: PathBuf| {
            let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).expect("cases are readable");
            (name.clone(), Theme::read(&text).unwrap_or_else(|error| panic!("{name}: {error}")))
        };
        paths.into_iter().map(theme).collect()
    }

    /// The themes that a real server is to be asked: all, or the one that the environment names.
    pub(crate) fn wanted(&self) -> Vec<(String, Theme)> {
        let only = std::env::var("SHAKEDOWN_REAL_THEME").ok();
        let mut themes = self.themes();
        themes.retain(|(name, _)| only.as_ref().is_none_or(|it| it == name));
        themes
    }

    /// What was answered to a theme; nothing if it was not recorded.
    pub(crate) fn recorded(&self, theme: &str) -> Answers {
        let path = self.recording(theme);
        let text = fs::read_to_string(&path).unwrap_or_else(|_| "{}".to_owned());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Keeps what was answered to a theme.
    pub(crate) fn record(&self, theme: &str, answers: &Answers) {
        let text = serde_json::to_string_pretty(answers).expect("answers are JSON");
        fs::create_dir_all(self.0.join("recorded")).expect("the folder can be made");
        fs::write(self.recording(theme), text + "\n").expect("recordings are writable");
    }

    /// The differences that are accepted.
    pub(crate) fn rules(&self) -> Vec<Rule> {
        let path = self.0.join("differences.yaml");
        let text = fs::read_to_string(path).expect("the list of differences is readable");
        serde_saphyr::from_str(&text).expect("the list of differences is valid")
    }

    fn recording(&self, theme: &str) -> PathBuf {
        self.0.join("recorded").join(format!("{theme}.json"))
    }
}

/// Where the answers of two servers to a theme differ.
pub(crate) fn differences(
    theme: &str,
    texts: bool,
    (real, ours): (&Answers, &Answers),
) -> Vec<Difference> {
    let mut found = Vec::new();
    let gone: Vec<&String> = real.keys().filter(|name| !ours.contains_key(*name)).collect();
    assert!(gone.is_empty(), "{theme}: recorded, but there are no such cases: {gone:?}");
    for (name, ours) in ours {
        let real = real.get(name).map(Vec::as_slice).unwrap_or_default();
        compare::answers(&format!("{theme}/{name}"), texts, (real, ours), &mut found);
    }
    found
}
