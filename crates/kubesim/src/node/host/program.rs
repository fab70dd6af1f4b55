//! What a process does by itself, read from its image, command and arguments. Not: what rules and
//! faults make of it.
//!
//! A process of a container is PID 1 of its namespace: the kernel delivers no signal to it that it
//! has no handler for. So `sleep` and shell scripts do not heed SIGTERM, servers do.

use kubesim_model::Millis;
use kubesim_model::tree::Tree;

use super::script;
use super::variables::{self, Variables};

/// The life of a process.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Program {
    /// After how long it ends by itself, and with which exit code; runs for ever without.
    pub(super) ends: Option<(Millis, i32)>,
    /// The exit code after SIGTERM, if it heeds that.
    pub(super) on_term: Option<i32>,
    /// Whether the command is known; others are taken for servers.
    pub(super) understood: bool,
}

const SERVER: Program = Program { ends: None, on_term: Some(0), understood: true };
pub(super) const UNKNOWN: Program = Program { ends: None, on_term: Some(143), understood: false };
pub(super) const FOREVER: Program = Program { ends: None, on_term: None, understood: true };

/// Images whose entry point is a shell: without a terminal it reads the end of its input and ends.
const SHELLS: [&str; 5] = ["busybox", "alpine", "debian", "ubuntu", "bash"];

/// The process of a container of a pod's spec.
pub(super) fn of_container(spec: &Tree) -> Program {
    let variables = variables::of(spec);
    let texts = |field: &str| -> Vec<String> {
        let words = spec[field].items().iter();
        words.map(|word| variables::in_command(word.str(), &variables)).collect()
    };
    let (command, args) = (texts("command"), texts("args"));
    let image = spec["image"].str();
    let base = image.rsplit('/').next().unwrap_or(image);
    let base = base.split([':', '@']).next().unwrap_or(base);
    if !command.is_empty() {
        return of_words(&[command, args].concat(), &variables);
    }
    if SHELLS.contains(&base) {
        return if args.is_empty() { ended(0, 0) } else { of_words(&args, &variables) };
    }
    SERVER
}

/// The process of `command` in an exec hook or probe; `None` without one.
pub(super) fn of_exec(handler: &Tree) -> Option<Program> {
    let command = handler["exec"]["command"].items();
    let words: Vec<String> = command.iter().map(|word| word.str().to_owned()).collect();
    (!words.is_empty()).then(|| of_words(&words, &Variables::new()))
}

pub(super) fn ended(after: Millis, code: i32) -> Program {
    Program { ends: Some((after, code)), on_term: None, understood: true }
}

pub(super) fn of_words(words: &[String], variables: &Variables) -> Program {
    let Some(first) = words.first() else { return SERVER };
    let name = first.rsplit('/').next().unwrap_or(first);
    match name {
        "sh" | "bash" | "ash" | "dash" => match words.iter().position(|word| word.ends_with('c')) {
            Some(at) if words[at].starts_with('-') && at + 1 < words.len() => {
                script::program(&words[at + 1], variables)
            }
            _ => ended(0, 0),
        },
        "agnhost" | "pause" | "nginx" | "httpd" | "httpd-foreground" | "redis-server"
        | "memcached" => SERVER,
        _ => match statement(&words.join(" ")) {
            Statement::Takes(after, code) => ended(after, code),
            Statement::Exit(code) => ended(0, code),
            Statement::Forever => FOREVER,
            _ => UNKNOWN,
        },
    }
}

/// What a statement of a script does, or a command alone.
pub(super) enum Statement {
    /// It ends after this time with this code.
    Takes(Millis, i32),
    Exit(i32),
    Forever,
    Trap(Option<i32>),
    ErrExit,
    Exec(Vec<String>),
    Unknown,
}

pub(super) fn statement(text: &str) -> Statement {
    let words: Vec<&str> = text.split_whitespace().collect();
    let first = words.first().map_or("", |word| word.rsplit('/').next().unwrap_or(word));
    match (first, words.get(1).copied()) {
        ("sleep", Some("inf" | "infinity")) => Statement::Forever,
        ("sleep", Some(time)) => {
            seconds(time).map_or(Statement::Unknown, |time| Statement::Takes(time, 0))
        }
        ("exit", code) => code.unwrap_or("0").parse().map_or(Statement::Unknown, Statement::Exit),
        ("true" | ":" | "echo" | "printf" | "mkdir" | "touch" | "export" | "cd" | "date", _) => {
            Statement::Takes(0, 0)
        }
        ("false", _) => Statement::Takes(0, 1),
        ("[" | "test", Some(_)) => holds(&words[1..])
            .map_or(Statement::Unknown, |holds| Statement::Takes(0, i32::from(!holds))),
        ("set", Some(flags)) if flags.starts_with('-') => Statement::ErrExit,
        ("while" | "until" | "for", Some("true" | ":" | "[")) => Statement::Forever,
        ("tail", Some("-f" | "-F")) => Statement::Forever,
        ("trap", Some(handler)) if text.contains("TERM") || text.ends_with("15") => {
            let ignores = handler.starts_with("''") || handler.starts_with("\"\"");
            let code = text.split("exit").nth(1).and_then(|rest| {
                rest.trim().split(['\'', '"', ' ']).next().and_then(|code| code.parse().ok())
            });
            Statement::Trap((!ignores).then(|| code.unwrap_or(0)))
        }
        ("exec", Some(_)) => {
            Statement::Exec(words[1..].iter().map(|word| (*word).to_owned()).collect())
        }
        ("agnhost" | "pause" | "nginx", _) => Statement::Exec(vec![first.to_owned()]),
        _ => Statement::Unknown,
    }
}

/// Whether what is tested holds: two numbers or two texts that are compared.
fn holds(words: &[&str]) -> Option<bool> {
    let words = words.strip_suffix(&["]"]).unwrap_or(words);
    let plain = |word: &str| word.trim_matches(['"', '\'']).to_owned();
    let [a, operator, b] = words else { return None };
    let (a, b) = (plain(a), plain(b));
    if a.contains('$') || b.contains('$') {
        return None;
    }
    match *operator {
        "=" | "==" => return Some(a == b),
        "!=" => return Some(a != b),
        _ => {}
    }
    let (a, b): (i64, i64) = (a.parse().ok()?, b.parse().ok()?);
    match *operator {
        "-eq" => Some(a == b),
        "-ne" => Some(a != b),
        "-lt" => Some(a < b),
        "-le" => Some(a <= b),
        "-gt" => Some(a > b),
        "-ge" => Some(a >= b),
        _ => None,
    }
}

fn seconds(text: &str) -> Option<Millis> {
    let unit = match text.chars().last()? {
        'm' => 60_000.0,
        'h' => 3_600_000.0,
        'd' => 86_400_000.0,
        _ => 1_000.0,
    };
    let number: f64 = text.trim_end_matches(['s', 'm', 'h', 'd']).parse().ok()?;
    (number >= 0.0).then(|| (number * unit).min(1e15) as Millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubesim_model::{list, map};

    fn run(words: Tree) -> Program {
        of_container(&map! { "image" => "busybox:1", "command" => words })
    }

    #[test]
    fn well_known_commands_end_as_they_really_do() {
        assert_eq!(run(list!["true"]).ends, Some((0, 0)));
        assert_eq!(run(list!["/bin/false"]).ends, Some((0, 1)));
        assert_eq!(run(list!["sleep", "30"]).ends, Some((30_000, 0)));
        assert_eq!(run(list!["sh", "-c", "sleep 2; exit 3"]).ends, Some((2_000, 3)));
        assert_eq!(run(list!["sh", "-c", "sleep 1 && false && sleep 9"]).ends, Some((1_000, 1)));
        assert_eq!(run(list!["sh", "-c", "false || exit 4"]).ends, Some((0, 4)));
        assert_eq!(run(list!["sh", "-c", "true || exit 4; sleep 3"]).ends, Some((3_000, 0)));
        let branches = "if [ 1 -eq 2 ]; then exit 1; elif test a = a; then exit 2; else exit 3; fi";
        assert_eq!(run(list!["sh", "-c", branches]).ends, Some((0, 2)));
        assert!(!run(list!["sh", "-c", "if work; then exit 1; fi"]).understood);
        assert_eq!(run(list!["sh", "-c", "while true; do sleep 1; done"]).ends, None);
        assert_eq!(of_container(&map! { "image" => "busybox" }).ends, Some((0, 0)));
        let agnhost = map! { "image" => "x/agnhost:2.60", "args" => list!["netexec"] };
        assert_eq!(of_container(&agnhost), SERVER);
    }

    #[test]
    fn what_a_program_does_depends_on_its_variables() {
        let run = |script: &str| {
            let env = list![map! { "name" => "JOB_COMPLETION_INDEX", "value" => "3" }];
            let command = list!["sh", "-c", script];
            of_container(&map! { "image" => "busybox:1", "command" => command, "env" => env }).ends
        };
        assert_eq!(run("exit $((JOB_COMPLETION_INDEX % 2))"), Some((0, 1)));
        assert_eq!(run("[ \"$JOB_COMPLETION_INDEX\" -ne 3 ] || exit 9"), Some((0, 9)));
        assert_eq!(run("sleep ${JOB_COMPLETION_INDEX}0"), Some((30_000, 0)));
        assert_eq!(run("exit $ELSEWHERE"), None);
    }

    #[test]
    fn sleep_and_shells_do_not_heed_sigterm_and_traps_decide() {
        assert_eq!(run(list!["sleep", "3600"]).on_term, None);
        assert_eq!(run(list!["sh", "-c", "trap 'exit 7' TERM; sleep infinity"]).on_term, Some(7));
        assert_eq!(run(list!["sh", "-c", "trap '' TERM; sleep infinity"]).on_term, None);
        assert_eq!(run(list!["sh", "-c", "exec nginx -g 'daemon off'"]).on_term, Some(0));
    }

    #[test]
    fn an_unknown_command_is_a_server_that_is_reported() {
        let program = run(list!["my-daemon", "--port", "80"]);
        assert!(!program.understood && program.ends.is_none());
    }
}
