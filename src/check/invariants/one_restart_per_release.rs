//! `one-restart-per-release`: an in-place release restarts each container that it changes once.

use std::collections::BTreeMap;

use kubesim_model::Text;

use crate::check::finding::{Findings, Violation};
use crate::check::invariant::{Capability, Definition, Invariant};
use crate::check::observe::Scene;
use crate::check::release::Releases;
use crate::check::verdict::Blame;
use crate::history::{Body, ContainerFact, Event, HostFact};
use crate::suite::vocabulary::Entry;

/// Its place in the catalogue.
pub const DEFINITION: Definition = Definition {
    entry: Entry {
        name: "one-restart-per-release",
        doc: "An in-place release restarts each container that it changes once.",
        params: &[],
    },
    doc: "By host truth, in a pod that lives when an in-place release begins, a container whose wanted \
          image changes starts with the new image once. Further starts are exempt if the one before \
          ended by itself (an exit code other than 143, 137 and 0), or after a \
          fault or a failed probe of the pod. A second release counts anew.",
    needs: &[Capability::Host],
    make: |_| Box::new(OneRestart::default()),
};

#[derive(Default)]
struct OneRestart {
    releases: Releases,
    /// By pod and container: the release, and the event of the start that counts.
    started: BTreeMap<(Text, Text), (u64, u64)>,
}

impl Invariant for OneRestart {
    fn event(&mut self, event: &Event, scene: &Scene<'_>, findings: &mut Findings) {
        if let Err(error) = self.releases.event(event, scene) {
            findings.undecided(Blame::Suite, error.to_string());
        }
        let Body::Host(host) = &event.body else { return };
        match &host.fact {
            HostFact::ContainerStarted(container) => {
                self.start(event, container, &host.node, scene, findings);
            }
            HostFact::ContainerExited { container, exit_code, reason } => {
                let is_own = !self.releases.is_stop(&container.name, *exit_code, reason);
                if is_own || self.is_excused(container, &host.node, scene) {
                    self.started.remove(&target(container));
                }
            }
            _ => {}
        }
    }
}

fn target(container: &ContainerFact) -> (Text, Text) {
    (container.pod_uid.clone(), container.name.clone())
}

impl OneRestart {
    fn is_excused(&self, container: &ContainerFact, node: &str, scene: &Scene<'_>) -> bool {
        self.releases.is_excused(&container.pod_uid, &container.pod)
            || scene.view.node_fault(node).is_some()
            || scene.view.hosts.is_down(node)
    }

    fn start(
        &mut self,
        event: &Event,
        container: &ContainerFact,
        node: &str,
        scene: &Scene<'_>,
        findings: &mut Findings,
    ) {
        let Some(release) = self.releases.living(&container.pod_uid) else { return };
        if release.changed.get(&container.name) != Some(&container.image)
            || self.is_excused(container, node, scene)
        {
            return;
        }
        let n = release.n;
        let before = self.started.insert(target(container), (n, event.n));
        let Some((_, first)) = before.filter(|(release, _)| *release == n) else { return };
        let what = Violation {
            object: format!("container {} of pod {} on {node}", container.name, container.pod),
            value: "2 starts".into(),
            limit: "1 start".into(),
            message: "a release restarted a container again".into(),
            evidence: vec![n, first],
            ..Violation::default()
        };
        findings.fail(scene, what);
    }
}
