//! The parameters of a policy: objects that its bindings name.

use kubesim_model::Text;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::selector;
use kubesim_model::tree::Tree;

use super::matching::Attributes;
use crate::api::server::Api;

impl Api {
    /// The parameters that a binding names; one `Null` where a policy takes none.
    ///
    /// # Errors
    /// Why there can't be any.
    pub(super) fn parameters(
        &self,
        policy: &Tree,
        binding: &Tree,
        about: &Attributes<'_>,
    ) -> Result<Vec<Tree>, String> {
        let (kind, reference) = (&policy["spec"]["paramKind"], &binding["spec"]["paramRef"]);
        if kind.as_map().is_none() || reference.as_map().is_none() {
            return Ok(vec![Tree::Null]);
        }
        let (version, name) = (kind["apiVersion"].str(), kind["kind"].str());
        let found = self.resources().find(|have| have.kind == name && have.serves(version));
        let Some(found) = found else {
            return Err(format!("paramKind kind `{version}, Kind={name}` not known"));
        };
        let own = reference["namespace"].text();
        let namespace = match (found.namespaced, own.is_empty()) {
            (true, false) => own,
            (true, true) if about.namespace_name().is_empty() => {
                let why = "cannot use namespaced paramRef in policy binding that matches \
                           cluster-scoped resources";
                return Err(why.to_owned());
            }
            (true, true) => Text::new(about.namespace_name()),
            (false, false) => {
                let why =
                    "paramRef.namespace must not be provided for a cluster-scoped `paramKind`";
                return Err(why.to_owned());
            }
            (false, true) => Text::default(),
        };
        let params = self.referred(&found.resource, &namespace, reference);
        if params.is_empty() && reference["parameterNotFoundAction"] == "Deny" {
            let why = "no params found for policy binding with `Deny` parameterNotFoundAction";
            return Err(why.to_owned());
        }
        Ok(params)
    }

    fn referred(&self, resource: &Resource, namespace: &Text, reference: &Tree) -> Vec<Tree> {
        let name = reference["name"].str();
        if !name.is_empty() {
            let key = ObjectKey::new(namespace.clone(), Text::new(name));
            return self.store.get(resource, &key).cloned().into_iter().collect();
        }
        let wanted = &reference["selector"];
        self.store
            .range(resource, namespace)
            .filter(|(_, object)| selector::selects(wanted, &object["metadata"]["labels"]))
            .map(|(_, object)| object.clone())
            .collect()
    }
}
