//! What happens to the workload: it is released, scaled, drained, loses a node, and is deleted in
//! part. Ends when everything is as it is to be.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use kubesim::world::Lever;

use crate::served::programs;

const WORKLOAD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/controllers/workload.yaml");
const AGNHOST: &str = "registry.k8s.io/e2e-test-images/agnhost";
/// How long anything may take: a lost node is noticed after 50 s.
const WITHIN: Duration = Duration::from_secs(180);
const LOOK: Duration = Duration::from_millis(500);

/// Runs the script so often.
pub(crate) fn run(kubeconfig: &Path, rounds: usize, pull: &dyn Fn(Lever)) {
    let on = Cluster(kubeconfig);
    on.until("get nodes --no-headers", |said| said.matches(" Ready").count() == 2);
    for round in 0..rounds {
        on.run(&format!("apply -f {WORKLOAD}"));
        on.all_is_there();
        for kind in ["deployment/web", "statefulset/db", "daemonset/agent"] {
            on.run(&format!("-n shop set image {kind} app={AGNHOST}:2.{}", 60 + round));
        }
        on.run("-n shop scale deployment/web --replicas=5");
        on.run("-n shop scale rc/old --replicas=2");
        on.all_is_there();
        on.run("drain worker-1 --ignore-daemonsets --delete-emptydir-data --force");
        on.run("uncordon worker-1");
        on.all_is_there();
        pull(Lever::PowerOff { node: "worker-2".into() });
        on.until("get node worker-2 --no-headers", |said| said.contains("NotReady"));
        let web = "-n shop get pods -l app=web --no-headers -o wide";
        on.until(web, |said| {
            let running = said.lines().filter(|line| line.contains("Running"));
            running.filter(|line| line.contains("worker-1")).count() == 5
        });
        on.run("delete namespace passing --wait=false");
        pull(Lever::PowerOn { node: "worker-2".into() });
        on.until("get node worker-2 --no-headers", |said| !said.contains("NotReady"));
        on.until("get namespaces --no-headers", |said| !said.contains("passing"));
        on.all_is_there();
        on.run("-n shop delete job/fails");
        on.run("-n shop scale deployment/web --replicas=3");
        on.all_is_there();
    }
}

/// A cluster, by way of kubectl.
pub(crate) struct Cluster<'a>(pub(crate) &'a Path);

impl Cluster<'_> {
    /// What a command answers.
    pub(crate) fn ask(&self, command: &str) -> Result<String, String> {
        let kubectl = programs().unwrap().join("kubectl");
        let words = command.split_whitespace();
        let output = Command::new(kubectl).args(words).env("KUBECONFIG", self.0).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(format!("kubectl {command}: {}", text(&output.stderr))),
        }
    }

    fn run(&self, command: &str) {
        self.ask(command).unwrap();
    }

    /// Waits until a command answers this.
    fn until(&self, command: &str, is_so: impl Fn(&str) -> bool) {
        let mut waited = Duration::ZERO;
        loop {
            let said = self.ask(command);
            if said.as_deref().is_ok_and(&is_so) {
                return;
            }
            assert!(waited < WITHIN, "kubectl {command} still says {said:?}");
            std::thread::sleep(LOOK);
            waited += LOOK;
        }
    }

    /// Waits until each workload is as it is to be, and all that is over is gone.
    fn all_is_there(&self) {
        for kind in ["deployment/web", "statefulset/db", "daemonset/agent"] {
            let within = WITHIN.as_secs();
            self.run(&format!("-n shop rollout status {kind} --timeout={within}s"));
        }
        let counts = "-n shop get rc/old -o jsonpath={.spec.replicas}:{.status.readyReplicas}";
        self.until(counts, |said| said.split_once(':').is_some_and(|(want, have)| want == have));
        self.until("-n shop get job/sums -o jsonpath={.status.succeeded}", |said| said == "4");
        let wanted = self.ask("-n shop get deployment/web -o jsonpath={.spec.replicas}").unwrap();
        let pods = "-n shop get pods -l app=web --no-headers";
        self.until(pods, |said| said.lines().count().to_string() == wanted);
        let pods = "-n shop get pods --no-headers";
        self.until(pods, |said| {
            said.lines().all(|line| {
                ["Running", "Completed", "Error"].iter().any(|state| line.contains(state))
            })
        });
    }
}
