//! A shell on a node, by a command that the owner of the cluster gives: `docker exec -i {node}`,
//! `ssh root@{node}`. It reads a script on its standard input, so nothing needs to be quoted.

use std::time::Duration;

use kind_rs::{Invocation, Processes, RunError, Runner as _, Stdin};

/// What stands for the node's name.
const NODE: &str = "{node}";

/// How long a script may take.
const WITHIN: Duration = Duration::from_secs(30);

/// What a script says last. A command that does not pass its input on runs nothing, without an
/// error.
const DONE: &str = "shakedown: done";

/// A command that gives a shell on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NodeAccess(Vec<String>);

impl NodeAccess {
    /// The command with `{node}` in it.
    pub(super) fn new(command: &str) -> Result<Self, String> {
        let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        if words.len() < 2 || !words.iter().any(|word| word.contains(NODE)) {
            return Err(format!("`{command}` is no command with `{NODE}` for the name of a node"));
        }
        Ok(NodeAccess(words))
    }

    /// The command as it was given.
    pub(super) fn text(&self) -> String {
        self.0.join(" ")
    }

    /// What a person types to run `script` on `node`.
    pub(super) fn by_hand(&self, node: &str, script: &str) -> String {
        let command = self.text().replace(NODE, node);
        format!("echo '{}' | {command} sh -s", script.trim().replace('\'', r"'\''"))
    }

    /// Runs a script on a node, as whoever the command makes one there.
    pub(super) async fn run(&self, node: &str, script: &str) -> Result<String, String> {
        let words = self.0.iter().map(|word| word.replace(NODE, node));
        let mut words = words.chain(["sh", "-s"].map(str::to_owned));
        let program = words.next().unwrap_or_default();
        let mut invocation = Invocation::new(program, words, WITHIN);
        let script = format!("set -e\n{script}\necho '{DONE}'\n");
        invocation.stdin = Stdin::Bytes(script.into_bytes());
        let line = invocation.line();
        let output = Processes.run(&invocation, None).await.map_err(|error| match error {
            RunError::NotFound => format!("`{}` is not installed", invocation.program),
            RunError::TimedOut(_) => format!("`{line}` takes more than {} s", WITHIN.as_secs()),
            RunError::Io(error) => format!("`{line}`: {error}"),
            other => format!("`{line}`: {other:?}"),
        })?;
        let (text, errors) = (output.stdout_text(), output.stderr_text());
        if !output.is_success() {
            let code = output.code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
            return Err(format!("`{line}` ended with {code}: {}", errors.trim()));
        }
        match text.rsplit_once(DONE) {
            Some((text, _)) => Ok(text.to_owned()),
            None => Err(format!(
                "`{line}` runs nothing of what is written to it (`docker exec` needs `-i`)"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(command: &str, script: &str) -> Result<String, String> {
        NodeAccess::new(command).unwrap().run("n1", script).await
    }

    #[tokio::test]
    async fn a_script_runs_where_the_command_leads() {
        let said = run("env NAME={node}", "echo \"it's $NAME\"").await.unwrap();
        assert_eq!(said, "it's n1\n");
        let failed = run("env NAME={node}", "echo no >&2; false; echo yes").await.unwrap_err();
        assert!(failed.contains("ended with 1: no"), "{failed}");
    }

    #[tokio::test]
    async fn a_command_that_does_not_listen_is_told() {
        let deaf = run("echo {node}", "true").await.unwrap_err();
        assert!(deaf.contains("`docker exec` needs `-i`"), "{deaf}");
        let missing = run("there-is-no-such-program {node}", "true").await.unwrap_err();
        assert!(missing.contains("is not installed"), "{missing}");
        assert!(NodeAccess::new("docker exec").is_err());
    }

    #[test]
    fn a_person_is_told_what_to_type() {
        let access = NodeAccess::new("ssh root@{node}").unwrap();
        let typed = access.by_hand("n1", "echo 'a'\n");
        assert_eq!(typed, r"echo 'echo '\''a'\''' | ssh root@n1 sh -s");
    }
}
