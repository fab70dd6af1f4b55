//! The whole crate over recorded answers: which commands are run, and what answers mean.

use std::sync::Arc;
use std::time::Duration;

use kind_rs::{
    Access, ClusterConfig, CreateOptions, Engine, Error, Exec, Kind, Node, Output, Partition, Peer,
    Progress, Recorded, Role, Signal, Stdin,
};

const INSPECT: &str = include_str!("recorded/docker-inspect.json");
const NAMES: &str = "kindrs-rec-worker\nkindrs-rec-control-plane\n";

/// Docker and kind are installed.
fn installed() -> Recorded {
    Recorded::new()
        .answer("kind version", Output::success(include_str!("recorded/kind-version.txt")))
        .answer("docker version", Output::success(include_str!("recorded/docker-version.json")))
}

/// A cluster of two nodes runs.
fn running() -> Recorded {
    installed()
        .answer("docker ps", Output::success(NAMES))
        .answer("docker inspect kindrs", Output::success(INSPECT))
}

async fn detected(runner: Recorded) -> (Kind, Arc<Recorded>) {
    let runner = Arc::new(runner);
    let builder = Kind::builder().engine(Engine::Docker).network("kind").runner(runner.clone());
    (builder.detect().await.expect("both are installed"), runner)
}

async fn worker(runner: Recorded) -> (Node, Arc<Recorded>) {
    let (kind, runner) = detected(runner).await;
    let cluster = kind.cluster("kindrs-rec").expect("the name is valid");
    (cluster.node("kindrs-rec-worker").await.expect("it is recorded"), runner)
}

async fn created(answer: Output) -> Result<(Vec<Progress>, Vec<String>), Error> {
    let (kind, runner) = detected(installed().answer("kind create", answer)).await;
    let options = CreateOptions {
        image: Some("node:1".to_owned()),
        wait: Some(Duration::from_secs(60)),
        kubeconfig: Some("/tmp/config".into()),
        ..CreateOptions::default()
    };
    let mut seen = Vec::new();
    let config = ClusterConfig::with_nodes(1, 1).named("a");
    let cluster = kind.create_with_progress(&config, options, |event| seen.push(event)).await?;
    assert_eq!(cluster.context(), "kind-a");
    let last = runner.invocations().pop().expect("kind was run");
    assert_eq!(last.stdin, Stdin::Bytes(config.to_json().into_bytes()));
    assert_eq!(last.env["KIND_EXPERIMENTAL_PROVIDER"], "docker");
    assert_eq!(last.timeout, Duration::from_secs(660));
    Ok((seen, runner.lines()))
}

fn ended(code: i32, stderr: &str) -> Output {
    Output { code: Some(code), stderr: stderr.into(), ..Output::default() }
}

#[tokio::test]
async fn kind_and_docker_are_found_with_their_versions() {
    let (kind, _) = detected(installed()).await;
    assert_eq!(kind.version().to_string(), "0.33.0");
    assert_eq!((kind.engine(), kind.engine_version().major), (Engine::Docker, 20));
}

#[tokio::test]
async fn what_is_missing_old_or_down_is_told() {
    let detect = async |runner: Recorded, engine: Option<Engine>| {
        let mut builder = Kind::builder().runner(Arc::new(runner));
        if let Some(engine) = engine {
            builder = builder.engine(engine);
        }
        builder.detect().await.expect_err("something is wrong").to_string()
    };
    assert_eq!(detect(Recorded::new(), None).await, "`kind` is not installed or not on PATH");
    let kind = || Recorded::new().answer("kind version", Output::success("kind v0.33.0"));
    let podman = detect(kind(), Some(Engine::Podman)).await;
    assert_eq!(podman, "`podman` is not installed or not on PATH");
    let old = Recorded::new().answer("kind version", Output::success("kind v0.8.1 go1.14"));
    assert_eq!(detect(old, None).await, "kind 0.8.1 is too old: 0.20.0 or later is needed");
    let down = kind().answer("docker version", ended(1, "Cannot connect to the Docker daemon\n"));
    assert_eq!(
        detect(down, Some(Engine::Docker)).await,
        "docker is installed but does not answer: `docker version --format '{{json .}}'` ended \
         with exit code 1: Cannot connect to the Docker daemon"
    );
}

#[tokio::test]
async fn a_cluster_is_created_from_its_configuration() {
    let (seen, lines) =
        created(ended(0, include_str!("recorded/create.stderr"))).await.expect("it is created");
    assert!(seen.contains(&Progress::Started("Joining worker nodes".to_owned())));
    assert_eq!(
        lines.last().map(String::as_str),
        Some(
            "kind create cluster --config - --name a --image node:1 --wait 60000ms \
             --kubeconfig /tmp/config"
        )
    );
}

#[tokio::test]
async fn failures_to_create_are_told_apart() {
    let exists = created(ended(1, include_str!("recorded/create-exists.stderr"))).await;
    assert!(matches!(exists, Err(Error::ClusterExists { name }) if name == "a"));
    let waited = " • Waiting ≤ 1m0s for control-plane = Ready ⏳  ...\n \
                  ✗ Waiting ≤ 1m0s for control-plane = Ready ⏳\n \
                  • WARNING: Timed out waiting for Ready ⚠️\n";
    assert!(matches!(created(ended(0, waited)).await, Err(Error::NotReady { .. })));
    let error = created(ended(1, include_str!("recorded/create-no-image.stderr"))).await;
    let error = error.expect_err("there is no such image");
    assert_eq!(error.failure().and_then(|failure| failure.code), Some(1));
    assert!(error.to_string().contains("failed to pull image"), "{error}");
}

#[tokio::test]
async fn nodes_are_listed_in_order() {
    let (kind, runner) = detected(running()).await;
    let nodes = kind.cluster("kindrs-rec").expect("valid").nodes().await.expect("recorded");
    let names: Vec<&str> = nodes.iter().map(Node::name).collect();
    assert_eq!(names, ["kindrs-rec-control-plane", "kindrs-rec-worker"]);
    assert_eq!(nodes[1].role(), &Role::Worker);
    assert_eq!(nodes[0].addresses().ipv4, Some("172.18.0.2".parse().expect("an address")));
    assert_eq!(
        runner.lines()[2],
        "docker ps --all --filter label=io.x-k8s.kind.cluster=kindrs-rec --format '{{.Names}}'"
    );
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let unknown = "ERROR: could not locate any control plane nodes for cluster named 'a'.";
    let runner = installed()
        .answer("docker ps", Output::success(""))
        .answer("get kubeconfig", ended(1, unknown))
        .answer("get clusters", ended(0, "No kind clusters found.\n"));
    let (kind, _) = detected(runner).await;
    let cluster = kind.cluster("a").expect("the name is valid");
    assert!(kind.clusters().await.expect("none is no error").is_empty());
    assert!(!cluster.exists().await.expect("none is no error"));
    assert!(matches!(cluster.nodes().await, Err(Error::NotFound { what: "cluster", .. })));
    let kubeconfig = cluster.kubeconfig(Access::Internal).await;
    assert!(matches!(kubeconfig, Err(Error::NotFound { what: "cluster", .. })));
    for name in ["", "A", "a b", "-q", "a/b"] {
        assert!(matches!(kind.cluster(name), Err(Error::Invalid { .. })), "{name}");
    }
}

#[tokio::test]
async fn a_program_in_a_node_is_guarded_there() {
    let (node, runner) = worker(running().answer("docker exec", ended(3, "no"))).await;
    let exec = Exec::new("cat").arg("-n").env("A", "b c").stdin("x");
    let output = node.exec(exec.timeout(Duration::from_secs(5))).await.expect("it ran");
    assert_eq!(output.code, Some(3));
    assert_eq!(
        runner.lines().pop().as_deref(),
        Some(
            "docker exec --interactive --env 'A=b c' kindrs-rec-worker timeout -s KILL 6.000 cat -n"
        )
    );
    let error = node.exec_checked(["false"]).await.expect_err("3 is no success");
    assert!(matches!(&error, Error::Failed(failure) if failure.stderr == "no"));
}

#[tokio::test]
async fn a_paused_node_is_unreachable() {
    let paused = "Error response from daemon: Container n is paused, unpause the container \
                  before exec\n";
    let (node, _) = worker(running().answer("docker exec", ended(1, paused))).await;
    let error = node.exec(["true"]).await.expect_err("it is paused");
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    let error = node.cri().process_state("ab").await.expect_err("it is paused");
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_container_that_ends_before_the_signal_is_gone() {
    let inspect = include_str!("recorded/crictl-inspect.json");
    let runner =
        running().answer("crictl inspect", Output::success(inspect)).answer("sh -c", ended(66, ""));
    let (node, runner) = worker(runner).await;
    let error = node.cri().signal("2b9d", Signal::Stop).await.expect_err("it is gone");
    assert!(matches!(error, Error::NotFound { what: "running container", .. }), "{error}");
    let last = runner.lines().pop().expect("it was run");
    assert!(last.ends_with("1361 STOP 2b9d"), "{last}");
    let error = node.cri().exhaust_memory("2b9d").await.expect_err("it is gone");
    assert!(matches!(error, Error::NotFound { what: "running container", .. }), "{error}");
    let odd = node.cri().inspect("--help").await;
    assert!(matches!(odd, Err(Error::Invalid { .. })));
}

#[tokio::test]
async fn a_sandbox_is_removed_by_force_only_if_asked() {
    let runner = running().answer("crictl rmp", Output::default());
    let (node, runner) = worker(runner).await;
    for (force, wanted) in [(false, "crictl rmp 2b9d"), (true, "crictl rmp --force 2b9d")] {
        let _ = node.cri().remove_pod("2b9d", force).await;
        let last = runner.lines().pop().expect("it was run");
        assert!(last.ends_with(wanted), "{last}");
    }
}

#[tokio::test]
async fn all_rules_of_a_tag_are_removed_at_once_and_their_counters_returned() {
    let rules = include_str!("recorded/iptables-save.txt");
    let runner = running()
        .answer(" iptables-save", Output::success(rules))
        .answer(" ip6tables-save", Output::success(""))
        .answer(" iptables-restore", ended(1, "iptables-restore: line 2 failed: Bad rule"))
        .answer(" iptables-restore", Output::success(""));
    let (node, runner) = worker(runner).await;
    let removed = node.heal("rec").await.expect("the second attempt succeeds");
    assert_eq!(removed.iter().map(|rule| rule.packets).collect::<Vec<_>>(), [11, 10]);
    let last = runner.invocations().pop().expect("it was run");
    let text = "*filter\n\
        -D INPUT -s 172.18.0.3/32 -m comment --comment \"kind-rs:rec\" -j DROP\n\
        -D OUTPUT -d 172.18.0.3/32 -m comment --comment \"kind-rs:rec\" -j DROP\n\
        COMMIT\n";
    assert_eq!(last.stdin, Stdin::Bytes(text.into()));
    assert!(node.heal("other").await.expect("none is no error").is_empty());
}

#[tokio::test]
async fn a_partition_from_nobody_changes_nothing() {
    let (node, runner) = worker(running()).await;
    let before = runner.lines().len();
    let partition = Partition::new("t", [] as [Peer; 0]).expect("the tag is valid");
    node.partition(&partition).await.expect("nothing is run");
    assert_eq!(runner.lines().len(), before);
}

#[tokio::test]
async fn futures_can_go_to_other_threads() {
    fn sendable<T: Send>(_: &T) {}
    let (node, _) = worker(running()).await;
    let kind = node.kind();
    let config = ClusterConfig::default();
    sendable(&kind.create(&config, CreateOptions::default()));
    sendable(&kind.create_with_progress(&config, CreateOptions::default(), |_| {}));
    sendable(&node.exec(["true"]));
    sendable(&node.heal_all());
    sendable(&node.cri().signal("ab", Signal::Kill));
}
