//! The provider `kubeconfig` on a cluster that lives on: a real control plane with simulated nodes
//! that this test runs, where `SHAKEDOWN_K8S_BIN` names its programs. Whatever happens, the cluster
//! is afterwards as it was.

#![expect(clippy::print_stderr, reason = "the one way to say that nothing was run")]
#![expect(clippy::unwrap_used, reason = "a test may panic, also in what it is made of")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use kubesim_model::map;
use kubesim_model::request::{Answer, Request};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use shakedown::cluster::{Cluster, ClusterSpec, Local, NodeSpec, Provider as _};

const SCENARIO: &str = "fixtures/marked/release.yaml";

/// A control plane at work, until it is dropped.
struct ControlPlane {
    kubeconfig: PathBuf,
    ask: Option<Sender<(Request, Sender<Answer>)>>,
    thread: Option<JoinHandle<()>>,
    place: PathBuf,
}

impl ControlPlane {
    /// With three nodes and a marker; `None` where there is none to be had.
    fn start(name: &str) -> Option<ControlPlane> {
        if std::env::var_os("SHAKEDOWN_K8S_BIN").is_none() {
            eprintln!("not run: SHAKEDOWN_K8S_BIN is not set");
            return None;
        }
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("marked-{name}"));
        let _ = std::fs::remove_dir_all(&place);
        std::fs::create_dir_all(place.join("tmp")).unwrap();
        let nodes = ["pool-a", "pool-b", "pool-c"].map(NodeSpec::worker).to_vec();
        let (bugs, record_deliveries_of) = (Vec::new(), None);
        let spec = ClusterSpec { seed: 1, nodes, bugs, record_deliveries_of };
        let mut cluster = Local::new(None).unwrap().provision(&spec).unwrap();
        let kubeconfig = cluster.kubeconfig().unwrap().as_std_path().to_owned();
        let (ask, asked) = channel::<(Request, Sender<Answer>)>();
        let thread = std::thread::spawn(move || {
            loop {
                match asked.recv_timeout(Duration::from_millis(20)) {
                    Ok((request, tell)) => tell.send(answer(cluster.as_mut(), request)).unwrap(),
                    Err(RecvTimeoutError::Disconnected) => return,
                    Err(_) => drop(cluster.advance(cluster.now() + 20).unwrap()),
                }
            }
        });
        let (ask, thread) = (Some(ask), Some(thread));
        let plane = ControlPlane { kubeconfig, ask, thread, place };
        let named = |name: &str| map! { "metadata" => map! { "name" => name } };
        plane.ask(Request::create(Resource::NAMESPACES, named("mine"))).unwrap();
        let data = map! { "namespaces" => "mine", "nodes" => "pool-a pool-b pool-c" };
        let metadata = map! { "name" => "shakedown", "namespace" => "kube-system" };
        let marker = map! { "metadata" => metadata, "data" => data };
        plane.ask(Request::create(Resource::CONFIG_MAPS, marker)).unwrap();
        plane.wait_for_nodes(3);
        Some(plane)
    }

    /// A trial may begin once the nodes are there that the marker names.
    fn wait_for_nodes(&self, count: usize) {
        for _ in 0..600 {
            let list = self.ask(Request::list(Resource::NODES, "")).unwrap();
            if list["items"].items().len() == count {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("no {count} nodes within a minute");
    }

    fn ask(&self, request: Request) -> Answer {
        let (tell, told) = channel();
        self.ask.as_ref().unwrap().send((request, tell)).unwrap();
        told.recv().unwrap()
    }

    fn shakedown(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shakedown"));
        command.args(arguments).env("TMPDIR", self.place.join("tmp")).env("PATH", "");
        command.env("XDG_STATE_HOME", self.place.join("state"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, more: &[&str]) -> Command {
        let reports = self.place.join("reports");
        let mut command = self.shakedown(&["run", SCENARIO, "--provider", "kubeconfig"]);
        command.args(["--format", "json", "--i-own-this-cluster", "--reports"]).arg(reports);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(more);
        if !more.contains(&"--subject") {
            command.args(["--subject", "deployment"]);
        }
        command
    }

    /// Its end, and what is written on both outputs.
    fn said(command: &mut Command) -> (Option<i32>, String, String) {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// Nothing is left of trials, in the cluster and on this machine.
    fn is_as_it_was(&self) {
        let list = |resource: &Resource| {
            let list = self.ask(Request::list(resource.clone(), "mine")).unwrap();
            list["items"].items().to_vec()
        };
        for resource in [Resource::PODS, Resource::DEPLOYMENTS, Resource::SERVICES] {
            assert_eq!(list(&resource), Vec::<Tree>::new());
        }
        let class = ObjectKey::new("", "shakedown-web");
        let class = self.ask(Request::get(Resource::PRIORITY_CLASSES, class));
        assert!(class.unwrap_err().is_not_found());
        for node in ["pool-a", "pool-b", "pool-c"] {
            let node = self.ask(Request::get(Resource::NODES, ObjectKey::new("", node))).unwrap();
            assert!(!node["spec"]["unschedulable"].is_true(), "{node}");
        }
        let folders = ["tmp", "state/shakedown"].map(|folder| self.place.join(folder));
        let left =
            folders.iter().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten());
        let left: Vec<PathBuf> = left.flatten().map(|entry| entry.path()).collect();
        assert!(left.is_empty(), "{left:?} stayed");
    }

    /// Stops it.
    fn stop(&mut self) {
        self.ask = None;
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        self.ask = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Sends a request and waits for its answer.
fn answer(cluster: &mut dyn Cluster, request: Request) -> Answer {
    let ticket = cluster.submit(request);
    for _ in 0..1_000 {
        cluster.advance(cluster.now() + 20).unwrap();
        if let Some(answer) = cluster.take_answer(ticket) {
            return answer;
        }
    }
    panic!("no answer within 20 s")
}

#[test]
fn a_trial_is_judged_and_the_cluster_given_back() {
    let Some(plane) = ControlPlane::start("judged") else { return };
    let log = plane.kubeconfig.with_file_name("audit.log");
    let log = log.to_str().unwrap();
    let (code, report, said) = ControlPlane::said(&mut plane.run(&["--audit-log", log]));
    assert_eq!(code, Some(5), "{said}{report}");
    let host = "does not record host: no-zombie-containers will be unknown";
    assert!(said.contains(host) && !said.contains("actors"), "{said}");
    let verdicts: serde_json::Value = serde_json::from_str(&report).unwrap();
    let reasons = verdicts["trials"][0]["judgement"]["checks"].as_array().unwrap().iter();
    for check in reasons.filter(|check| check["name"] != "no-zombie-containers") {
        assert_eq!(check["verdict"], "pass", "{check}");
    }
    plane.is_as_it_was();

    let (code, _, said) = ControlPlane::said(&mut plane.run(&[]));
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("does not record actors: max-unavailable will be unknown"), "{said}");
    plane.is_as_it_was();

    // A controller beside the cluster, with a definition of its own.
    let arguments = ["--subject", "cloneset", "--audit-log", log];
    let (code, report, said) = ControlPlane::said(&mut plane.run(&arguments));
    assert_eq!(code, Some(5), "{said}{report}");
    assert!(!report.contains("\"verdict\": \"fail\""), "{report}");
    let definitions = Request::list(Resource::CUSTOM_RESOURCE_DEFINITIONS, "");
    let definitions = plane.ask(definitions).unwrap();
    assert!(definitions["items"].items().is_empty(), "{definitions}");
    plane.is_as_it_was();
}

#[test]
fn what_a_killed_harness_left_is_healed() {
    let Some(plane) = ControlPlane::start("killed") else { return };
    for wait in [1_500, 5_000, 9_000, 14_000] {
        let mut harness = plane.run(&[]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        harness.kill().unwrap();
        harness.wait().unwrap();
        let (code, healed, said) = ControlPlane::said(&mut plane.shakedown(&["cleanup"]));
        assert_eq!(code, Some(0), "killed after {wait} ms: {healed}{said}");
        assert!(wait < 2_000 || healed.contains("healed: empty the namespace mine"), "{healed}");
        plane.is_as_it_was();
    }
}

#[test]
fn a_cluster_that_goes_away_leaves_the_verdict_open_and_the_journal_behind() {
    let Some(mut plane) = ControlPlane::start("gone") else { return };
    let harness = plane.run(&[]).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(9));
    plane.stop();
    let output = harness.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("the cluster was lost: the API server https://127.0.0.1:"), "{said}");
    let (code, _, said) = ControlPlane::said(&mut plane.shakedown(&["cleanup"]));
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("could not empty the namespace mine"), "{said}");
    assert!(said.contains("by hand: delete all in the namespace `mine`"), "{said}");
}
