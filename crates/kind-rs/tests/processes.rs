//! Running real programs: timeouts, dropped futures, long outputs, files, and odd children.
#![cfg(unix)]

use std::time::Duration;

use camino::Utf8PathBuf;
use kind_rs::{Invocation, Output, Processes, RunError, Runner, Stdin, Stdout};
use tokio::time::Instant;

const LONG: Duration = Duration::from_secs(20);

fn sh(script: &str, timeout: Duration) -> Invocation {
    Invocation::new("sh", ["-c", script], timeout)
}

async fn output(invocation: &Invocation) -> Output {
    Processes.run(invocation, None).await.expect("it runs")
}

/// A file name of our own in the folder for temporary files.
fn scratch(name: &str) -> Utf8PathBuf {
    let folder = Utf8PathBuf::try_from(std::env::temp_dir()).expect("its path is UTF-8");
    folder.join(format!("kind-rs-{}-{name}", std::process::id()))
}

/// Whether a process is there and not only waiting to be reaped.
fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

async fn pid_in(path: &Utf8PathBuf) -> String {
    for _ in 0..500 {
        match std::fs::read_to_string(path) {
            Ok(pid) if pid.ends_with('\n') => return pid,
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    panic!("the program did not start");
}

#[tokio::test]
async fn outputs_and_exit_codes_come_back() {
    let out = output(&sh("echo out; echo err >&2; exit 7", LONG)).await;
    assert_eq!((out.code, out.signal), (Some(7), None));
    assert_eq!((out.stdout_text(), out.stderr_text()), ("out\n".into(), "err\n".into()));
    let out = output(&sh("kill -9 $$", LONG)).await;
    assert_eq!((out.code, out.signal), (None, Some(9)));
}

#[tokio::test]
async fn a_program_that_takes_too_long_is_killed_and_what_it_wrote_is_kept() {
    let begin = Instant::now();
    let invocation = sh("echo $$; exec sleep 60", Duration::from_millis(300));
    let Err(RunError::TimedOut(output)) = Processes.run(&invocation, None).await else {
        panic!("it has to time out");
    };
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert!(!lives(&output.stdout_text()));
}

#[tokio::test]
async fn a_program_whose_future_is_dropped_is_killed() {
    let path = scratch("dropped");
    let invocation = sh(&format!("echo $$ > {path}; exec sleep 60"), LONG);
    let pid = tokio::select! {
        _ = Processes.run(&invocation, None) => panic!("it has to sleep"),
        pid = pid_in(&path) => pid,
    };
    for _ in 0..500 {
        if !lives(&pid) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!lives(&pid));
    std::fs::remove_file(path).expect("it is there");
}

#[tokio::test]
async fn children_that_hold_the_pipes_open_hold_up_nobody() {
    let begin = Instant::now();
    let out = output(&sh("echo done; sleep 30 &", LONG)).await;
    assert_eq!((out.code, out.stdout_text().as_str()), (Some(0), "done\n"));
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_long_output_is_cut_and_read_to_its_end() {
    let mut invocation = sh("head -c 1000000 /dev/zero; echo end >&2", LONG);
    invocation.output_limit = 1000;
    let out = output(&invocation).await;
    assert_eq!((out.code, out.stdout.len(), out.truncated), (Some(0), 1000, true));
    assert_eq!(out.stderr_text(), "end\n");
}

#[tokio::test]
async fn input_goes_in_as_bytes_or_as_a_file_and_output_into_a_file() {
    let (from, to) = (scratch("from"), scratch("to"));
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let mut invocation = Invocation::new("cat", [""; 0], LONG);
    invocation.stdin = Stdin::Bytes(bytes.clone());
    invocation.stdout = Stdout::File(from.clone());
    assert_eq!(output(&invocation).await.stdout.len(), 0);
    invocation.stdin = Stdin::File(from.clone());
    invocation.stdout = Stdout::File(to.clone());
    assert!(output(&invocation).await.is_success());
    assert!(std::fs::read(&to).expect("it is there") == bytes);
    invocation.stdin = Stdin::File(scratch("nothing"));
    assert!(matches!(Processes.run(&invocation, None).await, Err(RunError::Io(_))));
    std::fs::remove_file(from).and(std::fs::remove_file(to)).expect("they are there");
}

#[tokio::test]
async fn a_program_need_not_read_its_input() {
    let mut invocation = Invocation::new("true", [""; 0], LONG);
    invocation.stdin = Stdin::Bytes(vec![0; 1_000_000]);
    assert!(output(&invocation).await.is_success());
}

#[tokio::test]
async fn errors_are_told_line_by_line() {
    let mut lines = Vec::new();
    let mut on_line = |line: &str| lines.push(line.to_owned());
    let script = r"printf 'a\nb' >&2; sleep 0.1; printf 'c\rd\n\n' >&2; printf e >&2";
    let invocation = sh(script, LONG);
    Processes.run(&invocation, Some(&mut on_line)).await.expect("it runs");
    assert_eq!(lines, ["a", "bc", "d", "e"]);
}

#[tokio::test]
async fn a_program_that_is_not_there_is_not_found() {
    let invocation = Invocation::new("kind-rs-no-such-program", [""; 0], LONG);
    assert!(matches!(Processes.run(&invocation, None).await, Err(RunError::NotFound)));
}
