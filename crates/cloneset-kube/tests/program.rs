//! The controller as a program: it is built for whoever wants to run it beside a cluster.

use std::process::Command;

#[test]
fn without_a_cluster_it_says_so_and_ends() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_cloneset-kube"));
    program.env("KUBECONFIG", "/dev/null").env_remove("KUBERNETES_SERVICE_HOST");
    let output = program.output().expect("it runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no connection to a cluster"), "{said}");
}
