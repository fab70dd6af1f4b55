//! Reads the cluster and the limits of a scenario.

use kubesim_model::Text;

use super::reader::Reader;
use super::select::{is_dns_name, is_label_key};
use crate::suite::diagnostic::{Code, Diagnostic};
use crate::suite::model::{ClusterSpec, Limits, NodeSpec};
use crate::suite::node::{Node, Value};

/// The fields of `cluster`.
pub(in crate::suite) const CLUSTER: [&str; 2] = ["nodes", "version"];
/// The fields of a node.
pub(in crate::suite) const NODE: [&str; 7] =
    ["name", "count", "role", "zone", "labels", "taints", "capacity"];
/// The fields of `limits`.
pub(in crate::suite) const LIMITS: [&str; 4] = ["time", "events", "historyBytes", "findings"];
/// The most nodes of a cluster.
const MAX_NODES: i64 = 5_000;

impl Reader<'_> {
    pub(super) fn cluster(&mut self, node: &Node) -> Option<ClusterSpec> {
        let fields = self.fields(node, "`cluster`", &CLUSTER)?;
        let version = fields.get("version").and_then(|node| self.text(node, "`version`"));
        let nodes = match fields.get("nodes") {
            None => ClusterSpec::default().nodes,
            Some(node) => match &node.value {
                Value::List(items) => self.nodes(items),
                _ => {
                    let count = self.int(node, "`nodes`", (1, MAX_NODES))?;
                    (1..=usize::try_from(count).ok()?).map(NodeSpec::worker).collect()
                }
            },
        };
        let version = version.map(|version| version.value);
        Some(ClusterSpec { nodes, version })
    }

    fn nodes(&mut self, items: &[Node]) -> Vec<NodeSpec> {
        let mut nodes: Vec<NodeSpec> = Vec::new();
        for item in items {
            let Some((spec, named, count)) = self.node(item) else { continue };
            for _ in 0..count {
                let mut spec = spec.clone();
                if !named || count > 1 {
                    let prefix = if named { spec.name.clone() } else { spec.role.clone() };
                    let number = 1 + nodes.iter().filter(|n| numbered(&n.name, &prefix)).count();
                    spec.name = Text::from(format!("{prefix}-{number}"));
                }
                if nodes.iter().any(|have| have.name == spec.name) {
                    let message = format!("there are two nodes `{}`", spec.name);
                    self.report(Diagnostic::error(Code::DuplicateName, &item.at, message));
                }
                nodes.push(spec);
            }
        }
        nodes
    }

    fn node(&mut self, item: &Node) -> Option<(NodeSpec, bool, i64)> {
        let fields = self.fields(item, "a node", &NODE)?;
        let mut spec = NodeSpec::worker(1);
        let name = fields.get("name").and_then(|node| self.word(node, "`name`"));
        if let (Some(name), Some(node)) = (&name, fields.get("name")) {
            self.dns_name(node, name);
        }
        let named = name.is_some();
        spec.name = name.unwrap_or(spec.name);
        let roles = ["worker", "control-plane"];
        if let Some(role) = fields.get("role").and_then(|node| self.one_of(node, "`role`", &roles))
        {
            spec.role = role;
        }
        spec.zone = fields.get("zone").and_then(|node| self.word(node, "`zone`"));
        spec.labels = fields.get("labels").map(|node| self.labels(node)).unwrap_or_default();
        for taint in fields.get("taints").map(|node| self.list(node, "`taints`")).unwrap_or(&[]) {
            spec.taints.extend(self.taint(taint));
        }
        let capacity = fields.get("capacity").map(Node::entries).unwrap_or_default();
        for (key, value) in capacity {
            let text = match &value.value {
                Value::Int(number) => Some(Text::from(number.to_string())),
                _ => self.word(value, "a capacity"),
            };
            spec.capacity.extend(text.map(|text| (key.value.clone(), text)));
        }
        let count = fields.get("count").and_then(|node| self.int(node, "`count`", (1, MAX_NODES)));
        Some((spec, named, count.unwrap_or(1)))
    }

    fn taint(&mut self, node: &Node) -> Option<kubesim_model::tree::Tree> {
        let fields = self.fields(node, "a taint", &["key", "value", "effect"])?;
        let key = self.required(&fields, "a taint", "key")?;
        let text = self.text(key, "`key`")?;
        if !is_label_key(&text) {
            let message = format!("`{}` is no valid taint key", text.value);
            self.report(Diagnostic::error(Code::BadLabel, &key.at, message));
        }
        let effect = self.required(&fields, "a taint", "effect")?;
        self.one_of(effect, "`effect`", &["NoSchedule", "PreferNoSchedule", "NoExecute"])?;
        Some(node.tree())
    }

    /// Says so if `name` is no name of an object.
    pub(super) fn dns_name(&mut self, node: &Node, name: &str) {
        if is_dns_name(name, 253) {
            return;
        }
        let message = format!("`{name}` is no valid name");
        let found = Diagnostic::error(Code::BadName, &node.at, message);
        self.report(
            found.help("lower-case letters, digits, `-` and `.`, as for Kubernetes objects"),
        );
    }

    pub(super) fn limits(&mut self, node: &Node) -> Option<Limits> {
        let fields = self.fields(node, "`limits`", &LIMITS)?;
        let mut limits = Limits::default();
        if let Some(time) = fields.get("time").and_then(|node| self.duration(node, "`time`")) {
            limits.time = time;
        }
        for (name, limit) in [
            ("events", &mut limits.events),
            ("historyBytes", &mut limits.history_bytes),
            ("findings", &mut limits.findings),
        ] {
            let Some(node) = fields.get(name) else { continue };
            let given = self.int(node, &format!("`{name}`"), (1, i64::MAX));
            *limit = given.and_then(|given| u64::try_from(given).ok()).unwrap_or(*limit);
        }
        Some(limits)
    }
}

fn numbered(name: &str, prefix: &str) -> bool {
    let rest = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-'));
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}
