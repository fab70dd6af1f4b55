//! `script`: a program of the user's that looks at the cluster, and may say what to apply. Virtual
//! time stands still while it runs, so its answer alone decides how the trial goes on; real time
//! goes on.

use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, map};

use super::apply::Applying;
use crate::cluster::process::{self, Ended, ProcessError};
use crate::cluster::{OTHER_CLUSTERS, guarded};
use crate::history::Clock;
use crate::run::objects::all_objects;
use crate::run::stage::{NAMESPACE, Progress, Stage, Task};
use crate::suite::Source;
use crate::suite::load::parse_manifests;
use crate::suite::steps::{Apply, Script};

/// How many characters of what it prints the history keeps: the last ones.
const KEPT: usize = 2_000;

/// A kubeconfig that names no cluster, for a cluster that has no address: `kubectl` would turn to
/// whatever cluster its user works with.
const NO_CLUSTER: &str = "/dev/null";

/// How often a program is looked at where time is real, in milliseconds.
const GLANCE: Millis = 20;

/// A `script` under way.
pub(super) struct Scripting {
    script: Script,
    running: Option<Receiver<Result<Ended, String>>>,
    applying: Option<Applying>,
}

impl Scripting {
    pub(super) fn new(script: &Script) -> Self {
        Scripting { script: script.clone(), running: None, applying: None }
    }

    fn start(&self, stage: &Stage<'_>) -> Result<Receiver<Result<Ended, String>>, String> {
        let Script { command, within, folder, .. } = &self.script;
        let Some((program, arguments)) = command.split_first() else {
            return Err("there is no program to run".to_owned());
        };
        let failed = |error: std::io::Error| format!("`{program}`: it does not start: {error}");
        let mut command = guarded(located(program, folder).as_std_path()).map_err(failed)?;
        command.args(arguments.iter().map(|argument| argument.as_str()));
        for variable in OTHER_CLUSTERS {
            command.env_remove(variable);
        }
        // It is no trial of this harness.
        command.env_remove(crate::run::isolate::VARIABLE);
        command.env("KUBECONFIG", stage.cluster.kubeconfig().map_or(NO_CLUSTER, Utf8Path::as_str));
        if !folder.as_str().is_empty() {
            if !folder.is_dir() {
                return Err(format!("there is no folder `{folder}` to run `{program}` in"));
            }
            command.current_dir(folder);
        }
        let (state, within) = (state(stage).to_string(), Duration::from_millis(*within));
        let (program, (tell, told)) = (program.clone(), channel());
        std::thread::spawn(move || {
            // Nobody listens if the trial was ended.
            let _ = tell.send(ended(&program, process::run(&mut command, state.into(), within)));
        });
        Ok(told)
    }

    /// What it printed, as objects to apply.
    fn manifests(&self, stdout: Vec<u8>) -> Result<Vec<Tree>, String> {
        let text = String::from_utf8(stdout).map_err(|_| "it printed no UTF-8".to_owned())?;
        let source = Source::new(format!("<output of {}>", self.script.command[0]), text);
        parse_manifests(&source).map_err(|found| {
            let texts: Vec<String> =
                found.iter().map(|found| format!("{}: {}", found.at, found.message)).collect();
            texts.join("; ")
        })
    }
}

impl Task for Scripting {
    fn poll(&mut self, stage: &mut Stage<'_>) -> Progress {
        if let Some(applying) = &mut self.applying {
            return applying.poll(stage);
        }
        let running = match self.running.take().map_or_else(|| self.start(stage), Ok) {
            Ok(running) => running,
            Err(error) => return Progress::Done(Err(error)),
        };
        let told = match stage.cluster.clock() {
            Clock::Virtual => running.recv().map_err(|_| TryRecvError::Disconnected),
            Clock::Wall => running.try_recv(),
        };
        let ended = match told {
            Ok(Ok(ended)) => ended,
            Ok(Err(error)) => return Progress::Done(Err(error)),
            Err(TryRecvError::Empty) => {
                self.running = Some(running);
                return Progress::Pending(Some(stage.now() + GLANCE));
            }
            Err(TryRecvError::Disconnected) => {
                return Progress::Done(Err("the program is lost".to_owned()));
            }
        };
        if !self.script.apply {
            return Progress::Done(Ok(last_of(&ended.stdout)));
        }
        match self.manifests(ended.stdout) {
            Ok(manifests) => {
                let apply = Apply { file: None, with: Default::default(), manifests };
                self.applying.insert(Applying::new(&apply)).poll(stage)
            }
            Err(error) => Progress::Done(Err(error)),
        }
    }
}

/// What a program printed, if it ended well.
fn ended(program: &str, ended: Result<Ended, ProcessError>) -> Result<Ended, String> {
    let ended = ended.map_err(|error| format!("`{program}`: {error}"))?;
    if ended.status.success() {
        return Ok(ended);
    }
    let said = if ended.stderr.is_empty() { &ended.stdout } else { &ended.stderr };
    Err(format!("`{program}` ended with {}: {}", ended.status, last_of(said)))
}

/// The program: one with a slash stands in the scenario's folder, another one is looked for.
fn located(program: &str, folder: &Utf8Path) -> Utf8PathBuf {
    match program.contains('/') {
        true => {
            let path = folder.join(program);
            let whole = std::path::absolute(&path).ok();
            whole.and_then(|whole| Utf8PathBuf::from_path_buf(whole).ok()).unwrap_or(path)
        }
        false => Utf8PathBuf::from(program),
    }
}

/// What the program reads: what expressions of the scenario see, and of all kinds.
fn state(stage: &Stage<'_>) -> Tree {
    map! {
        "now" => stage.now(),
        "namespace" => NAMESPACE,
        "subject" => stage.subject.name.value.clone(),
        "seed" => stage.seed,
        "params" => stage.params.clone(),
        "objects" => all_objects(stage.journal.view()),
    }
}

fn last_of(printed: &[u8]) -> String {
    let text = String::from_utf8_lossy(printed);
    let text = text.trim();
    let from = text.char_indices().rev().nth(KEPT - 1).map_or(0, |(at, _)| at);
    text[from..].to_owned()
}
