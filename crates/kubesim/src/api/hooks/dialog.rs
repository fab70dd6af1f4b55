//! What passes between a request that needs webhooks and whoever calls them.

use std::cell::RefCell;
use std::collections::BTreeMap;

use kubesim_model::request::Status;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};
use sha2::{Digest as _, Sha256};

use super::target::Destination;
use crate::api::errors;

/// A call that is to be made: a POST of JSON over HTTPS.
#[derive(Clone, Debug, PartialEq)]
pub struct Errand {
    /// Names it among the errands of its request.
    pub(in crate::api) key: Key,
    /// Who is called.
    pub to: Destination,
    /// The URL without its query, as failures show it: `https://a.b.svc:443/check`.
    pub url: Text,
    /// The certificates of those who may have signed the webhook's, in PEM; none if it is empty.
    pub authorities: Vec<u8>,
    /// What is sent.
    pub body: Tree,
    /// How long the answer may take.
    pub timeout: Millis,
    /// What is said of one that takes longer.
    pub late: &'static str,
}

/// A digest of what an errand is about: who is called, in which round, and with what.
pub(in crate::api) type Key = [u8; 16];

/// An answer over HTTP, whatever is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub code: u16,
    /// What the body is said to be: its `Content-Type`, or nothing.
    pub kind: Text,
    /// The body.
    pub body: Vec<u8>,
}

/// What came of an errand: an answer, or why there is none, in the words of Go's HTTP client.
pub type Heard = Result<Reply, String>;

/// How a request gets at the answers of webhooks.
#[derive(Clone, Copy)]
pub(in crate::api) enum Outside<'a> {
    /// Webhooks are not asked about it.
    Exempt,
    /// There is nobody who would call one.
    Nobody,
    /// Somebody calls them.
    Caller(&'a Dialog<'a>),
}

/// What was heard so far, and what is missing.
pub(in crate::api) struct Dialog<'a> {
    seed: u64,
    heard: &'a BTreeMap<Key, Heard>,
    missing: RefCell<Vec<Errand>>,
}

/// What a request answers that waits for a webhook. It is attempted again, so nobody sees this.
pub(in crate::api) fn waits() -> Status {
    errors::failed("an answer of a webhook is missing")
}

impl<'a> Dialog<'a> {
    pub(in crate::api) fn new(seed: u64, heard: &'a BTreeMap<Key, Heard>) -> Dialog<'a> {
        Dialog { seed, heard, missing: RefCell::default() }
    }

    /// The calls that are to be made before the request can go on.
    pub(in crate::api) fn into_missing(self) -> Vec<Errand> {
        self.missing.into_inner()
    }
}

impl Outside<'_> {
    /// Whether the request waits for answers, so that what becomes of it now does not count.
    pub(in crate::api) fn waits(self) -> bool {
        matches!(self, Outside::Caller(dialog) if !dialog.missing.borrow().is_empty())
    }

    /// What identifies a review of `about` by the webhook `hook` in a round: a key, and the uid
    /// that its answer must repeat. Both are the same whenever the request is attempted.
    pub(in crate::api) fn identify(self, hook: &str, round: usize, about: &Tree) -> (Key, Text) {
        let seed = if let Outside::Caller(dialog) = self { dialog.seed } else { 0 };
        let mut digest = Sha256::new();
        digest.update(seed.to_le_bytes());
        digest.update(round.to_le_bytes());
        digest.update(hook.as_bytes());
        digest.update([0]);
        digest.update(about.to_string().as_bytes());
        let digest = digest.finalize();
        let (key, uid) = digest.split_at(16);
        let hex: String = uid.iter().map(|byte| format!("{byte:02x}")).collect();
        let uid = format!(
            "{}-{}-4{}-8{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..32]
        );
        (std::array::from_fn(|at| key[at]), Text::from(uid))
    }

    /// What came of an errand; `None` if it is still to be run.
    pub(in crate::api) fn hear(self, errand: Errand) -> Option<Heard> {
        let Outside::Caller(dialog) = self else {
            let why = "nobody calls webhooks of a cluster that runs within a program";
            return Some(Err(format!("Post \"{}\": {why}", errand.url)));
        };
        let heard = dialog.heard.get(&errand.key).cloned();
        if heard.is_none() {
            dialog.missing.borrow_mut().push(errand);
        }
        heard
    }
}
