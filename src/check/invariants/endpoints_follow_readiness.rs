//! `endpoints-follow-readiness`: a Service's endpoints are its ready pods.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::selector::selects;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, map, object};

use crate::check::finding::{Findings, Violation};
use crate::check::invariant::{Definition, Invariant};
use crate::check::observe::Scene;
use crate::check::verdict::Blame;
use crate::check::within::Overdue;
use crate::history::{Body, Event};
use crate::suite::vocabulary::{Entry, Param, ParamKind};

/// Its place in the catalogue.
pub const DEFINITION: Definition = Definition {
    entry: Entry {
        name: "endpoints-follow-readiness",
        doc: "A Service's ready endpoints are its ready pods.",
        params: &[
            Param::new("within", ParamKind::Duration, "How long they may differ.").default("10s")
        ],
    },
    doc: "For every Service with a selector, the endpoints that its EndpointSlices call ready are \
          the selected pods that are ready, have an address and do not terminate (all that have an \
          address with `publishNotReadyAddresses`), but for at most `within`. While the actor that \
          writes the slices is down or has a fault upon it, nothing is asked of it. The ten seconds \
          leave room for the second that the controller waits after a change \
          (kube-controller-manager v1.36, `pkg/controller/endpointslice`) and for retries.",
    needs: &[],
    make: |args| {
        let within = args.duration("within").unwrap_or(10_000);
        Box::new(EndpointsFollow { wrong: Overdue::new(within), writer: Text::default() })
    },
};

struct EndpointsFollow {
    wrong: Overdue<(ObjectKey, Text)>,
    writer: Text,
}

impl EndpointsFollow {
    fn tell(&mut self, now: u64, scene: &Scene<'_>, findings: &mut Findings) {
        for late in self.wrong.late(now) {
            let (service, pod) = late.key;
            let what = Violation {
                object: format!("services {service}"),
                actor: self.writer.clone(),
                value: format!("{} s", late.age / 1000),
                limit: format!("{} s", late.within / 1000),
                message: format!("pod {pod} {}", late.what),
                evidence: vec![late.since_n],
                ..Violation::default()
            };
            findings.fail(scene, what);
        }
    }
}

impl Invariant for EndpointsFollow {
    fn event(&mut self, event: &Event, scene: &Scene<'_>, findings: &mut Findings) {
        self.tell(event.t, scene, findings);
        let matters = match &event.body {
            Body::Fault(_) | Body::Actor(_) => true,
            Body::Request(request) => {
                let slices = &Resource::ENDPOINT_SLICES;
                let written = request.changes.iter().any(|change| change.resource == *slices);
                if written && !request.changes.iter().all(|change| change.after.is_none()) {
                    self.writer = request.actor.clone();
                }
                let read = [Resource::PODS, Resource::SERVICES, Resource::ENDPOINT_SLICES];
                request.changes.iter().any(|change| read.contains(&change.resource))
            }
            _ => false,
        };
        if !matters {
            return;
        }
        let view = scene.view;
        let hindered = !view.is_alive(&self.writer) || view.actor_fault(&self.writer).is_some();
        let wrong = if hindered { BTreeMap::new() } else { wrong(scene) };
        self.wrong.set(event.n, event.t, wrong);
    }

    fn finish(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        if self.writer.is_empty() && services(scene).next().is_some() {
            let text = "there is a Service, but nobody writes EndpointSlices";
            return findings.undecided(Blame::Environment, text);
        }
        self.tell(scene.view.now, scene, findings);
    }
}

fn services<'a>(scene: &Scene<'a>) -> impl Iterator<Item = (&'a ObjectKey, &'a Tree)> {
    let all = scene.view.objects.all(&Resource::SERVICES);
    all.filter(|(_, service)| service["spec"]["selector"].as_map().is_some_and(|s| !s.is_empty()))
}

fn wrong(scene: &Scene<'_>) -> BTreeMap<(ObjectKey, Text), String> {
    let mut wrong = BTreeMap::new();
    for (key, service) in services(scene) {
        let told = told(key, scene);
        let ready = ready(key, service, scene);
        for pod in ready.difference(&told) {
            let what = "is ready but is no ready endpoint".to_owned();
            wrong.insert((key.clone(), pod.clone()), what);
        }
        for pod in told.difference(&ready) {
            let what = "is a ready endpoint but is not ready".to_owned();
            wrong.insert((key.clone(), pod.clone()), what);
        }
    }
    wrong
}

/// The pods that the slices of a Service call ready.
fn told(service: &ObjectKey, scene: &Scene<'_>) -> BTreeSet<Text> {
    let slices = scene.view.objects.all(&Resource::ENDPOINT_SLICES).filter(|(key, slice)| {
        key.namespace == service.namespace
            && object::label(slice, "kubernetes.io/service-name") == service.name
    });
    let endpoints = slices.flat_map(|(_, slice)| slice["endpoints"].items());
    endpoints
        .filter(|endpoint| endpoint["conditions"]["ready"].as_bool() != Some(false))
        .map(|endpoint| endpoint["targetRef"]["name"].text())
        .collect()
}

/// The pods that should be ready endpoints of a Service.
fn ready(key: &ObjectKey, service: &Tree, scene: &Scene<'_>) -> BTreeSet<Text> {
    let spec = &service["spec"];
    let selector = map! { "matchLabels" => &spec["selector"] };
    let publish_all = spec["publishNotReadyAddresses"].is_true();
    let pods = scene.view.objects.all(&Resource::PODS).filter(|(pod_key, pod)| {
        pod_key.namespace == key.namespace
            && selects(&selector, &pod["metadata"]["labels"])
            && !pod["status"]["podIP"].str().is_empty()
            && !object::is_terminal(pod)
            && (publish_all || (object::is_ready(pod) && !object::is_terminating(pod)))
    });
    pods.map(|(key, _)| key.name.clone()).collect()
}
