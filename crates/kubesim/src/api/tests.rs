//! What the server promises, by theme.

mod crud;
mod delete;
mod lists;
mod patches;
mod rules;
mod subresources;
mod tokens;

use kubesim_model::request::{Answer, Request, Status};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, list, map};

use super::{Api, ApiConfig, Handled, Identity};

/// A server and what tests often ask of it.
struct Server {
    api: Api,
    now: Millis,
}

impl Server {
    fn new() -> Self {
        Server { api: Api::new(1, ApiConfig::default()), now: 0 }
    }

    fn handle(&mut self, request: &Request) -> Handled {
        self.api.handle(self.now, &Identity::default(), request)
    }

    fn ask(&mut self, request: &Request) -> Answer {
        self.handle(request).answer
    }

    fn fine(&mut self, request: &Request) -> Tree {
        self.ask(request).unwrap()
    }

    fn fails(&mut self, request: &Request) -> Status {
        self.ask(request).unwrap_err()
    }

    fn create(&mut self, resource: Resource, object: Tree) -> Tree {
        self.fine(&Request::create(resource, object))
    }

    fn get(&self, resource: Resource, name: &str) -> Option<Tree> {
        self.api.get(&resource, &key(name)).cloned()
    }
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("default", name)
}

fn meta(name: &str) -> Tree {
    map! { "name" => name, "namespace" => "default" }
}

fn pod(name: &str) -> Tree {
    let containers = list![map! { "name" => "app", "image" => "web:1" }];
    map! { "metadata" => meta(name), "spec" => map! { "containers" => containers } }
}

fn binding(name: &str) -> Tree {
    let target = map! { "kind" => "Node", "name" => "worker-1" };
    map! { "metadata" => map! { "name" => name }, "target" => target }
}

fn config_map(name: &str, value: &str) -> Tree {
    map! { "metadata" => meta(name), "data" => map! { "key" => value } }
}

fn deployment(name: &str) -> Tree {
    let labels = map! { "app" => name };
    let template = map! {
        "metadata" => map! { "labels" => &labels },
        "spec" => map! { "containers" => list![map! { "name" => "app", "image" => "web:1" }] },
    };
    let selector = map! { "matchLabels" => labels };
    map! {
        "metadata" => meta(name),
        "spec" => map! { "selector" => selector, "template" => template },
    }
}
