//! The README shows what the command really prints, and `reports/sample` is what it really writes.
//! `BLESS=1` records both anew.

#![expect(clippy::unwrap_used, reason = "a test may panic, also in what it is made of")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What the README says that one types.
const TYPED: &str = "$ shakedown run examples/interrupted-release.yaml\n";
/// Where its recording ends.
const END: &str = "$ echo $?\n1\n";

#[test]
fn the_readme_and_the_sample_are_recordings_of_now() {
    let reports = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sample");
    let _ = fs::remove_dir_all(&reports);
    let mut command = Command::new(env!("CARGO_BIN_EXE_shakedown"));
    command.args(["run", "examples/interrupted-release.yaml", "--as", "sample", "--reports"]);
    let output = command.arg(&reports).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let printed = printed.replace(reports.to_str().unwrap(), "reports");

    let readme = fs::read_to_string("README.md").unwrap();
    let from = readme.find(TYPED).expect("the README shows the command") + TYPED.len();
    let to = from + readme[from..].find(END).expect("the README shows its exit code");
    let (sample, written) = (Path::new("reports/sample"), reports.join("sample"));
    if std::env::var_os("BLESS").is_some() {
        fs::write("README.md", format!("{}{printed}{}", &readme[..from], &readme[to..])).unwrap();
        let _ = fs::remove_dir_all(sample);
        for (name, text) in files(&written) {
            let path = sample.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        return;
    }
    assert_eq!(readme[from..to], printed, "README.md (BLESS=1 records it anew)");
    let (want, got) = (files(sample), files(&written));
    assert_eq!(want.keys().collect::<Vec<_>>(), got.keys().collect::<Vec<_>>());
    for (name, text) in got {
        let same = without_revision(&want[&name]) == without_revision(&text);
        assert!(same, "reports/sample/{name} is not what is written now; BLESS=1 records it anew");
    }
}

/// The files in a folder and in those below, by their path in it.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            let below = files(&entry.path()).into_iter();
            found.extend(below.map(|(path, text)| (format!("{name}/{path}"), text)));
        } else {
            found.insert(name, fs::read_to_string(entry.path()).unwrap());
        }
    }
    found
}

/// The revision is a digest of the simulator's sources: a comment changes it.
fn without_revision(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("\"revision\":")).collect()
}
