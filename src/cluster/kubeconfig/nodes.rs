//! Which of the marked nodes stands for which node of a scenario.

use kubesim_model::tree::Tree;
use kubesim_model::{Text, object};

use crate::cluster::real::Names;
use crate::cluster::{CONTROL_PLANE, ClusterSpec, NodeSpec};

/// The label of a node's zone.
const ZONE: &str = "topology.kubernetes.io/zone";

/// The names of the marked nodes of these, as the trial calls them: those of the scenario, each for
/// the first node that is as the scenario wants it, and their own for what is left.
pub(super) fn named(spec: &ClusterSpec, nodes: &[Tree]) -> Result<Names, String> {
    let mut free: Vec<&Tree> = nodes.iter().collect();
    free.sort_by_key(|node| object::name(node));
    let mut pairs = Vec::new();
    // Those that want most choose first.
    let mut wanted: Vec<&NodeSpec> = spec.nodes.iter().collect();
    let wishes =
        |node: &NodeSpec| usize::from(node.zone.is_some()) + node.labels.len() + node.taints.len();
    wanted.sort_by_key(|node| std::cmp::Reverse(wishes(node)));
    for want in wanted {
        let named = |node: &&Tree| fits(want, node) && *want.name == *object::name(node);
        let at = free.iter().position(named);
        let at = at.or_else(|| free.iter().position(|node| fits(want, node)));
        let at = at.ok_or_else(|| lack(spec, nodes, want))?;
        let real = object::name(free.remove(at));
        pairs.push((Text::new(real), want.name.clone()));
    }
    // One whose name a node of the scenario has can't be spoken of.
    free.retain(|node| spec.nodes.iter().all(|want| *want.name != *object::name(node)));
    pairs.extend(free.iter().map(|node| (object::name(node).into(), object::name(node).into())));
    Ok(Names::new(pairs))
}

fn lack(spec: &ClusterSpec, nodes: &[Tree], want: &NodeSpec) -> String {
    let (wanted, marked) = (spec.nodes.len(), nodes.len());
    match marked < wanted {
        true => {
            format!("the scenario wants {wanted} nodes, and the cluster has {marked} marked ones")
        }
        false => format!(
            "no marked node is as the scenario wants `{}`: role, zone, labels, taints and capacity \
             are taken as they are",
            want.name
        ),
    }
}

/// Whether a node has all that is wanted. Nothing is put on nodes that are somebody else's.
fn fits(want: &NodeSpec, node: &Tree) -> bool {
    let labels = &node["metadata"]["labels"];
    let taints = node["spec"]["taints"].items();
    want.is_control_plane != labels[CONTROL_PLANE].is_null()
        && want.zone.as_ref().is_none_or(|zone| labels[ZONE] == zone.as_str())
        && want.labels.iter().all(|(key, value)| labels[key.as_str()] == value.as_str())
        && want.taints.iter().all(|taint| taints.contains(taint))
        && want.capacity.iter().all(|(resource, amount)| {
            node["status"]["capacity"][resource.as_str()] == amount.as_str()
        })
}

#[cfg(test)]
mod tests {
    use kubesim_model::map;

    use super::*;

    fn node(name: &str, zone: &str) -> Tree {
        let labels = map! { ZONE => zone };
        map! { "metadata" => map! { "name" => name, "labels" => labels } }
    }

    fn want(name: &'static str, zone: Option<&'static str>) -> NodeSpec {
        NodeSpec { zone: zone.map(Text::new_static), ..NodeSpec::worker(name) }
    }

    fn names(wanted: Vec<NodeSpec>, nodes: &[Tree]) -> Result<Vec<(String, String)>, String> {
        let (bugs, record_deliveries_of) = (Vec::new(), None);
        let spec = ClusterSpec { seed: 1, nodes: wanted, bugs, record_deliveries_of };
        let names = named(&spec, nodes)?;
        Ok(names.iter().map(|(real, told)| (real.to_string(), told.to_string())).collect())
    }

    #[test]
    fn each_node_of_a_scenario_is_one_that_is_as_it_wants() {
        let there = [node("a", "east"), node("b", "west"), node("c", "east")];
        let pairs = names(vec![want("worker-1", Some("west")), want("worker-2", None)], &there);
        let pairs = pairs.unwrap();
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(pairs, [pair("a", "worker-2"), pair("b", "worker-1"), pair("c", "c")]);
    }

    #[test]
    fn too_few_nodes_or_other_ones_are_told() {
        let there = [node("a", "east")];
        let few = names(vec![want("worker-1", None), want("worker-2", None)], &there).unwrap_err();
        assert!(few.contains("wants 2 nodes, and the cluster has 1"), "{few}");
        let other = names(vec![want("worker-1", Some("west"))], &there).unwrap_err();
        assert!(other.contains("as the scenario wants `worker-1`"), "{other}");
    }
}
