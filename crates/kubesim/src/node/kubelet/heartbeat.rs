//! The node's signs of life (v1.36, `nodelease`, `kubelet_node_status.go`): the lease every 10 s,
//! the node's status when it is not what it should be, and every 5 minutes.

use kubesim_model::actor::{Io, WatchEvent};
use kubesim_model::request::{Answer, Request};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::{Map, Tree};
use kubesim_model::{Millis, list, map, object};

use super::actor::{Due, Kubelet, Sent};

const LEASE_PERIOD: Millis = 10_000;
const LEASE_SECONDS: i64 = 40;
const STATUS_PERIOD: Millis = 10_000;
const REPORT_PERIOD: Millis = 300_000;

/// What the kubelet knows of its own Node.
#[derive(Clone, Default)]
pub(super) struct Heartbeat {
    pub(super) node: Tree,
    /// When its status was last accepted.
    reported: Option<Millis>,
    sending: bool,
    /// Whether the next check of the status is set for the next period, not for the next report.
    last_check: Millis,
    next_check: Millis,
}

impl Kubelet {
    pub(super) fn start_heartbeat(&mut self, io: &mut Io<'_>) {
        let mut node = self.node_object(io.now);
        node.set(&["status"], self.node_status(io.now));
        let id = io.request(Request::create(Resource::NODES, node));
        self.sent(id, Sent::Node { create: true });
        self.heartbeat.sending = true;
        self.heartbeat.last_check = io.now;
        self.renew_lease(io);
    }

    pub(super) fn renew_lease(&mut self, io: &mut Io<'_>) {
        let key = ObjectKey::new("kube-node-lease", self.node.clone());
        let patch = map! { "spec" => map! {
            "holderIdentity" => &self.node, "leaseDurationSeconds" => LEASE_SECONDS,
            "renewTime" => object::micro_timestamp(io.now),
        } };
        let id = io.request(Request::merge_patch(Resource::LEASES, key, patch));
        self.sent(id, Sent::Lease { create: false });
        self.after(LEASE_PERIOD, Due::Lease, io);
    }

    pub(super) fn lease_answered(&mut self, created: bool, answer: &Answer, io: &mut Io<'_>) {
        let Err(error) = answer else { return };
        if error.is_not_found() && !created {
            let mut metadata = map! { "name" => &self.node, "namespace" => "kube-node-lease" };
            if !object::uid(&self.heartbeat.node).is_empty() {
                let owner = map! {
                    "apiVersion" => "v1", "kind" => "Node", "name" => &self.node,
                    "uid" => object::uid(&self.heartbeat.node),
                };
                metadata.set(&["ownerReferences"], list![owner]);
            }
            let lease = map! {
                "apiVersion" => "coordination.k8s.io/v1", "kind" => "Lease",
                "metadata" => metadata,
                "spec" => map! {
                    "holderIdentity" => &self.node, "leaseDurationSeconds" => LEASE_SECONDS,
                    "renewTime" => object::micro_timestamp(io.now),
                },
            };
            let id = io.request(Request::create(Resource::LEASES, lease));
            self.sent(id, Sent::Lease { create: true });
        }
    }

    pub(super) fn node_answered(&mut self, created: bool, answer: Answer, io: &mut Io<'_>) {
        self.heartbeat.sending = false;
        match answer {
            Ok(node) => {
                self.heartbeat.reported = Some(io.now);
                self.learn_node(node);
                self.check_later(REPORT_PERIOD, io);
            }
            Err(error) if created && error.is_already_exists() => self.report_node(io),
            Err(error) if error.is_not_found() => self.start_node_again(io),
            Err(_) => self.check_later(STATUS_PERIOD, io),
        }
    }

    fn start_node_again(&mut self, io: &mut Io<'_>) {
        let mut node = self.node_object(io.now);
        node.set(&["status"], self.node_status(io.now));
        let id = io.request(Request::create(Resource::NODES, node));
        self.sent(id, Sent::Node { create: true });
        self.heartbeat.sending = true;
    }

    pub(super) fn node_seen(&mut self, event: WatchEvent, io: &mut Io<'_>) {
        match event {
            WatchEvent::Listed { items, .. } => {
                items.into_iter().for_each(|node| self.learn_node(node));
            }
            WatchEvent::Applied { object, .. } => self.learn_node(object),
            WatchEvent::Deleted { .. } => return,
        }
        if self.heartbeat.reported.is_some() && !self.is_truthful() {
            // Found by the check that runs every 10 s.
            let past = (io.now - self.heartbeat.last_check) % STATUS_PERIOD;
            self.check_later(STATUS_PERIOD - past, io);
        }
    }

    fn learn_node(&mut self, node: Tree) {
        if object::resource_version(&node) >= object::resource_version(&self.heartbeat.node) {
            self.heartbeat.node = node;
        }
    }

    fn check_later(&mut self, wait: Millis, io: &mut Io<'_>) {
        let at = io.now + wait;
        if self.heartbeat.next_check <= io.now || at < self.heartbeat.next_check {
            self.heartbeat.next_check = at;
            self.after(wait, Due::NodeStatus, io);
        }
    }

    pub(super) fn check_node_status(&mut self, io: &mut Io<'_>) {
        if self.heartbeat.next_check > io.now || self.heartbeat.sending {
            return;
        }
        let due = self.heartbeat.reported.is_none_or(|at| io.now >= at + REPORT_PERIOD);
        if due || !self.is_truthful() {
            self.report_node(io);
        }
    }

    /// Whether the API has the conditions that the node really is in.
    fn is_truthful(&self) -> bool {
        object::has_condition(&self.heartbeat.node, "Ready")
    }

    fn report_node(&mut self, io: &mut Io<'_>) {
        let status = self.node_status(io.now);
        let key = ObjectKey::new("", self.node.clone());
        let patch = map! { "status" => status };
        let request = Request::strategic_patch(Resource::NODES, key, patch);
        let id = io.request(request.with_subresource("status"));
        self.sent(id, Sent::Node { create: false });
        self.heartbeat.sending = true;
    }

    fn node_object(&self, _now: Millis) -> Tree {
        let mut labels = map! {
            "kubernetes.io/hostname" => &self.node, "kubernetes.io/os" => "linux",
            "kubernetes.io/arch" => "amd64",
        };
        if let Some(zone) = &self.config.zone {
            labels.set(&["topology.kubernetes.io/zone"], zone);
        }
        for (label, value) in &self.config.labels {
            labels.set(&[label.as_str()], value);
        }
        let mut node = map! {
            "apiVersion" => "v1", "kind" => "Node",
            "metadata" => map! { "name" => &self.node, "labels" => labels },
            "spec" => Tree::map(),
        };
        if !self.config.taints.is_empty() {
            node.set(&["spec", "taints"], self.config.taints.clone());
        }
        node
    }

    fn node_status(&self, now: Millis) -> Tree {
        let capacity = self.config.capacity.iter();
        let resources: Map = capacity.map(|(name, is)| (name.clone(), Tree::from(is))).collect();
        let resources = Tree::from(resources);
        let stamp = object::timestamp(now);
        let condition = |kind: &str, good: &str, reason: &str, message: &str| {
            let known = object::condition(&self.heartbeat.node, kind);
            let known = known.filter(|known| known["status"] == good);
            let since = known.map_or_else(|| stamp.clone(), |it| it["lastTransitionTime"].text());
            map! {
                "type" => kind, "status" => good, "reason" => reason, "message" => message,
                "lastHeartbeatTime" => &stamp, "lastTransitionTime" => since,
            }
        };
        let enough = "kubelet has sufficient";
        map! {
            "capacity" => &resources, "allocatable" => &resources,
            "addresses" => list![
                map! { "type" => "InternalIP", "address" => &self.config.address },
                map! { "type" => "Hostname", "address" => &self.node },
            ],
            "conditions" => list![
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory",
                    &format!("{enough} memory available")),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure",
                    "kubelet has no disk pressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID",
                    &format!("{enough} PID available")),
                condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
            ],
            "nodeInfo" => map! {
                "bootID" => &self.boot_id, "kubeletVersion" => "v1.36.3",
                "containerRuntimeVersion" => "containerd://2.3.0", "operatingSystem" => "linux",
                "architecture" => "amd64", "osImage" => "kubesim", "kernelVersion" => "6.12.0",
                "machineID" => &self.node, "systemUUID" => &self.node,
                "kubeProxyVersion" => "v1.36.3",
            },
        }
    }
}
