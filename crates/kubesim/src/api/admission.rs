//! What the server adds to an object beyond defaults, from what it knows of the cluster: the
//! admission plugins that controllers rely on, and the addresses of Services (v1.36).

use kubesim_model::object;
use kubesim_model::request::Status;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map};

use super::router::Call;
use super::server::Api;
use super::{defaults, errors};

/// How long a pod stays on a node that is not ready or unreachable (DefaultTolerationSeconds).
const TOLERATION_SECONDS: i64 = 300;

impl Api {
    /// Admits a new object: Priority, ServiceAccount, DefaultTolerationSeconds for pods,
    /// TaintNodesByCondition for nodes.
    pub(super) fn admit(&self, call: &Call<'_>, object: &mut Tree) -> Result<(), Status> {
        if *call.resource() == Resource::NODES {
            taint_new_node(object);
        }
        if *call.resource() != Resource::PODS {
            return Ok(());
        }
        let spec = &object["spec"];
        let account = match spec["serviceAccountName"].str() {
            "" => Text::new_static("default"),
            name => Text::new(name),
        };
        let class = self.priority_class(call, object)?;
        let value = class.as_ref().map_or(0, |class| class["value"].as_i64().unwrap_or(0));
        let given = &spec["priority"];
        if !given.is_null() && given.as_i64() != Some(value) {
            let why = format!(
                "the integer value of priority ({given}) must not be provided in pod spec; \
                 priority admission controller computed {value} from the given PriorityClass name"
            );
            return Err(errors::forbidden(&Resource::PODS, object::name(object), why));
        }
        if let Some(class) = &class {
            object.set(&["spec", "priorityClassName"], object::name(class));
        }
        let preemption =
            class.as_ref().map_or(Tree::Null, |class| class["preemptionPolicy"].clone());
        let preemption =
            if preemption.is_null() { "PreemptLowerPriority".into() } else { preemption };
        object.set(&["spec", "priority"], value);
        object.set(&["spec", "preemptionPolicy"], preemption);
        object.set(&["spec", "serviceAccountName"], &account);
        object.set(&["spec", "serviceAccount"], &account);
        tolerate_lost_nodes(object);
        Ok(())
    }

    /// Admits a changed object. A service that leaves its addresses out keeps them.
    pub(super) fn admit_update(&self, call: &Call<'_>, old: &Tree, object: &mut Tree) {
        if *call.resource() == Resource::PODS {
            tolerate_lost_nodes(object);
        }
        let named = |service: &Tree| service["spec"]["type"] == "ExternalName";
        if *call.resource() == Resource::SERVICES && !named(object) {
            for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                let had = &old["spec"][field];
                if object["spec"][field].is_null() && !had.is_null() && !named(old) {
                    object.set(&["spec", field], had);
                }
            }
            keep_node_ports(old, object);
            choose_families(object.field_mut("spec"));
        }
    }

    /// The class that a pod names, or the default one.
    fn priority_class(&self, call: &Call<'_>, pod: &Tree) -> Result<Option<Tree>, Status> {
        let name = &pod["spec"]["priorityClassName"];
        if name.str().is_empty() {
            let default = self
                .store
                .range(&Resource::PRIORITY_CLASSES, "")
                .find(|(_, class)| class["globalDefault"].is_true());
            return Ok(default.map(|(_, class)| class.clone()));
        }
        let key = ObjectKey::new("", name.text());
        match self.store.get(&Resource::PRIORITY_CLASSES, &key) {
            Some(class) => Ok(Some(class.clone())),
            None => {
                let why = format!("no PriorityClass with name {} was found", name.str());
                Err(errors::forbidden(call.resource(), object::name(pod), why))
            }
        }
    }

    /// What only the server knows of a new, valid object.
    pub(super) fn finish_create(&mut self, call: &Call<'_>, object: &mut Tree) {
        if *call.resource() == Resource::SERVICES {
            self.allocate_addresses(object);
        }
        if call.kind.kind == "Job" && !call.kind.custom {
            defaults::label_job(object);
        }
    }

    /// A cluster address of 10.96.0.0/12 and node ports, as the service asks for them. Numbers are
    /// handed out in order and never again.
    pub(super) fn allocate_addresses(&mut self, service: &mut Tree) {
        let kind = service["spec"]["type"].text();
        if kind == "ExternalName" {
            return;
        }
        choose_families(service.field_mut("spec"));
        if service["spec"]["clusterIP"].str().is_empty() {
            self.addresses += 1;
            // The first ten addresses are left to the cluster's own services.
            let number = self.addresses + 10;
            let address = format!(
                "10.{}.{}.{}",
                96 + (number >> 16) % 16,
                (number >> 8) & 0xff,
                number & 0xff
            );
            service.set(&["spec", "clusterIP"], address);
        }
        let address = service["spec"]["clusterIP"].clone();
        service.set(&["spec", "clusterIPs"], list![address]);
        let allocates = service["spec"]["allocateLoadBalancerNodePorts"].as_bool() != Some(false);
        if kind == "NodePort" || kind == "LoadBalancer" && allocates {
            for port in service.at_mut(&["spec", "ports"]).items_mut() {
                if port["nodePort"].is_null() {
                    self.addresses += 1;
                    port.set(&["nodePort"], 30_000 + self.addresses % 2_768);
                }
            }
        }
    }
}

/// Ports of a service keep their node ports, by name, unless it has none any more.
fn keep_node_ports(old: &Tree, new: &mut Tree) {
    let has =
        |service: &Tree| ["NodePort", "LoadBalancer"].contains(&service["spec"]["type"].str());
    if !has(old) || new["spec"]["ports"].items().is_empty() {
        return;
    }
    let stays = has(new);
    let had = old["spec"]["ports"].items();
    for port in new.at_mut(&["spec", "ports"]).items_mut() {
        let Some(had) = had.iter().find(|had| had["name"] == port["name"]) else { continue };
        if stays && port["nodePort"].is_null() {
            port.set(&["nodePort"], &had["nodePort"]);
        } else if !stays && port["nodePort"] == had["nodePort"] {
            port.remove(&["nodePort"]);
        }
    }
}

/// The families of a service's addresses. Who sends headless traffic elsewhere may send it to both.
fn choose_families(spec: &mut Tree) {
    let elsewhere = spec["clusterIP"] == "None" && spec["selector"].fields().next().is_none();
    let (families, policy) = match elsewhere {
        true => (list!["IPv4", "IPv6"], "RequireDualStack"),
        false => (list!["IPv4"], "SingleStack"),
    };
    if spec["ipFamilies"].is_null() {
        spec.set(&["ipFamilies"], families);
    }
    if spec["ipFamilyPolicy"].is_null() {
        spec.set(&["ipFamilyPolicy"], policy);
    }
}

/// A new node takes no pods until the node lifecycle controller has seen that it is ready.
fn taint_new_node(node: &mut Tree) {
    let (key, effect) = ("node.kubernetes.io/not-ready", "NoSchedule");
    let taints = node["spec"]["taints"].items();
    if !taints.iter().any(|taint| taint["key"] == key && taint["effect"] == effect) {
        let taint = map! { "effect" => effect, "key" => key };
        node.at_mut(&["spec", "taints"]).items_mut().push(taint);
    }
}

/// Adds the tolerations for lost nodes that a pod does not have itself.
fn tolerate_lost_nodes(pod: &mut Tree) {
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let tolerated = pod["spec"]["tolerations"].items().iter().any(|have| {
            let (name, effect) = (have["key"].str(), have["effect"].str());
            (name == key || name.is_empty()) && (effect == "NoExecute" || effect.is_empty())
        });
        if !tolerated {
            pod.at_mut(&["spec", "tolerations"]).items_mut().push(map! {
                "key" => key, "operator" => "Exists", "effect" => "NoExecute",
                "tolerationSeconds" => TOLERATION_SECONDS,
            });
        }
    }
}
