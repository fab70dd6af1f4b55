//! Gathering rules.

use kubesim_model::actor::{Actor, WatchSpec};
use kubesim_model::cache::{Cache, Change};
use kubesim_model::controller::{Controller, Reconcile, Work};
use kubesim_model::request::Request;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{map, object, selector};

/// As whom the rules are applied.
const MANAGER: &str = "clusterrole-aggregation-controller";

/// The ClusterRole aggregation controller of v1.36.
pub fn actor(_: Option<&str>) -> Box<dyn Actor> {
    Box::new(Controller::new(Aggregation))
}

#[derive(Clone)]
struct Aggregation;

fn roles() -> Resource {
    Resource::new("clusterroles.rbac.authorization.k8s.io")
}

impl Reconcile for Aggregation {
    fn watches(&self) -> Vec<WatchSpec> {
        vec![WatchSpec::all(roles())]
    }

    /// Any role may be one that others select.
    fn changed(&mut self, _: &Change, cache: &Cache, enqueue: &mut dyn FnMut(ObjectKey)) {
        let gather = cache.all(&roles()).filter(|role| !role["aggregationRule"].is_null());
        gather.for_each(|role| enqueue(object::key(role)));
    }

    fn reconcile(&mut self, key: &ObjectKey, work: &mut Work<'_, '_>) {
        let Some(role) = work.cache.get(&roles(), key) else { return };
        if role["aggregationRule"].is_null() {
            return;
        }
        let rules = gathered(role, work.cache);
        if role["rules"].items() != rules.as_slice() {
            let config = map! {
                "apiVersion" => "rbac.authorization.k8s.io/v1", "kind" => "ClusterRole",
                "metadata" => map! { "name" => &key.name }, "rules" => rules,
            };
            work.request(Request { force: Some(true), ..Request::apply(roles(), config, MANAGER) });
        }
    }
}

/// The rules of the roles that each selector selects, in the order of their names, each once.
fn gathered(role: &Tree, cache: &Cache) -> Vec<Tree> {
    let mut rules = Vec::new();
    for wanted in role["aggregationRule"]["clusterRoleSelectors"].items() {
        let selected = cache.all(&roles()).filter(|other| {
            object::name(other) != object::name(role)
                && selector::selects(wanted, &other["metadata"]["labels"])
        });
        for rule in selected.flat_map(|other| other["rules"].items()) {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
    }
    rules
}
