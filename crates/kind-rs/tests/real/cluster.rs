//! Creating, looking at and deleting the cluster.

use std::process::{Command, Stdio};
use std::time::Duration;

use kind_rs::{
    Access, Cluster, ClusterConfig, CreateOptions, Error, Kind, Mount, Node, NodeConfig,
    PortMapping, Progress, Protocol, Role,
};
use tokio::time::Instant;

use crate::{Guard, Stage, kubectl, write};

const IMAGE: &str = "docker.io/library/kind-rs-test:1";

fn config(guard: &Guard) -> ClusterConfig {
    let mut worker = NodeConfig::worker().label("zone", "a");
    worker.extra_mounts = vec![Mount {
        host_path: guard.folder.clone(),
        container_path: "/shown".into(),
        read_only: true,
        ..Mount::default()
    }];
    worker.extra_port_mappings = vec![PortMapping {
        listen_address: Some("127.0.0.1".to_owned()),
        protocol: Some(Protocol::Udp),
        ..PortMapping::to(30_080)
    }];
    worker.kubeadm_config_patches =
        vec!["kind: JoinConfiguration\nnodeRegistration:\n  taints: []\n".to_owned()];
    let mut config = ClusterConfig::default().named(&guard.name);
    config.nodes = vec![NodeConfig::control_plane(), worker];
    config.kubeadm_config_patches = vec!["kind: KubeletConfiguration\nmaxPods: 42\n".to_owned()];
    config.networking.pod_subnet = Some("10.77.0.0/16".to_owned());
    config.feature_gates.insert("MutableCSINodeAllocatableCount".to_owned(), true);
    config.runtime_config.insert("api/alpha".to_owned(), "false".to_owned());
    config
}

/// A cluster of a control plane and a worker.
pub(crate) async fn create(
    kind: &Kind,
    guard: &Guard,
    image: &str,
    begin: Instant,
) -> Result<Stage, Error> {
    write(&guard.folder.join("file"), "shown");
    let options = CreateOptions {
        image: Some(image.to_owned()),
        wait: Some(Duration::from_secs(90)),
        kubeconfig: Some(guard.folder.join("kubeconfig")),
        ..CreateOptions::default()
    };
    let mut progress = Vec::new();
    let cluster = kind
        .create_with_progress(&config(guard), options.clone(), |event| progress.push(event))
        .await?;
    for title in ["Preparing nodes", "Writing configuration", "Joining worker nodes"] {
        assert!(progress.contains(&Progress::Started(title.to_owned())), "{progress:?}");
        assert!(progress.contains(&Progress::Succeeded(title.to_owned())), "{progress:?}");
    }
    let again = kind.create(&config(guard), options).await;
    assert!(matches!(again, Err(Error::ClusterExists { name }) if name == guard.name));
    let nodes = cluster.nodes().await?;
    let [control_plane, worker] = <[Node; 2]>::try_from(nodes).expect("two nodes");
    let (kind, folder) = (kind.clone(), guard.folder.clone());
    Ok(Stage { kind, cluster, control_plane, worker, folder, begin })
}

pub(crate) async fn is_as_configured(stage: &Stage) -> Result<(), Error> {
    let Stage { kind, cluster, control_plane, worker, .. } = stage;
    let name = cluster.name();
    let names: Vec<String> =
        kind.clusters().await?.iter().map(|cluster| cluster.name().to_owned()).collect();
    assert!(names.contains(&name.to_owned()), "{names:?}");
    assert!(cluster.exists().await?);
    assert_eq!(control_plane.name(), format!("{name}-control-plane"));
    assert_eq!((control_plane.role(), worker.role()), (&Role::ControlPlane, &Role::Worker));
    assert_eq!(worker.cluster_name(), name);
    assert!(worker.addresses().ipv4.is_some());
    assert!(matches!(cluster.node("nobody").await, Err(Error::NotFound { what: "node", .. })));

    let external = cluster.kubeconfig(Access::External).await?;
    assert!(external.contains("https://127.0.0.1:"));
    assert!(external.contains(&cluster.context()));
    let internal = cluster.kubeconfig(Access::Internal).await?;
    assert!(internal.contains(&format!("https://{}:6443", control_plane.name())));
    assert!(kubeconfig_file(stage).contains(&cluster.context()));

    let show = "jsonpath={.metadata.labels.zone} {.status.capacity.pods} {.spec.podCIDR}";
    let seen = kubectl(control_plane, &["get", "node", worker.name(), "--output", show]).await?;
    assert!(seen.starts_with("a 42 10.77."), "{seen}");
    assert_eq!(worker.read_file("/shown/file".into()).await?, b"shown");
    let error = worker.write_file("/shown/other".into(), "x").await.expect_err("it is read-only");
    assert!(error.to_string().contains("Read-only file system"), "{error}");
    Ok(())
}

fn kubeconfig_file(stage: &Stage) -> String {
    std::fs::read_to_string(stage.folder.join("kubeconfig")).expect("kind wrote it")
}

async fn has_image(node: &Node) -> Result<bool, Error> {
    let images = node.cri().images().await?;
    Ok(images.iter().any(|image| image.size > 0 && image.repo_tags.iter().any(|tag| tag == IMAGE)))
}

pub(crate) async fn images_are_loaded(stage: &Stage) -> Result<(), Error> {
    let Stage { kind, cluster, control_plane, worker, folder, .. } = stage;
    let archive = folder.join("image.tar");
    let files = folder.join("files.tar");
    let engine = kind.engine().program();
    let run = |program: &str, args: &[&str]| {
        let done = Command::new(program).args(args).stdout(Stdio::null()).status();
        assert!(done.is_ok_and(|status| status.success()), "{program} {args:?}");
    };
    run("tar", &["-cf", files.as_str(), "-C", folder.as_str(), "file"]);
    run(engine, &["import", files.as_str(), IMAGE]);
    run(engine, &["save", "--output", archive.as_str(), IMAGE]);
    run(engine, &["image", "rm", IMAGE]);

    cluster.load_image_archive_into(&archive, std::slice::from_ref(worker)).await?;
    assert!(has_image(worker).await? && !has_image(control_plane).await?);
    cluster.load_image_archive(&archive).await?;
    assert!(has_image(control_plane).await?);
    let error = cluster.load_image_archive("/nowhere.tar".into()).await.expect_err("no file");
    assert!(error.to_string().contains("no such file"), "{error}");
    Ok(())
}

pub(crate) async fn is_deleted(stage: &Stage) -> Result<(), Error> {
    let cluster: &Cluster = &stage.cluster;
    cluster.delete().await?;
    assert!(!cluster.exists().await?);
    cluster.delete().await?;
    assert!(!kubeconfig_file(stage).contains(&cluster.context()));
    assert!(matches!(cluster.nodes().await, Err(Error::NotFound { what: "cluster", .. })));
    assert!(matches!(stage.worker.state().await, Err(Error::NotFound { what: "node", .. })));
    assert!(matches!(stage.worker.exec(["true"]).await, Err(Error::Unreachable { .. })));
    let kubeconfig = cluster.kubeconfig(Access::External).await;
    assert!(matches!(kubeconfig, Err(Error::NotFound { what: "cluster", .. })));
    Ok(())
}

/// One cluster is not created in time, another one is, but is not Ready.
pub(crate) async fn are_late(stage: &Stage, guard: &Guard, image: &str) -> Result<(), Error> {
    let config = ClusterConfig::default().named(guard.second());
    let cluster = stage.kind.cluster(guard.second())?;
    let options = CreateOptions {
        image: Some(image.to_owned()),
        kubeconfig: Some(guard.folder.join("kubeconfig")),
        ..CreateOptions::default()
    };
    let timeout = Some(Duration::from_secs(5));
    let error = stage.kind.create(&config, CreateOptions { timeout, ..options.clone() }).await;
    let error = error.expect_err("no cluster is created so fast");
    assert!(error.is_timeout() && error.to_string().contains("Creating cluster"), "{error}");
    assert!(!cluster.exists().await?);

    let wait = Some(Duration::from_millis(1));
    let error = stage.kind.create(&config, CreateOptions { wait, ..options.clone() }).await;
    assert!(matches!(error, Err(Error::NotReady { name, .. }) if name == guard.second()));
    assert!(cluster.exists().await?);
    cluster.with_kubeconfig(options.kubeconfig).delete().await
}
