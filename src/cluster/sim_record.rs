//! From a world's records to the events of a history. Objects are shared, not copied.

use kubesim::node::HostFact as Fact;
use kubesim::world::{HostRecord, Phase, Record, RequestRecord, What};
use kubesim_model::Text;
use kubesim_model::host::ContainerInfo;

use super::Observation;
use crate::history::{
    ActorEvent, ActorPhase, Body, Change, ContainerFact, Delivery, HostEvent, HostFact, NoteEvent,
    RequestEvent,
};

/// The observation that a record is; `None` for what no history speaks of.
pub(super) fn observation(record: Record) -> Option<Observation> {
    let body = match record.what {
        What::Request(request) => Body::Request(Box::new(request_event(*request))),
        What::Deliver { actor, incarnation, resource, key, rv, answer } => {
            Body::Deliver(Delivery { actor, incarnation, resource, key, rv, answer })
        }
        What::Host { node, fact } => Body::Host(HostEvent { node, fact: host_fact(fact)? }),
        What::Actor { actor, user, user_agent, node, incarnation, phase } => {
            let phase = actor_phase(phase);
            Body::Actor(ActorEvent { actor, user, user_agent, node, incarnation, phase })
        }
        What::Event { actor, about, reason, message } => {
            Body::Note(NoteEvent { actor, about, reason, message })
        }
    };
    let Record { n: id, at, cause, .. } = record;
    Some(Observation { id, at, uncertainty: 0, cause, body })
}

fn request_event(record: RequestRecord) -> RequestEvent {
    let changes = record.writes.into_iter().map(|write| Change {
        rv: write.rv,
        resource: write.resource,
        key: write.key,
        before: write.before,
        after: write.after,
    });
    RequestEvent {
        actor: record.actor,
        incarnation: record.incarnation,
        verb: record.verb,
        resource: record.resource,
        key: record.key,
        subresource: record.subresource,
        code: record.code,
        reason: record.reason,
        message: record.message,
        injected: record.rule.is_some(),
        changes: changes.collect(),
    }
}

fn actor_phase(phase: Phase) -> ActorPhase {
    match phase {
        Phase::Started => ActorPhase::Started,
        Phase::Crashed => ActorPhase::Crashed,
        Phase::Paused => ActorPhase::Paused,
        Phase::Resumed => ActorPhase::Resumed,
    }
}

fn host_fact(record: HostRecord) -> Option<HostFact> {
    let fact = match record {
        HostRecord::Frozen => return Some(HostFact::Frozen),
        HostRecord::Thawed => return Some(HostFact::Thawed),
        HostRecord::Fact(fact) => *fact,
    };
    Some(match fact {
        Fact::ContainerStarted(info) => HostFact::ContainerStarted(container(info)),
        // When a process begins to serve shows in its probes.
        Fact::ContainerReady(_) => return None,
        Fact::ContainerExited(info) => {
            let (exit_code, reason) = match &info.exited {
                Some((_, exit_code, reason)) => (*exit_code, reason.clone()),
                None => (0, Text::new_static("Completed")),
            };
            HostFact::ContainerExited { container: container(info), exit_code, reason }
        }
        Fact::ContainerStuck(info) => {
            HostFact::ContainerStuck { container: container(info), stuck: true }
        }
        Fact::ContainerUnstuck(info) => {
            HostFact::ContainerStuck { container: container(info), stuck: false }
        }
        Fact::SandboxStarted { pod_uid, pod, ip } => HostFact::SandboxStarted { pod_uid, pod, ip },
        Fact::SandboxStopped { pod_uid, pod, .. } => HostFact::SandboxStopped { pod_uid, pod },
        Fact::ImagePulled { image, image_id } => HostFact::ImagePulled { image, image_id },
        Fact::PoweredOff => HostFact::PoweredOff,
        Fact::PoweredOn => HostFact::PoweredOn,
    })
}

fn container(info: ContainerInfo) -> ContainerFact {
    ContainerFact {
        container_id: info.container_id,
        pod_uid: info.pod_uid,
        pod: info.pod,
        name: info.name,
        image: info.image,
        image_id: info.image_id,
    }
}
