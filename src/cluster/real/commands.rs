//! Programs beside the cluster: processes of this machine with a kubeconfig of their own.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kubesim_model::resource::ObjectKey;
use kubesim_model::{Millis, Text};

use super::api::Api;
use super::folder::{Folder, OWNED_BY};
use super::ground::turn_of;
use super::kubeconfig::{Credentials, Endpoint};
use super::proxy::{Guest, Proxy, Who};
use crate::cluster::daemon::{Launch, Process};
use crate::cluster::sim::{OPERATOR_AGENT, OPERATOR_USER};
use crate::cluster::{ClusterError, Lever, OTHER_CLUSTERS, Touched};
use crate::history::{ActorEvent, ActorPhase};

/// How long a token is good for, in seconds.
const TOKEN: i64 = 24 * 60 * 60;

/// kubelet v1.36: the first restart comes at once, the next after 10 s, then twice as long each
/// time up to five minutes; ten minutes of life make it forget.
const FIRST_BACK_OFF: Millis = 10_000;
const LONGEST_BACK_OFF: Millis = 300_000;
const FORGIVEN_AFTER: Millis = 600_000;

/// How often a program may end by itself before it has asked for anything: one that ends for want
/// of something has asked for it.
const SILENT_ENDS: u32 = 3;

/// How a program is started.
pub(super) struct Start<'a> {
    pub(super) name: &'a Text,
    pub(super) argv: &'a [Text],
    pub(super) env: &'a [(Text, Text)],
    /// The folder of the file that names it.
    pub(super) folder: &'a Utf8Path,
    pub(super) account: &'a ObjectKey,
}

/// The programs that were started, by name.
#[derive(Default)]
pub(super) struct Commands(BTreeMap<Text, Command>);

struct Command {
    process: Process,
    event: ActorEvent,
    /// Whether a request of it was seen.
    has_come: bool,
    started: Millis,
    /// How often it ended by itself.
    ends: u32,
    /// When it is started again.
    restart: Option<Millis>,
    /// Why it is not started again.
    trouble: Option<String>,
    /// For its kubeconfig and what it prints.
    _folder: Folder,
}

impl Commands {
    /// Starts a program with a kubeconfig that leads to `endpoint`; answers its user.
    pub(super) fn start(
        &mut self,
        (api, proxy): (&Api, Option<&Proxy>),
        endpoint: &Endpoint,
        start: &Start<'_>,
        now: Millis,
    ) -> Result<Text, ClusterError> {
        let name = start.name;
        let failed = |what: &str, why: &dyn std::fmt::Display| {
            ClusterError::Environment(format!("the subject `{name}` {what}: {why}"))
        };
        let token = match proxy {
            Some(proxy) => proxy.admit(guest(start))?,
            None => token(api, start.account)?,
        };
        let folder = Folder::new().map_err(|error| failed("has no folder", &error))?;
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, endpoint.kubeconfig(&Credentials::Token(&token)))
            .map_err(|error| failed("has no kubeconfig", &error))?;
        let launch = launch(start, &kubeconfig, folder.path())
            .map_err(|error| failed("can't be run", &error))?;
        let process = Process::launch(launch).map_err(|error| failed("does not start", &error))?;
        let user = user_of(start.account);
        let event = ActorEvent {
            actor: name.clone(),
            user: user.clone(),
            user_agent: Text::default(),
            node: Text::default(),
            incarnation: 1,
            phase: ActorPhase::Started,
        };
        let command = Command {
            process,
            event,
            has_come: false,
            started: now,
            ends: 0,
            restart: None,
            trouble: None,
            _folder: folder,
        };
        self.0.insert(name.clone(), command);
        Ok(user)
    }

    /// Which incarnation of a program lives; `None` if there is no such program.
    pub(super) fn incarnation(&self, name: &str) -> Option<u32> {
        self.0.get(name).map(|command| command.event.incarnation)
    }

    /// A request of a program was seen; what is to be told, if it is the first.
    pub(super) fn arrived(&mut self, name: &str, user_agent: &Text) -> Option<ActorEvent> {
        let command = self.0.get_mut(name).filter(|command| !command.has_come)?;
        command.has_come = true;
        command.event.user_agent = user_agent.clone();
        Some(command.event.clone())
    }

    /// Starts those again that ended by themselves, after a while.
    pub(super) fn attend(&mut self, now: Millis) -> Vec<ActorEvent> {
        self.0.values_mut().filter_map(|command| command.attend(now)).collect()
    }

    /// Why one of them can't be started again.
    pub(super) fn trouble(&self) -> Option<String> {
        self.0.values().find_map(|command| command.trouble.clone())
    }

    /// Moves a lever that acts on one of them; `None` if it does not.
    pub(super) fn pull(
        &mut self,
        lever: &Lever,
        now: Millis,
    ) -> Option<(Touched, Vec<ActorEvent>)> {
        let (actor, phase) = turn_of(lever)?;
        let command = self.0.get_mut(actor)?;
        let did = match phase {
            ActorPhase::Crashed => command.process.kill(),
            ActorPhase::Started => command.start_again(),
            ActorPhase::Paused => command.process.pause(),
            ActorPhase::Resumed => command.process.resume(),
        };
        // One that is ended, or started, by a lever is started by nothing else.
        if matches!(phase, ActorPhase::Crashed | ActorPhase::Started) {
            command.restart = None;
            command.started = now;
        }
        if !did {
            return Some((Touched::default(), Vec::new()));
        }
        let touched = Touched { actors: vec![actor.clone()], ..Touched::default() };
        Some((touched, command.turned(phase).into_iter().collect()))
    }

    /// What each has printed.
    pub(super) fn logs(&self) -> impl Iterator<Item = (Text, &Utf8Path)> {
        self.0.iter().map(|(name, command)| (name.clone(), command.process.log()))
    }
}

impl Command {
    fn attend(&mut self, now: Millis) -> Option<ActorEvent> {
        let lives = matches!(
            self.event.phase,
            ActorPhase::Started | ActorPhase::Paused | ActorPhase::Resumed
        );
        if lives && !self.process.is_running() {
            if now.saturating_sub(self.started) >= FORGIVEN_AFTER {
                self.ends = 0;
            }
            let wait = match self.ends {
                0 => 0,
                n => (FIRST_BACK_OFF << (n - 1).min(5)).min(LONGEST_BACK_OFF),
            };
            self.ends += 1;
            self.restart = Some(now + wait);
            if self.ends >= SILENT_ENDS && !self.has_come {
                let (name, words) = (&self.event.actor, self.process.last_words());
                let what = "has ended again and again without asking the API for anything";
                self.trouble = Some(format!("the subject `{name}` {what}: {words}"));
            }
            return self.turned(ActorPhase::Crashed);
        }
        if self.restart.is_some_and(|at| at <= now) {
            self.restart = None;
            self.started = now;
            return self.start_again().then(|| self.turned(ActorPhase::Started))?;
        }
        None
    }

    fn start_again(&mut self) -> bool {
        let started = self.process.start_again();
        if let Err(error) = &started {
            let name = &self.event.actor;
            self.trouble = Some(format!("the subject `{name}` can't be started again: {error}"));
        }
        started.unwrap_or(false)
    }

    /// Notes what became of it; it is told once it was heard of.
    fn turned(&mut self, phase: ActorPhase) -> Option<ActorEvent> {
        self.event.incarnation += u32::from(phase == ActorPhase::Started);
        self.event.phase = phase;
        self.has_come.then(|| self.event.clone())
    }
}

/// A program as the proxy knows it: with the groups of its service account (apiserver v0.36).
fn guest(start: &Start<'_>) -> Guest {
    let namespace = &start.account.namespace;
    Guest {
        who: Who::Actor(start.name.clone(), 1),
        user: user_of(start.account),
        groups: vec![
            Text::new_static("system:serviceaccounts"),
            Text::from(format!("system:serviceaccounts:{namespace}")),
            Text::new_static("system:authenticated"),
        ],
    }
}

fn user_of(ObjectKey { namespace, name }: &ObjectKey) -> Text {
    Text::from(format!("system:serviceaccount:{namespace}:{name}"))
}

/// A token of a service account.
fn token(api: &Api, account: &ObjectKey) -> Result<String, ClusterError> {
    let failed = |why: &dyn std::fmt::Display| {
        ClusterError::Environment(format!("no token for the service account {account}: {why}"))
    };
    let client = api.client_of(None, OPERATOR_USER, OPERATOR_AGENT)?;
    let accounts: kube::Api<ServiceAccount> = kube::Api::namespaced(client, &account.namespace);
    let spec = TokenRequestSpec { expiration_seconds: Some(TOKEN), ..TokenRequestSpec::default() };
    let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let params = kube::api::PostParams::default();
    let asked = accounts.create_token_request(&account.name, &params, &request);
    let answer = api.runtime.block_on(asked).map_err(|error| failed(&error))?;
    let token = answer.status.and_then(|status| status.token);
    token.ok_or_else(|| failed(&"the answer holds none"))
}

/// How to start a program: one with a slash stands in the folder of the file that names it, another
/// is looked for on `PATH` and beside this program.
fn launch(start: &Start<'_>, kubeconfig: &Utf8Path, folder: &Utf8Path) -> Result<Launch, String> {
    let (program, arguments) = start.argv.split_first().ok_or("there is no program to run")?;
    let own = if start.folder.as_str().is_empty() { Utf8Path::new(".") } else { start.folder };
    let found = match program.contains('/') {
        true => std::path::absolute(own.join(program.as_str())).ok().filter(|path| path.is_file()),
        false => on_path(program),
    };
    let place = if program.contains('/') { format!("in `{own}`") } else { "on PATH".to_owned() };
    let mut env = vec![
        ("KUBECONFIG".to_owned(), kubeconfig.to_string()),
        (OWNED_BY.to_owned(), folder.to_string()),
    ];
    env.extend(start.env.iter().map(|(name, value)| (name.to_string(), value.to_string())));
    Ok(Launch {
        program: found.ok_or_else(|| format!("there is no `{program}` {place}"))?,
        arguments: arguments.iter().map(ToString::to_string).collect(),
        env,
        without: OTHER_CLUSTERS.to_vec(),
        folder: own.is_dir().then(|| own.to_owned()),
        log: folder.join(Utf8PathBuf::from(format!("{}.log", start.name))),
    })
}

fn on_path(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.to_owned()));
    let folders = std::env::split_paths(&path).chain(beside);
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(script: &str) -> (Commands, Folder) {
        let folder = Folder::new().unwrap();
        let log = folder.path().join("log");
        let launch = Launch {
            program: "/bin/sh".into(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            log,
            ..Launch::default()
        };
        let event = ActorEvent {
            actor: "c".into(),
            user: "u".into(),
            user_agent: Text::default(),
            node: Text::default(),
            incarnation: 1,
            phase: ActorPhase::Started,
        };
        let command = Command {
            process: Process::launch(launch).unwrap(),
            event,
            has_come: false,
            started: 0,
            ends: 0,
            restart: None,
            trouble: None,
            _folder: Folder::new().unwrap(),
        };
        (Commands(BTreeMap::from([("c".into(), command)])), folder)
    }

    /// What comes of looking after them at `now`, once a process that ends by itself has ended.
    fn attended(commands: &mut Commands, now: Millis) -> Option<(ActorPhase, u32)> {
        for command in commands.0.values_mut() {
            for _ in 0..500 {
                if !command.process.is_running() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
        commands.attend(now).first().map(|event| (event.phase, event.incarnation))
    }

    #[test]
    fn what_ends_by_itself_is_started_again_at_once_and_then_later() {
        let (mut commands, _folder) = running("exit 1");
        assert!(commands.arrived("c", &"agent".into()).is_some());
        assert_eq!(attended(&mut commands, 100), Some((ActorPhase::Crashed, 1)));
        assert_eq!(attended(&mut commands, 100), Some((ActorPhase::Started, 2)));
        assert_eq!(attended(&mut commands, 200), Some((ActorPhase::Crashed, 2)));
        assert_eq!(attended(&mut commands, 10_199), None);
        assert_eq!(attended(&mut commands, 10_200), Some((ActorPhase::Started, 3)));
    }

    #[test]
    fn what_ends_again_and_again_without_a_request_is_quoted() {
        let ends_at = [0, 0, 100, 10_100, 10_200];
        let (mut silent, _folder) = running("echo the flag --x is unknown; exit 2");
        assert!(ends_at.into_iter().all(|now| attended(&mut silent, now).is_none()));
        let trouble = silent.trouble().unwrap();
        assert!(trouble.contains("`c`") && trouble.contains("--x is unknown"), "{trouble}");
        let (mut heard, _folder) = running("exit 2");
        assert!(heard.arrived("c", &"agent".into()).is_some());
        let _ = ends_at.map(|now| attended(&mut heard, now));
        assert_eq!(heard.trouble(), None);
    }

    #[test]
    fn what_a_lever_has_ended_stays_down_until_a_lever_starts_it() {
        let (mut commands, _folder) = running("sleep 60 & echo here; wait");
        assert!(commands.arrived("c", &"agent".into()).is_some());
        let mut pull = |lever: &Lever| {
            let (touched, events) = commands.pull(lever, 0).unwrap();
            let event = events.first().map(|event| (event.phase, event.incarnation));
            assert_eq!(touched.actors.is_empty(), event.is_none());
            assert!(commands.attend(1_000_000).is_empty());
            event
        };
        let actor = Text::new("c");
        let pause = Lever::PauseActor { actor: actor.clone() };
        assert_eq!(pull(&pause), Some((ActorPhase::Paused, 1)));
        let resume = Lever::ResumeActor { actor: actor.clone() };
        assert_eq!(pull(&resume), Some((ActorPhase::Resumed, 1)));
        let crash = Lever::CrashActor { actor: actor.clone() };
        assert_eq!(pull(&crash), Some((ActorPhase::Crashed, 1)));
        assert_eq!(pull(&crash), None);
        let start = Lever::StartActor { actor };
        assert_eq!(pull(&start), Some((ActorPhase::Started, 2)));
    }

    #[test]
    fn a_program_is_found_in_its_folder_or_on_the_path() {
        let (folder, account) = (Folder::new().unwrap(), ObjectKey::new("n", "a"));
        std::fs::write(folder.path().join("here"), "").unwrap();
        let found = |program: &str| {
            let start = Start {
                name: &"c".into(),
                argv: &[program.into(), "-v".into()],
                env: &[("A".into(), "b".into())],
                folder: folder.path(),
                account: &account,
            };
            launch(&start, "k".into(), folder.path())
        };
        let here = found("./here").unwrap();
        assert!(here.program.is_absolute() && here.program.ends_with("here"));
        assert_eq!(here.arguments, ["-v"]);
        assert!(found("sh").unwrap().program.ends_with("sh"));
        let missing = found("no-such-program").unwrap_err();
        assert_eq!(missing, "there is no `no-such-program` on PATH");
        assert!(found("./nowhere").unwrap_err().contains("in `"));
    }
}
