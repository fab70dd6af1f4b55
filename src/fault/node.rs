//! What the faults of whole machines share: which nodes, and what to do to each.

use kubesim_model::Text;

use super::definition::{Injection, Missed, Scene};
use super::target::Field;
use crate::cluster::Lever;
use crate::suite::select::Select;
use crate::suite::{Param, ParamKind};

/// The parameters of faults of nodes.
pub(super) const PARAMS: &[Param] =
    &[Param::new("select", ParamKind::Select, "Which nodes; one worker by default.")];

/// An injection that pulls `act` for each selected node, and `heal` to take it back.
pub(super) fn on_nodes(
    scene: &mut Scene<'_>,
    act: impl Fn(Text) -> Lever,
    heal: impl Fn(Text) -> Lever,
) -> Result<Injection, Missed> {
    let mut select = scene.args.select("select").cloned().unwrap_or_default();
    if select.node.is_none() {
        select.role.get_or_insert(Text::new_static("worker"));
    }
    let nodes = chosen(scene, &select)?;
    let mut injection =
        Injection::on(nodes.iter().map(|node| Text::from(format!("node {node}"))).collect());
    injection.levers = nodes.iter().cloned().map(act).collect();
    injection.heal = nodes.iter().cloned().map(heal).collect();
    injection.nodes = nodes;
    Ok(injection)
}

fn chosen(scene: &mut Scene<'_>, select: &Select) -> Result<Vec<Text>, Missed> {
    let field = Field { view: scene.view, subject: scene.subject };
    let nodes = field.nodes(select, scene.draws);
    match nodes.is_empty() {
        true => Err(Missed::NothingThere("no node matches the selector".to_owned())),
        false => Ok(nodes),
    }
}
