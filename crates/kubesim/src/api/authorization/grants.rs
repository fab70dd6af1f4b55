//! Which rules apply to a user: those of the roles that bindings give him (v1.36,
//! `pkg/registry/rbac/validation/rule.go`).

use kubesim_model::Text;
use kubesim_model::object;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;

use crate::api::identity::{User, service_account};
use crate::api::server::Api;

/// The group of roles and bindings.
pub(super) const GROUP: &str = "rbac.authorization.k8s.io";

/// A role that a binding gives to a user.
pub(super) struct Grant<'a> {
    binding: &'a Tree,
    subject: &'a Tree,
    /// Its rules; if it is not there, which one that is.
    pub(super) rules: Result<&'a [Tree], MissingRole>,
}

/// A role that a binding names and that is not there.
#[derive(Clone, Debug)]
pub(super) struct MissingRole {
    pub(super) resource: Resource,
    pub(super) name: Text,
}

impl Grant<'_> {
    /// Why something is allowed.
    pub(super) fn reason(&self) -> String {
        let (binding, role) = (self.binding, &self.binding["roleRef"]);
        let namespace = object::namespace(binding);
        let (kind, own) = match namespace {
            "" => ("ClusterRoleBinding", object::name(binding).to_owned()),
            namespace => ("RoleBinding", format!("{}/{namespace}", object::name(binding))),
        };
        let mut subject = self.subject["name"].str().to_owned();
        if self.subject["kind"] == "ServiceAccount" {
            let home = self.subject["namespace"].str();
            subject += &format!("/{}", if home.is_empty() { namespace } else { home });
        }
        format!(
            "RBAC: allowed by {kind} {own:?} of {} {:?} to {} {subject:?}",
            role["kind"].str(),
            role["name"].str(),
            self.subject["kind"].str(),
        )
    }
}

impl MissingRole {
    /// What the authorizer says of it, which knows the kind and not the resource.
    pub(super) fn text(&self) -> String {
        let kind = self.resource.plural().trim_end_matches('s');
        format!("{kind}.{GROUP} {:?} not found", self.name.as_str())
    }
}

impl Api {
    /// What a user has in a namespace, and everywhere.
    pub(super) fn grants<'a>(
        &'a self,
        user: &'a User,
        namespace: &'a str,
    ) -> impl Iterator<Item = Grant<'a>> {
        let everywhere = self.store.range(&of_group("clusterrolebindings"), "");
        let here = (!namespace.is_empty())
            .then(|| self.store.range(&of_group("rolebindings"), namespace))
            .into_iter()
            .flatten();
        everywhere.chain(here).filter_map(move |(_, binding)| {
            let home = object::namespace(binding);
            let mut subjects = binding["subjects"].items().iter();
            let subject = subjects.find(|subject| is_meant(user, subject, home))?;
            let rules = self.rules_of(&binding["roleRef"], home);
            Some(Grant { binding, subject, rules })
        })
    }

    /// The rules of the role that a binding in this namespace names.
    pub(super) fn rules_of(&self, role: &Tree, namespace: &str) -> Result<&[Tree], MissingRole> {
        let name = role["name"].text();
        let (plural, namespace) = match role["kind"].str() {
            "Role" => ("roles", namespace),
            _ => ("clusterroles", ""),
        };
        let (resource, key) = (of_group(plural), ObjectKey::new(namespace, name.clone()));
        match self.store.get(&resource, &key) {
            Some(role) => Ok(role["rules"].items()),
            None => Err(MissingRole { resource, name }),
        }
    }
}

fn of_group(plural: &str) -> Resource {
    Resource::new(format!("{plural}.{GROUP}"))
}

/// Whether a subject of a binding in this namespace is this user.
fn is_meant(user: &User, subject: &Tree, namespace: &str) -> bool {
    let name = subject["name"].str();
    match subject["kind"].str() {
        "User" => user.name == name,
        "Group" => user.is_in(name),
        "ServiceAccount" => {
            let home = match subject["namespace"].str() {
                "" => namespace,
                home => home,
            };
            !home.is_empty() && service_account(&user.name) == Some((home, name))
        }
        _ => false,
    }
}

/// A list of texts as Go shows it: `["a" "b"]`.
pub(super) fn quoted(texts: &[Text]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| format!("{:?}", text.as_str())).collect();
    format!("[{}]", texts.join(" "))
}

/// Several failures as one, each told once.
pub(super) fn together(texts: Vec<String>) -> String {
    let mut told: Vec<String> = Vec::new();
    for text in texts {
        if !told.contains(&text) {
            told.push(text);
        }
    }
    match told.as_slice() {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}
