//! Carrying a case out, whoever answers: requests one after the other, and with each answer what the
//! webhooks were sent meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::executor::block_on;
use serde_json::{Value, json};

use crate::arms::Arm as _;
use crate::arms::HttpReply;
use crate::case::{Case, Step, Theme};
use crate::normal::Normal;
use crate::real::Real;
use crate::webhook::Webhooks;

/// How long a real server takes to notice that webhooks or policies were changed.
const NOTICED: Duration = Duration::from_millis(1_500);
const ADMISSION: &str = "/apis/admissionregistration.k8s.io/v1";

/// The answers to a case. `lag` is for servers that notice changes of webhooks late.
pub(crate) fn case(
    arm: &Real,
    theme: &Theme,
    case: &Case,
    webhooks: &Webhooks,
    lag: bool,
) -> Vec<Value> {
    let mut saved = webhooks.saved();
    saved.insert("ns".to_owned(), case.name.clone());
    let mut normal = Normal::new(theme.owners);
    let ask = |step: &Step, saved: &mut BTreeMap<String, String>| {
        let request = step.request(theme, saved);
        let reply = block_on(arm.ask(&request));
        if lag && request.method != "GET" && request.path.starts_with(ADMISSION) {
            block_on(arm.pause(NOTICED));
        }
        save(step, &reply, saved);
        reply
    };
    for step in Step::namespace().iter().chain(&case.given) {
        let mut reply = ask(step, &mut saved);
        // Who has just got a new type is not ready to serve it.
        for _ in 0..20 {
            if ![404, 429].contains(&reply.code) {
                break;
            }
            block_on(arm.pause(Duration::from_millis(500)));
            reply = ask(step, &mut saved);
        }
        let fine = (200..300).contains(&reply.code);
        assert!(fine, "{}: given is refused: {}", case.name, reply.body);
    }
    webhooks.take();
    let mut answers = Vec::new();
    for step in &case.steps {
        let reply = ask(step, &mut saved);
        let mut answer = normal.answer(&webhooks.without_ports(reply), step.is_watch());
        let sent: Vec<Value> = webhooks.take();
        if !sent.is_empty() {
            answer["sent"] = normal.tree("", json!(sent));
        }
        answers.push(answer);
    }
    // What is left would be asked about the next case.
    for kind in [
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
        "validatingadmissionpolicybindings",
        "validatingadmissionpolicies",
    ] {
        let text = format!("{{\"delete\": \"{ADMISSION}/{kind}\"}}");
        let step: Step = serde_json::from_str(&text).unwrap();
        ask(&step, &mut saved);
    }
    answers
}

fn save(step: &Step, reply: &HttpReply, saved: &mut BTreeMap<String, String>) {
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    for (name, path) in &step.save {
        let value = path.split('.').fold(&body, |value, key| &value[key]);
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert!(!value.is_null(), "there is no {path} in {}", reply.body);
        saved.insert(name.clone(), text);
    }
}
