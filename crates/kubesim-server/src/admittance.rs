//! Who may come in, and as whom: bearer tokens and client certificates. Whoever shows neither is
//! nobody that is known.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use http::header::AUTHORIZATION;
use http::request::Parts;
use kubesim::api::User;

use crate::Caller;

/// Everybody who may come in. Copies are the same list.
#[derive(Clone, Debug, Default)]
pub struct Admittance(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
struct Known {
    tokens: BTreeMap<String, Arc<User>>,
    certificates: BTreeMap<Vec<u8>, Arc<User>>,
}

impl Admittance {
    /// Whoever has this token is this user.
    pub fn admit_token(&self, token: impl Into<String>, user: User) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.tokens.insert(token.into(), Arc::new(user));
    }

    /// Whoever shows this certificate (DER), and has its key, is this user.
    pub fn admit_certificate(&self, certificate: Vec<u8>, user: User) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.certificates.insert(certificate, Arc::new(user));
    }

    /// Who sends this request; `None` if nobody here knows. A token counts more than a certificate.
    pub(crate) fn of(&self, caller: &Caller, head: &Parts) -> Option<Arc<User>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if shows_token(head) {
            return known.tokens.get(bearer(head)?).cloned();
        }
        let shown = caller.certificate.as_ref();
        shown.and_then(|shown| known.certificates.get(&**shown)).cloned()
    }
}

/// Whether a request says by a token whose it is.
pub(crate) fn shows_token(head: &Parts) -> bool {
    head.headers.contains_key(AUTHORIZATION)
}

/// The token that a request shows.
pub(crate) fn bearer(head: &Parts) -> Option<&str> {
    let (scheme, token) = head.headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
