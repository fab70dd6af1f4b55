//! Carrying a case out, whoever answers: requests one after the other, and with each answer what the
//! webhooks were sent meanwhile.

use std::cell::Cell;
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

/// How long a real server takes to notice that webhooks, policies or definitions were changed.
const NOTICED: Duration = Duration::from_millis(1_500);
const ADMISSION: &str = "/apis/admissionregistration.k8s.io/v1";
const CONFIGURATIONS: [&str; 6] = [
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
    "mutatingadmissionpolicybindings",
    "mutatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "validatingadmissionpolicies",
];
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1";

/// Who sends the requests of a case. `lags` says that the server notices changes late.
struct Sender<'a> {
    arm: &'a Real,
    theme: &'a Theme,
    lags: bool,
    /// Whether webhooks or policies were changed.
    changed_admission: Cell<bool>,
}

impl Sender<'_> {
    /// The answers to the requests that belong to a step, its own last.
    fn ask(&self, step: &Step, saved: &mut BTreeMap<String, String>) -> Vec<HttpReply> {
        let request = step.request(self.theme, saved);
        let pending = block_on(self.arm.start(&request));
        let mut replies: Vec<HttpReply> = Vec::new();
        for other in &step.meanwhile {
            replies.extend(self.ask(other, saved));
        }
        let reply = block_on(self.arm.finish(pending));
        let is_write = request.method != "GET";
        let changes = |path| is_write && request.path.starts_with(path);
        if changes(ADMISSION) {
            self.changed_admission.set(true);
        }
        if self.lags && (changes(ADMISSION) || changes(DEFINITIONS)) {
            block_on(self.arm.pause(NOTICED));
        }
        save(step, &reply, saved);
        replies.push(reply);
        replies
    }
}

/// The answers to a case. `lags` is for servers that notice changes of webhooks late.
pub(crate) fn case(
    arm: &Real,
    theme: &Theme,
    case: &Case,
    webhooks: &Webhooks,
    lags: bool,
) -> Vec<Value> {
    let mut saved = webhooks.saved();
    saved.insert("ns".to_owned(), case.name.clone());
    let (mut normal, sender) = (
        Normal::new(theme.owners),
        Sender { arm, theme, lags, changed_admission: Cell::new(false) },
    );
    let last = |replies: Vec<HttpReply>| replies.into_iter().next_back().unwrap();
    for step in Step::namespace().iter().chain(&case.given) {
        let mut reply = last(sender.ask(step, &mut saved));
        // Who has just got a new type is not ready to serve it.
        for _ in 0..20 {
            if ![404, 429].contains(&reply.code) {
                break;
            }
            block_on(arm.pause(Duration::from_millis(500)));
            reply = last(sender.ask(step, &mut saved));
        }
        let fine = (200..300).contains(&reply.code);
        assert!(fine, "{}: given is refused: {}", case.name, reply.body);
    }
    webhooks.take();
    let mut answers = Vec::new();
    for step in &case.steps {
        let replies = sender.ask(step, &mut saved);
        let count = replies.len();
        for (at, reply) in replies.into_iter().enumerate() {
            let is_watch = at + 1 == count && step.is_watch();
            answers.push(normal.answer(&webhooks.without_ports(reply), is_watch));
        }
        let sent: Vec<Value> = webhooks.take();
        if let Some(answer) = answers.last_mut().filter(|_| !sent.is_empty()) {
            answer["sent"] = normal.tree("", json!(sent));
        }
    }
    // What is left would be asked about the next case.
    if sender.changed_admission.get() {
        for kind in CONFIGURATIONS {
            let text = format!("{{\"delete\": \"{ADMISSION}/{kind}\"}}");
            let step: Step = serde_json::from_str(&text).unwrap();
            block_on(arm.ask(&step.request(theme, &saved)));
        }
        if lags {
            block_on(arm.pause(NOTICED));
        }
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
