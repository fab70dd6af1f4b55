//! Controllers in other languages, unchanged, against `shakedown serve`: a manager of
//! controller-runtime (`tests/clients/manager`) with a CRD, a cache, a finalizer, events, leader
//! election and webhooks. Where `SHAKEDOWN_K8S_BIN` names a control plane, the same happens there.
//! Without Go it is said that nothing was run.

#![expect(clippy::print_stderr, reason = "the one way to say that nothing was run")]
#![expect(clippy::unwrap_used, reason = "a test may panic, also in what it is made of")]

#[expect(dead_code, unreachable_pub, reason = "the module is shared between tests")]
mod served;

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Event};
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use served::{Served, on_a_control_plane, scratch};

/// How long anything may take: where a machine is busy, programs in Go start slowly.
const WITHIN: Duration = Duration::from_secs(120);

/// The program, if there is something to make it with.
fn manager() -> Option<PathBuf> {
    if Command::new("go").arg("version").stdout(Stdio::null()).status().is_err() {
        eprintln!("not run: there is no `go`");
        return None;
    }
    let program = scratch("manager");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/manager");
    let mut build = Command::new("go");
    build.args(["build", "-o"]).arg(&program).arg(".").current_dir(source);
    assert!(build.status().unwrap().success(), "the manager is not made");
    Some(program)
}

/// A manager that runs until it is dropped.
struct Manager {
    child: Child,
    log: PathBuf,
}

impl Manager {
    fn start(program: &Path, name: &str, kubeconfig: &Path) -> Manager {
        // Somebody may take the port before it is used; then the manager ends, and says so.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = scratch(&format!("{name}.log"));
        let file = File::create(&log).unwrap();
        let mut command = Command::new(program);
        command.args(["--name", name, "--port", &port.to_string()]).env("KUBECONFIG", kubeconfig);
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        Manager { child: command.spawn().unwrap(), log }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        // As a node that is lost does it: it has no time to give its lease back.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.said());
        }
    }
}

/// What the test itself asks for.
struct Harbour {
    fleets: Api<DynamicObject>,
    maps: Api<ConfigMap>,
    events: Api<Event>,
}

impl Harbour {
    async fn of(kubeconfig: &Path) -> Harbour {
        let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
        let options = KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        let client = kube::Client::try_from(config).unwrap();
        let kind = GroupVersionKind::gvk("clients.shakedown.dev", "v1", "Fleet");
        let kind = ApiResource::from_gvk_with_plural(&kind, "fleets");
        Harbour {
            fleets: Api::default_namespaced_with(client.clone(), &kind),
            maps: Api::default_namespaced(client.clone()),
            events: Api::default_namespaced(client),
        }
    }

    async fn create(&self, name: &str, spec: Value) -> Result<DynamicObject, String> {
        let fleet = json!({
            "apiVersion": "clients.shakedown.dev/v1", "kind": "Fleet",
            "metadata": {"name": name}, "spec": spec,
        });
        let fleet = serde_json::from_value(fleet).unwrap();
        let made = self.fleets.create(&PostParams::default(), &fleet).await;
        made.map_err(|error| error.to_string())
    }

    async fn patch(&self, name: &str, patch: Value) -> Result<DynamicObject, String> {
        let how = PatchParams::default();
        let patched = self.fleets.patch(name, &how, &Patch::Merge(patch)).await;
        patched.map_err(|error| error.to_string())
    }

    async fn delete(&self, name: &str) -> Result<(), String> {
        let deleted = self.fleets.delete(name, &DeleteParams::default()).await;
        deleted.map(drop).map_err(|error| error.to_string())
    }

    /// The names of a fleet's ships, and what it says of itself.
    async fn state(&self, name: &str) -> (Vec<String>, Value) {
        let maps = self.maps.list(&ListParams::default()).await.unwrap();
        let beginning = format!("{name}-");
        let ships = maps.items.into_iter().filter_map(|map| map.metadata.name);
        let ships = ships.filter(|ship| ship.starts_with(&beginning)).collect();
        let fleet = self.fleets.get_opt(name).await.unwrap();
        (ships, fleet.map_or(Value::Null, |fleet| fleet.data["status"].clone()))
    }

    /// Waits until all of a fleet is afloat, and this manager says so.
    async fn afloat(&self, name: &str, ships: usize, captain: &str) {
        let is_so = |(have, status): &(Vec<String>, Value)| {
            have.len() == ships
                && status["ships"] == ships
                && status["captain"] == captain
                && status["conditions"][0]["status"] == "True"
        };
        until(async || self.state(name).await, is_so).await;
    }
}

/// Waits until what `look` sees is as it should be.
async fn until<T: std::fmt::Debug>(look: impl AsyncFn() -> T, is_so: impl Fn(&T) -> bool) {
    let mut seen = look().await;
    let began = tokio::time::Instant::now();
    while !is_so(&seen) {
        assert!(began.elapsed() < WITHIN, "it stays so: {seen:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        seen = look().await;
    }
}

/// The life of two managers on a cluster.
async fn live(program: &Path, kubeconfig: &Path) {
    let harbour = Harbour::of(kubeconfig).await;
    let ada = Manager::start(program, "ada", kubeconfig);
    // Until the webhooks are asked and answer, a fleet that is too large is taken, or nobody
    // answers for them.
    let asked = async || harbour.create("large", json!({"size": 11})).await;
    let refused = r#"admission webhook "check.clients.shakedown.dev" denied the request"#;
    let is_refused =
        |result: &Result<_, String>| result.as_ref().is_err_and(|e| e.contains(refused));
    until(asked, is_refused).await;
    let why = asked().await.unwrap_err();
    assert!(why.contains("a fleet has at most 10 ships, not 11"), "{why}");

    let made = harbour.create("small", json!({})).await.unwrap();
    assert_eq!(made.data["spec"]["size"], 1, "the webhook fills it in");
    harbour.create("blue", json!({"size": 3, "flag": "blue"})).await.unwrap();
    harbour.afloat("small", 1, "ada").await;
    harbour.afloat("blue", 3, "ada").await;
    let told = async || harbour.events.list(&ListParams::default()).await.unwrap().items;
    let launched = |event: &Event| event.reason.as_deref() == Some("Launched");
    until(told, |events| events.iter().filter(|event| launched(event)).count() >= 4).await;

    harbour.maps.delete("blue-1", &DeleteParams::default()).await.unwrap();
    harbour.afloat("blue", 3, "ada").await;
    harbour.patch("blue", json!({"spec": {"size": 2}})).await.unwrap();
    harbour.afloat("blue", 2, "ada").await;
    let why = harbour.patch("blue", json!({"spec": {"flag": "red"}})).await.unwrap_err();
    assert!(why.contains("a flag stays"), "{why}");
    let why = harbour.patch("blue", json!({"spec": {"size": 12}})).await.unwrap_err();
    assert!(why.contains(refused), "{why}");

    // The second one answers for the webhooks from now on, but does nothing while the first leads.
    let bob = Manager::start(program, "bob", kubeconfig);
    until(async || bob.said(), |said| said.contains("Starting webhook server")).await;
    harbour.patch("blue", json!({"spec": {"size": 4}})).await.unwrap();
    harbour.afloat("blue", 4, "ada").await;
    drop(ada);
    harbour.patch("blue", json!({"spec": {"size": 5}})).await.unwrap();
    harbour.afloat("blue", 5, "bob").await;

    let keep = json!({"metadata": {"annotations": {"clients.shakedown.dev/keep": "yes"}}});
    harbour.patch("blue", keep).await.unwrap();
    let why = harbour.delete("blue").await.unwrap_err();
    assert!(why.contains("fleet blue is to be kept"), "{why}");
    harbour.delete("small").await.unwrap();
    // The finalizer has run.
    let wreck = |(have, status): &(Vec<String>, Value)| {
        status.is_null() && have.contains(&"small-wreck".to_owned())
    };
    until(async || harbour.state("small").await, wreck).await;
}

fn block_on(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future);
}

#[test]
fn a_manager_of_controller_runtime_works_unchanged() {
    let Some(program) = manager() else { return };
    let served = Served::start(&["--nodes", "1"]);
    block_on(live(&program, &served.kubeconfig));
    on_a_control_plane(|kubeconfig| block_on(live(&program, kubeconfig)));
}
