//! Webhooks: the request sequences of `fixtures/hooks`, sent over sockets, must be answered as
//! kube-apiserver answered them, and the webhooks must be sent what it sent them.
//!
//! The webhooks live in this test (`hooks/webhook.rs`); what they answer stands in
//! `fixtures/hooks/answers.yaml`. The simulated server is always asked; a real one too, when
//! `SHAKEDOWN_REAL_API` and `SHAKEDOWN_REAL_TOKEN` name one on loopback, and with `BLESS=1` its
//! answers are recorded. Differences that are accepted stand in `fixtures/hooks/differences.yaml`.

#![expect(clippy::unwrap_used, reason = "a test may panic, also in what it is made of")]

#[path = "../../kubesim-client/tests/api/arms.rs"]
mod arms;
#[path = "../../kubesim-client/tests/api/case.rs"]
mod case;
#[expect(dead_code, reason = "a page for users is made of other sequences")]
#[path = "../../kubesim-client/tests/api/compare.rs"]
mod compare;
#[path = "../../kubesim-client/tests/api/normal.rs"]
mod normal;
#[path = "../../kubesim-client/tests/api/real.rs"]
mod real;
#[path = "hooks/run.rs"]
mod run;
#[path = "hooks/webhook.rs"]
mod webhook;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use arms::Arm as _;
use case::{HttpRequest, Theme};
use compare::{Difference, Rule};
use kubesim::world::{Staff, WorldConfig};
use kubesim_model::Text;
use kubesim_server::{Options, Person, Route, Server};
use real::Real;
use serde_json::{Value, json};
use webhook::Webhooks;

/// What a theme's cases were answered, by name of the case.
type Answers = BTreeMap<String, Vec<Value>>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/hooks")
}

fn themes() -> Vec<(String, Theme)> {
    let entries = fs::read_dir(folder().join("cases")).unwrap();
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let theme = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        (name.clone(), Theme::read(&text).unwrap_or_else(|error| panic!("{name}: {error}")))
    };
    paths.into_iter().map(theme).collect()
}

fn recorded(theme: &str) -> Answers {
    let path = folder().join("recorded").join(format!("{theme}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|_| "{}".to_owned());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn differences(
    theme: &str,
    texts: bool,
    (real, ours): (&Answers, &Answers),
    found: &mut Vec<Difference>,
) {
    let gone: Vec<&String> = real.keys().filter(|name| !ours.contains_key(*name)).collect();
    assert!(gone.is_empty(), "{theme}: recorded, but there are no such cases: {gone:?}");
    for (name, ours) in ours {
        let real = real.get(name).map(Vec::as_slice).unwrap_or_default();
        compare::answers(&format!("{theme}/{name}"), texts, (real, ours), found);
    }
}

fn answers(arm: &Real, theme: &Theme, webhooks: &Webhooks, lag: bool) -> Answers {
    let only = std::env::var("SHAKEDOWN_CASE").ok();
    let cases = theme.cases.iter();
    let cases = cases.filter(|case| only.as_ref().is_none_or(|it| *it == case.name));
    cases.map(|case| (case.name.clone(), run::case(arm, theme, case, webhooks, lag))).collect()
}

/// A simulated cluster, and a way to it.
fn served(staff: Staff, routes: Vec<Route>) -> (Server, Real) {
    let server = Server::start(Options {
        world: WorldConfig::new(1, 0),
        staff,
        speed: 1.0,
        port: 0,
        restore: None,
        recorder: None,
        routes,
    });
    let server = server.unwrap();
    let groups = vec![Text::new("system:authenticated")];
    let tester = Person { user: Text::new("tester"), groups };
    server.admittance().admit_token("tested".to_owned(), tester);
    let url = format!("https://{}", server.address());
    (server, Real { url, token: "tested".to_owned() })
}

#[test]
fn pods_that_controllers_make_go_through_webhooks_behind_routed_services() {
    let webhooks = Webhooks::start();
    let saved = webhooks.saved();
    let route = format!("default/routed=127.0.0.1:{}", saved["port"]).parse().unwrap();
    let (_server, arm) = served(Staff::everybody(), vec![route]);
    let ask = |method, path: &str, body: Value| {
        let (path, accept) = (path.to_owned(), String::new());
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = HttpRequest { method, path, content_type: "application/json", accept, body };
        let reply = futures::executor::block_on(arm.ask(&request));
        assert!((200..300).contains(&reply.code), "{}", reply.body);
        serde_json::from_str::<Value>(&reply.body).unwrap()
    };
    let hooks = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
    let service = json!({"namespace": "default", "name": "routed", "path": "/mutate/container"});
    let rule = json!({
        "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"],
    });
    let hook = json!({
        "name": "a.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": service, "caBundle": saved["ca"]}, "rules": [rule],
    });
    ask("POST", hooks, json!({"metadata": {"name": "a"}, "webhooks": [hook]}));
    let labels = json!({"seen": "yes"});
    let container = json!({"name": "app", "image": "registry.k8s.io/pause:3.10"});
    let template = json!({"metadata": {"labels": labels}, "spec": {"containers": [container]}});
    let sets = "/apis/apps/v1/namespaces/default/replicasets";
    let spec = json!({
        "replicas": 3, "selector": {"matchLabels": labels}, "template": template,
    });
    ask("POST", sets, json!({"metadata": {"name": "web"}, "spec": spec}));
    let pods = || ask("GET", "/api/v1/namespaces/default/pods", Value::Null)["items"].clone();
    for _ in 0..100 {
        if pods().as_array().unwrap().len() == 3 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let made = pods();
    let made = made.as_array().unwrap();
    assert_eq!(made.len(), 3);
    let sizes = made.iter().map(|pod| pod["spec"]["containers"].as_array().unwrap().len());
    assert_eq!(sizes.collect::<Vec<_>>(), [2, 2, 2]);
    let sent = webhooks.take();
    let user = "system:serviceaccount:kube-system:replicaset-controller";
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|one| one["review"]["request"]["userInfo"]["username"] == user));
}

#[test]
fn webhooks_do_to_the_simulated_server_what_they_did_to_the_real_one() {
    let webhooks = Webhooks::start();
    let (_server, arm) = served(Staff::only(Vec::<&str>::new()), Vec::new());
    let mut found = Vec::new();
    for (name, theme) in themes() {
        let ours = answers(&arm, &theme, &webhooks, false);
        let mut real = recorded(&name);
        real.retain(|name, _| std::env::var_os("SHAKEDOWN_CASE").is_none_or(|it| *it == **name));
        differences(&name, theme.texts, (&real, &ours), &mut found);
    }
    let text = fs::read_to_string(folder().join("differences.yaml")).unwrap();
    let rules: Vec<Rule> = serde_saphyr::from_str(&text).unwrap();
    let complaints = compare::judge(&rules, &found);
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn the_real_server_answers_as_recorded() {
    let Some(arm) = Real::of_environment() else { return };
    let webhooks = Webhooks::start();
    let mut found = Vec::new();
    let only = std::env::var("SHAKEDOWN_REAL_THEME").ok();
    let chosen = |(name, _): &(String, Theme)| only.as_ref().is_none_or(|it| it == name);
    for (name, theme) in themes().into_iter().filter(chosen) {
        let answers = answers(&arm, &theme, &webhooks, true);
        if std::env::var_os("BLESS").is_some() {
            let text = serde_json::to_string_pretty(&answers).unwrap();
            fs::create_dir_all(folder().join("recorded")).unwrap();
            let path = folder().join("recorded").join(format!("{name}.json"));
            fs::write(path, text + "\n").unwrap();
        } else {
            differences(&name, theme.texts, (&recorded(&name), &answers), &mut found);
        }
    }
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(texts.is_empty(), "recorded (-) and answered now (+):\n{}\n", texts.join("\n"));
}
