//! What somebody wants to do, as authorizers are told (apiserver v0.36, `authorization`).

use kubesim_model::request::Status;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, map};

use crate::api::identity::User;

/// An access to objects, or to a path that names none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// `get`, `list`, `watch`, `create`, …; of a path the method in small letters.
    pub verb: Text,
    /// The API group; empty for the core group.
    pub group: Text,
    /// The plural: `deployments`.
    pub resource: Text,
    /// `status`, `scale`, …; empty for the object itself.
    pub subresource: Text,
    /// Empty for all, and for what has none.
    pub namespace: Text,
    /// Empty for all, and where only the body names it.
    pub name: Text,
    /// The path, if it names no resource.
    pub path: Option<Text>,
}

impl Access {
    /// The access that a review of one asks about (`ResourceAttributes`, `NonResourceAttributes`).
    pub(super) fn of_review(spec: &Tree) -> Access {
        let path = &spec["nonResourceAttributes"];
        if !path.is_null() {
            let (verb, path) = (path["verb"].text(), Some(path["path"].text()));
            return Access { verb, path, ..Access::default() };
        }
        let about = &spec["resourceAttributes"];
        Access {
            verb: about["verb"].text(),
            group: about["group"].text(),
            resource: about["resource"].text(),
            subresource: about["subresource"].text(),
            namespace: about["namespace"].text(),
            name: about["name"].text(),
            path: None,
        }
    }

    /// `deployments/scale`, as rules name it.
    pub(super) fn whole_resource(&self) -> String {
        match self.subresource.as_str() {
            "" => self.resource.to_string(),
            part => format!("{}/{part}", self.resource),
        }
    }

    /// 403: this user may not (apiserver v0.36, `handlers/responsewriters/errors.go`).
    pub fn forbidden(&self, user: &User, reason: &str) -> Status {
        let (name, verb) = (user.name.as_str(), &self.verb);
        let mut why = match (&self.path, self.namespace.as_str()) {
            (Some(path), _) => format!("User {name:?} cannot {verb} path {path:?}"),
            (None, namespace) => {
                let place = match namespace {
                    "" => "at the cluster scope".to_owned(),
                    namespace => format!("in the namespace {namespace:?}"),
                };
                let (resource, group) = (self.whole_resource(), &self.group);
                format!(
                    "User {name:?} cannot {verb} resource {resource:?} in API group {group:?} {place}"
                )
            }
        };
        if !reason.is_empty() {
            why += &format!(": {reason}");
        }
        let resource = match self.group.as_str() {
            "" => self.resource.to_string(),
            group => format!("{}.{group}", self.resource),
        };
        let text = match (resource.as_str(), self.name.as_str()) {
            ("", _) => format!("forbidden: {why}"),
            (resource, "") => format!("{resource} is forbidden: {why}"),
            (resource, name) => format!("{resource} {name:?} is forbidden: {why}"),
        };
        let mut status = Status::new(403, "Forbidden", text);
        status.details = map! {};
        for (field, value) in
            [("name", &self.name), ("group", &self.group), ("kind", &self.resource)]
        {
            if !value.is_empty() {
                status.details.set(&[field], value);
            }
        }
        status
    }
}
