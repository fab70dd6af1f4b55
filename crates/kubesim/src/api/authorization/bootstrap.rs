//! The roles and bindings that every cluster has from its start (v1.36,
//! `plugin/pkg/auth/authorizer/rbac/bootstrappolicy`).

use kubesim_model::Millis;
use kubesim_model::object;
use kubesim_model::request::Request;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;

use super::grants::GROUP;
use crate::api::server::Api;

/// One object a line, as kube-apiserver makes them when its store is empty. Written by
/// `cargo test -p kubesim-server --test rbac` when it records.
const POLICY: &str = include_str!("policy.jsonl");

impl Api {
    /// Makes those that are missing.
    pub(in crate::api) fn bootstrap_policy(&mut self, now: Millis) {
        for line in POLICY.lines() {
            let object: Tree = serde_json::from_str(line).expect("a test has written it");
            let resource =
                Resource::new(format!("{}s.{GROUP}", object["kind"].str().to_lowercase()));
            if self.store.get(&resource, &object::key(&object)).is_none() {
                self.boot(now, &Request::create(resource, object));
            }
        }
    }
}
