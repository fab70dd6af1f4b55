//! The real controller on a real API server on loopback, through curl.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::case::Case;
use crate::theme::{Kind, Server, Theme, Verb};
use crate::writes::Writes;

/// When so long nothing was written, the controller is done.
const QUIET: Duration = Duration::from_secs(12);

/// The server, and the command that runs the controller.
pub(crate) struct Real {
    url: String,
    token: String,
    controller: String,
}

impl Real {
    /// What the environment names, if it does.
    pub(crate) fn of_environment() -> Option<Real> {
        let url = std::env::var("SHAKEDOWN_REAL_API").ok()?;
        let controller = std::env::var("SHAKEDOWN_REAL_CONTROLLER").ok()?;
        let token = std::env::var("SHAKEDOWN_REAL_TOKEN").expect("a server wants a token");
        let host = url.split("://").nth(1).unwrap_or_default();
        let local = host.starts_with("127.0.0.1:") || host.starts_with("localhost:");
        assert!(local, "only a server on loopback is ours to write to, not {url}");
        Some(Real { url, token, controller })
    }

    /// What the controller writes in each case.
    pub(crate) fn writes(
        &mut self,
        theme: &dyn Theme,
        cases: &[Case],
    ) -> BTreeMap<String, Vec<String>> {
        for case in cases {
            crate::simulated::prepare(theme, self, case);
        }
        std::thread::sleep(Duration::from_secs(2));
        let mut writes = Writes::default();
        let mut since = Vec::new();
        for mut list in self.lists(theme) {
            since.push(text(&list["metadata"]["resourceVersion"]));
            let kind = text(&list["kind"]);
            for item in list["items"].as_array_mut().into_iter().flatten() {
                // The objects of a list don't say of which kind they are.
                item["kind"] = kind.trim_end_matches("List").into();
                writes.begin(theme, item);
            }
        }
        let untouched = self.versions(theme);
        let controller = Controller::start(&self.controller);
        let mut last = untouched.clone();
        loop {
            std::thread::sleep(QUIET);
            let now = self.versions(theme);
            if now == last && now != untouched {
                break;
            }
            last = now;
        }
        drop(controller);
        for (kind, version) in theme.kinds().iter().zip(since) {
            let path =
                format!("{}?watch=true&timeoutSeconds=3&resourceVersion={version}", kind.url(""),);
            for event in self.curl("GET", &path, &Value::Null).lines() {
                let event: Value = serde_json::from_str(event).expect("an event");
                let object = event["object"].clone();
                let version = text(&object["metadata"]["resourceVersion"]).parse();
                let is_there = event["type"] != "DELETED";
                writes.add(version.expect("versions are numbers"), object, is_there);
            }
        }
        writes.lines(theme)
    }

    fn lists(&self, theme: &dyn Theme) -> Vec<Value> {
        let list = |kind: &Kind| {
            let text = self.curl("GET", &kind.url(""), &Value::Null);
            serde_json::from_str(&text).expect("a list")
        };
        theme.kinds().iter().map(list).collect()
    }

    /// The versions of all objects.
    fn versions(&self, theme: &dyn Theme) -> Vec<String> {
        let lists = self.lists(theme);
        let items = lists.iter().flat_map(|list| list["items"].as_array().into_iter().flatten());
        items.map(|item| text(&item["metadata"]["resourceVersion"])).collect()
    }

    /// The answer to a request that must succeed.
    fn curl(&self, method: &str, path: &str, body: &Value) -> String {
        let quote = |text: &str| Value::from(text).to_string();
        let kind = if method == "PATCH" { "merge-patch+json" } else { "json" };
        let mut config = format!(
            "url = {}\nrequest = {}\nheader = {}\nheader = {}\n",
            quote(&format!("{}{path}", self.url)),
            quote(method),
            quote(&format!("Authorization: Bearer {}", self.token)),
            quote(&format!("Content-Type: application/{kind}")),
        );
        if !body.is_null() {
            config += &format!("data-binary = {}\n", quote(&body.to_string()));
        }
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail-with-body", "--insecure", "--globoff"]);
        curl.args(["--max-time", "60", "--config", "-"]);
        let mut child =
            curl.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("curl is installed");
        let mut input = child.stdin.take().expect("it was asked for");
        input.write_all(config.as_bytes()).expect("curl reads its configuration");
        drop(input);
        let output = child.wait_with_output().expect("curl ends");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{method} {path} is refused: {text}");
        text
    }
}

impl Server for Real {
    fn ask(
        &mut self,
        verb: Verb,
        kind: &Kind,
        (namespace, name): (&str, &str),
        body: Value,
    ) -> Value {
        let (method, rest) = match verb {
            Verb::Create => ("POST", String::new()),
            Verb::PatchStatus => ("PATCH", format!("/{name}/status")),
            Verb::Delete => ("DELETE", format!("/{name}")),
        };
        let path = kind.url(namespace) + &rest;
        serde_json::from_str(&self.curl(method, &path, &body)).expect("an object")
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A process that ends with this.
struct Controller(Child);

impl Controller {
    fn start(command: &str) -> Controller {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec {command}")]);
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Controller(shell.spawn().expect("there is a shell"))
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
