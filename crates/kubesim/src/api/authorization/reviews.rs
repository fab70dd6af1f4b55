//! Questions about who may do what (v1.36, `pkg/registry/authorization`).

use kubesim_model::tree::Tree;
use kubesim_model::{list, map};

use super::access::Access;
use super::decision::Authorization;
use super::grants::together;
use crate::api::identity::User;
use crate::api::server::Api;

impl Api {
    /// The status of a review of an access of this user.
    pub(in crate::api) fn review_access(&self, user: &User, spec: &Tree) -> Tree {
        let decision = self.authorize(user, &Access::of_review(spec));
        let mut status = map! { "allowed" => decision.allowed };
        if !decision.reason.is_empty() {
            status.set(&["reason"], decision.reason);
        }
        status
    }

    /// The status of a review of all that a user may do in a namespace.
    pub(in crate::api) fn review_rules(&self, user: &User, namespace: &str) -> Tree {
        if self.config.authorization != Some(Authorization::Rbac) {
            let all = list!["*"];
            return rules_status(
                vec![map! { "verbs" => &all, "apiGroups" => &all, "resources" => &all }],
                vec![map! { "verbs" => &all, "nonResourceURLs" => &all }],
            );
        }
        let (mut objects, mut paths, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        for grant in self.grants(user, namespace) {
            match grant.rules {
                Ok(rules) => {
                    let part = |field: &'static str| {
                        let with = rules.iter().filter(move |rule| !rule[field].items().is_empty());
                        with.cloned()
                    };
                    objects.extend(part("resources").map(without("nonResourceURLs")));
                    paths.extend(part("nonResourceURLs").map(only_paths));
                }
                Err(role) => missing.push(role.text()),
            }
        }
        let mut status = rules_status(objects, paths);
        if !missing.is_empty() {
            status.set(&["evaluationError"], together(missing));
        }
        status
    }
}

fn rules_status(objects: Vec<Tree>, paths: Vec<Tree>) -> Tree {
    let list = |rules: Vec<Tree>| if rules.is_empty() { list![] } else { Tree::from(rules) };
    map! {
        "incomplete" => false, "resourceRules" => list(objects), "nonResourceRules" => list(paths),
    }
}

fn without(field: &'static str) -> impl Fn(Tree) -> Tree {
    move |mut rule| {
        rule.remove(&[field]);
        rule
    }
}

fn only_paths(rule: Tree) -> Tree {
    map! { "verbs" => &rule["verbs"], "nonResourceURLs" => &rule["nonResourceURLs"] }
}
