//! Environments that do not work, without any that does: the tools are stand-ins on a `PATH` of the
//! test's own. Each is told in one sentence, is nobody's failure, and leaves nothing behind.

#![expect(clippy::unwrap_used, reason = "a test may panic, also in what it is made of")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What `docker version` and `kind version` say where all is well.
const DOCKER: &str = r#"echo '{"Client":{"Version":"28.2.2"},"Server":{"Version":"28.2.2"}}'"#;
const KIND: &str = "echo 'kind v0.33.0 go1.26.8 linux/amd64'";

/// An environment with these programs and no others.
struct Environment(PathBuf);

impl Environment {
    fn with(name: &str, programs: &[(&str, &str)]) -> Environment {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("environment-{name}"));
        let _ = std::fs::remove_dir_all(&place);
        for folder in ["bin", "tmp"] {
            std::fs::create_dir_all(place.join(folder)).unwrap();
        }
        for (name, script) in programs {
            let path = place.join("bin").join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        Environment(place)
    }

    /// Runs the smoke suite in it; answers the exit code and all that was printed.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shakedown"));
        command.args(["run", "suites/smoke", "--subject", "deployment", "--reports"]);
        command.arg(self.0.join("reports")).args(arguments).env("PATH", self.0.join("bin"));
        command.env("TMPDIR", self.0.join("tmp")).env("XDG_STATE_HOME", self.0.join("state"));
        command.env_remove("SHAKEDOWN_K8S_BIN").env_remove("SHAKEDOWN_WORKLOAD_IMAGES");
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (status.code(), text(stdout) + &text(stderr))
    }

    /// The environment is to blame, this is said, and nothing is left.
    fn is_told(&self, arguments: &[&str], words: &str) {
        let (code, said) = self.run(arguments);
        assert_eq!(code, Some(5), "{said}");
        assert!(said.contains(words), "{said}");
        assert!(!said.contains("fail "), "{said}");
        let folders = ["tmp", "state/shakedown"].map(|folder| self.0.join(folder));
        let left =
            folders.iter().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten());
        let left: Vec<PathBuf> = left.flatten().map(|entry| entry.path()).collect();
        assert!(left.is_empty(), "{left:?} stayed");
    }
}

#[test]
fn without_kind_or_a_container_engine_it_is_said_what_is_missing() {
    let kind = ["--provider", "kind"];
    Environment::with("no-kind", &[]).is_told(&kind, "`kind` is not installed or not on PATH");
    let no_engine = Environment::with("no-engine", &[("kind", KIND)]);
    no_engine.is_told(&kind, "no container engine: install Docker, Podman or nerdctl");
    let old = "echo 'kind v0.11.1 go1.16.4 linux/amd64'";
    let old = Environment::with("old-kind", &[("kind", old), ("docker", DOCKER)]);
    old.is_told(&kind, "kind 0.11.1 is too old: 0.20.0 or later is needed");
    let down =
        "echo 'Cannot connect to the Docker daemon at unix:///x. Is it running?' >&2; exit 1";
    let down = Environment::with("engine-down", &[("kind", KIND), ("docker", down)]);
    down.is_told(&kind, "docker is installed but does not answer");
}

#[test]
fn a_cluster_that_cannot_be_made_leaves_the_verdict_open() {
    let script = format!(
        "case \"$1\" in version) {KIND};; get) ;; delete) ;;\n\
         create) echo 'ERROR: failed to create cluster: address already in use' >&2; exit 1;; esac"
    );
    let taken = Environment::with("port", &[("kind", &script), ("docker", DOCKER)]);
    taken.is_told(&["--provider", "kind"], "failed to create cluster: address already in use");
}

#[test]
fn a_control_plane_that_does_not_start_leaves_the_verdict_open() {
    let server = "[ \"$1\" = --version ] && echo 'Kubernetes v1.36.3' || exec /bin/sleep 60";
    let etcd = "echo 'listen tcp 127.0.0.1:2379: bind: address already in use'; exit 1";
    let programs = [
        ("etcd", etcd),
        ("kube-apiserver", server),
        ("kube-controller-manager", "exit 1"),
        ("kube-scheduler", "exit 1"),
    ];
    let taken = Environment::with("etcd", &programs);
    taken.is_told(&["--provider", "local"], "`etcd` has ended: listen tcp 127.0.0.1:2379");
    let mute =
        programs.map(|(name, script)| (name, if name == "kube-apiserver" { "" } else { script }));
    let mute = Environment::with("mute", &mute);
    mute.is_told(&["--provider", "local"], "kube-apiserver --version` failed");
}

/// A server that answers every request so; the URL.
fn server(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.read(&mut [0; 4096]);
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\n");
            let _ =
                write!(stream, "{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        }
    });
    format!("http://127.0.0.1:{port}")
}

fn kubeconfig(environment: &Environment, server: &str) -> String {
    let path = environment.0.join("kubeconfig");
    let config = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\n\
         clusters: [{{name: a, cluster: {{server: '{server}'}}}}]\n\
         users: [{{name: a, user: {{token: a}}}}]\n\
         contexts: [{{name: a, context: {{cluster: a, user: a}}}}]\n"
    );
    std::fs::write(&path, config).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_cluster_that_lives_on_is_touched_only_if_it_is_marked_and_reached() {
    let environment = Environment::with("kubeconfig", &[]);
    let with = |file: &str| {
        let words = ["--provider", "kubeconfig", "--kubeconfig", file, "--i-own-this-cluster"];
        words.map(str::to_owned)
    };
    let told = |file: &str, words: &str| {
        environment.is_told(&with(file).each_ref().map(String::as_str), words);
    };
    let unmarked = r#"{"kind":"Status","status":"Failure","code":404,"reason":"NotFound"}"#;
    let unmarked = kubeconfig(&environment, &server("404 Not Found", unmarked));
    let (code, said) = environment.run(&["--provider", "kubeconfig", "--kubeconfig", &unmarked]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--i-own-this-cluster"), "{said}");
    told(&unmarked, "the cluster is not marked: there is no ConfigMap `kube-system/shakedown`");
    told(&unmarked, "create configmap shakedown");
    let expired = r#"{"kind":"Status","status":"Failure","code":401,"message":"Unauthorized"}"#;
    let expired = kubeconfig(&environment, &server("401 Unauthorized", expired));
    told(&expired, "does not accept the credentials of the kubeconfig: Unauthorized");
    let nobody = kubeconfig(&environment, "https://127.0.0.1:1");
    told(&nobody, "the API server https://127.0.0.1:1/ does not answer");
    told("/there/is/none", "the kubeconfig `/there/is/none` can't be used");
}
