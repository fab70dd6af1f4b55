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
#[path = "../../kubesim-client/tests/api/corpus.rs"]
mod corpus;
#[path = "../../kubesim-client/tests/api/normal.rs"]
mod normal;
#[path = "../../kubesim-client/tests/api/real.rs"]
mod real;
#[path = "hooks/run.rs"]
mod run;
#[path = "hooks/webhook.rs"]
mod webhook;

use arms::Arm as _;
use case::{HttpRequest, Theme};
use corpus::{Answers, Corpus, differences};
use kubesim::api::User;
use kubesim::world::{Staff, WorldConfig};
use kubesim_server::{Options, Route, Server};
use real::Real;
use serde_json::{Value, json};
use webhook::Webhooks;

fn corpus() -> Corpus {
    Corpus::of("hooks")
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
    server.admittance().admit_token("tested".to_owned(), User::from("tester"));
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
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = HttpRequest::new(method, path.to_owned(), body);
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
    let (corpus, mut found) = (corpus(), Vec::new());
    for (name, theme) in corpus.themes() {
        let ours = answers(&arm, &theme, &webhooks, false);
        let mut real = corpus.recorded(&name);
        real.retain(|name, _| std::env::var_os("SHAKEDOWN_CASE").is_none_or(|it| *it == **name));
        found.extend(differences(&name, theme.texts, (&real, &ours)));
    }
    let complaints = compare::judge(&corpus.rules(), &found);
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn the_real_server_answers_as_recorded() {
    let Some(arm) = Real::of_environment() else { return };
    let webhooks = Webhooks::start();
    let (corpus, mut found) = (corpus(), Vec::new());
    for (name, theme) in corpus.wanted() {
        let answers = answers(&arm, &theme, &webhooks, true);
        if std::env::var_os("BLESS").is_some() {
            corpus.record(&name, &answers);
        } else {
            found.extend(differences(&name, theme.texts, (&corpus.recorded(&name), &answers)));
        }
    }
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(texts.is_empty(), "recorded (-) and answered now (+):\n{}\n", texts.join("\n"));
}
