//! The controller as a program of its own: with the kubeconfig that `KUBECONFIG` names, or inside a
//! cluster with the service account of its pod.

use std::io::Write as _;
use std::process::ExitCode;

use http::HeaderValue;
use http::header::USER_AGENT;
use kube::{Client, Config};

/// As it calls itself.
const AGENT: &str = concat!("cloneset-kube/", env!("CARGO_PKG_VERSION"));

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let client = match connect().await {
        Ok(client) => client,
        Err(error) => {
            say(&format!("no connection to a cluster: {error}"));
            return ExitCode::FAILURE;
        }
    };
    say("the controller runs");
    cloneset_kube::run(client).await;
    say("the controller has ended");
    ExitCode::FAILURE
}

async fn connect() -> Result<Client, Box<dyn std::error::Error>> {
    let mut config = Config::infer().await?;
    config.headers.push((USER_AGENT, HeaderValue::from_static(AGENT)));
    Ok(Client::try_from(config)?)
}

fn say(text: &str) {
    // A program whose output is closed goes on.
    let _ = writeln!(std::io::stderr(), "{AGENT}: {text}");
}
