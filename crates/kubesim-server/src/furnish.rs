//! What a cluster has before anybody asks for it: the Service of the API itself, and in every
//! namespace a ServiceAccount and the certificate by which the API is known.

use std::net::SocketAddr;

use kubesim::world::{ActorSpec, Staff, World};
use kubesim_model::actor::WatchSpec;
use kubesim_model::cache::{Cache, Change};
use kubesim_model::controller::{Controller, Reconcile, Verdict, Work};
use kubesim_model::request::{Answer, Request};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map, object};

/// Who makes the Service of the API (kube-apiserver v1.36).
pub(crate) const API_SERVER: &str = "system:apiserver";
/// The controllers of kube-controller-manager v1.36 that furnish namespaces.
pub(crate) const CONTROLLERS: [&str; 2] =
    ["root-ca-certificate-publisher-controller", "serviceaccount-controller"];

/// Keeps one object in every namespace that does not end.
#[derive(Clone)]
struct Keeper {
    resource: Resource,
    /// The object, but for its namespace.
    object: Tree,
}

/// Adds the controllers that furnish namespaces, as far as they belong to the staff.
pub(crate) fn add_controllers(world: &mut World, staff: &Staff, authority: &str) {
    let [publisher, accounts] = CONTROLLERS;
    let about = "The certificate of the authority that signed the certificate of the API server.";
    let certificate = map! {
        "apiVersion" => "v1", "kind" => "ConfigMap",
        "metadata" => map! {
            "name" => "kube-root-ca.crt",
            "annotations" => map! { "kubernetes.io/description" => about },
        },
        "data" => map! { "ca.crt" => authority },
    };
    let account = map! {
        "apiVersion" => "v1", "kind" => "ServiceAccount",
        "metadata" => map! { "name" => "default" },
    };
    let kept = [
        (publisher, Resource::CONFIG_MAPS, certificate),
        (accounts, Resource::SERVICE_ACCOUNTS, account),
    ];
    for (name, resource, object) in kept.into_iter().filter(|(name, ..)| staff.has(name)) {
        let keeper = Keeper { resource, object };
        world.add_actor(ActorSpec {
            user_agent: Text::new_static("kube-controller-manager/v1.36"),
            ..ActorSpec::new(name, move || Box::new(Controller::new(keeper.clone())))
        });
    }
}

impl Keeper {
    fn key_in(&self, namespace: &Text) -> ObjectKey {
        ObjectKey::new(namespace.clone(), object::name(&self.object))
    }
}

impl Reconcile for Keeper {
    fn watches(&self) -> Vec<WatchSpec> {
        let name = format!("metadata.name={}", object::name(&self.object));
        let own = WatchSpec::all(self.resource.clone()).with_fields(name);
        vec![WatchSpec::all(Resource::NAMESPACES), own]
    }

    fn changed(&mut self, change: &Change, _: &Cache, enqueue: &mut dyn FnMut(ObjectKey)) {
        let Some(found) = change.new.as_ref().or(change.old.as_ref()) else { return };
        let namespace = match change.resource == Resource::NAMESPACES {
            true => object::name(found),
            false => object::namespace(found),
        };
        enqueue(ObjectKey::new("", namespace));
    }

    fn reconcile(&mut self, key: &ObjectKey, work: &mut Work<'_, '_>) {
        let Some(namespace) = work.cache.get(&Resource::NAMESPACES, key) else { return };
        if object::is_terminating(namespace) {
            return;
        }
        let key = self.key_in(&key.name);
        match work.cache.get(&self.resource, &key) {
            None => {
                let mut made = self.object.clone();
                made.set(&["metadata", "namespace"], &key.namespace);
                work.request(Request::create(self.resource.clone(), made));
            }
            Some(have) if have["data"] != self.object["data"] => {
                let mut mended = have.clone();
                mended.set(&["data"], &self.object["data"]);
                work.request(Request::update(self.resource.clone(), mended));
            }
            Some(_) => {}
        }
    }

    fn answered(
        &mut self,
        _: &ObjectKey,
        _: &Request,
        answer: &Answer,
        _: &mut Work<'_, '_>,
    ) -> Verdict {
        match answer {
            Err(status) if !status.is_already_exists() && !status.is_not_found() => Verdict::Retry,
            _ => Verdict::Fine,
        }
    }
}

/// Makes the Service `kubernetes` and says where it leads.
pub(crate) fn add_service(world: &mut World, address: SocketAddr) {
    world.add_client(API_SERVER, API_SERVER, "kube-apiserver/v1.36");
    let port = i64::from(address.port());
    let ip = Text::from(address.ip().to_string());
    let metadata = map! {
        "name" => "kubernetes", "namespace" => "default",
        "labels" => map! { "component" => "apiserver", "provider" => "kubernetes" },
    };
    let service = map! {
        "apiVersion" => "v1", "kind" => "Service", "metadata" => &metadata,
        "spec" => map! {
            "type" => "ClusterIP", "sessionAffinity" => "None", "clusterIP" => "10.96.0.1",
            "ports" => list![map! {
                "name" => "https", "protocol" => "TCP", "port" => 443, "targetPort" => port,
            }],
        },
    };
    let ports = list![map! { "name" => "https", "protocol" => "TCP", "port" => port }];
    let endpoints = map! {
        "apiVersion" => "v1", "kind" => "Endpoints",
        "metadata" => map! {
            "name" => "kubernetes", "namespace" => "default",
            "labels" => map! { "endpointslice.kubernetes.io/skip-mirror" => "true" },
        },
        "subsets" => list![map! { "addresses" => list![map! { "ip" => &ip }], "ports" => &ports }],
    };
    let slice = map! {
        "apiVersion" => "discovery.k8s.io/v1", "kind" => "EndpointSlice",
        "metadata" => map! {
            "name" => "kubernetes", "namespace" => "default",
            "labels" => map! { "kubernetes.io/service-name" => "kubernetes" },
        },
        "addressType" => "IPv4",
        "endpoints" => list![map! {
            "addresses" => list![ip], "conditions" => map! { "ready" => true },
        }],
        "ports" => ports,
    };
    let made = [
        (Resource::SERVICES, service),
        (Resource::new("endpoints"), endpoints),
        (Resource::ENDPOINT_SLICES, slice),
    ];
    for (resource, object) in made {
        // In a cluster that was restored they are there, with the port of another time.
        let key = object::key(&object);
        world.ask(API_SERVER, Request::delete(resource.clone(), key));
        world.ask(API_SERVER, Request::create(resource, object));
    }
}
