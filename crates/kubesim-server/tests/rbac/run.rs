//! Carrying a case out, whoever answers.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::executor::block_on;
use serde_json::Value;

use crate::arms::{Arm as _, HttpReply};
use crate::case::{Case, Step, Theme};
use crate::normal::Normal;
use crate::real::Real;

/// How long a real server takes to notice that roles, accounts or policies were changed.
const NOTICED: Duration = Duration::from_millis(600);
const POLICIES_NOTICED: Duration = Duration::from_millis(2_000);
const ADMISSION: &str = "/apis/admissionregistration.k8s.io/";

/// The answers to a case. `lag` is for servers that notice changes of roles late.
pub(crate) fn case(arm: &Real, theme: &Theme, case: &Case, lag: bool) -> Vec<Value> {
    let mut saved = BTreeMap::from([("ns".to_owned(), case.name.clone())]);
    let mut normal = Normal::new(theme.owners);
    for step in Step::namespace().iter().chain(&case.given) {
        let request = step.request(theme, &saved);
        let reply = block_on(arm.ask(&request));
        if lag && request.path.starts_with(ADMISSION) {
            block_on(arm.pause(POLICIES_NOTICED));
        }
        let fine = (200..300).contains(&reply.code);
        assert!(fine, "{}: given is refused: {}", case.name, reply.body);
        save(step, &reply, &mut saved);
    }
    let mut has_written = !case.given.is_empty();
    let mut answers = Vec::new();
    for step in &case.steps {
        if lag && has_written {
            block_on(arm.pause(NOTICED));
        }
        let request = step.request(theme, &saved);
        let reply = block_on(arm.ask(&request));
        has_written = request.method != "GET";
        save(step, &reply, &mut saved);
        let mut answer = normal.answer(&reply, step.is_watch());
        if let Some(status) = answer.pointer_mut("/body/status") {
            sort_rules(status);
        }
        answers.push(answer);
    }
    answers
}

/// The real server tells rules in the order in which its cache has the bindings, which is any.
fn sort_rules(status: &mut Value) {
    for list in ["resourceRules", "nonResourceRules"] {
        if let Some(rules) = status.get_mut(list).and_then(Value::as_array_mut) {
            rules.sort_by_key(Value::to_string);
        }
    }
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
