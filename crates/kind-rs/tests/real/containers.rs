//! What the container runtime of a node knows, and signals to containers.

use std::time::Duration;

use kind_rs::{Container, ContainerState, Error, Node, ProcessState, Signal};

use crate::{Stage, kubectl, until};

async fn running(node: &Node, name: &str) -> Result<Option<Container>, Error> {
    let all = node.cri().containers().await?;
    let wanted = |container: &Container| {
        container.name == name && container.state == ContainerState::Running
    };
    Ok(all.into_iter().find(wanted))
}

pub(crate) async fn are_known(stage: &Stage) -> Result<(), Error> {
    let node = &stage.control_plane;
    let server = running(node, "kube-apiserver").await?.expect("it runs");
    assert_eq!(server.pod.namespace, "kube-system");
    assert_eq!(server.pod.name, format!("kube-apiserver-{}", node.name()));
    assert!(server.image.starts_with("registry.k8s.io/kube-apiserver:v"), "{}", server.image);
    let args = ["--namespace", "kube-system", "get", "pod", &server.pod.name, "--output"];
    let args = [args.as_slice(), &["jsonpath={.status.containerStatuses[0].containerID}"]].concat();
    assert_eq!(kubectl(node, &args).await?, format!("containerd://{}", server.id));

    let status = node.cri().inspect(&server.id).await?;
    let pid = status.pid.expect("it runs");
    let name = node.exec_checked(["cat", &format!("/proc/{pid}/comm")]).await?.stdout_text();
    assert!("kube-apiserver".starts_with(name.trim()), "{name}");
    assert_eq!((&status.image, &status.pod), (&server.image, &server.pod));
    assert!(status.started_at >= status.created_at && status.finished_at.is_none());
    assert_eq!(status.created_at, server.created_at);

    let pods = node.cri().pods().await?;
    let pod = pods.iter().find(|pod| pod.id == server.sandbox_id).expect("it has a sandbox");
    assert!(pod.ready && pod.pod == server.pod);
    let images = node.cri().images().await?;
    assert!(images.iter().any(|image| image.repo_tags.contains(&server.image)));
    let unknown = node.cri().inspect("abcdef").await;
    assert!(matches!(unknown, Err(Error::NotFound { what: "container", .. })));
    Ok(())
}

pub(crate) async fn take_signals(stage: &Stage) -> Result<(), Error> {
    let node = &stage.worker;
    let cri = node.cri();
    let proxy = running(node, "kube-proxy").await?.expect("it runs");
    let pid = cri.signal(&proxy.id, Signal::Stop).await?;
    assert_eq!(cri.inspect(&proxy.id).await?.pid, Some(pid));
    assert_eq!(cri.process_state(&proxy.id).await?, ProcessState::Stopped);
    assert_eq!(cri.inspect(&proxy.id).await?.state, ContainerState::Running);
    cri.signal(&proxy.id, Signal::Cont).await?;
    assert_ne!(cri.process_state(&proxy.id).await?, ProcessState::Stopped);

    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let tell = move || told.send(()).expect("somebody listens");
    let listening = cri.listen(Duration::from_secs(30), tell);
    let killing = async {
        heard.recv().await.expect("it listens");
        // That is said before the runtime was asked to tell.
        tokio::time::sleep(Duration::from_secs(1)).await;
        cri.signal(&proxy.id, Signal::Kill).await?;
        let ended = tokio::time::timeout(Duration::from_secs(10), heard.recv()).await;
        assert!(ended.is_ok_and(|told| told.is_some()), "the end is told");
        Ok::<_, Error>(())
    };
    tokio::select! {
        ended = listening => panic!("it listens no more: {ended:?}"),
        killed = killing => killed?,
    }
    until(10, "the runtime sees the end", async || {
        Ok(cri.inspect(&proxy.id).await?.state == ContainerState::Exited)
    })
    .await;
    let ended = cri.inspect(&proxy.id).await?;
    assert_eq!((ended.exit_code, ended.pid), (Some(137), None));
    assert!(ended.finished_at > ended.started_at);
    let gone = cri.signal(&proxy.id, Signal::Stop).await;
    assert!(matches!(gone, Err(Error::NotFound { what: "running container", .. })));
    until(30, "the kubelet starts it again", async || {
        let next = running(node, "kube-proxy").await?;
        Ok(next.is_some_and(|next| next.attempt == proxy.attempt + 1))
    })
    .await;

    let next = running(node, "kube-proxy").await?.expect("it runs");
    cri.stop(&next.id, Duration::from_secs(2)).await?;
    assert_eq!(cri.inspect(&next.id).await?.state, ContainerState::Exited);
    let unknown = cri.stop("abcdef", Duration::ZERO).await;
    assert!(matches!(unknown, Err(Error::NotFound { .. }) | Ok(())));
    Ok(())
}
