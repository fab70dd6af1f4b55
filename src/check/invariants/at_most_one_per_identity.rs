//! `at-most-one-per-identity`: no two pods of one name run at the same time.

use std::collections::BTreeMap;

use kubesim_model::Text;
use kubesim_model::object;

use crate::check::finding::{Findings, Violation};
use crate::check::invariant::{Capability, Definition, Invariant};
use crate::check::observe::Scene;
use crate::check::pods::pod_changes;
use crate::history::{Body, Event, HostFact};
use crate::suite::vocabulary::Entry;

/// Its place in the catalogue.
pub const DEFINITION: Definition = Definition {
    entry: Entry {
        name: "at-most-one-per-identity",
        doc: "No two pods of one name run at the same time, on any hosts.",
        params: &[],
    },
    doc: "A container starts only if no container of the same name, of an earlier pod with the same \
          name, still runs anywhere, frozen and unreachable hosts included. What matters is who took \
          the earlier pod out of the API while it still ran: the subject or a kubelet may not. \
          Someone else who deletes a pod by force does it on his own account.",
    needs: &[Capability::Actors, Capability::Host],
    make: |_| Box::new(AtMostOne::default()),
};

#[derive(Default)]
struct AtMostOne {
    /// By uid of the pod: who removed it from the API, and when.
    removed: BTreeMap<Text, (Text, u64)>,
}

impl Invariant for AtMostOne {
    fn event(&mut self, event: &Event, scene: &Scene<'_>, findings: &mut Findings) {
        if let Body::Request(request) = &event.body {
            for change in pod_changes(event).filter(|change| change.after.is_none()) {
                let uid = Text::new(change.before.as_ref().map(object::uid).unwrap_or_default());
                self.removed.insert(uid, (request.actor.clone(), event.n));
            }
        }
        let Body::Host(host) = &event.body else { return };
        let HostFact::ContainerStarted(new) = &host.fact else { return };
        let others = scene.view.hosts.running().filter(|running| {
            let old = &running.container;
            old.pod == new.pod && old.name == new.name && old.pod_uid != new.pod_uid
        });
        for old in others {
            let Some((actor, n)) = self.removed.get(&old.container.pod_uid) else { continue };
            let is_kubelet =
                scene.view.actors.get(actor).is_some_and(|actor| !actor.node.is_empty());
            if !is_kubelet && !scene.is_subject(actor) {
                continue;
            }
            let what = Violation {
                object: format!("container {} of pod {} on {}", new.name, new.pod, host.node),
                actor: actor.clone(),
                value: "2 running".into(),
                limit: "1 running".into(),
                message: format!(
                    "the earlier pod {} still runs on {}; {actor} had removed it from the API",
                    old.container.pod_uid, old.node
                ),
                evidence: vec![*n],
                ..Violation::default()
            };
            findings.fail(scene, what);
        }
    }
}
