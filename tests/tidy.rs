//! The rules of the house that neither compiler nor clippy holds: sizes, front pages, module docs,
//! and the direction of dependencies.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which modules of the root package each module may use. The order is the way of the data.
const MAY_USE: &[(&str, &[&str])] = &[
    ("suite", &[]),
    ("history", &[]),
    ("check", &["suite", "history"]),
    ("cluster", &["suite", "history"]),
    ("image", &["cluster"]),
    ("subject", &["suite", "history", "cluster"]),
    ("fault", &["suite", "history", "cluster", "subject"]),
    ("plan", &["suite", "history", "check", "cluster", "subject", "fault"]),
    ("run", &["suite", "history", "check", "cluster", "subject", "fault", "plan"]),
    ("explore", &["suite", "history", "check", "cluster", "subject", "fault", "plan", "run"]),
    ("report", &["suite", "history", "check", "plan", "run", "explore"]),
];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                if !path.ends_with("target") {
                    walk(&path, found);
                }
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                found.push((path, text));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src", "crates", "tests", "benches", "examples"] {
        walk(&root.join(folder), &mut found);
    }
    found.into_iter().map(|(path, text)| (relative(&path, root), text)).collect()
}

fn relative(path: &Path, root: &Path) -> PathBuf {
    path.strip_prefix(root).map(Path::to_path_buf).unwrap_or_else(|_| path.to_path_buf())
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests")
        || path.file_stem().is_some_and(|stem| stem == "tests")
}

/// The text without its inline tests.
fn code(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod ").next().unwrap_or(text)
}

fn assert_none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn files_are_at_most_500_lines_without_their_tests() {
    let long =
        sources().into_iter().filter(|(path, _)| !is_test(path)).filter_map(|(path, text)| {
            let lines = code(&text).lines().count();
            (lines > 500).then(|| format!("{}: {lines} lines", path.display()))
        });
    assert_none(long.collect());
}

#[test]
fn lines_are_at_most_100_columns() {
    let mut complaints = Vec::new();
    for (path, text) in sources().into_iter().filter(|(path, _)| !is_test(path)) {
        for (number, line) in text.lines().enumerate() {
            // rustfmt does not break literals, and one column more is no sin in them.
            let literal = line.contains('"') || line.ends_with('\\') || line.contains("://");
            if line.chars().count() > 100 && !literal {
                complaints.push(format!("{}:{}", path.display(), number + 1));
            }
        }
    }
    assert_none(complaints);
}

#[test]
fn every_file_says_what_it_owns() {
    let silent = sources().into_iter().filter(|(_, text)| !text.starts_with("//!"));
    assert_none(silent.map(|(path, _)| format!("{}: no module doc", path.display())).collect());
}

#[test]
fn front_pages_hold_no_logic() {
    let mut complaints = Vec::new();
    for (path, text) in sources() {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !matches!(name, "mod.rs" | "lib.rs") || is_test(&path) || path.starts_with("examples") {
            continue;
        }
        let logic = code(&text).lines().filter(|line| {
            let line = line.trim_start();
            line.starts_with("fn ") || line.starts_with("pub fn ") || line.starts_with("impl ")
        });
        let count = logic.count();
        if count > 0 {
            complaints.push(format!("{}: {count} functions or impls", path.display()));
        }
    }
    assert_none(complaints);
}

#[test]
fn functions_are_at_most_70_lines() {
    let mut complaints = Vec::new();
    for (path, text) in sources() {
        if is_test(&path) {
            continue;
        }
        let lines: Vec<&str> = code(&text).lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let head = line.trim_start().trim_start_matches("pub(super) ");
            let head = head.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            if !head.starts_with("fn ") && !head.starts_with("async fn ") {
                continue;
            }
            let (end, declared) =
                (format!("{}}}", " ".repeat(indent)), format!("{}fn ", " ".repeat(indent)));
            let body = lines[start + 1..].iter().take_while(|line| !line.starts_with(&declared));
            let length = body.take(1_000).position(|line| *line == end).unwrap_or(0);
            if length > 70 {
                complaints.push(format!("{}:{}: {length} lines", path.display(), start + 1));
            }
        }
    }
    assert_none(complaints);
}

#[test]
fn dependencies_point_downward() {
    let may_use: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut complaints = Vec::new();
    for (path, text) in sources() {
        let mut parts = path.iter().filter_map(|part| part.to_str());
        if parts.next() != Some("src") {
            continue;
        }
        let Some(module) = parts.next().map(|part| part.trim_end_matches(".rs")) else { continue };
        let Some(allowed) = may_use.get(module) else { continue };
        for (other, _) in MAY_USE {
            if *other != module
                && !allowed.contains(other)
                && code(&text).contains(&format!("crate::{other}::"))
            {
                complaints.push(format!("{}: uses {other}", path.display()));
            }
        }
    }
    assert_none(complaints);
}

#[test]
fn the_simulator_knows_nothing_of_the_harness() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut complaints = Vec::new();
    for (name, forbidden) in [
        ("kubesim-model", ["kubesim.", "shakedown"].as_slice()),
        ("kubesim", &["shakedown", "reference."]),
        ("exact", &["kubesim", "shakedown"]),
    ] {
        let manifest = fs::read_to_string(root.join("crates").join(name).join("Cargo.toml"))
            .expect("every crate has a manifest");
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or_default();
        for word in forbidden {
            if dependencies.lines().any(|line| line.starts_with(word)) {
                complaints.push(format!("crates/{name} depends on {word}"));
            }
        }
    }
    assert_none(complaints);
}
