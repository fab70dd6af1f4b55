//! `shakedown serve`: a simulated cluster behind HTTPS on loopback, until it is told to end.

use std::error::Error as _;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::{Arc, Mutex, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};
use kubesim::api::{Authorization, Snapshot, User};
use kubesim::world::{Staff, World, WorldConfig};
use kubesim_server::{
    Options, Recorder, ServeError, Server, SnapshotError, controllers, read_snapshot, read_tokens,
    write_snapshot,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use super::args::{self, ServeArgs};
use super::exit_code::Exit;
use super::terminal::Terminal;
use crate::cluster::{Credentials, Endpoint, Folder, Recording};
use crate::report::text::{NAME, styled};

/// Serves the cluster that `args` describe until SIGINT or SIGTERM comes.
pub(super) fn command(args: &ServeArgs) -> Exit {
    serve(args).unwrap_or_else(|exit| exit)
}

fn serve(args: &ServeArgs) -> Result<Exit, Exit> {
    open_many();
    let staff = staff(&args.controllers)?;
    let restore = args.restore.as_deref().map(restored).transpose()?;
    if let Some(path) = &args.snapshot {
        can_be_kept(path)?;
    }
    let tokens = tokens(args)?;
    let nodes = nodes(args, &staff, restore.as_ref());
    let recording = Shared::default();
    let options = Options {
        world: world(args),
        staff,
        speed: args.speed,
        port: args.port,
        restore,
        recorder: args.record.as_ref().map(|_| recording.recorder()),
        routes: args.routes.clone(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(&error, ""))?;
    let server = Server::start(options).map_err(not_started)?;
    for (token, user) in tokens {
        server.admittance().admit_token(token, user);
    }
    if let Some(path) = &args.record {
        let begun = Recording::create(path, args.seed, server.began());
        recording.begin(begun.map_err(|error| not_written(path, &error))?);
    }
    let kubeconfig = Kubeconfig::write(args.kubeconfig.as_deref(), &server)?;
    Terminal.print(&told(args, nodes, &server, kubeconfig.path()));
    runtime.block_on(told_to_end()).map_err(|error| failed(&error, ""))?;
    drop(kubeconfig);
    let stopping = runtime.spawn_blocking(move || server.stop());
    let stopped = runtime.block_on(async {
        tokio::select! {
            world = stopping => world.ok().flatten(),
            _ = told_to_end() => None,
        }
    });
    // What does not end by itself ends with the process.
    runtime.shutdown_background();
    let kept = match (&args.snapshot, &stopped) {
        (Some(path), Some(world)) => keep(path, world),
        _ => Ok(()),
    };
    if stopped.is_none() {
        return Err(failed(&"ended before what was under way was done; nothing is kept", ""));
    }
    let recorded = record_ends(args, recording);
    kept.and(recorded)
}

/// Ends the record, if there is one.
fn record_ends(args: &ServeArgs, recording: Shared) -> Result<Exit, Exit> {
    let Some(path) = &args.record else { return Ok(Exit::Met) };
    match recording.finish() {
        Ok(events) => {
            Terminal.note(&format!("wrote {path}: {events} events"));
            Ok(Exit::Met)
        }
        Err(error) => Err(not_written(path, &error)),
    }
}

/// Lets this process have as many connections as the system allows it.
pub(super) fn open_many() {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit { current: limit.maximum, ..limit };
    // With less it serves fewer at once.
    let _ = setrlimit(Resource::Nofile, most);
}

fn world(args: &ServeArgs) -> WorldConfig {
    let mut config = WorldConfig::new(args.seed, usize::from(args.nodes));
    config.authorization = Some(match args.authorization {
        args::Authorization::AlwaysAllow => Authorization::AlwaysAllow,
        args::Authorization::Rbac => Authorization::Rbac,
    });
    if args.record.is_none() {
        // Nobody asks who was told what.
        config.record_deliveries_of = Some(Vec::new());
    }
    config
}

/// Which parts are simulated.
fn staff(given: &[String]) -> Result<Staff, Exit> {
    match given {
        [all] if all == "all" => return Ok(Staff::everybody()),
        [none] if none == "none" => return Ok(Staff::only(Vec::<&str>::new())),
        _ => {}
    }
    let known = controllers();
    if let Some(unknown) = given.iter().find(|name| !known.contains(&name.as_str())) {
        let help = format!("`all`, `none`, or some of {}", known.join(", "));
        Terminal.error(format!("nothing that is called `{unknown}` is simulated"), &help);
        return Err(Exit::Usage);
    }
    Ok(Staff::only(given.iter().map(String::as_str)))
}

/// Who else is known, by which token.
fn tokens(args: &ServeArgs) -> Result<Vec<(String, User)>, Exit> {
    let Some(path) = &args.token_auth_file else { return Ok(Vec::new()) };
    let unreadable = |error: &dyn std::fmt::Display| {
        Terminal.error(format!("`{path}` can't be read: {error}"), "");
        Exit::Invalid
    };
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(&error))?;
    read_tokens(&text).map_err(|error| unreadable(&error))
}

/// What was kept in a file.
fn restored(path: &Utf8Path) -> Result<Snapshot, Exit> {
    let file = File::open(path).map_err(SnapshotError::from);
    let read = file.and_then(|file| read_snapshot(&mut BufReader::new(file)));
    read.map_err(|error| {
        Terminal.error(format!("`{path}` can't be restored: {error}"), "");
        Exit::Invalid
    })
}

fn partial(path: &Utf8Path) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{path}.part"))
}

fn not_written(path: &Utf8Path, error: &io::Error) -> Exit {
    failed(&format!("`{path}` can't be written: {error}"), "")
}

/// Looks whether a file can be written, before there is something to lose.
fn can_be_kept(path: &Utf8Path) -> Result<(), Exit> {
    let partial = partial(path);
    let written = match path.is_dir() {
        true => Err(io::ErrorKind::IsADirectory.into()),
        false => File::create(&partial).and_then(|_| std::fs::remove_file(&partial)),
    };
    written.map_err(|error| not_written(path, &error))
}

/// Keeps everything that is stored. What was in the file stays until all is written.
fn keep(path: &Utf8Path, world: &World) -> Result<(), Exit> {
    let kept = world.api().snapshot(world.now());
    let partial = partial(path);
    let written = File::create(&partial)
        .and_then(|file| write_snapshot(&kept, &mut BufWriter::new(file)))
        .and_then(|()| std::fs::rename(&partial, path));
    written.map_err(|error| not_written(path, &error))?;
    Terminal.note(&format!("wrote {path}: {} objects", kept.objects.len()));
    Ok(())
}

/// How many nodes there are: those that are restored, or those that the kubelets make.
fn nodes(args: &ServeArgs, staff: &Staff, restore: Option<&Snapshot>) -> usize {
    let is_node = |(resource, _): &&(_, _)| *resource == kubesim_model::resource::Resource::NODES;
    match restore {
        Some(kept) => kept.objects.iter().filter(is_node).count(),
        None if staff.has(Staff::KUBELET) => usize::from(args.nodes),
        None => 0,
    }
}

/// What is served, and how it is used.
fn told(args: &ServeArgs, nodes: usize, server: &Server, kubeconfig: &Utf8Path) -> String {
    let speed = args.speed;
    let pace = if speed == 1.0 { String::new() } else { format!(", {speed} times as fast") };
    let parts = args.controllers.join(", ");
    let address = server.address();
    let usage = styled(NAME, format!("KUBECONFIG={kubeconfig} kubectl get nodes"));
    let access = match args.authorization {
        args::Authorization::AlwaysAllow => "whoever is known may do everything",
        args::Authorization::Rbac => "roles and their bindings say who may do what",
    };
    format!(
        "serving a simulated Kubernetes v1.36 with {nodes} nodes at https://{address}{pace}\n\
         simulated besides the API: {parts}; time is the wall clock's, so it is not bit-exact\n\
         kept and not acted on: autoscalers, volumes and claims, certificates, API services\n\
         {access}; those who are simulated do what they do in any case\n\
         called on this machine: webhooks, behind Services where --route says\n\
         use it with\n  {usage}\nend it with Ctrl-C\n"
    )
}

async fn told_to_end() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
        _ = hang_up.recv() => Ok(()),
    }
}

fn not_started(error: ServeError) -> Exit {
    let exit = match &error {
        ServeError::Speed(_) => Exit::Usage,
        _ => Exit::Environment,
    };
    let mut text = error.to_string();
    if let Some(cause) = error.source() {
        text += &format!(": {cause}");
    }
    Terminal.error(text, "");
    exit
}

fn failed(error: &dyn std::fmt::Display, help: &str) -> Exit {
    Terminal.error(error, help);
    Exit::Environment
}

/// A kubeconfig that is there as long as the cluster.
struct Kubeconfig {
    path: Utf8PathBuf,
    _folder: Option<Folder>,
}

impl Kubeconfig {
    fn write(wanted: Option<&Utf8Path>, server: &Server) -> Result<Kubeconfig, Exit> {
        let cannot = |path: &Utf8Path, error: io::Error| {
            failed(&format!("`{path}` can't be written: {error}"), "name another --kubeconfig")
        };
        let (path, folder) = match wanted {
            Some(path) => (path.to_owned(), None),
            None => {
                let folder = Folder::new().map_err(|error| failed(&error, ""))?;
                (folder.path().join("kubeconfig"), Some(folder))
            }
        };
        let endpoint = Endpoint {
            server: format!("https://{}", server.address()),
            authority: server.authority().as_bytes().to_vec(),
        };
        let pair = server.administrator();
        let (certificate, key) = (pair.certificate.as_str(), pair.key.as_str());
        let text = endpoint.kubeconfig(&Credentials::Certificate { certificate, key });
        // What is there may be somebody's way to another cluster.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let written = file.as_mut().map_err(|error| io::Error::from(error.kind()));
        let written = written.and_then(|file| file.write_all(text.as_bytes()));
        written.map_err(|error| cannot(&path, error))?;
        Ok(Kubeconfig { path, _folder: folder })
    }

    fn path(&self) -> &Utf8Path {
        &self.path
    }
}

impl Drop for Kubeconfig {
    fn drop(&mut self) {
        // It leads nowhere any more.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A history that the thread of the world writes and this one ends.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    early: Vec<kubesim::world::Record>,
    recording: Option<Recording>,
}

impl Shared {
    fn recorder(&self) -> Recorder {
        let shared = self.clone();
        Box::new(move |records| {
            let mut state = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
            match &mut state.recording {
                Some(recording) => recording.take(records),
                None => state.early.extend(records),
            }
        })
    }

    fn begin(&self, mut recording: Recording) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recording.take(std::mem::take(&mut state.early));
        state.recording = Some(recording);
    }

    fn finish(&self) -> io::Result<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.recording.take().map_or(Ok(0), Recording::finish)
    }
}
