//! `container-kill`: the process of a container ends.

use super::container::{Chosen, SELECT};
use super::definition::{Ends, Fault, Injection, Missed, Scene};
use super::evidence;
use crate::cluster::{Capability, Lever};
use crate::history::HostFact;
use crate::suite::{Param, ParamKind};

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "container-kill",
    doc: "The process of a container ends.",
    details: "The kubelet restarts it as the pod's restartPolicy says, with growing back-off. It is \
              over as soon as it has happened. Proof: the container ended on its host.",
    params: &[
        SELECT,
        Param::new("exitCode", ParamKind::Int, "The exit code; 137 is SIGKILL.").default("137"),
    ],
    needs: &[Capability::ContainerFaults],
    given: &[],
    ends: Ends::AtOnce,
    inject,
};

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let exit_code = scene.args.int("exitCode").and_then(|code| i32::try_from(code).ok());
    let exit_code = exit_code.unwrap_or(137);
    let chosen = Chosen::running(scene)?;
    let mut injection = chosen.injection();
    let kill = |container| Lever::KillContainer { container, exit_code };
    injection.levers = chosen.selectors.iter().cloned().map(kill).collect();
    Ok(injection.proved_by(move |moment| match evidence::fact(moment.event)? {
        HostFact::ContainerExited { container, exit_code: code, .. }
            if chosen.has(container) && *code == exit_code =>
        {
            let what = format!("{} of {} ended with {code}", container.name, container.pod);
            Some(moment.proof(what))
        }
        _ => None,
    }))
}
