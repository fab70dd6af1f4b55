//! `bystander-containers-untouched`: a release restarts no container but those it changes.

use kubesim_model::object;

use crate::check::finding::{Findings, Violation};
use crate::check::invariant::{Capability, Definition, Invariant};
use crate::check::observe::Scene;
use crate::check::release::Releases;
use crate::check::verdict::Blame;
use crate::history::{Body, Event, HostFact};
use crate::suite::vocabulary::Entry;

/// Its place in the catalogue.
pub const DEFINITION: Definition = Definition {
    entry: Entry {
        name: "bystander-containers-untouched",
        doc: "A release restarts no container but those whose image it changes.",
        params: &[],
    },
    doc: "By host truth, in a pod that lives when an in-place release begins, a container whose wanted \
          image does not change is not stopped before the pod has lived through the release. \
          Stopped means: ended with 143, 137 or 0, as on SIGTERM and SIGKILL, or in a pod that the \
          subject took away without a reason. Containers that end by themselves, or after a fault or \
          a failed probe of their pod, are exempt.",
    needs: &[Capability::Actors, Capability::Host],
    make: |_| Box::new(Bystanders::default()),
};

#[derive(Default)]
struct Bystanders(Releases);

impl Invariant for Bystanders {
    fn event(&mut self, event: &Event, scene: &Scene<'_>, findings: &mut Findings) {
        if let Err(error) = self.0.event(event, scene) {
            findings.undecided(Blame::Suite, error.to_string());
        }
        let Body::Host(host) = &event.body else { return };
        let HostFact::ContainerExited { container, exit_code, reason } = &host.fact else {
            return;
        };
        let uid = &container.pod_uid;
        let Some(release) = self.0.living(uid) else { return };
        let is_excused = self.0.is_excused(uid, &container.pod)
            || scene.view.node_fault(&host.node).is_some()
            || scene.view.hosts.is_down(&host.node);
        if is_excused || release.changed.contains_key(&container.name) {
            return;
        }
        let pod = scene.view.objects.by_uid(uid).map(|(_, _, pod)| pod);
        let lives = pod.is_some_and(object::is_active);
        let was_stopped = lives
            && release.kept.contains(uid)
            && self.0.is_stop(&container.name, *exit_code, reason);
        let taken = self.0.taken_at(uid);
        if !was_stopped && taken.is_none() {
            return;
        }
        let how = if taken.is_some() { "its pod was taken away" } else { "it was stopped" };
        let what = Violation {
            object: format!(
                "container {} of pod {} on {}",
                container.name, container.pod, host.node
            ),
            value: format!("ended with {exit_code}"),
            limit: "keeps running".into(),
            message: format!("a release that does not change this container ended it: {how}"),
            evidence: [Some(release.n), taken].into_iter().flatten().collect(),
            ..Violation::default()
        };
        findings.fail(scene, what);
    }
}
