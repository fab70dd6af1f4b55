//! What the command prints and how it ends, word for word: `tests/cli/NAME.txt` holds what is said
//! on both streams. `BLESS=1` rewrites them. Times, run names and revisions are left out.

#![expect(clippy::unwrap_used, reason = "a test may panic, also in what it is made of")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder of its own, with a first scenario in it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let place = Place(folder);
        place.command(&["new", "first"]);
        place
    }

    fn command(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shakedown"));
        command.args(arguments).current_dir(&self.0).env_remove("NO_COLOR");
        self.done(command)
    }

    fn done(&self, mut command: Command) -> (i32, String, String) {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| self.redacted(&String::from_utf8(bytes).unwrap());
        (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
    }

    /// The scenario with a part replaced by another.
    fn changed(&self, from: &str, to: &str) {
        let path = self.0.join("first/node-crash.yaml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "no `{from}` to replace");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    /// The file `name` of the first trial of the last run.
    fn of_trial(&self, name: &str) -> PathBuf {
        let run = self.0.join("reports/latest").canonicalize().unwrap();
        let mut trials: Vec<PathBuf> =
            fs::read_dir(run).unwrap().map(|entry| entry.unwrap().path()).collect();
        trials.retain(|path| path.is_dir());
        trials.sort();
        trials[0].join(name)
    }

    fn redacted(&self, text: &str) -> String {
        let text = text.replace(self.0.to_str().unwrap(), "[HERE]");
        let lines: Vec<String> = text.lines().map(line).collect();
        lines.join("\n")
    }
}

/// A line without what differs from run to run, and from one simulator to another.
fn line(line: &str) -> String {
    let trimmed = line.trim_start();
    for field in ["\"took\":", "\"started\":", "\"run\":", "\"revision\":", "\"evidence\":"] {
        if trimmed.starts_with(field) {
            return format!("{}{field} …", &line[..line.len() - trimmed.len()]);
        }
    }
    if trimmed.starts_with("\"events\":") || trimmed.starts_with("\"ended\":") {
        return "[NUMBER]".to_owned();
    }
    let mut words: Vec<String> = Vec::new();
    for word in line.split(' ') {
        words.push(match words.last().map(String::as_str) {
            Some("in") if word.starts_with(|c: char| c.is_ascii_digit()) => "[TIME]".to_owned(),
            Some("at") if word.ends_with("s:") => "[TIME]:".to_owned(),
            Some("resourceVersion") => "[RV]".to_owned(),
            _ => without_run(word),
        });
    }
    // Where everything is skipped a run takes a millisecond, or none, and then says nothing of it.
    let line = words.join(" ").replace("skipped in [TIME]", "skipped");
    match line.trim_start().starts_with("event ") {
        true => "      event   [N]".to_owned() + line.split_once(" at ").map_or("", |_| " at …"),
        false => line,
    }
}

/// `reports/20261124T010259Z-cf6a1e/x` without the name of the run.
fn without_run(word: &str) -> String {
    let parts = word.split('/').map(|part| {
        let bare = part.trim_end_matches('`');
        let run = bare.len() == 23 && bare.contains('T') && bare.as_bytes()[16] == b'-';
        if run { part.replace(bare, "[RUN]") } else { part.to_owned() }
    });
    parts.collect::<Vec<_>>().join("/")
}

#[track_caller]
fn same(name: &str, (code, out, err): (i32, String, String)) {
    let got = format!("exit {code}\n--- stdout\n{out}\n--- stderr\n{err}\n");
    let path = Path::new("tests/cli").join(format!("{name}.txt"));
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, got).unwrap();
        return;
    }
    let want = fs::read_to_string(&path).unwrap_or_default();
    assert!(got == want, "{name} (BLESS=1 rewrites it)\n--- want\n{want}\n--- got\n{got}");
}

#[test]
fn a_first_scenario_passes_at_once() {
    let place = Place::new("pass");
    same("pass", place.command(&["run", "first"]));
    same("check", place.command(&["check", place.of_trial("history.jsonl").to_str().unwrap()]));
    same("replay", place.command(&["replay", place.of_trial("plan.json").to_str().unwrap()]));
    same("list", place.command(&["list", "first"]));
    same("validate", place.command(&["validate", "first"]));
}

#[test]
fn a_quiet_pass_says_nothing() {
    same("quiet", Place::new("quiet").command(&["run", "first", "--quiet"]));
}

#[test]
fn a_failure_ends_with_finding_and_command() {
    let place = Place::new("fail");
    let cel = "- cel: {name: at-most-two, expr: \"size(objects.pods) <= 2\"}";
    place.changed("- disruption-bounded: {}", &format!("- disruption-bounded: {{}}\n    {cel}"));
    same("fail", place.command(&["run", "first"]));
}

#[test]
fn a_fault_that_never_bites_leaves_it_undecided() {
    let place = Place::new("unknown");
    place.changed(
        "node-crash: {select: {workload: web, mode: one}",
        "image-slow: {by: 1m, image: \"absent/*\"",
    );
    same("unknown", place.command(&["run", "first"]));
}

#[test]
fn what_a_subject_lacks_skips_it() {
    let place = Place::new("skipped");
    place.changed("  cluster:", "  requires: {subject: [in-place-update]}\n  cluster:");
    same("skipped", place.command(&["run", "first"]));
}

#[test]
fn mistakes_on_the_command_line_are_guessed() {
    let place = Place::new("usage");
    same("subcommand", place.command(&["explian"]));
    same("explain-typo", place.command(&["explain", "disruption-bunded"]));
    same("unknown-subject", place.command(&["run", "first", "--subject", "my-controler"]));
    same("unknown-provider", place.command(&["run", "first", "--provider", "minikube"]));
    same("no-match", place.command(&["run", "first", "--filter", "nothing-like-it"]));
}

#[test]
fn wrong_files_are_shown_with_their_place() {
    let place = Place::new("files");
    same("missing-file", place.command(&["run", "absent.yaml"]));
    place.changed("node-crash: {select", "node-crush: {select");
    same("bad-scenario", place.command(&["run", "first"]));
}

#[test]
fn colours_are_used_when_asked_for_and_not_when_refused() {
    let place = Place::new("colour");
    let (_, colourful, _) = place.command(&["run", "first", "--color", "always"]);
    assert!(colourful.contains("\u{1b}["));
    let mut command = Command::new(env!("CARGO_BIN_EXE_shakedown"));
    command.args(["run", "first"]).current_dir(&place.0).env("NO_COLOR", "1");
    let (_, plain, _) = place.done(command);
    assert!(!plain.contains("\u{1b}["));
}

#[test]
fn json_and_junit_stand_alone_on_standard_output() {
    let place = Place::new("formats");
    same("json", place.command(&["run", "first", "--format", "json"]));
    let (code, xml, err) = place.command(&["run", "first", "--format", "junit"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(xml.starts_with("<?xml") && xml.ends_with("</testsuites>"));
}

#[test]
fn what_was_judged_is_printed_even_if_it_cannot_be_written() {
    let place = Place::new("unwritable");
    fs::write(place.0.join("taken"), "a file").unwrap();
    same("unwritable", place.command(&["run", "first", "--reports", "taken/reports"]));
}

#[test]
fn damaged_histories_and_foreign_plans_are_refused_each_with_one_error() {
    let place = Place::new("damaged");
    place.command(&["run", "first"]);
    let history = fs::read_to_string(place.of_trial("history.jsonl")).unwrap();
    let plan = fs::read_to_string(place.of_trial("plan.json")).unwrap();
    let write = |name: &str, text: &str| fs::write(place.0.join(name), text).unwrap();
    let lines: Vec<&str> = history.lines().collect();
    write("cut.jsonl", &history[..history.len() / 2]);
    write("other.jsonl", &history.replacen("history-v1", "history-v9", 1));
    write("damaged.jsonl", &history.replacen(lines[3], "{}", 1));
    write("binary.jsonl", "\u{0}\u{1}\u{2}");
    write("whole.jsonl", &history);
    let files = ["damaged.jsonl", "other.jsonl", "binary.jsonl", "empty.jsonl", "whole.jsonl"];
    same("damaged-histories", place.command(&[&["check"], &files[..]].concat()));
    same("cut-off-history", place.command(&["check", "cut.jsonl"]));
    write("future.json", &plan.replacen("plan-v1", "plan-v9", 1));
    same("foreign-plan", place.command(&["replay", "future.json"]));
    let (code, _, err) = place.command(&["replay", "cut.jsonl"]);
    assert!(code == 3 && err.contains("not a plan"), "{err}");
}

const SCRIPTS: [(&str, &str); 7] = [
    // Whether what it read is a state: a shell can look at it no closer than this.
    ("state", "[sh, -c, 'grep -q \\\"pods\\\":.*\\\"web-', _]"),
    ("refused", "[sh, -c, 'echo no budget left >&2; exit 3']"),
    ("missing", "[./absent.sh]"),
    ("stuck", "[sh, -c, 'sleep 600 & sleep 600'], within: 50ms"),
    ("chatty", "[cat, /dev/zero]"),
    (
        "applied",
        "[./render.sh, rendered], apply: true}\n    - wait: {within: 1s, until: \
         \"objects.configmaps.exists(c, c.metadata.name == 'rendered')\"",
    ),
    ("garbled", "['echo', '{kind: ConfigMap'], apply: true"),
];

#[test]
fn scripts_run_beside_the_cluster() {
    let place = Place::new("scripts");
    let path = place.0.join("first/node-crash.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let render = "#!/bin/sh\ncat >/dev/null\nprintf 'apiVersion: v1\\nkind: ConfigMap\\n\
                  metadata: {name: %s}\\n' $1\n";
    fs::write(place.0.join("first/render.sh"), render).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(place.0.join("first/render.sh"), executable).unwrap();
    for (name, command) in SCRIPTS {
        let step = format!("  when:\n    - script: {{command: {command}}}\n");
        fs::write(&path, text.replacen("  when:\n", &step, 1)).unwrap();
        same(&format!("script-{name}"), place.command(&["run", "first", "--filter", "node-crash"]));
    }
}

#[test]
fn a_plan_runs_no_program_unasked() {
    let place = Place::new("script-replay");
    place.changed("  when:\n", "  when:\n    - script: {command: [\"true\", \"--now\"]}\n");
    place.command(&["run", "first"]);
    let plan = place.of_trial("plan.json");
    same("script-unasked", place.command(&["replay", plan.to_str().unwrap()]));
    let asked = place.command(&["replay", "--allow-scripts", plan.to_str().unwrap()]);
    assert!(asked.0 == 0 && asked.1.contains("byte for byte"), "{asked:?}");
}
