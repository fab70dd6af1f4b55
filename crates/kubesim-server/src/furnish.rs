//! What a cluster has before anybody asks for it: the Service of the API itself, and what it tells
//! programs of how it knows them.

use std::net::SocketAddr;

use kubesim::world::World;
use kubesim_model::request::Request;
use kubesim_model::resource::Resource;
use kubesim_model::{Text, list, map, object};

/// Who makes the Service of the API (kube-apiserver v1.36).
pub(crate) const API_SERVER: &str = "system:apiserver";

/// The client in whose name the API server itself makes objects.
pub(crate) fn add_api_server(world: &mut World) {
    world.add_client(API_SERVER, API_SERVER, "kube-apiserver/v1.36");
}

/// Says whose certificates the API server takes, and since when it notes the use of tokens in
/// Secrets, as controllers ask (kube-apiserver v1.36).
pub(crate) fn add_configuration(world: &mut World, authority: &str) {
    let since = object::timestamp(world.now());
    let date = since.split('T').next().unwrap_or_default();
    for (name, key, value) in [
        ("extension-apiserver-authentication", "client-ca-file", authority),
        ("kube-apiserver-legacy-service-account-token-tracking", "since", date),
    ] {
        let map = map! {
            "apiVersion" => "v1", "kind" => "ConfigMap",
            "metadata" => map! { "name" => name, "namespace" => "kube-system" },
            "data" => map! { key => value },
        };
        // In a cluster that was restored they are there.
        world.ask(API_SERVER, Request::create(Resource::CONFIG_MAPS, map));
    }
}

/// Makes the Service `kubernetes` and says where it leads.
pub(crate) fn add_service(world: &mut World, address: SocketAddr) {
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
