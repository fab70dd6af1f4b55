//! `in-place-identity-kept`: an in-place release keeps its pods.

use kubesim_model::object;

use crate::check::finding::{Findings, Violation};
use crate::check::invariant::{Capability, Definition, Invariant};
use crate::check::observe::Scene;
use crate::check::pods::pod_changes;
use crate::check::release::Releases;
use crate::check::verdict::Blame;
use crate::history::{Body, Event, HostFact};
use crate::suite::vocabulary::Entry;

/// Its place in the catalogue.
pub const DEFINITION: Definition = Definition {
    entry: Entry {
        name: "in-place-identity-kept",
        doc: "An in-place release keeps its pods: uid, address, node, sandbox, volumes.",
        params: &[],
    },
    doc: "Pods that live when a release begins, which the subject calls in-place-able, are kept until \
          they run the wanted images: the subject deletes none of them, unless scale-in, a wish for \
          just that pod or its failure explains it; and their address, node, sandbox and volumes \
          stay, unless a fault was upon the pod or its node. Failed probes count as failure.",
    needs: &[Capability::Actors],
    make: |_| Box::new(IdentityKept::default()),
};

#[derive(Default)]
struct IdentityKept(Releases);

impl Invariant for IdentityKept {
    fn event(&mut self, event: &Event, scene: &Scene<'_>, findings: &mut Findings) {
        self.changed(event, scene, findings);
        self.sandbox(event, scene, findings);
        let actor = match &event.body {
            Body::Request(request) => request.actor.clone(),
            _ => Default::default(),
        };
        match self.0.event(event, scene) {
            Err(error) => findings.undecided(Blame::Suite, error.to_string()),
            Ok(taken) => {
                for taken in taken {
                    let what = Violation {
                        object: format!("pods {}", taken.change.key),
                        rv: taken.change.rv,
                        actor: actor.clone(),
                        value: "deleted".into(),
                        limit: "updated in place".into(),
                        message: format!("{actor} deleted a pod that an in-place release keeps"),
                        evidence: vec![taken.release],
                    };
                    findings.fail(scene, what);
                }
            }
        }
    }
}

impl IdentityKept {
    /// A kept pod with another address, node or volumes.
    fn changed(&self, event: &Event, scene: &Scene<'_>, findings: &mut Findings) {
        for change in pod_changes(event) {
            let (Some(before), Some(after)) = (&change.before, &change.after) else { continue };
            let uid = object::uid(after);
            let Some(release) = self.0.keeping(uid) else { continue };
            let excused = self.0.is_excused(uid, &change.key) || !object::is_active(after);
            let paths: [(&str, &[&str]); 3] = [
                ("address", &["status", "podIP"]),
                ("node", &["spec", "nodeName"]),
                ("volumes", &["spec", "volumes"]),
            ];
            for (what, path) in paths.into_iter().filter(|_| !excused) {
                let (old, new) = (before.at(path), after.at(path));
                if old.is_null() || new.is_null() || old == new || *old == "" || *new == "" {
                    continue;
                }
                let what = Violation {
                    object: format!("pods {}", change.key),
                    rv: change.rv,
                    value: new.to_string(),
                    limit: old.to_string(),
                    message: format!("the {what} of a pod changed in an in-place release"),
                    evidence: vec![release.n],
                    ..Violation::default()
                };
                findings.fail(scene, what);
            }
        }
    }

    /// A kept pod whose sandbox ended.
    fn sandbox(&self, event: &Event, scene: &Scene<'_>, findings: &mut Findings) {
        let Body::Host(host) = &event.body else { return };
        let HostFact::SandboxStopped { pod_uid, pod } = &host.fact else { return };
        let Some(release) = self.0.keeping(pod_uid) else { return };
        let lives = scene.view.objects.by_uid(pod_uid);
        let lives = lives.is_some_and(|(_, _, pod)| object::is_active(pod));
        if !lives
            || self.0.is_excused(pod_uid, pod)
            || scene.view.node_fault(&host.node).is_some()
            || scene.view.hosts.is_down(&host.node)
        {
            return;
        }
        let what = Violation {
            object: format!("pods {pod}"),
            value: "stopped".into(),
            limit: "kept".into(),
            message: "the sandbox of a pod ended in an in-place release".into(),
            evidence: vec![release.n],
            ..Violation::default()
        };
        findings.fail(scene, what);
    }
}
