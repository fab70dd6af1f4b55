//! Two clusters with real controllers and simulated nodes: one whose API is simulated, and one whose
//! API is real.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use camino::Utf8Path;
use kubesim::api::{Authorization, User};
use kubesim::world::{Lever, Staff, WorldConfig};
use kubesim_server::{Options, Server};

use crate::served::{on_a_troubled_control_plane, scratch};
use crate::{Outcome, logs, script, state};

const PROGRAMS: [&str; 2] = ["kube-controller-manager", "kube-scheduler"];

/// On the simulated API, where roles say who may do what.
pub(crate) fn on_a_simulated_api(programs: &Utf8Path, rounds: usize) -> Outcome {
    let authorization = Some(Authorization::Rbac);
    let mut world = WorldConfig { authorization, ..WorldConfig::new(1, 2) };
    // As on the other side.
    world.nodes.iter_mut().for_each(|node| node.kubelet.zone = None);
    let server = Server::start(Options {
        world,
        staff: Staff::only([Staff::KUBELET]),
        speed: 1.0,
        port: 0,
        restore: None,
        recorder: None,
        routes: Vec::new(),
    });
    let server = server.unwrap();
    let administrator = kubeconfig(&server, server.token());
    let running = PROGRAMS.map(|name| {
        server.admittance().admit_token(name, User::from(&*format!("system:{name}")));
        Running::start(programs, name, &kubeconfig(&server, name), &server)
    });
    script::run(&administrator, rounds, &|lever: Lever| {
        server.act(move |world| world.pull(&lever)).unwrap().unwrap();
    });
    let state = state::of(&administrator);
    let errors = running.iter().flat_map(|one| logs::errors(&one.log)).collect();
    Outcome { state, errors }
}

/// On a real one.
pub(crate) fn on_a_real_api(programs: &Utf8Path, rounds: usize) -> Outcome {
    on_a_troubled_control_plane(programs, |kubeconfig, pull| {
        script::run(kubeconfig, rounds, pull);
        let folder = kubeconfig.parent().unwrap();
        let logs = PROGRAMS.iter().map(|name| folder.join(format!("{name}.log")));
        let errors = logs.flat_map(|log| logs::errors(&log)).collect::<BTreeSet<_>>();
        Outcome { state: state::of(kubeconfig), errors }
    })
}

/// A program that runs until this is dropped.
struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    fn start(programs: &Utf8Path, name: &str, kubeconfig: &Path, server: &Server) -> Running {
        let log = scratch(&format!("{name}.log"));
        let file = File::create(&log).unwrap();
        let mut command = Command::new(programs.join(name));
        command.arg("--kubeconfig").arg(kubeconfig);
        // As the harness starts them on a real API, but for the key of tokens.
        command.args(["--leader-elect=false", "--bind-address=127.0.0.1", "--secure-port=0"]);
        if name == "kube-controller-manager" {
            let authority = scratch("ca.crt");
            std::fs::write(&authority, server.authority()).unwrap();
            command.args(["--use-service-account-credentials", "--root-ca-file"]).arg(authority);
        }
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        Running { child: command.spawn().unwrap(), log }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{} says what was wrong", self.log.display());
        }
    }
}

/// A kubeconfig of whoever has this token.
fn kubeconfig(server: &Server, token: &str) -> PathBuf {
    let path = scratch("kubeconfig");
    let (address, authority) = (server.address(), STANDARD.encode(server.authority()));
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\n\
         clusters: [{{name: a, cluster: {{server: 'https://{address}', \
         certificate-authority-data: {authority}}}}}]\n\
         users: [{{name: a, user: {{token: '{token}'}}}}]\n\
         contexts: [{{name: a, context: {{cluster: a, user: a}}}}]\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}
