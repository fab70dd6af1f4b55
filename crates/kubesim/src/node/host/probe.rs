//! How containers answer probes.
//!
//! Answers are steady: as long as no [`HostEvent::ProbesChanged`] comes, the same probe of the same
//! container answers the same, so that a healthy container costs no event per period.

use kubesim_model::host::{HostEvent, ProbeKind};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

use super::fact::HostOut;
use super::machine::{Due, Host};
use super::program;
use crate::world::Behaviour;

impl Host {
    /// Answers a [`Due::Probe`], at once or, if the process hangs, when the probe's time is up.
    pub(super) fn probe(&mut self, now: Millis, ask: Due, out: &mut HostOut) {
        let Due::Probe { who, op, id, kind, probe } = &ask else { return };
        let timeout = 1000 * probe["timeoutSeconds"].as_i64().unwrap_or(1).clamp(1, 86_400);
        let container = self.containers.get(id).filter(|one| one.lives());
        let sleeps = program::of_exec(probe).and_then(|program| program.ends);
        let takes = match container {
            Some(one) if one.stuck => timeout as Millis,
            Some(_) => sleeps.map_or(0, |(takes, _)| takes.min(timeout as Millis)),
            None => 0,
        };
        if takes > 0 {
            self.due(now + takes, ask);
        } else {
            let success = self.probe_answer(now, id, *kind, probe);
            out.tell(*who, HostEvent::Probed { op: *op, success });
        }
    }

    pub(super) fn probe_answer(
        &mut self,
        now: Millis,
        id: &Text,
        kind: ProbeKind,
        probe: &Tree,
    ) -> bool {
        let Some(container) = self.containers.get_mut(id).filter(|one| one.lives()) else {
            return false;
        };
        container.asked = true;
        if container.stuck {
            return false;
        }
        let mut rules = self.rules.on(&self.node, &container.info);
        if kind == ProbeKind::Readiness && rules.any(|(_, how)| *how == Behaviour::NeverReady) {
            return false;
        }
        let timeout = 1000 * probe["timeoutSeconds"].as_i64().unwrap_or(1).clamp(1, 86_400);
        match program::of_exec(probe).filter(|program| program.understood) {
            Some(program) => {
                program.ends.is_some_and(|(takes, code)| code == 0 && takes < timeout as Millis)
            }
            None => container.ready_at <= now,
        }
    }

    /// Tells whoever asked probes that they may answer otherwise.
    pub(super) fn probes_changed(&mut self, out: &mut HostOut) {
        for id in self.living() {
            self.probes_changed_of(&id, out);
        }
    }

    pub(super) fn probes_changed_of(&mut self, id: &Text, out: &mut HostOut) {
        let Some(container) = self.containers.get_mut(id).filter(|one| one.lives()) else { return };
        if std::mem::take(&mut container.asked) {
            out.events.push((None, HostEvent::ProbesChanged { container_id: id.clone() }));
        }
    }
}
