//! Carrying a case out, the same way whoever answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kubesim::world::{Clients, Lever, World, WorldConfig};
use kubesim_client::{ProgramSpec, Programs, Start, exactly};
use kubesim_model::Text;
use serde_json::Value;

use crate::arms::{Arm, HttpReply};
use crate::case::{Case, HttpRequest, Step, Theme};
use crate::normal::Normal;
use crate::real::Real;
use crate::simulated::Simulated;

/// The answers of the simulated server: in a world of its own, in which nobody else acts.
pub(crate) fn simulated(theme: &Theme, case: &Case) -> Vec<Value> {
    let (theme_text, name) = (theme, case.name.clone());
    let answers: Arc<Mutex<Option<Vec<Value>>>> = Arc::default();
    let shared = answers.clone();
    let (theme, case) = (Arc::new(theme_text.clone()), case.clone());
    exactly(1, move || {
        let clients = Some(Clients { root_certificate: Text::default() });
        let mut world = World::new(WorldConfig { clients, ..WorldConfig::new(1, 0) });
        // What is crashed must have been started.
        while world.next_event().is_some_and(|at| at == 0) {
            world.step();
        }
        let actors: Vec<Text> = world.actors().cloned().collect();
        for actor in actors {
            world.pull(&Lever::CrashActor { actor }).expect("the world named it");
        }
        let done = shared.clone();
        let start: Start = Arc::new(move |client| {
            let (theme, case, done) = (theme.clone(), case.clone(), done.clone());
            Box::pin(async move {
                let told = carry_out(&Simulated(client), &theme, &case).await;
                *done.lock().expect("nobody panicked") = Some(told);
                std::future::pending::<()>().await;
            })
        });
        let name = Text::new("tester");
        let spec = ProgramSpec { name: name.clone(), user: name.clone(), user_agent: name, start };
        let mut programs = Programs::new(1, 0).expect("a runtime can be made");
        programs.add(&mut world, spec);
        programs.advance(&mut world, 86_400_000, &mut |_| {
            shared.lock().expect("nobody panicked").is_some()
        });
    });
    let told = answers.lock().expect("nobody panicked").take();
    told.unwrap_or_else(|| panic!("{name} came to no end"))
}

/// The answers of a real server.
pub(crate) fn real(server: &Real, theme: &Theme, case: &Case) -> Vec<Value> {
    futures::executor::block_on(carry_out(server, theme, case))
}

async fn carry_out<A: Arm>(arm: &A, theme: &Theme, case: &Case) -> Vec<Value> {
    let mut saved = BTreeMap::from([("ns".to_owned(), case.name.clone())]);
    let mut normal = Normal::new(theme.owners);
    for step in Step::namespace().iter().chain(&case.given) {
        let reply = given(arm, &step.request(theme, &saved)).await;
        let fine = (200..300).contains(&reply.code);
        assert!(fine, "{}: given is refused: {}", case.name, reply.body);
        save(step, &reply, &mut saved, &case.name);
    }
    let mut answers = Vec::new();
    for step in &case.steps {
        let pending = arm.start(&step.request(theme, &saved)).await;
        let mut inner = Vec::new();
        for other in &step.meanwhile {
            let reply = arm.ask(&other.request(theme, &saved)).await;
            save(other, &reply, &mut saved, &case.name);
            inner.push((other.is_watch(), reply));
        }
        let reply = arm.finish(pending).await;
        save(step, &reply, &mut saved, &case.name);
        for (is_watch, reply) in &inner {
            answers.push(normal.answer(reply, *is_watch));
        }
        answers.push(normal.answer(&reply, step.is_watch()));
    }
    answers
}

/// The answer to a request that must succeed: a server that has just got a new type says for a
/// while that it is not ready to serve it.
async fn given<A: Arm>(arm: &A, request: &HttpRequest) -> HttpReply {
    for _ in 0..20 {
        let reply = arm.ask(request).await;
        if ![404, 429].contains(&reply.code) {
            return reply;
        }
        arm.pause(Duration::from_secs(1)).await;
    }
    arm.ask(request).await
}

fn save(step: &Step, reply: &HttpReply, saved: &mut BTreeMap<String, String>, case: &str) {
    if step.save.is_empty() {
        return;
    }
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    for (name, path) in &step.save {
        let value = path.split('.').fold(&body, |value, key| match key.parse::<usize>() {
            Ok(at) => &value[at],
            Err(_) => &value[key],
        });
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert!(!value.is_null(), "{case}: there is no {path} in {}", reply.body);
        saved.insert(name.clone(), text);
    }
}
