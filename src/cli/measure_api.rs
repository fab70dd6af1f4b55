//! `shakedown bench --api`: what API servers carry, side by side.

use camino::Utf8Path;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kubesim::world::{Staff, WorldConfig};
use kubesim_server::{Options, Server};

use super::args::BenchArgs;
use super::exit_code::Exit;
use super::measure::since_start;
use super::serve::open_many;
use super::terminal::Terminal;
use crate::cluster::{Credentials, Endpoint};
use crate::explore::api_load::{Load, Rate, in_process, over_http};

/// How many requests are under way at once.
const AT_ONCE: usize = 16;

/// Measures and prints.
pub(super) fn command(args: &BenchArgs) -> Exit {
    match measured(args) {
        Ok(table) => {
            Terminal.print(&table);
            Exit::Met
        }
        Err(why) => {
            Terminal.error(why, "");
            Exit::Environment
        }
    }
}

fn measured(args: &BenchArgs) -> Result<String, String> {
    open_many();
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let load =
        Load { pods: args.pods, at_once: AT_ONCE, watchers: args.watchers, clock: since_start };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| text(&error))?;
    let within = in_process(load).map_err(|error| text(&error))?;
    let server = Server::start(Options {
        world: WorldConfig::new(1, 0),
        staff: Staff::only(["namespace-controller"]),
        speed: 1.0,
        port: 0,
        restore: None,
        recorder: None,
        routes: Vec::new(),
    });
    let server = server.map_err(|error| text(&error))?;
    let endpoint = Endpoint {
        server: format!("https://{}", server.address()),
        authority: server.authority().as_bytes().to_vec(),
    };
    let pair = server.administrator();
    let credentials = Credentials::Certificate { certificate: &pair.certificate, key: &pair.key };
    let kubeconfig = Kubeconfig::from_yaml(&endpoint.kubeconfig(&credentials));
    let kubeconfig = kubeconfig.map_err(|error| text(&error))?;
    let ours = runtime.block_on(carried(kubeconfig, load))?;
    let real = match &args.against {
        Some(path) => runtime.block_on(carried(read(path)?, load))?,
        None => Vec::new(),
    };
    Ok(shown(&within, &ours, &real))
}

fn read(path: &Utf8Path) -> Result<Kubeconfig, String> {
    let failed = |error: &dyn std::fmt::Display| format!("`{path}` can't be used: {error}");
    Kubeconfig::read_from(path).map_err(|error| failed(&error))
}

async fn carried(kubeconfig: Kubeconfig, load: Load) -> Result<Vec<Rate>, String> {
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let config = config.map_err(|error| error.to_string())?;
    // Whatever runs elsewhere is somebody's.
    if !matches!(config.cluster_url.host(), Some("127.0.0.1" | "localhost")) {
        return Err(format!("{} is not on this machine", config.cluster_url));
    }
    let client = kube::Client::try_from(config).map_err(|error| error.to_string())?;
    over_http(client, load).await.map_err(|error| error.to_string())
}

fn shown(within: &[Rate], ours: &[Rate], real: &[Rate]) -> String {
    let of = |rates: &[Rate], what: &str| {
        rates.iter().find(|rate| rate.what == what).map(Rate::per_second)
    };
    let cell = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}"));
    let times = |rate: Option<f64>, than: Option<f64>| match (rate, than) {
        (Some(rate), Some(than)) => format!("{:.0}x", rate / than.max(f64::MIN_POSITIVE)),
        _ => "-".to_owned(),
    };
    let mut table = format!(
        "{:<28}{:>12}{:>12}{:>12}{:>10}{:>10}\n",
        "per second", "in process", "over HTTPS", "real", "", ""
    );
    for Rate { what, .. } in ours {
        let (a, b, c) = (of(within, what), of(ours, what), of(real, what));
        table += &format!(
            "{what:<28}{:>12}{:>12}{:>12}{:>10}{:>10}\n",
            cell(a),
            cell(b),
            cell(c),
            times(a, c),
            times(b, c)
        );
    }
    table
}
