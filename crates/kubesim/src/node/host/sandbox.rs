//! Sandboxes and the addresses of pods.

use std::collections::BTreeSet;

use kubesim_model::host::{HostEvent, OpId, SandboxInfo};
use kubesim_model::resource::ObjectKey;
use kubesim_model::{Millis, Text};

use super::fact::{HostFact, HostOut};
use super::machine::{Due, Host};

#[derive(Clone)]
pub(super) struct Sandbox {
    pub(super) pod: ObjectKey,
    pub(super) ip: Text,
    /// Whether it runs; else it is being made.
    pub(super) up: bool,
}

impl Sandbox {
    /// The fact that it is gone, if it ever ran.
    pub(super) fn stopped(self, pod_uid: Text) -> Option<HostFact> {
        let Sandbox { pod, ip, up } = self;
        up.then_some(HostFact::SandboxStopped { pod_uid, pod, ip })
    }
}

/// The node's own address and those it gives to pods, one after another as host-local IPAM does.
#[derive(Clone)]
pub(super) struct Addresses {
    index: u32,
    last: u32,
    used: BTreeSet<u32>,
}

impl Addresses {
    pub(super) fn new(index: u32) -> Self {
        Addresses { index, last: 1, used: BTreeSet::new() }
    }

    /// The next free pod address; `None` if all 253 are used.
    fn take(&mut self) -> Option<Text> {
        let free = (1..=253)
            .map(|step| (self.last + step - 2) % 253 + 2)
            .find(|host| !self.used.contains(host))?;
        self.last = free;
        self.used.insert(free);
        let (high, low) = (244 + self.index / 256, self.index % 256);
        Some(Text::from(format!("10.{high}.{low}.{free}")))
    }

    fn release(&mut self, ip: &str) {
        let host = ip.strip_prefix("10.").and_then(|rest| rest.rsplit('.').next());
        if let Some(host) = host.and_then(|host| host.parse().ok()) {
            self.used.remove(&host);
        }
    }

    pub(super) fn release_all(&mut self) {
        self.used.clear();
    }
}

/// The address of the `index`th node itself.
pub fn node_address(index: u32) -> Text {
    let at = index + 2;
    Text::from(format!("172.18.{}.{}", at / 256, at % 256))
}

impl Host {
    pub(super) fn run_sandbox(
        &mut self,
        now: Millis,
        (who, op): (u32, OpId),
        pod_uid: Text,
        (pod, host_network): (ObjectKey, bool),
        out: &mut HostOut,
    ) {
        if let Some(sandbox) = self.sandboxes.get(&pod_uid).filter(|sandbox| sandbox.up) {
            out.tell(who, HostEvent::SandboxReady { op, ip: sandbox.ip.clone() });
            return;
        }
        let ip = if host_network {
            Some(node_address(self.addresses.index))
        } else {
            self.addresses.take()
        };
        let Some(ip) = ip else {
            let message = "no IP addresses available in range set".into();
            out.tell(
                who,
                HostEvent::StartFailed { op, reason: "FailedCreatePodSandBox".into(), message },
            );
            return;
        };
        self.sandboxes.insert(pod_uid.clone(), Sandbox { pod, ip, up: false });
        let at = now + self.rng.between(100, 400);
        self.due(at, Due::SandboxUp { who, op, pod_uid });
    }

    pub(super) fn sandbox_up(&mut self, who: u32, op: OpId, pod_uid: Text, out: &mut HostOut) {
        let Some(sandbox) = self.sandboxes.get_mut(&pod_uid) else { return };
        sandbox.up = true;
        let (pod, ip) = (sandbox.pod.clone(), sandbox.ip.clone());
        out.facts.push(HostFact::SandboxStarted { pod_uid, pod, ip: ip.clone() });
        out.tell(who, HostEvent::SandboxReady { op, ip });
    }

    pub(super) fn sandbox_down(
        &mut self,
        now: Millis,
        (who, op): (u32, OpId),
        pod_uid: &Text,
        out: &mut HostOut,
    ) {
        let inside: Vec<Text> = self
            .containers
            .iter()
            .filter(|(_, container)| container.info.pod_uid == *pod_uid)
            .map(|(id, _)| id.clone())
            .collect();
        for id in inside {
            self.end(now, &id, 137, "Error", out);
            self.containers.remove(&id);
        }
        if let Some(sandbox) = self.sandboxes.remove(pod_uid) {
            self.addresses.release(&sandbox.ip);
            out.facts.extend(sandbox.stopped(pod_uid.clone()));
        }
        out.tell(who, HostEvent::SandboxStopped { op });
    }

    pub(super) fn sandbox_infos(&self) -> Vec<SandboxInfo> {
        let up = self.sandboxes.iter().filter(|(_, sandbox)| sandbox.up);
        up.map(|(pod_uid, sandbox)| SandboxInfo {
            pod_uid: pod_uid.clone(),
            pod: sandbox.pod.clone(),
            ip: sandbox.ip.clone(),
        })
        .collect()
    }
}
