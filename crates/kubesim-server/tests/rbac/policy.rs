//! The roles and bindings that a server has from its start, as the simulated one makes them.

use std::path::{Path, PathBuf};

use futures::executor::block_on;
use serde_json::Value;

use crate::arms::Arm as _;
use crate::case::HttpRequest;
use crate::real::Real;

/// Those of a server, one a line.
pub(crate) fn of(arm: &Real) -> String {
    let kinds = ["clusterroles", "clusterrolebindings", "roles", "rolebindings"];
    kinds.iter().flat_map(|kind| lines(arm, kind)).collect()
}

fn lines(arm: &Real, kind: &str) -> Vec<String> {
    let selector = "labelSelector=kubernetes.io%2Fbootstrapping%3Drbac-defaults";
    let path = format!("/apis/rbac.authorization.k8s.io/v1/{kind}?{selector}");
    let reply = block_on(arm.ask(&HttpRequest::new("GET", path, Vec::new())));
    let list: Value = serde_json::from_str(&reply.body).unwrap();
    let (version, kind) = (&list["apiVersion"], list["kind"].as_str().unwrap());
    let line = |item: &Value| {
        let mut item = item.clone();
        item["apiVersion"] = version.clone();
        item["kind"] = kind.trim_end_matches("List").into();
        let metadata = item["metadata"].as_object_mut().unwrap();
        for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
            metadata.remove(field);
        }
        format!("{item}\n")
    };
    list["items"].as_array().unwrap().iter().map(line).collect()
}

/// Keeps them for the simulated server.
pub(crate) fn write(policy: &str) {
    std::fs::write(path(), policy).unwrap();
}

/// Those that the simulated server makes.
pub(crate) fn written() -> String {
    std::fs::read_to_string(path()).unwrap()
}

fn path() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.join("../kubesim/src/api/authorization/policy.jsonl")
}
