//! The container engines in which kind's nodes run: which are there, and in which versions.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use semver::Version;
use serde::Deserialize;

use crate::error::{Error, Failure};
use crate::invocation::{Invocation, Output, Runner};
use crate::version;

/// A container engine that kind can use.
///
/// Everything here was tried with Docker. Podman and nerdctl take the same commands as far as this
/// crate uses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    /// Docker, 20.10 or later.
    Docker,
    /// nerdctl, 1.7 or later.
    Nerdctl,
    /// Podman, 4.0 or later.
    Podman,
}

impl Engine {
    /// All engines, in the order in which kind looks for them.
    pub const ALL: [Self; 3] = [Self::Docker, Self::Nerdctl, Self::Podman];

    /// The name of its program, which is also what `KIND_EXPERIMENTAL_PROVIDER` calls it.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Nerdctl => "nerdctl",
            Self::Podman => "podman",
        }
    }

    fn oldest(self) -> Version {
        match self {
            Self::Docker => Version::new(20, 10, 0),
            Self::Nerdctl => Version::new(1, 7, 0),
            Self::Podman => Version::new(4, 0, 0),
        }
    }

    /// Whether the end of an `exec` is the engine's own refusal, and not that of the program that
    /// was to run in the container. The words are needed: programs use the same exit codes.
    pub(crate) fn refused_exec(self, output: &Output) -> bool {
        let starts = |bytes: &[u8], words: &[&str]| {
            words.iter().any(|word| bytes.starts_with(word.as_bytes()))
        };
        match (self, output.code) {
            (Self::Docker, Some(1)) => starts(
                &output.stderr,
                &[
                    "Error response from daemon:",
                    "Error: No such container",
                    "Cannot connect to the Docker daemon",
                    "failed to connect to the docker API",
                ],
            ),
            // Docker 20.10 writes this on standard output.
            (Self::Docker, Some(126 | 127)) => {
                let words = ["OCI runtime exec failed:"];
                starts(&output.stdout, &words) || starts(&output.stderr, &words)
            }
            (Self::Nerdctl, Some(1)) => output.stderr_text().contains("level=fatal"),
            (Self::Podman, Some(125..=127)) => starts(&output.stderr, &["Error: "]),
            _ => false,
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program())
    }
}

impl FromStr for Engine {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|engine| engine.program() == text).ok_or_else(|| {
            Error::Invalid {
                what: "container engine",
                value: text.to_owned(),
                why: "it must be docker, nerdctl or podman",
            }
        })
    }
}

/// Finds `wanted`, or else the engine that kind itself would take, and its version.
pub(crate) async fn detect(
    runner: &dyn Runner,
    wanted: Option<Engine>,
    timeout: Duration,
) -> Result<(Engine, Version), Error> {
    let candidates = wanted.map_or(Engine::ALL.to_vec(), |engine| vec![engine]);
    for engine in candidates {
        let args = ["version", "--format", "{{json .}}"];
        let invocation = Invocation::new(engine.program(), args, timeout);
        let output = match runner.run(&invocation, None).await {
            Ok(output) => output,
            Err(error) => match Error::of_run(&invocation, error) {
                Error::Missing { .. } if wanted.is_none() => continue,
                error => return Err(error),
            },
        };
        if !output.is_success() {
            let failure = Box::new(Failure::new(&invocation, &output));
            return Err(Error::EngineDown { engine, failure });
        }
        let found = read_version(&output.stdout)
            .map_err(|why| Error::unreadable(invocation.line(), why, &output.stdout))?;
        let needed = engine.oldest();
        if !version::is_at_least(&found, &needed) {
            return Err(Error::TooOld { program: engine.to_string(), found, needed });
        }
        return Ok((engine, found));
    }
    Err(Error::NoEngine)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Versions {
    client: Option<Part>,
    server: Option<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Part {
    #[serde(default)]
    version: String,
}

/// The version of the server if there is one: it does the work.
fn read_version(json: &[u8]) -> Result<Version, String> {
    let versions: Versions = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let parts = [versions.server, versions.client].into_iter().flatten();
    parts
        .map(|part| part.version)
        .find_map(|text| version::find(&text))
        .ok_or_else(|| "it names no version".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_server_s_version_counts() {
        let json = include_bytes!("../tests/recorded/docker-version.json");
        assert_eq!(read_version(json).unwrap().to_string(), "20.10.24+dfsg1");
        let podman = br#"{"Client":{"APIVersion":"5.2.1","Version":"5.2.1"}}"#;
        assert_eq!(read_version(podman).unwrap(), Version::new(5, 2, 1));
        assert!(read_version(br#"{"Client":null}"#).is_err());
    }

    #[test]
    fn the_engine_s_refusals_are_told_from_the_ends_of_programs() {
        let refused = |engine: Engine, code: i32, stdout: &str, stderr: &str| {
            let mut output = Output::failure(code, stderr);
            output.stdout = stdout.into();
            engine.refused_exec(&output)
        };
        let paused = "Error response from daemon: Container n is paused, unpause the container";
        assert!(refused(Engine::Docker, 1, "", paused));
        assert!(!refused(Engine::Docker, 0, "", paused));
        assert!(!refused(Engine::Docker, 1, "", "grep: no such file"));
        assert!(refused(Engine::Docker, 126, "OCI runtime exec failed: exec failed: x", ""));
        assert!(!refused(Engine::Docker, 126, "", "timeout: failed to run command"));
        assert!(refused(Engine::Podman, 125, "", "Error: no container with name n"));
        assert!(!refused(Engine::Podman, 125, "", "timeout: invalid option"));
    }

    proptest! {
        #[test]
        fn no_answer_panics(text in ".{0,64}") {
            let _ = read_version(text.as_bytes());
        }
    }
}
