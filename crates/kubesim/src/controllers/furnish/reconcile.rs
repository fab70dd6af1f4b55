//! One object in each namespace that lives: made when it is missing, restored when it was changed.

use kubesim_model::actor::{Actor, WatchSpec};
use kubesim_model::cache::{Cache, Change};
use kubesim_model::controller::{Controller, Reconcile, Verdict, Work};
use kubesim_model::request::{Answer, Request};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, map, object};

/// The controller that gives each namespace the service account `default`.
pub fn service_account() -> Box<dyn Actor> {
    let object = map! { "metadata" => map! { "name" => "default" } };
    Box::new(Controller::new(Furnish { resource: Resource::SERVICE_ACCOUNTS, object }))
}

/// The controller that gives each namespace the ConfigMap `kube-root-ca.crt` with this
/// certificate (PEM).
pub fn root_certificate(certificate: &str) -> Box<dyn Actor> {
    let object = map! {
        "metadata" => map! { "name" => "kube-root-ca.crt" },
        "data" => map! { "ca.crt" => certificate },
    };
    Box::new(Controller::new(Furnish { resource: Resource::CONFIG_MAPS, object }))
}

#[derive(Clone)]
struct Furnish {
    resource: Resource,
    /// The object without its namespace.
    object: Tree,
}

impl Reconcile for Furnish {
    fn watches(&self) -> Vec<WatchSpec> {
        let name = format!("metadata.name={}", object::name(&self.object));
        let own = WatchSpec::all(self.resource.clone());
        vec![
            WatchSpec::all(Resource::NAMESPACES),
            WatchSpec { field_selector: Text::from(name), ..own },
        ]
    }

    fn changed(&mut self, change: &Change, _: &Cache, enqueue: &mut dyn FnMut(ObjectKey)) {
        let Some(about) = change.new.as_ref().or(change.old.as_ref()) else { return };
        let namespace = match change.resource == Resource::NAMESPACES {
            true => object::name(about),
            false => object::namespace(about),
        };
        enqueue(ObjectKey::new("", namespace));
    }

    fn reconcile(&mut self, key: &ObjectKey, work: &mut Work<'_, '_>) {
        let Some(namespace) = work.cache.get(&Resource::NAMESPACES, key) else { return };
        if object::is_terminating(namespace) {
            return;
        }
        let own = ObjectKey::new(key.name.clone(), object::name(&self.object));
        match work.cache.get(&self.resource, &own) {
            None => {
                let mut object = self.object.clone();
                object.set(&["metadata", "namespace"], &key.name);
                work.request(Request::create(self.resource.clone(), object));
            }
            Some(have) if have["data"] != self.object["data"] => {
                let mut object = have.clone();
                object.set(&["data"], &self.object["data"]);
                work.request(Request::update(self.resource.clone(), object));
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
            // Somebody was faster, or the namespace ends.
            Err(status) if status.is_already_exists() || [403, 404].contains(&status.code) => {
                Verdict::Fine
            }
            Err(_) => Verdict::Retry,
            Ok(_) => Verdict::Fine,
        }
    }
}
