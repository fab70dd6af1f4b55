//! `no-zombie-containers`: nothing runs on a host that the API does not want.

use std::collections::BTreeMap;

use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, object};

use crate::check::finding::{Findings, Violation};
use crate::check::invariant::{Capability, Definition, Invariant};
use crate::check::observe::Scene;
use crate::check::pods::pod_changes;
use crate::check::within::Overdue;
use crate::history::{Body, Event, HostFact};
use crate::suite::vocabulary::{Entry, Param, ParamKind};

/// Its place in the catalogue.
pub const DEFINITION: Definition = Definition {
    entry: Entry {
        name: "no-zombie-containers",
        doc: "Nothing runs on a host whose pod is gone from the API.",
        params: &[
            Param::new("within", ParamKind::Duration, "How long it may go on.").default("60s")
        ],
    },
    doc: "A container whose pod is not in the API (by uid), or has ended there, does not run for \
          longer than `within`. Hosts on which a fault is in force are set aside: the time starts \
          when the fault is healed. The 60 seconds are the default grace period of 30 s, and room for \
          the kubelet to list its pods anew and for its housekeeping (every 2 s, kubelet v1.36); a pod \
          with a longer grace period of its own may take so much longer.",
    needs: &[Capability::Host],
    make: |args| {
        let within = args.duration("within").unwrap_or(60_000);
        Box::new(NoZombies { zombies: Overdue::new(within), patience: BTreeMap::new() })
    },
};

struct NoZombies {
    zombies: Overdue<Text>,
    /// By uid of a pod that is gone: by how much its grace period is longer than the default.
    patience: BTreeMap<Text, Millis>,
}

/// The grace period of pods that say nothing of it (kube-apiserver v1.36, defaults of `v1`).
const GRACE: Millis = 30_000;

fn has_ended(pod: Option<&Tree>) -> bool {
    pod.is_none_or(object::is_terminal)
}

impl NoZombies {
    /// Notes the grace period of a pod that is about to go.
    fn be_patient(&mut self, pod: &Tree) {
        let seconds = pod["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(0);
        let grace = u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000);
        if grace > GRACE {
            self.patience.insert(Text::new(object::uid(pod)), grace - GRACE);
        }
    }

    fn tell(&mut self, now: u64, scene: &Scene<'_>, findings: &mut Findings) {
        for late in self.zombies.late(now) {
            let what = Violation {
                object: format!("container {}", late.what),
                value: format!("ran for {} s", late.age / 1000),
                limit: format!("{} s", late.within / 1000),
                message: format!("{} runs although its pod is gone from the API", late.key),
                evidence: vec![late.since_n],
                ..Violation::default()
            };
            findings.fail(scene, what);
        }
    }
}

impl Invariant for NoZombies {
    fn event(&mut self, event: &Event, scene: &Scene<'_>, findings: &mut Findings) {
        self.tell(event.t, scene, findings);
        let is_wanted = |uid: &str| {
            let pod = scene.view.objects.by_uid(uid);
            pod.is_some_and(|(_, _, pod)| !object::is_terminal(pod))
        };
        let matters = match &event.body {
            Body::Host(host) => match &host.fact {
                HostFact::ContainerStarted(container) => !is_wanted(&container.pod_uid),
                HostFact::ContainerExited { .. } => !self.zombies.is_empty(),
                HostFact::PoweredOff
                | HostFact::PoweredOn
                | HostFact::Frozen
                | HostFact::Thawed => true,
                HostFact::ContainerStuck { .. }
                | HostFact::SandboxStarted { .. }
                | HostFact::SandboxStopped { .. }
                | HostFact::ImagePulled { .. }
                | HostFact::ImageFailed { .. }
                | HostFact::RuntimeStopped
                | HostFact::RuntimeStarted
                | HostFact::PacketsLost { .. } => false,
            },
            Body::Fault(_) => true,
            _ => {
                let mut matters = false;
                for change in pod_changes(event) {
                    let (before, after) = (change.before.as_ref(), change.after.as_ref());
                    if has_ended(before) != has_ended(after) {
                        matters = true;
                        before.into_iter().for_each(|pod| self.be_patient(pod));
                    }
                }
                matters
            }
        };
        if !matters {
            return;
        }
        let (mut wrong, mut more) = (BTreeMap::new(), BTreeMap::new());
        for running in scene.view.hosts.running() {
            let container = &running.container;
            let set_aside = scene.view.node_fault(&running.node).is_some()
                || scene.view.hosts.is_down(&running.node);
            if !set_aside && !is_wanted(&container.pod_uid) {
                let what =
                    format!("{} of pod {} on {}", container.name, container.pod, running.node);
                wrong.insert(container.container_id.clone(), what);
                let patience = self.patience.get(&container.pod_uid);
                more.insert(container.container_id.clone(), patience.copied().unwrap_or(0));
            }
        }
        self.zombies.set_with(event.n, event.t, wrong, |id| more.get(id).copied().unwrap_or(0));
    }

    fn finish(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        self.tell(scene.view.now, scene, findings);
    }
}
