//! Connections into pods and nodes, and through Services: admission is asked about them, and
//! nothing runs behind them (v1.36, `pkg/registry/core/pod/rest/subresources.go`).

use kubesim_model::Text;
use kubesim_model::request::{Answer, Status};
use kubesim_model::resource::Resource;

use super::policies::{Form, Subject};
use super::router::Call;
use super::server::Api;

/// The options with which a subresource is connected to; `None` for one that is not.
pub fn connection(resource: &Resource, subresource: &str) -> Option<Form> {
    let kind = match (resource.as_str(), subresource) {
        ("pods", "attach") => "PodAttachOptions",
        ("pods", "exec") => "PodExecOptions",
        ("pods", "portforward") => "PodPortForwardOptions",
        ("pods", "proxy") => "PodProxyOptions",
        ("nodes", "proxy") => "NodeProxyOptions",
        ("services", "proxy") => "ServiceProxyOptions",
        _ => return None,
    };
    Some(("", "v1", kind))
}

impl Api {
    /// Says that nobody answers, unless the connection is not allowed in the first place.
    pub(super) fn connect(&mut self, call: &Call<'_>, form: Form) -> Answer {
        self.current(call)?;
        let mut options = call.request.body.clone();
        options.set(&["apiVersion"], "v1");
        options.set(&["kind"], Text::new_static(form.2));
        let subject = Subject::connect(&options).of(form);
        let options = self.admitted(call, subject, |_, _| Ok(()))?;
        self.approve(call, Subject::connect(&options).of(form))?;
        let what = &call.request.subresource;
        let text = format!("`{what}` is not possible: nothing runs in simulated containers");
        Err(Status::new(501, "NotImplemented", text))
    }
}
