//! A `shakedown serve` that tests talk to.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::process::{Pid, Signal, kill_process};
use shakedown::cluster::{ClusterSpec, Lever, Local, NodeSpec, Provider as _};

/// A cluster that is served until it is dropped.
pub struct Served {
    child: Child,
    output: BufReader<ChildStdout>,
    /// The URL of its API.
    pub url: String,
    /// How it is reached.
    pub kubeconfig: PathBuf,
}

impl Served {
    /// Starts one with these arguments.
    pub fn start(arguments: &[&str]) -> Served {
        let kubeconfig = scratch("kubeconfig");
        let mut command = Command::new(env!("CARGO_BIN_EXE_shakedown"));
        command.arg("serve").args(arguments).arg("--kubeconfig").arg(&kubeconfig);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut output = BufReader::new(child.stdout.take().expect("it was asked for"));
        let mut said = String::new();
        while !said.contains("Ctrl-C") {
            if output.read_line(&mut said).expect("it can be read") == 0 {
                let mut errors = String::new();
                let stderr = child.stderr.as_mut().expect("it was asked for");
                stderr.read_to_string(&mut errors).expect("it can be read");
                panic!("it does not serve: {said}{errors}");
            }
        }
        let url = said.split_whitespace().find(|word| word.starts_with("https://"));
        let url = url.expect("it says where").trim_end_matches(',').to_owned();
        Served { child, output, url, kubeconfig }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        let port = self.url.rsplit(':').next().and_then(|port| port.parse().ok());
        port.expect("a URL with a port")
    }

    /// Ends it as a service manager does; its exit code and what it said then.
    pub fn end(mut self) -> (Option<i32>, String) {
        self.tell_to_end();
        let mut said = String::new();
        self.output.read_to_string(&mut said).expect("it can be read");
        let mut stderr = self.child.stderr.take().expect("it was asked for");
        stderr.read_to_string(&mut said).expect("it can be read");
        (self.child.wait().expect("it is ours").code(), said)
    }

    fn tell_to_end(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // It may have ended already.
        let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.tell_to_end();
        let _ = self.child.wait();
    }
}

/// A path for a file that is not there yet.
pub fn scratch(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("served");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let path = folder.join(format!("{}-{number}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

/// The folder of a real control plane's programs, if the environment names one.
pub fn programs() -> Option<Utf8PathBuf> {
    let folder = PathBuf::from(std::env::var_os("SHAKEDOWN_K8S_BIN")?);
    Some(Utf8PathBuf::from_path_buf(folder).expect("a name in UTF-8"))
}

/// The programs of this name: in the folder that the environment names, and on PATH.
pub fn programs_called(name: &str) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = programs().map(Utf8PathBuf::into_std_path_buf);
    let folders = own.into_iter().chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join(name)).filter(|path| path.is_file()).collect()
}

/// Does something on a real control plane with two simulated nodes, if the environment names the
/// programs of one.
pub fn on_a_control_plane<T: Send>(act: impl FnOnce(&Path) -> T + Send) -> Option<T> {
    Some(on_a_troubled_control_plane(&programs()?, |kubeconfig, _| act(kubeconfig)))
}

/// The same with these programs, and levers to move.
pub fn on_a_troubled_control_plane<T: Send>(
    programs: &Utf8Path,
    act: impl FnOnce(&Path, &dyn Fn(Lever)) -> T + Send,
) -> T {
    let local = Local::new(Some(programs)).expect("all programs");
    let nodes = vec![NodeSpec::worker("worker-1"), NodeSpec::worker("worker-2")];
    let spec = ClusterSpec { seed: 1, nodes, bugs: Vec::new(), record_deliveries_of: None };
    let mut cluster = local.provision(&spec).expect("a control plane");
    let kubeconfig = cluster.kubeconfig().expect("it has an address").to_owned();
    let (levers, pulled) = channel();
    let result = std::thread::scope(|scope| {
        let acts = scope.spawn(move || {
            let pull = |lever| levers.send(lever).expect("the cluster is there as long");
            act(kubeconfig.as_std_path(), &pull)
        });
        while !acts.is_finished() {
            for lever in pulled.try_iter() {
                cluster.pull(&lever).expect("it acts on what there is");
            }
            let until = cluster.now() + 100;
            cluster.advance(until).expect("it goes on");
        }
        acts.join()
    });
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
