//! Units of a node's systemd, and signals to processes.

use std::fmt;

use crate::error::Error;
use crate::exec::Exec;
use crate::node::Node;

/// A signal to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// Hang up; daemons read their configuration again.
    Hup,
    /// Interrupt.
    Int,
    /// Quit with a core dump.
    Quit,
    /// End at once; can't be caught.
    Kill,
    /// Free for programs.
    Usr1,
    /// Free for programs.
    Usr2,
    /// End.
    Term,
    /// Go on after a stop.
    Cont,
    /// Stand still; can't be caught.
    Stop,
}

impl Signal {
    /// Its name without `SIG`, as `kill` takes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hup => "HUP",
            Self::Int => "INT",
            Self::Quit => "QUIT",
            Self::Kill => "KILL",
            Self::Usr1 => "USR1",
            Self::Usr2 => "USR2",
            Self::Term => "TERM",
            Self::Cont => "CONT",
            Self::Stop => "STOP",
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIG{}", self.name())
    }
}

/// A unit of a node's systemd.
#[derive(Clone, Debug)]
pub struct Unit<'a> {
    node: &'a Node,
    name: String,
}

/// What systemd says of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnitState {
    /// Whether it runs.
    pub active: Active,
    /// The same in more detail, in systemd's words: `running`, `dead`, `auto-restart`.
    pub sub: String,
    /// The process ID of its main process, in the node.
    pub main_pid: Option<u32>,
    /// How often systemd restarted it because it had ended.
    pub restarts: u32,
}

/// Whether a unit runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Active {
    /// It runs.
    Active,
    /// It does not run, as wanted.
    Inactive,
    /// It does not run because it failed.
    Failed,
    /// It is starting, or waits to be started again.
    Activating,
    /// It is stopping.
    Deactivating,
    /// Something else, in systemd's words.
    Other(String),
}

impl<'a> Unit<'a> {
    pub(crate) fn new(node: &'a Node, name: String) -> Self {
        Self { node, name }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Starts it, and waits until systemd says that it has started.
    ///
    /// # Errors
    /// Those of [`Node::exec_checked`].
    pub async fn start(&self) -> Result<(), Error> {
        self.systemctl(&["start"]).await
    }

    /// Stops it, and waits until it has ended. systemd does not start it again.
    ///
    /// # Errors
    /// Those of [`Node::exec_checked`].
    pub async fn stop(&self) -> Result<(), Error> {
        self.systemctl(&["stop"]).await
    }

    /// Stops and starts it.
    ///
    /// # Errors
    /// Those of [`Node::exec_checked`].
    pub async fn restart(&self) -> Result<(), Error> {
        self.systemctl(&["restart"]).await
    }

    /// Sends all its processes a signal. [`Signal::Stop`] freezes them; after [`Signal::Kill`]
    /// systemd may start it again.
    ///
    /// # Errors
    /// Those of [`Node::exec_checked`].
    pub async fn kill(&self, signal: Signal) -> Result<(), Error> {
        self.systemctl(&["kill", "-s", signal.name()]).await
    }

    /// Whether it runs. A frozen unit does.
    ///
    /// # Errors
    /// Those of [`state`](Self::state).
    pub async fn is_active(&self) -> Result<bool, Error> {
        Ok(self.state().await?.active == Active::Active)
    }

    /// What systemd says of it.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such unit, and those of [`Node::exec_checked`].
    pub async fn state(&self) -> Result<UnitState, Error> {
        let properties = "--property=LoadState,ActiveState,SubState,MainPID,NRestarts";
        let exec = Exec::from(["systemctl", "show", properties, "--", &self.name]);
        let state = self.node.exec_parsed(exec, |bytes| {
            let text = String::from_utf8_lossy(bytes);
            parse(&text).ok_or_else(|| "it names no ActiveState".to_owned())
        });
        match state.await? {
            (load, _) if load == "not-found" => {
                Err(Error::NotFound { what: "unit", name: self.name.clone() })
            }
            (_, state) => Ok(state),
        }
    }

    async fn systemctl(&self, words: &[&str]) -> Result<(), Error> {
        let exec = Exec::new("systemctl").args(words.iter().copied()).args(["--", &self.name]);
        self.node.exec_checked(exec).await.map(drop)
    }
}

/// Reads `NAME=VALUE` lines, in any order: the load state and the rest.
fn parse(text: &str) -> Option<(String, UnitState)> {
    let value = |name: &str| {
        let find = |line: &str| line.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
        text.lines().find_map(find)
    };
    let active = match value("ActiveState")?.as_str() {
        "active" => Active::Active,
        "inactive" => Active::Inactive,
        "failed" => Active::Failed,
        "activating" => Active::Activating,
        "deactivating" => Active::Deactivating,
        other => Active::Other(other.to_owned()),
    };
    let number = |name| value(name).and_then(|text| text.parse::<u32>().ok());
    let state = UnitState {
        active,
        sub: value("SubState").unwrap_or_default(),
        main_pid: number("MainPID").filter(|pid| *pid > 0),
        restarts: number("NRestarts").unwrap_or_default(),
    };
    Some((value("LoadState").unwrap_or_default(), state))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_running_unit_has_a_main_process() {
        let (load, state) = parse(include_str!("../tests/recorded/systemctl-show.txt")).unwrap();
        assert_eq!(load, "");
        assert_eq!((state.active, state.sub.as_str()), (Active::Active, "running"));
        assert!(state.main_pid.is_some());
    }

    #[test]
    fn a_unit_that_is_not_there_says_so() {
        let text = "MainPID=0\nNRestarts=0\nLoadState=not-found\nActiveState=inactive\n";
        let (load, state) = parse(text).unwrap();
        assert_eq!((load.as_str(), state.main_pid), ("not-found", None));
        assert_eq!(state.active, Active::Inactive);
    }

    proptest! {
        #[test]
        fn no_answer_panics(text in ".{0,64}", number in ".{0,8}") {
            let _ = parse(&text);
            let answer = format!("ActiveState={number}\nMainPID={number}");
            prop_assert!(parse(&answer).is_some());
        }
    }
}
