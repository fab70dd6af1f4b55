//! `crash-loop`: processes end some time after each start.

use super::container::{Chosen, IMAGE, SELECT};
use super::definition::{Ends, Fault, Injection, Missed, Scene};
use super::evidence;
use crate::cluster::{Behaviour, Capability};
use crate::history::HostFact;
use crate::suite::{Param, ParamKind};

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "crash-loop",
    doc: "Processes end some time after each start.",
    details: "The kubelet restarts them with a back-off from 10 seconds to 5 minutes. With `image` it \
              is the bad release that crashes. Proof: a container that is meant ended so.",
    params: &[
        SELECT,
        IMAGE,
        Param::new("after", ParamKind::Duration, "How long after its start.").default("1s"),
        Param::new("exitCode", ParamKind::Int, "The exit code.").default("1"),
    ],
    needs: &[Capability::ContainerBehaviour],
    given: &[],
    ends: Ends::WhenAsked,
    inject,
};

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let after = scene.args.duration("after").unwrap_or(1_000);
    let exit_code = scene.args.int("exitCode").and_then(|code| i32::try_from(code).ok());
    let exit_code = exit_code.unwrap_or(1);
    let chosen = Chosen::pods_or_image(scene)?;
    let injection = chosen.behaving(&scene.id, &Behaviour::CrashAfter(after, exit_code));
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
