//! Programs, files and systemd units in nodes.

use std::time::Duration;

use kind_rs::{Active, Error, Exec, Node, Signal};

use crate::{Stage, until};

pub(crate) async fn run_in_nodes(stage: &Stage) -> Result<(), Error> {
    let Stage { worker, folder, .. } = stage;
    let output = worker.exec(Exec::sh("echo out; echo err >&2; exit 3")).await?;
    assert_eq!(output.code, Some(3));
    assert_eq!((output.stdout_text(), output.stderr_text()), ("out\n".into(), "err\n".into()));
    assert_eq!(worker.exec(["no-such-program"]).await?.code, Some(127));
    assert_eq!(worker.exec(Exec::sh("kill -TERM $$")).await?.code, Some(143));
    assert!(matches!(worker.exec_checked(["false"]).await, Err(Error::Failed(_))));
    let exec = Exec::sh("cat; echo $WORD").env("WORD", "two words").stdin("in ");
    assert_eq!(worker.exec_checked(exec).await?.stdout_text(), "in two words\n");
    assert_eq!(worker.exec(["hostname"]).await?.stdout_text().trim(), worker.name());
    let long = Exec::sh("yes | head -c 100000").output_limit(10);
    let output = worker.exec_checked(long).await?;
    assert!(output.truncated && output.stdout.len() == 10);

    worker.write_file("/tmp/a b".into(), "text\n").await?;
    assert_eq!(worker.read_file("/tmp/a b".into()).await?, b"text\n");
    assert!(matches!(worker.read_file("/nothing".into()).await, Err(Error::Failed(_))));
    let (from, to) = (folder.join("from"), folder.join("to"));
    let bytes: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
    std::fs::write(&from, &bytes).expect("the folder is ours");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o750);
    std::fs::set_permissions(&from, executable).expect("the file is ours");
    worker.copy_in(&from, "/run/copy".into()).await?;
    let mode = worker.exec(["stat", "--format", "%a %s", "/run/copy"]).await?;
    assert_eq!(mode.stdout_text(), "750 3000000\n");
    worker.copy_out("/run/copy".into(), &to).await?;
    assert!(std::fs::read(&to).expect("it was copied") == bytes);
    let nothing = worker.copy_in(&folder.join("nothing"), "/run/x".into()).await;
    assert!(matches!(nothing, Err(Error::Io { .. })));
    Ok(())
}

async fn sleepers(node: &Node, seconds: u32) -> Result<usize, Error> {
    let script = format!("cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -oc '[s]leep {seconds} '");
    let count = node.exec(Exec::sh(script)).await?.stdout_text();
    Ok(count.trim().parse().unwrap_or(usize::MAX))
}

pub(crate) async fn end_with_their_time(stage: &Stage) -> Result<(), Error> {
    let node = &stage.worker;
    let sleep = |seconds: u32, timeout: u64| {
        Exec::sh(format!("sleep {seconds} & wait")).timeout(Duration::from_millis(timeout))
    };
    let error = node.exec(sleep(3601, 700)).await.expect_err("it is too slow");
    assert!(error.is_timeout(), "{error}");
    assert_eq!(sleepers(node, 3601).await?, 1);
    until(5, "a program that is too slow has ended", async || Ok(sleepers(node, 3601).await? == 0))
        .await;

    let dropped = node.exec(sleep(3602, 1500));
    let dropped = tokio::time::timeout(Duration::from_millis(700), dropped).await;
    assert!(dropped.is_err());
    until(6, "a program nobody waits for has ended", async || Ok(sleepers(node, 3602).await? == 0))
        .await;
    Ok(())
}

async fn kubelet_letter(node: &Node) -> Result<Option<char>, Error> {
    let Some(pid) = node.unit("kubelet").state().await?.main_pid else { return Ok(None) };
    let stat = node.exec(["cat", &format!("/proc/{pid}/stat")]).await?.stdout_text();
    Ok(stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()))
}

pub(crate) async fn are_units(stage: &Stage) -> Result<(), Error> {
    let node = &stage.worker;
    let kubelet = node.unit("kubelet");
    assert!(kubelet.is_active().await?);
    kubelet.stop().await?;
    let state = kubelet.state().await?;
    assert_eq!((state.active, state.main_pid), (Active::Inactive, None));
    kubelet.start().await?;
    let before = kubelet.state().await?;
    assert!(before.active == Active::Active && before.main_pid.is_some(), "{before:?}");

    kubelet.kill(Signal::Stop).await?;
    assert_eq!(kubelet_letter(node).await?, Some('T'));
    assert!(kubelet.is_active().await?);
    kubelet.kill(Signal::Cont).await?;
    assert_ne!(kubelet_letter(node).await?, Some('T'));

    kubelet.kill(Signal::Kill).await?;
    until(20, "systemd starts the kubelet again", async || {
        let state = kubelet.state().await?;
        Ok(state.active == Active::Active && state.restarts > before.restarts)
    })
    .await;
    assert_ne!(kubelet.state().await?.main_pid, before.main_pid);
    let unknown = node.unit("no-such-unit");
    assert!(matches!(unknown.state().await, Err(Error::NotFound { what: "unit", .. })));
    assert!(matches!(unknown.start().await, Err(Error::Failed(_))));
    Ok(())
}
