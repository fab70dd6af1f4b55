//! Nobody gives others more than he may do himself, unless he is allowed to (v1.36,
//! `pkg/registry/rbac`, the storages that are policy based).

use kubesim_model::object;
use kubesim_model::request::{Status, Verb};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map};

use super::access::Access;
use super::grants::{GROUP, quoted};
use super::rules;
use crate::api::errors;
use crate::api::identity::User;
use crate::api::router::Call;
use crate::api::server::Api;

impl Api {
    /// Refuses a role, or a binding of one, that allows more than its sender may do.
    pub(in crate::api) fn check_escalation(
        &self,
        call: &Call<'_>,
        old: &Tree,
        new: &Tree,
    ) -> Result<(), Status> {
        let user = &call.who.user;
        if call.resource().group() != GROUP || self.allows_everything(user) {
            return Ok(());
        }
        let binds = call.kind.kind.ends_with("Binding");
        if is_same_but_for_collection(old, new) || !binds && self.may_escalate(call) {
            return Ok(());
        }
        let refused = |why: String| errors::denied(call.resource(), object::name(new), why);
        let namespace = &call.request.key.namespace;
        if binds {
            let role = &new["roleRef"];
            if self.may_bind(user, role, namespace) {
                return Ok(());
            }
            if !["Role", "ClusterRole"].contains(&role["kind"].str()) {
                let kind = role["kind"].str();
                return Err(errors::failed(format!("unsupported role reference kind: {kind:?}")));
            }
            let given = self.rules_of(role, namespace);
            let given = given.map_err(|role| errors::not_found(call.resource(), &role.name))?;
            return self.holds_all(user, namespace, given).map_err(refused);
        }
        self.holds_all(user, namespace, new["rules"].items()).map_err(refused)?;
        // What is gathered may become more at any time.
        let gathers = |role: &Tree| !role["aggregationRule"].is_null();
        if (gathers(new) || gathers(old)) && self.holds_all(user, namespace, &everything()).is_err()
        {
            let why = "must have cluster-admin privileges to use the aggregationRule";
            return Err(refused(why.to_owned()));
        }
        Ok(())
    }

    fn may_escalate(&self, call: &Call<'_>) -> bool {
        let (request, resource) = (call.request, call.resource());
        let name = match request.verb {
            Verb::Create => Text::default(),
            _ => request.key.name.clone(),
        };
        let access = Access {
            verb: Text::new_static("escalate"),
            group: Text::new(resource.group()),
            resource: Text::new(resource.plural()),
            namespace: request.key.namespace.clone(),
            name,
            ..Access::default()
        };
        self.authorize(&call.who.user, &access).allowed
    }

    fn may_bind(&self, user: &User, role: &Tree, namespace: &Text) -> bool {
        let access = Access {
            verb: Text::new_static("bind"),
            group: role["apiGroup"].text(),
            resource: Text::from(format!("{}s", role["kind"].str().to_lowercase())),
            namespace: namespace.clone(),
            name: role["name"].text(),
            ..Access::default()
        };
        self.authorize(user, &access).allowed
    }

    /// Whether a user has all that these rules allow; if not, what is missing.
    fn holds_all(&self, user: &User, namespace: &str, given: &[Tree]) -> Result<(), String> {
        let (mut have, mut missing) = (Vec::new(), Vec::new());
        for grant in self.grants(user, namespace) {
            match grant.rules {
                Ok(rules) => have.extend(rules),
                Err(role) => {
                    missing.push(format!("{} {:?} not found", role.resource, role.name.as_str()));
                }
            }
        }
        let lacking = rules::uncovered(&have, given);
        if lacking.is_empty() {
            return Ok(());
        }
        let (name, groups) = (user.name.as_str(), quoted(&user.groups));
        let mut text = format!(
            "user {name:?} (groups={groups}) is attempting to grant RBAC permissions not currently \
             held:\n{}",
            rules::described(&lacking)
        );
        if !missing.is_empty() {
            text += &format!("; resolution errors: [{}]", super::grants::together(missing));
        }
        Err(text)
    }
}

/// Whether nothing changed but what says when an object is collected.
fn is_same_but_for_collection(old: &Tree, new: &Tree) -> bool {
    let mut wanted = new.clone();
    for field in ["ownerReferences", "finalizers", "managedFields"] {
        match &old["metadata"][field] {
            Tree::Null => drop(wanted.remove(&["metadata", field])),
            value => wanted.set(&["metadata", field], value),
        }
    }
    !old.is_null() && wanted == *old
}

fn everything() -> [Tree; 2] {
    let all = list!["*"];
    [
        map! { "verbs" => &all, "apiGroups" => &all, "resources" => &all },
        map! { "verbs" => &all, "nonResourceURLs" => &all },
    ]
}
