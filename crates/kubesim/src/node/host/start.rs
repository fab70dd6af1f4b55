//! How a container comes to run.

use kubesim_model::host::{ContainerInfo, HostCommand, HostEvent, OpId};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

use super::container::{Container, Stage};
use super::fact::{HostFact, HostOut};
use super::machine::{Due, Host};
use super::program;
use crate::world::Behaviour;

impl Host {
    pub(super) fn start(
        &mut self,
        now: Millis,
        (who, op): (u32, OpId),
        pod_uid: Text,
        (spec, attempt): (Tree, u32),
        out: &mut HostOut,
    ) {
        let Some(sandbox) = self.sandboxes.get(&pod_uid).filter(|sandbox| sandbox.up).cloned()
        else {
            let reason = "CreateContainerError".into();
            let message = "the pod has no running sandbox".into();
            out.tell(who, HostEvent::StartFailed { op, reason, message });
            return;
        };
        let image = spec["image"].text();
        let Some(image_id) = self.images.digest(&image).cloned() else {
            let start = HostCommand::StartContainer { op, pod_uid, spec, attempt };
            self.pull_then_start(now, (who, op, image), start);
            return;
        };
        let id = self.new_id();
        let info = ContainerInfo {
            container_id: id.clone(),
            pod: sandbox.pod,
            pod_uid,
            name: spec["name"].text(),
            image,
            image_id,
            attempt,
            started_at: now,
            exited: None,
        };
        self.forget_ended(&info);
        let program = program::of_container(&spec);
        if !program.understood {
            let texts = spec["command"].items().iter().chain(spec["args"].items());
            let words: Vec<&str> = texts.map(Tree::str).collect();
            self.not_understood.insert(words.join(" ").into());
        }
        let container = Container {
            info,
            spec,
            program,
            starter: (who, op),
            stage: Stage::Creating,
            ready_at: Millis::MAX,
            stuck: false,
            held_exit: None,
            kill_at: None,
            termed: false,
            asked: false,
        };
        self.containers.insert(id.clone(), container);
        let at = now + self.rng.between(200, 800);
        self.due(at, Due::Begin(id));
    }

    fn new_id(&mut self) -> Text {
        self.next_id += 1;
        let (number, bits) = (self.next_id, self.rng.bits());
        Text::from(format!("containerd://{number:08x}{bits:016x}"))
    }

    /// Of each container of a pod one ended instance is kept, as `maxPerPodContainer` says.
    fn forget_ended(&mut self, info: &ContainerInfo) {
        let newest = self
            .containers
            .values()
            .filter(|one| same_place(&one.info, info) && one.info.exited.is_some())
            .map(|one| one.info.container_id.clone())
            .max();
        self.containers.retain(|id, one| {
            !same_place(&one.info, info) || one.info.exited.is_none() || Some(id) == newest.as_ref()
        });
    }

    pub(super) fn begin(&mut self, now: Millis, id: &Text, out: &mut HostOut) {
        let warm_up = self.rng.between(600, 1_400);
        let hook_takes = self.rng.between(0, 100);
        let Some(container) = self.containers.get_mut(id) else { return };
        container.info.started_at = now;
        container.stage = Stage::Starting;
        let info = container.info.clone();
        let hook = hook(&container.spec["lifecycle"]["postStart"], hook_takes);
        let ends = container.program.ends;
        let mut slower = 0;
        let mut crashes = Vec::new();
        for (rule, how) in self.rules.on(&self.node, &info) {
            match how {
                Behaviour::SlowStart(by) => slower = (*by).max(slower),
                Behaviour::CrashAfter(after, code) => crashes.push((rule.clone(), *after, *code)),
                Behaviour::NeverReady | Behaviour::IgnoresTerm => {}
            }
        }
        let ready_at = now + warm_up + slower;
        container.ready_at = ready_at;
        out.facts.push(HostFact::ContainerStarted(info.clone()));
        for other in self.actors.iter().filter(|other| **other != container.starter.0) {
            out.tell(*other, HostEvent::ContainerAppeared(info.clone()));
        }
        self.due(ready_at, Due::Ready(id.clone()));
        if let Some((after, code)) = ends {
            let at = now + after + self.rng.between(20, 100);
            self.due(at, Due::Exit { id: id.clone(), code, rule: None });
        }
        for (rule, after, code) in crashes {
            self.due(now + after, Due::Exit { id: id.clone(), code, rule: Some(rule) });
        }
        match hook {
            None => self.hooked(now, id, 0, out),
            Some((takes, code)) => self.due(now + takes, Due::Hooked { id: id.clone(), code }),
        }
    }

    /// The postStart hook is over: the container counts as started, or is killed if the hook
    /// failed.
    pub(super) fn hooked(&mut self, now: Millis, id: &Text, code: i32, out: &mut HostOut) {
        let Some(container) = self.containers.get_mut(id) else { return };
        if container.stage != Stage::Starting {
            return;
        }
        container.stage = Stage::Running;
        let (who, op) = container.starter;
        out.tell(who, HostEvent::ContainerStarted { op, container_id: id.clone() });
        if code != 0 {
            self.stop(now, who, id.clone(), 30_000, out);
        }
    }

    pub(super) fn serves(&mut self, id: &Text, out: &mut HostOut) {
        let Some(container) = self.containers.get_mut(id).filter(|one| one.lives()) else { return };
        out.facts.push(HostFact::ContainerReady(container.info.clone()));
        if std::mem::take(&mut container.asked) {
            out.events.push((None, HostEvent::ProbesChanged { container_id: id.clone() }));
        }
    }
}

fn same_place(a: &ContainerInfo, b: &ContainerInfo) -> bool {
    a.pod_uid == b.pod_uid && a.name == b.name
}

/// How long a lifecycle hook takes and its exit code; `other` is the time of what is not a sleep.
pub(super) fn hook(handler: &Tree, other: Millis) -> Option<(Millis, i32)> {
    if handler.is_null() {
        return None;
    }
    if let Some(seconds) = handler["sleep"]["seconds"].as_i64() {
        return Some((1000 * seconds.clamp(0, 1_000_000) as Millis, 0));
    }
    match program::of_exec(handler).filter(|program| program.understood) {
        Some(program) => Some(program.ends.unwrap_or((Millis::MAX / 4, 0))),
        None => Some((other, 0)),
    }
}
