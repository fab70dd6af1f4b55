//! Whether the node takes a pod that the API bound to it (v1.36,
//! `pkg/kubelet/lifecycle/predicate.go`): resources, node affinity, host ports. A pod that is
//! refused fails and is not tried again.

use kubesim_model::quantity::milli;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, object, selector};

use super::actor::Kubelet;
use super::worker::{Stage, Worker};

impl Kubelet {
    /// Why this new pod may not run here: reason and message.
    pub(super) fn rejection(&self, pod: &Tree) -> Option<(Text, Text)> {
        let alive = |worker: &&Worker| {
            worker.stage != Stage::Terminated
                && worker.rejected.is_none()
                && worker.uid != object::uid(pod)
        };
        let others: Vec<&Tree> =
            self.workers.values().filter(alive).map(|worker| &worker.pod).collect();
        for (name, capacity) in &self.config.capacity {
            // CPU is spoken of in thousandths, all else in whole units.
            let unit = if name == "cpu" { 1 } else { 1000 };
            let capacity = milli(&Tree::from(capacity)).unwrap_or(0) / unit;
            if name == "pods" {
                let pods = others.len() as i64;
                if pods >= capacity {
                    return Some(out_of("pods", 1, pods, capacity));
                }
                continue;
            }
            let used = others.iter().fold(0i64, |sum, pod| sum.saturating_add(wants(pod, name)));
            let (wants, used) = (wants(pod, name) / unit, used / unit);
            if wants > 0 && used.saturating_add(wants) > capacity {
                return Some(out_of(name, wants, used, capacity));
            }
        }
        let node = &self.heartbeat.node;
        if !node.is_null() && !selector::admits_node(&pod["spec"], node) {
            return Some(refused("NodeAffinity"));
        }
        let ports = host_ports(pod);
        let taken = others.iter().flat_map(|pod| host_ports(pod)).any(|have| {
            let meets = |want: &(i64, String, String)| {
                let anywhere = |ip: &str| ip.is_empty() || ip == "0.0.0.0";
                let same_ip = have.2 == want.2 || anywhere(&have.2) || anywhere(&want.2);
                have.0 == want.0 && have.1 == want.1 && same_ip
            };
            ports.iter().any(meets)
        });
        taken.then(|| refused("NodePorts"))
    }
}

fn refused(predicate: &'static str) -> (Text, Text) {
    let message = format!("Pod was rejected: Predicate {predicate} failed");
    (Text::new_static(predicate), message.into())
}

fn out_of(name: &str, wants: i64, used: i64, capacity: i64) -> (Text, Text) {
    let message = format!(
        "Pod was rejected: Node didn't have enough resource: {name}, requested: {wants}, \
         used: {used}, capacity: {capacity}"
    );
    (format!("OutOf{name}").into(), message.into())
}

/// What a pod requests, in thousandths: the sum of its containers and sidecars, or the biggest
/// init container if that is more.
fn wants(pod: &Tree, name: &str) -> i64 {
    let request = |container: &Tree| {
        let resources = &container["resources"];
        let given = milli(&resources["requests"][name]);
        given.or_else(|| milli(&resources["limits"][name])).unwrap_or(0).max(0)
    };
    let (mut sidecars, mut biggest) = (0i64, 0i64);
    for container in pod["spec"]["initContainers"].items() {
        if container["restartPolicy"] == "Always" {
            sidecars = sidecars.saturating_add(request(container));
            biggest = biggest.max(sidecars);
        } else {
            biggest = biggest.max(sidecars.saturating_add(request(container)));
        }
    }
    let apps = pod["spec"]["containers"].items().iter();
    apps.fold(sidecars, |sum, container| sum.saturating_add(request(container))).max(biggest)
}

/// Port, protocol and address of each host port.
fn host_ports(pod: &Tree) -> Vec<(i64, String, String)> {
    let lists = [&pod["spec"]["initContainers"], &pod["spec"]["containers"]];
    let ports = lists.into_iter().flat_map(Tree::items).flat_map(|one| one["ports"].items());
    ports
        .filter_map(|port| {
            let number = port["hostPort"].as_i64().filter(|number| *number > 0)?;
            let protocol = port["protocol"].as_str().unwrap_or("TCP").to_owned();
            Some((number, protocol, port["hostIP"].str().to_owned()))
        })
        .collect()
}
