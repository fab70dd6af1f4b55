//! Writing the slices of a Service: few writes, full slices, and never on top of a stale cache.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::actor::{Actor, WatchSpec};
use kubesim_model::cache::{Cache, Change};
use kubesim_model::controller::{Controller, Reconcile, Verdict, Work};
use kubesim_model::request::{Answer, Request, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, map, object};

use super::endpoints::{self, Bugs, Group, Known};

/// Planted bugs: name, and what it does wrong.
pub const BUGS: &[(&str, &str)] = &[
    ("keeps-not-ready-endpoints", "pods that are not ready are shown as ready"),
    ("forgets-terminating", "terminating pods are shown as if they stayed"),
];

const SLICES: Resource = Resource::ENDPOINT_SLICES;
/// `--max-endpoints-per-slice`.
const MOST_PER_SLICE: usize = 100;
const SERVICE_NAME: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const SELF: &str = "endpointslice-controller.k8s.io";
const HEADLESS: &str = "service.kubernetes.io/headless";
/// After this long an own write that the watch did not tell of is no longer waited for.
const LONGEST_WAIT: Millis = 300_000;

/// The EndpointSlice controller, with a planted bug if one of [`BUGS`] is named.
pub fn actor(bug: Option<&str>) -> Box<dyn Actor> {
    Box::new(Controller::new(EndpointSlices {
        bugs: Bugs {
            keeps_not_ready: bug == Some("keeps-not-ready-endpoints"),
            forgets_terminating: bug == Some("forgets-terminating"),
        },
        awaited: BTreeMap::new(),
        known: BTreeMap::new(),
    }))
}

#[derive(Clone)]
struct EndpointSlices {
    bugs: Bugs,
    /// Own writes that the watch has not told of: slice, by service, with version and deadline.
    awaited: BTreeMap<ObjectKey, BTreeMap<Text, Awaited>>,
    /// What was worked out for each Service.
    known: BTreeMap<ObjectKey, Known>,
}

#[derive(Clone)]
struct Awaited {
    version: u64,
    until: Millis,
}

impl Reconcile for EndpointSlices {
    fn watches(&self) -> Vec<WatchSpec> {
        [Resource::SERVICES, Resource::PODS, SLICES, Resource::NODES].map(WatchSpec::all).into()
    }

    fn changed(&mut self, change: &Change, cache: &Cache, enqueue: &mut dyn FnMut(ObjectKey)) {
        let states = || [&change.old, &change.new].into_iter().flatten();
        if change.resource == Resource::SERVICES {
            states().take(1).for_each(|service| enqueue(object::key(service)));
        } else if change.resource == Resource::PODS {
            let same = matches!((&change.old, &change.new),
                (Some(old), Some(new)) if serves_alike(old, new));
            for pod in states().filter(|_| !same) {
                const SERVICES: Resource = Resource::SERVICES;
                for service in cache.in_namespace(&SERVICES, object::namespace(pod)) {
                    if endpoints::selects(service, pod) {
                        enqueue(object::key(service));
                    }
                }
            }
        } else if change.resource == Resource::NODES {
            if endpoints::zone(change.old.as_ref()) != endpoints::zone(change.new.as_ref()) {
                self.known.clear();
            }
        } else if change.resource == SLICES
            && let Some(service) = states().find_map(service_of)
        {
            self.heard(&service, change);
            enqueue(service);
        }
    }

    fn reconcile(&mut self, key: &ObjectKey, work: &mut Work<'_, '_>) {
        let now = work.now();
        if let Some(awaited) = self.awaited.get_mut(key) {
            awaited.retain(|_, awaited| awaited.until > now);
            if let Some(until) = awaited.values().map(|awaited| awaited.until).min() {
                // The slice's own event brings the service back; this is for lost ones.
                return work.again_after(until - now);
            }
            self.awaited.remove(key);
        }
        let Some(service) = work.cache.get(&Resource::SERVICES, key).cloned() else {
            self.known.remove(key);
            return;
        };
        if object::is_terminating(&service) || !endpoints::is_served(&service) {
            return;
        }
        let known = self.known.entry(key.clone()).or_default();
        let mut wanted = endpoints::wanted(&service, work.cache, self.bugs, known);
        let existing = work.cache.in_namespace(&SLICES, &key.namespace);
        let own = |slice: &&Tree| {
            service_of(slice).as_ref() == Some(key) && !object::is_terminating(slice)
        };
        let existing: Vec<Tree> = existing.filter(own).cloned().collect();
        if wanted.is_empty() {
            let none = Group { ports: kubesim_model::list![], endpoints: BTreeMap::new() };
            wanted.insert(Text::default(), none);
        }
        let mut kept = BTreeSet::new();
        for group in wanted.into_values() {
            // A slice without ports has no list of them.
            let of_group = |slice: &&Tree| slice["ports"].items() == group.ports.items();
            let slices: Vec<&Tree> = existing.iter().filter(of_group).collect();
            kept.extend(write_group(&service, group, &slices, work));
        }
        for slice in existing.iter().filter(|slice| !kept.contains(object::name(slice))) {
            let request = Request::delete(SLICES, object::key(slice));
            work.request(request.with_uid(object::uid(slice)));
        }
    }

    fn answered(
        &mut self,
        key: &ObjectKey,
        request: &Request,
        answer: &Answer,
        work: &mut Work<'_, '_>,
    ) -> Verdict {
        match answer {
            Ok(slice) if matches!(request.verb, Verb::Create | Verb::Update) => {
                let name = slice["metadata"]["name"].text();
                let version = object::resource_version(slice);
                let slice_key = object::key(slice);
                let known = work.cache.get(&SLICES, &slice_key).map_or(0, object::resource_version);
                if known < version {
                    let until = work.now() + LONGEST_WAIT;
                    let awaited = self.awaited.entry(key.clone()).or_default();
                    awaited.insert(name, Awaited { version, until });
                }
                Verdict::Fine
            }
            Ok(_) => Verdict::Fine,
            Err(status) if request.verb == Verb::Delete && status.is_not_found() => Verdict::Fine,
            Err(_) => Verdict::Retry,
        }
    }
}

impl EndpointSlices {
    /// The watch told of a slice: an own write up to this version is no longer awaited.
    fn heard(&mut self, service: &ObjectKey, change: &Change) {
        let Some(awaited) = self.awaited.get_mut(service) else { return };
        let Some(slice) = change.new.as_ref().or(change.old.as_ref()) else { return };
        let version = object::resource_version(slice);
        let name = object::name(slice);
        let is_heard = awaited.get(name).is_some_and(|a| a.version <= version);
        if change.new.is_none() || is_heard {
            awaited.remove(name);
        }
    }
}

/// Brings the slices of one set of ports to their state with few writes; answers which stay.
fn write_group(
    service: &Tree,
    mut group: Group,
    slices: &[&Tree],
    work: &mut Work<'_, '_>,
) -> Vec<Text> {
    let mut contents: Vec<(&Tree, Vec<Tree>)> = Vec::new();
    for slice in slices {
        let mut kept = Vec::new();
        for endpoint in slice["endpoints"].items() {
            kept.extend(group.endpoints.remove(endpoint["addresses"][0].str()));
        }
        contents.push((slice, kept));
    }
    let mut rest: Vec<Tree> = group.endpoints.into_values().collect();
    let has_changed = |(slice, kept): &(&Tree, Vec<Tree>)| slice["endpoints"].items() != &kept[..];
    // New endpoints go where a write is due anyway, and fill the fullest slices first.
    contents.sort_by_key(|content| (!has_changed(content), std::cmp::Reverse(content.1.len())));
    for (_, kept) in &mut contents {
        let room = MOST_PER_SLICE.saturating_sub(kept.len()).min(rest.len());
        kept.extend(rest.drain(..room));
    }
    let is_needed = |(at, content): &(usize, (&Tree, Vec<Tree>))| {
        !content.1.is_empty() || (*at == 0 && slices.len() == 1)
    };
    let mut stays = Vec::new();
    for (_, (slice, kept)) in contents.into_iter().enumerate().filter(is_needed) {
        stays.push(slice["metadata"]["name"].text());
        let mut new = slice.clone();
        new.set(&["endpoints"], kept);
        set_labels(&mut new, service);
        if new != *slice {
            work.request(Request::update(SLICES, new));
        }
    }
    let needs_placeholder = rest.is_empty() && stays.is_empty();
    let mut new: Vec<Vec<Tree>> = rest.chunks(MOST_PER_SLICE).map(<[Tree]>::to_vec).collect();
    if needs_placeholder {
        new.push(Vec::new());
    }
    for endpoints in new {
        work.request(Request::create(SLICES, slice(service, &group.ports, endpoints)));
    }
    stays
}

fn slice(service: &Tree, ports: &Tree, endpoints: Vec<Tree>) -> Tree {
    let mut slice = map! {
        "apiVersion" => "discovery.k8s.io/v1", "kind" => "EndpointSlice",
        "metadata" => map! {
            "generateName" => format!("{}-", object::name(service)),
            "namespace" => object::namespace(service),
            "ownerReferences" => kubesim_model::list![owner(service)],
        },
        "addressType" => "IPv4", "ports" => ports, "endpoints" => endpoints,
    };
    set_labels(&mut slice, service);
    slice
}

/// Lists in the API carry no kinds in their items, so it is stated here.
fn owner(service: &Tree) -> Tree {
    let mut owner = object::controller_reference(service);
    owner.set(&["apiVersion"], "v1");
    owner.set(&["kind"], "Service");
    owner
}

/// The Service's labels, and those by which slices are found.
fn set_labels(slice: &mut Tree, service: &Tree) {
    let mut labels = service["metadata"]["labels"].clone();
    labels.set(&[SERVICE_NAME], object::name(service));
    labels.set(&[MANAGED_BY], SELF);
    if service["spec"]["clusterIP"] == "None" {
        labels.set(&[HEADLESS], "");
    }
    slice.set(&["metadata", "labels"], labels);
}

fn service_of(slice: &Tree) -> Option<ObjectKey> {
    let name = &slice["metadata"]["labels"][SERVICE_NAME];
    (object::label(slice, MANAGED_BY) == SELF && !name.is_null())
        .then(|| ObjectKey::new(slice["metadata"]["namespace"].text(), name.text()))
}

/// Whether two states of a pod make the same endpoint.
fn serves_alike(old: &Tree, new: &Tree) -> bool {
    let facts = |pod: &Tree| {
        let metadata = &pod["metadata"];
        let of_metadata = (metadata["labels"].clone(), metadata["uid"].clone());
        let life = (object::is_ready(pod), object::is_terminating(pod), object::is_terminal(pod));
        (of_metadata, pod["status"]["podIP"].clone(), pod["spec"]["nodeName"].clone(), life)
    };
    facts(old) == facts(new)
}
