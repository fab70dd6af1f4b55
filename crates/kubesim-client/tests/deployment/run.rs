//! Putting states in front of a controller, and seeing what it does: the simulated one in a world
//! of its own for each case, the real one with all of them at once.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kubesim::world::{Lever, World, WorldConfig};
use kubesim_client::{ProgramSpec, Programs, Start, exactly};
use kubesim_model::Text;
use serde_json::{Value, json};

use crate::arms::{Arm, HttpReply, Real, Simulated};
use crate::case::{Case, HttpRequest};
use crate::objects;
use crate::writes::Writes;

const KINDS: [&str; 2] = ["deployments", "replicasets"];
/// So long nothing is written when the controller is done.
const QUIET: Duration = Duration::from_secs(12);

/// Where a case stands in the simulation.
#[derive(Default)]
struct Shared {
    is_ready: bool,
    lines: Option<Vec<String>>,
}

/// What the simulated controller writes.
pub(crate) fn simulated(case: &Case) -> Vec<String> {
    let shared: Arc<Mutex<Shared>> = Arc::default();
    let (told, name) = (shared.clone(), case.name.clone());
    let case = case.clone();
    exactly(1, move || {
        let mut world = World::new(WorldConfig::new(1, 0));
        // What is crashed must have been started.
        while world.next_event().is_some_and(|at| at == 0) {
            world.step();
        }
        let actors: Vec<Text> = world.actors().cloned().collect();
        for actor in actors {
            world.pull(&Lever::CrashActor { actor }).expect("the world named it");
        }
        let state = shared.clone();
        let start: Start = Arc::new(move |client| {
            let (case, state) = (case.clone(), state.clone());
            Box::pin(async move {
                let lines = carry_out(&Simulated(client), &case, &state).await;
                state.lock().expect("nobody panicked").lines = Some(lines);
                std::future::pending::<()>().await;
            })
        });
        let name = Text::new("tester");
        let spec = ProgramSpec { name: name.clone(), user: name.clone(), user_agent: name, start };
        let mut programs = Programs::new(1, 0).expect("a runtime can be made");
        programs.add(&mut world, spec);
        let until = 86_400_000;
        programs.advance(&mut world, until, &mut |_| shared.lock().expect("fine").is_ready);
        let actor = Text::new("deployment-controller");
        world.pull(&Lever::StartActor { actor }).expect("it is built in");
        programs.advance(&mut world, until, &mut |_| shared.lock().expect("fine").lines.is_some());
    });
    let lines = told.lock().expect("nobody panicked").lines.take();
    lines.unwrap_or_else(|| panic!("{name} came to no end"))
}

async fn carry_out(arm: &Simulated, case: &Case, shared: &Mutex<Shared>) -> Vec<String> {
    prepare(arm, case).await;
    arm.pause(Duration::from_secs(2)).await;
    let (writes, versions) = before(arm).await;
    shared.lock().expect("nobody panicked").is_ready = true;
    arm.pause(QUIET).await;
    let mut lines = after(arm, writes, &versions).await;
    lines.remove(&case.name).unwrap_or_default()
}

/// What the real controller writes, which `command` starts.
pub(crate) fn real(arm: &Real, command: &str, cases: &[Case]) -> BTreeMap<String, Vec<String>> {
    futures::executor::block_on(async {
        for case in cases {
            prepare(arm, case).await;
        }
        arm.pause(Duration::from_secs(2)).await;
        let (writes, since) = before(arm).await;
        let untouched = writes.versions();
        let controller = Controller::start(command);
        let mut last = untouched.clone();
        loop {
            arm.pause(QUIET).await;
            let now = before(arm).await.0.versions();
            if now == last && now != untouched {
                break;
            }
            last = now;
        }
        drop(controller);
        after(arm, writes, &since).await
    })
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

fn request(method: &'static str, path: String, body: &Value) -> HttpRequest {
    let content_type = match method {
        "PATCH" => "application/merge-patch+json",
        _ => "application/json",
    };
    let body = if body.is_null() { String::new() } else { body.to_string() };
    HttpRequest { method, path, content_type, body }
}

async fn ask<A: Arm>(arm: &A, method: &'static str, path: String, body: &Value) -> Value {
    let HttpReply { code, body, .. } = arm.ask(&request(method, path.clone(), body)).await;
    assert!((200..300).contains(&code), "{method} {path} is refused: {body}");
    serde_json::from_str(&body).unwrap_or_default()
}

/// Writes the objects of a case, each with its status.
async fn prepare<A: Arm>(arm: &A, case: &Case) {
    let namespace = json!({ "metadata": { "name": case.name } });
    ask(arm, "POST", "/api/v1/namespaces".to_owned(), &namespace).await;
    let path = |kind: &str| format!("/apis/apps/v1/namespaces/{}/{kind}", case.name);
    let (web, sets) = case.objects.split_first().expect("a case has a Deployment");
    let owner = ask(arm, "POST", path("deployments"), &objects::deployment(web)).await;
    let recent = &owner["metadata"]["creationTimestamp"];
    for set in sets {
        ask(arm, "POST", path("replicasets"), &objects::replica_set(set, &owner)).await;
    }
    for object in case.objects.iter().filter(|object| !object.status.is_empty()) {
        let kind = if object.name == web.name { KINDS[0] } else { KINDS[1] };
        let path = format!("{}/{}/status", path(kind), object.name);
        ask(arm, "PATCH", path, &json!({ "status": objects::status(object, recent) })).await;
    }
    if web.fields.iter().any(|(key, _)| key == "deleted") {
        let path = format!("{}/{}", path("deployments"), web.name);
        ask(arm, "DELETE", path, &Value::Null).await;
    }
}

/// What is there, and the versions from which on something else is.
async fn before<A: Arm>(arm: &A) -> (Writes, Vec<String>) {
    let mut writes = Writes::default();
    let mut versions = Vec::new();
    for kind in KINDS {
        let list = ask(arm, "GET", format!("/apis/apps/v1/{kind}"), &Value::Null).await;
        writes.begin(list["items"].as_array().map(Vec::as_slice).unwrap_or_default());
        let version = list["metadata"]["resourceVersion"].as_str();
        versions.push(version.expect("a list has a version").to_owned());
    }
    (writes, versions)
}

/// What was written since.
async fn after<A: Arm>(
    arm: &A,
    mut writes: Writes,
    since: &[String],
) -> BTreeMap<String, Vec<String>> {
    for (kind, version) in KINDS.iter().zip(since) {
        let path = format!(
            "/apis/apps/v1/{kind}?watch=true&timeoutSeconds=3&resourceVersion={version}",
        );
        let reply = arm.ask(&request("GET", path, &Value::Null)).await;
        let lines = reply.body.lines().filter(|line| !line.is_empty());
        writes.add(lines.map(|line| serde_json::from_str(line).expect("an event")).collect());
    }
    writes.lines()
}
