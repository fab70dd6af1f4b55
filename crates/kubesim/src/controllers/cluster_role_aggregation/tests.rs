//! Facts about ClusterRoles that gather rules.

use kubesim_model::actor::{Effect, Input, Io, WatchEvent};
use kubesim_model::request::{Request, Verb};
use kubesim_model::resource::Resource;
use kubesim_model::stream::Stream;
use kubesim_model::tree::Tree;
use kubesim_model::{list, map};

use super::actor;

fn rule(resource: &str) -> Tree {
    map! { "apiGroups" => list![""], "resources" => list![resource], "verbs" => list!["get"] }
}

fn role(name: &str, label: &str, rules: Tree) -> Tree {
    let labels = map! { "to" => label };
    map! { "metadata" => map! { "name" => name, "labels" => labels }, "rules" => rules }
}

/// What is asked for before these roles.
fn requests(items: Vec<Tree>) -> Vec<Request> {
    let mut actor = actor(None);
    let (mut rng, mut next, mut effects) = (Stream::new(1, "actor"), 0, Vec::new());
    let resource = Resource::new("clusterroles.rbac.authorization.k8s.io");
    for input in [Input::Start, Input::Watch(WatchEvent::Listed { resource, items })] {
        actor.on(input, &mut Io::new(0, &mut rng, &mut next, &mut effects));
    }
    let request = |effect| match effect {
        Effect::Request { request, .. } => Some(*request),
        _ => None,
    };
    effects.into_iter().filter_map(request).collect()
}

#[test]
fn a_role_gets_the_rules_of_those_that_it_selects_each_once() {
    let mut all = role("all", "nowhere", Tree::Null);
    let wanted = map! { "matchLabels" => map! { "to" => "all" } };
    all.set(&["aggregationRule"], map! { "clusterRoleSelectors" => list![wanted] });
    let others = [
        role("a", "all", list![rule("pods"), rule("nodes")]),
        role("b", "all", list![rule("nodes"), rule("secrets")]),
        role("c", "other", list![rule("leases")]),
    ];
    let asked = requests(others.iter().cloned().chain([all.clone()]).collect());
    let rules = list![rule("pods"), rule("nodes"), rule("secrets")];
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].verb, &asked[0].body["rules"]), (Verb::Apply, &rules));
    all.set(&["rules"], rules);
    assert!(requests(others.into_iter().chain([all]).collect()).is_empty());
}
