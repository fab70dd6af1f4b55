//! Nodes that are there before a trial begins. A history holds only what changes, so each is marked
//! as one of the trial, which writes it down as it is.

use kubesim::api::Type;
use kubesim_model::object;
use kubesim_model::request::Request;
use kubesim_model::resource::ObjectKey;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, map};

use super::api::{Api, Sender, call};
use crate::cluster::ClusterError;
use crate::cluster::sim::OPERATOR_AGENT;

/// Says on a node since when it is part of a trial.
const MARK: &str = "shakedown/trial";

/// A node, and what its kubelet calls itself.
pub(super) struct Present {
    pub(super) name: Text,
    pub(super) user_agent: Text,
}

/// Marks all nodes as nodes of the trial that begins now; answers which there are.
pub(super) fn mark(api: &Api, kind: &Type, now: Millis) -> Result<Vec<Present>, ClusterError> {
    let sender = Sender { user: None, user_agent: Text::new_static(OPERATOR_AGENT) };
    let send = |request: &Request| {
        let answer = api.runtime.block_on(api.answer(call(kind, request, &sender)));
        answer.map_err(|status| ClusterError::Environment(status.message))
    };
    let list = send(&Request::list(kind.resource.clone(), Text::default()))?;
    let mut present = Vec::new();
    for node in list["items"].items() {
        let name = object::name(node);
        let mark = map! { "annotations" => map! { MARK => now.to_string() } };
        let key = ObjectKey::new("", name);
        send(&Request::merge_patch(kind.resource.clone(), key, map! { "metadata" => mark }))?;
        present.push(Present { name: Text::new(name), user_agent: agent(node) });
    }
    Ok(present)
}

/// What a kubelet calls itself, as far as its node tells (v1.36).
fn agent(node: &Tree) -> Text {
    Text::from(format!("kubelet/{}", node["status"]["nodeInfo"]["kubeletVersion"].str()))
}
