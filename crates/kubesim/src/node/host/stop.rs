//! How a container ends: asked to, by itself, or by force.

use kubesim_model::host::HostEvent;
use kubesim_model::{Millis, Text};

use super::container::Stage;
use super::fact::{HostFact, HostOut};
use super::machine::{Due, Host};
use super::rules::ContainerAction;
use super::start::hook;
use crate::world::Behaviour;

/// A process gets at least this long between SIGTERM and SIGKILL after a preStop hook that spent
/// the grace (v1.36, `minimumGracePeriodInSeconds`).
const LEAST_GRACE: Millis = 2_000;

impl Host {
    /// Runs preStop, then SIGTERM, then SIGKILL. A second stop can only bring SIGKILL forward.
    pub(super) fn stop(
        &mut self,
        now: Millis,
        who: u32,
        id: Text,
        grace: Millis,
        out: &mut HostOut,
    ) {
        let hook_takes = self.rng.between(0, 100);
        let Some(container) = self.containers.get_mut(&id).filter(|one| one.lives()) else {
            out.tell(who, self.ended_event(&id));
            return;
        };
        let (term_at, kill_at) =
            match (hook(&container.spec["lifecycle"]["preStop"], hook_takes), grace) {
                (Some((takes, _)), 1..) => {
                    let term_at = now + takes.min(grace);
                    (term_at, (now + grace).max(term_at + LEAST_GRACE))
                }
                _ => (now, now + grace),
            };
        let first = container.kill_at.is_none();
        let kill_at = container.kill_at.map_or(kill_at, |have| have.min(now + grace));
        if container.kill_at == Some(kill_at) {
            return;
        }
        container.kill_at = Some(kill_at);
        if first {
            self.due(term_at, Due::Term(id.clone()));
        }
        self.due(kill_at, Due::Kill(id));
    }

    /// What to tell of a container that does not run.
    fn ended_event(&self, id: &Text) -> HostEvent {
        let info = self.containers.get(id).map(|container| &container.info);
        let exited = info.and_then(|info| info.exited.clone());
        let (_, exit_code, reason) = exited.unwrap_or((0, 137, Text::new_static("Error")));
        HostEvent::ContainerExited {
            container_id: id.clone(),
            pod_uid: info.map(|info| info.pod_uid.clone()).unwrap_or_default(),
            name: info.map(|info| info.name.clone()).unwrap_or_default(),
            exit_code,
            reason,
        }
    }

    pub(super) fn term(&mut self, now: Millis, id: &Text) {
        let takes = self.rng.between(50, 500);
        let Some(container) = self.containers.get_mut(id).filter(|one| one.lives()) else { return };
        container.termed = true;
        let mut rules = self.rules.on(&self.node, &container.info);
        let ignores = rules.any(|(_, how)| *how == Behaviour::IgnoresTerm);
        drop(rules);
        let on_term = container.program.on_term.filter(|_| !ignores && !container.stuck);
        if let Some(code) = on_term {
            self.due(now + takes, Due::Die { id: id.clone(), code });
        }
    }

    pub(super) fn dies(&mut self, now: Millis, id: &Text, code: i32, out: &mut HostOut) {
        if self.containers.get(id).is_some_and(|container| !container.stuck) {
            let reason = if code == 0 { "Completed" } else { "Error" };
            self.end(now, id, code, reason, out);
        }
    }

    pub(super) fn kill_if_due(&mut self, now: Millis, id: &Text, out: &mut HostOut) {
        let kill_at = self.containers.get(id).and_then(|container| container.kill_at);
        if kill_at.is_some_and(|at| at <= now) {
            self.end(now, id, 137, "Error", out);
        }
    }

    /// The process ends by itself, or by a rule that still holds.
    pub(super) fn exits(
        &mut self,
        now: Millis,
        id: &Text,
        (code, rule): (i32, Option<Text>),
        out: &mut HostOut,
    ) {
        let Some(container) = self.containers.get_mut(id).filter(|one| one.lives()) else { return };
        let mut rules = self.rules.on(&self.node, &container.info);
        if rule.is_some_and(|rule| !rules.any(|(name, _)| *name == rule)) {
            return;
        }
        drop(rules);
        if container.stuck {
            container.held_exit = Some(code);
        } else {
            self.dies(now, id, code, out);
        }
    }

    /// Records the end of a container and tells everyone.
    pub(super) fn end(
        &mut self,
        now: Millis,
        id: &Text,
        exit_code: i32,
        reason: &'static str,
        out: &mut HostOut,
    ) {
        let Some(container) = self.containers.get_mut(id) else { return };
        let (who, op) = container.starter;
        match container.stage {
            Stage::Ended => return,
            Stage::Creating => {
                let reason = "CreateContainerError".into();
                let message = "the sandbox was stopped meanwhile".into();
                out.tell(who, HostEvent::StartFailed { op, reason, message });
                self.containers.remove(id);
                return;
            }
            Stage::Starting => {
                out.tell(who, HostEvent::ContainerStarted { op, container_id: id.clone() });
            }
            Stage::Running => {}
        }
        container.stage = Stage::Ended;
        container.info.exited = Some((now, exit_code, Text::new_static(reason)));
        out.facts.push(HostFact::ContainerExited(container.info.clone()));
        let event = self.ended_event(id);
        out.events.push((None, event));
    }

    pub(super) fn act(
        &mut self,
        now: Millis,
        id: &Text,
        action: ContainerAction,
        out: &mut HostOut,
    ) {
        let takes = self.rng.between(50, 500);
        let Some(container) = self.containers.get_mut(id) else { return };
        match action {
            ContainerAction::Kill { exit_code, oom } => {
                let reason = match exit_code {
                    _ if oom => "OOMKilled",
                    0 => "Completed",
                    _ => "Error",
                };
                self.end(now, id, exit_code, reason, out);
            }
            ContainerAction::Stick => {
                container.stuck = true;
                out.facts.push(HostFact::ContainerStuck(container.info.clone()));
                self.probes_changed_of(id, out);
            }
            ContainerAction::Unstick => {
                container.stuck = false;
                out.facts.push(HostFact::ContainerUnstuck(container.info.clone()));
                let on_term = container.program.on_term.filter(|_| container.termed);
                if let Some(code) = container.held_exit.take() {
                    self.dies(now, id, code, out);
                } else if let Some(code) = on_term {
                    self.due(now + takes, Due::Die { id: id.clone(), code });
                }
                self.probes_changed_of(id, out);
            }
        }
    }
}
