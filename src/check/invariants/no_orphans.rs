//! `no-orphans`: no pod stays that nothing wants.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::resource::ObjectKey;
use kubesim_model::{Text, object};

use crate::check::finding::{Findings, Violation};
use crate::check::invariant::{Capability, Definition, Invariant};
use crate::check::observe::{ObserveError, Scene};
use crate::check::pods::pod_changes;
use crate::check::verdict::Blame;
use crate::check::within::Overdue;
use crate::history::{Body, Event};
use crate::suite::vocabulary::{Entry, Param, ParamKind};
use kubesim_model::resource::Resource;

/// Its place in the catalogue.
pub const DEFINITION: Definition = Definition {
    entry: Entry {
        name: "no-orphans",
        doc: "No pod stays whose owner is gone, or that its maker no longer wants.",
        params: &[Param::new("within", ParamKind::Duration, "How long it may stay.").default("2m")],
    },
    doc: "A pod that neither ended nor terminates does not stay for longer than `within` after its \
          controlling owner is gone from the API, or after no workload of the subject owns it any \
          more that the subject made. The two minutes leave room for the garbage collector and for \
          pod garbage collection (every 20 s, 40 s of quarantine; kube-controller-manager v1.36). \
          Pods on nodes with a fault in force are set aside until it is healed.",
    needs: &[Capability::Actors],
    make: |args| {
        let within = args.duration("within").unwrap_or(120_000);
        let (made, gone) = (BTreeSet::new(), BTreeSet::new());
        Box::new(NoOrphans { orphans: Overdue::new(within), made, gone })
    },
};

struct NoOrphans {
    orphans: Overdue<ObjectKey>,
    /// The uids of the pods that the subject made.
    made: BTreeSet<Text>,
    /// The uids of the objects that were removed. Of an owner that was never seen, as where a
    /// recording leaves kinds out, nothing can be said.
    gone: BTreeSet<Text>,
}

impl NoOrphans {
    fn tell(&mut self, now: u64, scene: &Scene<'_>, findings: &mut Findings) {
        for late in self.orphans.late(now) {
            let what = Violation {
                object: format!("pods {}", late.key),
                value: format!("stayed for {} s", late.age / 1000),
                limit: format!("{} s", late.within / 1000),
                message: late.what,
                evidence: vec![late.since_n],
                ..Violation::default()
            };
            findings.fail(scene, what);
        }
    }

    fn wrong(&self, scene: &Scene<'_>) -> Result<BTreeMap<ObjectKey, String>, ObserveError> {
        let mut wrong = BTreeMap::new();
        for (key, pod) in scene.view.objects.all(&Resource::PODS) {
            let node = pod["spec"]["nodeName"].str();
            if !object::is_active(pod) || scene.view.node_fault(node).is_some() {
                continue;
            }
            let owner = object::controller_uid(pod);
            if !owner.is_empty() {
                if self.gone.contains(owner) {
                    wrong.insert(key.clone(), "its owner is gone".to_owned());
                }
            } else if self.made.contains(object::uid(pod)) && scene.workload_of(pod)?.is_none() {
                wrong.insert(key.clone(), "the subject made it and no longer wants it".to_owned());
            }
        }
        Ok(wrong)
    }
}

impl Invariant for NoOrphans {
    fn event(&mut self, event: &Event, scene: &Scene<'_>, findings: &mut Findings) {
        self.tell(event.t, scene, findings);
        if let Body::Request(request) = &event.body
            && scene.is_subject(&request.actor)
        {
            let created = pod_changes(event).filter(|change| change.before.is_none());
            let uids = created.filter_map(|change| change.after.as_ref()).map(object::uid);
            self.made.extend(uids.map(Text::new));
        }
        if let Body::Request(request) = &event.body {
            let removed = request.changes.iter().filter(|change| change.after.is_none());
            let uids = removed.filter_map(|change| change.before.as_ref()).map(object::uid);
            self.gone.extend(uids.map(Text::new));
        }
        let matters = match &event.body {
            Body::Fault(_) => true,
            Body::Request(request) => request.changes.iter().any(|change| {
                let (before, after) = (&change.before, &change.after);
                before.is_none()
                    || after.is_none()
                    || change.resource == *scene.subject.resource()
                    || (change.resource == Resource::PODS
                        && before.as_ref().map(object::is_active)
                            != after.as_ref().map(object::is_active))
            }),
            _ => false,
        };
        if !matters {
            return;
        }
        match self.wrong(scene) {
            Ok(wrong) => self.orphans.set(event.n, event.t, wrong),
            Err(error) => findings.undecided(Blame::Suite, error.to_string()),
        }
    }

    fn finish(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        self.tell(scene.view.now, scene, findings);
    }
}
