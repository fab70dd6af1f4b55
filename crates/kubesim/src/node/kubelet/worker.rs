//! What the kubelet keeps of one pod.

use kubesim_model::actor::RequestId;
use kubesim_model::host::OpId;
use kubesim_model::object;
use kubesim_model::resource::ObjectKey;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

use super::unit::{Instance, Role, Unit};

/// How far a pod has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not looked at yet.
    New,
    /// Its containers are to run.
    Running,
    /// Its containers are being stopped.
    Stopping,
    /// Its sandbox is being stopped.
    CleaningUp,
    /// Nothing of it runs any more, and its phase says so. Volumes and cgroups may still be there.
    Terminated,
}

/// What a pod's worker waits for: it does one thing after another (v1.36, `SyncPod`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    Nothing,
    Sandbox(OpId),
    Pull(OpId, usize),
    Start(OpId, usize),
    Kill(usize),
}

/// A pod and what the kubelet does for it.
#[derive(Clone)]
pub(super) struct Worker {
    pub(super) uid: Text,
    pub(super) key: ObjectKey,
    /// The newest state of the object that is known.
    pub(super) pod: Tree,
    /// Whether the API no longer knows it.
    pub(super) gone: bool,
    pub(super) stage: Stage,
    pub(super) doing: Doing,
    /// Whether something changed since the last sync began.
    pub(super) dirty: bool,
    /// The address, while its sandbox runs.
    pub(super) ip: Option<Text>,
    /// The address of its last sandbox, as far as this kubelet knows it.
    pub(super) last_ip: Option<Text>,
    /// When it was taken up; in the future if that was with the start of the kubelet.
    pub(super) since: Millis,
    /// Whether the sync that goes on changed something on the host.
    pub(super) acted: bool,
    /// Whether its init containers have all done their work in this sandbox.
    pub(super) initialized: bool,
    /// Init containers in their order, then the app containers.
    pub(super) units: Vec<Unit>,
    /// Why it may not run here, or was ended by the kubelet: reason and message.
    pub(super) rejected: Option<(Text, Text)>,
    /// Until when its processes may take their time to end.
    pub(super) deadline: Millis,
    /// The status that the kubelet wants to be known; `Null` before the first.
    pub(super) status: Tree,
    /// The status patch or delete on its way.
    pub(super) sending: Option<RequestId>,
    /// Whether its report waits for the next batch of the status manager.
    pub(super) waits_for_batch: bool,
    /// What is being started, without its id.
    pub(super) starting: Option<Instance>,
    /// What the status patch on its way says.
    pub(super) sent: Tree,
    /// Whether its volumes and cgroups are gone too, so that the API may forget it.
    pub(super) released: bool,
    /// Whether the API took the final delete.
    pub(super) deleted: bool,
    /// When it is to be looked at again after a failed try.
    pub(super) again_at: Millis,
}

impl Worker {
    pub(super) fn new(pod: Tree, since: Millis) -> Worker {
        let spec = &pod["spec"];
        let init = spec["initContainers"].items().iter().map(|container| {
            let role = match container["restartPolicy"].str() {
                "Always" => Role::Sidecar,
                _ => Role::Init,
            };
            Unit::new(container["name"].text(), role)
        });
        let app = spec["containers"].items().iter();
        let app = app.map(|container| Unit::new(container["name"].text(), Role::App));
        let units = init.chain(app).collect();
        Worker {
            uid: object::uid(&pod).into(),
            key: object::key(&pod),
            pod,
            gone: false,
            stage: Stage::New,
            doing: Doing::Nothing,
            dirty: false,
            ip: None,
            last_ip: None,
            since,
            acted: false,
            initialized: false,
            units,
            rejected: None,
            deadline: Millis::MAX,
            status: Tree::Null,
            sending: None,
            waits_for_batch: false,
            starting: None,
            sent: Tree::Null,
            released: false,
            deleted: false,
            again_at: 0,
        }
    }

    /// The container of the pod's spec that unit `at` runs.
    pub(super) fn spec(&self, at: usize) -> &Tree {
        let init = self.pod["spec"]["initContainers"].items();
        init.get(at).unwrap_or_else(|| &self.pod["spec"]["containers"][at - init.len()])
    }

    /// Its restart policy; `Always` unless it says otherwise.
    pub(super) fn restart_policy(&self) -> &str {
        match self.pod["spec"]["restartPolicy"].str() {
            "" => "Always",
            policy => policy,
        }
    }

    /// The grace of its termination, in milliseconds (v1.36, `calculateEffectiveGracePeriod`).
    pub(super) fn grace(&self) -> Millis {
        let asked = self.pod["metadata"]["deletionGracePeriodSeconds"].as_i64();
        let asked = asked.filter(|_| object::is_terminating(&self.pod));
        let seconds = asked.unwrap_or_else(|| self.spec_grace());
        1000 * seconds.clamp(2, 1_000_000) as Millis
    }

    /// `spec.terminationGracePeriodSeconds`, or 30.
    pub(super) fn spec_grace(&self) -> i64 {
        self.pod["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(30)
    }

    /// Takes a state of the object in, unless a newer one is known. Answers the old one.
    pub(super) fn learn(&mut self, pod: Tree) -> Option<Tree> {
        let newer = object::resource_version(&pod) >= object::resource_version(&self.pod);
        (newer && object::uid(&pod) == self.uid).then(|| std::mem::replace(&mut self.pod, pod))
    }

    /// Whether an app container was ever started, as far as its status tells.
    pub(super) fn has_begun(&self) -> bool {
        let mut units = self.units.iter();
        units.any(|unit| unit.role == Role::App && unit.shown.current.is_some())
    }

    pub(super) fn unit_at(&self, name: &str) -> Option<usize> {
        self.units.iter().position(|unit| unit.name == name)
    }
}
