//! What a role that gathers others is made of.

use kubesim_model::actor::{Actor, WatchSpec};
use kubesim_model::cache::{Cache, Change};
use kubesim_model::controller::{Controller, Reconcile, Verdict, Work};
use kubesim_model::request::{Answer, Request};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::selector::selects;
use kubesim_model::tree::Tree;
use kubesim_model::{list, map, object};

const ROLES: Resource = Resource::CLUSTER_ROLES;
/// The owner of the rules that were gathered.
const MANAGER: &str = "clusterrole-aggregation-controller";

/// The controller.
pub fn actor() -> Box<dyn Actor> {
    Box::new(Controller::new(Gather))
}

#[derive(Clone)]
struct Gather;

impl Reconcile for Gather {
    fn watches(&self) -> Vec<WatchSpec> {
        vec![WatchSpec::all(ROLES)]
    }

    /// Any role may be one that another gathers.
    fn changed(&mut self, _: &Change, cache: &Cache, enqueue: &mut dyn FnMut(ObjectKey)) {
        let gathering = cache.all(&ROLES).filter(|role| !role["aggregationRule"].is_null());
        gathering.map(object::key).for_each(enqueue);
    }

    fn reconcile(&mut self, key: &ObjectKey, work: &mut Work<'_, '_>) {
        let Some(role) = work.cache.get(&ROLES, key) else { return };
        let rules = gathered(role, work.cache);
        if role["aggregationRule"].is_null() || role["rules"].items() == rules {
            return;
        }
        let rules = if rules.is_empty() { list![] } else { Tree::from(rules) };
        let config = map! {
            "apiVersion" => "rbac.authorization.k8s.io/v1", "kind" => "ClusterRole",
            "metadata" => map! { "name" => &key.name }, "rules" => rules,
        };
        let apply = Request::apply(ROLES, config, MANAGER);
        work.request(Request { force: Some(true), ..apply });
    }

    fn answered(
        &mut self,
        _: &ObjectKey,
        _: &Request,
        answer: &Answer,
        _: &mut Work<'_, '_>,
    ) -> Verdict {
        if answer.is_ok() { Verdict::Fine } else { Verdict::Retry }
    }
}

/// The rules of all other roles that a role selects, each once: by selector, then by name.
fn gathered(role: &Tree, cache: &Cache) -> Vec<Tree> {
    let mut rules: Vec<Tree> = Vec::new();
    for selector in role["aggregationRule"]["clusterRoleSelectors"].items() {
        let others = cache.all(&ROLES).filter(|other| object::name(other) != object::name(role));
        for other in others.filter(|other| selects(selector, &other["metadata"]["labels"])) {
            for rule in other["rules"].items() {
                if !rules.contains(rule) {
                    rules.push(rule.clone());
                }
            }
        }
    }
    rules
}
