//! Deciding about an access (v1.36, `plugin/pkg/auth/authorizer/rbac`).

use kubesim_model::request::Status;

use super::access::Access;
use super::grants::together;
use super::rules;
use crate::api::identity::User;
use crate::api::server::Api;

/// How requests are authorised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authorization {
    /// Everybody may do everything.
    #[default]
    AlwaysAllow,
    /// Roles and their bindings say who may do what.
    Rbac,
}

/// What an authorizer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is allowed.
    pub allowed: bool,
    /// Why, if there is something to say.
    pub reason: String,
}

impl Api {
    /// Whether everything is allowed to this user, whatever roles there are.
    pub fn allows_everything(&self, user: &User) -> bool {
        self.config.authorization != Some(Authorization::Rbac) || user.is_in(User::MASTERS)
    }

    /// Whether a user may do this.
    pub fn authorize(&self, user: &User, access: &Access) -> Decision {
        if self.allows_everything(user) {
            return Decision { allowed: true, reason: String::new() };
        }
        let mut missing = Vec::new();
        for grant in self.grants(user, &access.namespace) {
            match &grant.rules {
                Ok(all) if all.iter().any(|rule| rules::allows(rule, access)) => {
                    return Decision { allowed: true, reason: grant.reason() };
                }
                Ok(_) => {}
                Err(role) => missing.push(role.text()),
            }
        }
        let reason = match missing.is_empty() {
            true => String::new(),
            false => format!("RBAC: {}", together(missing)),
        };
        Decision { allowed: false, reason }
    }

    /// Refuses what a user may not do.
    ///
    /// # Errors
    /// 403, in the words of kube-apiserver.
    pub fn permit(&self, user: &User, access: &Access) -> Result<(), Status> {
        let decision = self.authorize(user, access);
        if decision.allowed { Ok(()) } else { Err(access.forbidden(user, &decision.reason)) }
    }
}
