//! Who may come in, and as whom: bearer tokens and client certificates. Whoever shows neither is
//! answered 401, but for what monitors ask (kube-apiserver v1.36 with anonymous requests allowed
//! for health checks and the version only).

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use http::header::{AUTHORIZATION, HeaderValue};
use http::request::Parts;
use kubesim_model::Text;
use kubesim_model::request::Status;

use crate::Caller;

/// What is answered to anybody (RBAC role `system:public-info-viewer`, v1.36).
const PUBLIC: [&str; 5] = ["/healthz", "/livez", "/readyz", "/version", "/version/"];

/// Who may do everything.
pub(crate) const MASTERS: &str = "system:masters";

/// Somebody who may come in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The user that the API sees.
    pub user: Text,
    /// The user's groups.
    pub groups: Vec<Text>,
}

/// Everybody who may come in. Copies are the same list.
#[derive(Clone, Debug, Default)]
pub struct Admittance(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
struct Known {
    tokens: BTreeMap<String, Arc<Person>>,
    certificates: BTreeMap<Vec<u8>, Arc<Person>>,
}

impl Admittance {
    /// Whoever has this token is this person.
    pub fn admit_token(&self, token: impl Into<String>, person: Person) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.tokens.insert(token.into(), Arc::new(person));
    }

    /// Whoever shows this certificate (DER), and has its key, is this person.
    pub fn admit_certificate(&self, certificate: Vec<u8>, person: Person) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.certificates.insert(certificate, Arc::new(person));
    }

    /// Who sends this request; `None` if nobody knows.
    pub(crate) fn of(&self, caller: &Caller, head: &Parts) -> Option<Arc<Person>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if head.headers.contains_key(AUTHORIZATION) {
            return known.tokens.get(bearer(head)?).cloned();
        }
        let shown = caller.certificate.as_ref().and_then(|shown| known.certificates.get(&**shown));
        shown.cloned().or_else(|| PUBLIC.contains(&head.uri.path()).then(anonymous))
    }
}

/// The token that a request shows.
pub(crate) fn bearer(head: &Parts) -> Option<&str> {
    let (scheme, token) = head.headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whom a request is sent for: an administrator may send requests for others (apiserver v0.36,
/// `endpoints/filters/impersonation`).
///
/// # Errors
/// 403 if this person may not.
pub(crate) fn acting(person: Arc<Person>, head: &Parts) -> Result<Arc<Person>, Status> {
    let text = |value: &HeaderValue| value.to_str().map(Text::new).unwrap_or_default();
    let Some(user) = head.headers.get("impersonate-user").map(text) else { return Ok(person) };
    if !person.groups.iter().any(|group| group == MASTERS) {
        let text = format!(
            "users \"{user}\" is forbidden: User \"{}\" cannot impersonate resource \"users\" in \
             API group \"\" at the cluster scope",
            person.user
        );
        return Err(Status::new(403, "Forbidden", text));
    }
    let mut groups: Vec<Text> =
        head.headers.get_all("impersonate-group").iter().map(text).collect();
    groups.push(Text::new_static("system:authenticated"));
    Ok(Arc::new(Person { user, groups }))
}

fn anonymous() -> Arc<Person> {
    let groups = vec![Text::new_static("system:unauthenticated")];
    Arc::new(Person { user: Text::new_static("system:anonymous"), groups })
}
