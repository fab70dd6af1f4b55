//! The health of the control plane's parts, as `kubectl get componentstatuses` asks for it (v1.36,
//! `pkg/registry/core/componentstatus`). Nothing of it is stored: a simulated part is healthy.

use kubesim_model::request::{Answer, Verb};
use kubesim_model::tree::Tree;
use kubesim_model::{list, map};

use super::errors;
use super::router::Call;
use super::server::Api;

const PARTS: [&str; 3] = ["controller-manager", "etcd-0", "scheduler"];

impl Api {
    /// Answers a request for one part, or for all.
    pub(super) fn components(&self, call: &Call<'_>) -> Answer {
        match call.request.verb {
            Verb::Get if PARTS.contains(&call.name()) => {
                let mut part = part(call.name());
                part.set(&["apiVersion"], "v1");
                part.set(&["kind"], "ComponentStatus");
                Ok(part)
            }
            Verb::Get => Err(errors::not_found(call.resource(), call.name())),
            Verb::List => Ok(map! {
                "apiVersion" => "v1", "kind" => "ComponentStatusList", "metadata" => map! {},
                "items" => PARTS.map(part).to_vec(),
            }),
            verb => Err(errors::method_not_allowed(format_args!("{verb:?} {}", call.resource()))),
        }
    }
}

fn part(name: &str) -> Tree {
    let healthy = map! { "type" => "Healthy", "status" => "True", "message" => "ok" };
    map! { "metadata" => map! { "name" => name }, "conditions" => list![healthy] }
}
