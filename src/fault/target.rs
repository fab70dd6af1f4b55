//! Finding what a selector means: nodes, pods, containers, actors of the trial. Candidates are in
//! the order of their names, and those that are taken are drawn from the caller's stream.

use kubesim_model::Text;
use kubesim_model::object;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::stream::Stream;
use kubesim_model::tree::Tree;

use crate::cluster::CONTROL_PLANE;
use crate::history::View;
use crate::subject::{pods_of, workload};
use crate::suite::Subject;
use crate::suite::cel::{Bindings, Program};
use crate::suite::select::{Mode, Select};

/// The label of a node's or pod's zone.
const ZONE: &str = "topology.kubernetes.io/zone";

/// What selectors are looked up in.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    /// The state of everything.
    pub view: &'a View,
    /// The subject of the trial.
    pub subject: &'a Subject,
}

/// A pod that was selected.
#[derive(Clone, Debug, PartialEq)]
pub struct PodTarget {
    /// Its name.
    pub key: ObjectKey,
    /// Its uid.
    pub uid: Text,
    /// Its node; empty if it has none yet.
    pub node: Text,
    /// The names of its containers.
    pub containers: Vec<Text>,
}

impl<'a> Field<'a> {
    /// The nodes that `select` takes.
    pub fn nodes(&self, select: &Select, draws: &mut Stream) -> Vec<Text> {
        let hosting = self.hosting(select);
        let nodes = self.view.objects.all(&Resource::NODES);
        let fits = nodes.filter(|(key, node)| {
            self.node_fits(select, node)
                && hosting.as_ref().is_none_or(|nodes| nodes.contains(&key.name))
        });
        take(fits.map(|(key, _)| key.name.clone()).collect(), select.mode, draws)
    }

    /// The nodes of the pods that the selector speaks of, if it speaks of pods.
    fn hosting(&self, select: &Select) -> Option<Vec<Text>> {
        if select.workload.is_none() && select.pod.is_none() {
            return None;
        }
        let of_pods = Select {
            workload: select.workload.clone(),
            pod: select.pod.clone(),
            ..Select::default()
        };
        Some(self.all_pods(&of_pods).into_iter().map(|pod| pod.node).collect())
    }

    fn node_fits(&self, select: &Select, node: &Tree) -> bool {
        let labels = &node["metadata"]["labels"];
        let is_control_plane = !labels[CONTROL_PLANE].is_null();
        let role = select.role.as_deref();
        role.is_none_or(|role| (role == "control-plane") == is_control_plane)
            && select.node.as_ref().is_none_or(|name| *name == object::name(node))
            && select.zone.as_ref().is_none_or(|zone| labels[ZONE] == zone.as_str())
            && select.labels.iter().all(|(key, value)| labels[key.as_str()] == value.as_str())
            && holds(select.where_.as_ref(), node)
    }

    /// The pods that `select` takes: neither ended nor terminating ones.
    pub fn pods(&self, select: &Select, draws: &mut Stream) -> Vec<PodTarget> {
        take(self.all_pods(select), select.mode, draws)
    }

    /// The same of those in which the container that is meant runs, by host truth.
    pub fn running_pods(&self, select: &Select, draws: &mut Stream) -> Vec<PodTarget> {
        let mut pods = self.all_pods(select);
        pods.retain(|pod| {
            let chosen = pod.chosen(select.container.as_ref());
            self.view.hosts.running().any(|running| {
                let container = &running.container;
                container.pod_uid == pod.uid && Some(&container.name) == chosen.as_ref()
            })
        });
        take(pods, select.mode, draws)
    }

    fn all_pods(&self, select: &Select) -> Vec<PodTarget> {
        let pods: Vec<(&ObjectKey, &Tree)> = match &select.workload {
            Some(name) => match workload(self.subject, self.view, name) {
                Some(workload) => pods_of(self.subject, self.view, workload),
                None => Vec::new(),
            },
            None => self.view.objects.all(&Resource::PODS).collect(),
        };
        let fits = pods.into_iter().filter(|(_, pod)| self.pod_fits(select, pod));
        fits.map(|(key, pod)| PodTarget::of(key, pod)).collect()
    }

    fn pod_fits(&self, select: &Select, pod: &Tree) -> bool {
        let node = &pod["spec"]["nodeName"];
        let labels = &pod["metadata"]["labels"];
        let containers = pod["spec"]["containers"].items();
        object::is_active(pod)
            && select.pod.as_ref().is_none_or(|name| *name == object::name(pod))
            && select.node.as_ref().is_none_or(|name| *node == name.as_str())
            && select.zone.as_ref().is_none_or(|zone| self.zone_of(node.str()) == zone.as_str())
            && select.labels.iter().all(|(key, value)| labels[key.as_str()] == value.as_str())
            && select.container.as_ref().is_none_or(|name| {
                containers.iter().any(|container| container["name"] == name.as_str())
            })
            && holds(select.where_.as_ref(), pod)
    }

    fn zone_of(&self, node: &str) -> &'a str {
        let node = self.view.objects.get(&Resource::NODES, &ObjectKey::new("", node));
        node.map_or("", |node| node["metadata"]["labels"][ZONE].str())
    }

    /// The actors that `select` takes; without `actor` the subject's.
    pub fn actors(&self, select: &Select, draws: &mut Stream) -> Vec<Text> {
        let role = select.actor.as_deref().unwrap_or(SUBJECT);
        let node = select.node.as_ref();
        let actors = self.view.actors.values();
        let fits = actors.filter(|actor| {
            self.plays(&actor.actor, role) && node.is_none_or(|node| actor.node == *node)
        });
        take(fits.map(|actor| actor.actor.clone()).collect(), select.mode, draws)
    }

    /// Whether the actor plays this role: `subject`, its name, or the part of it before `/`.
    pub fn plays(&self, actor: &str, role: &str) -> bool {
        if role == SUBJECT {
            let known = self.view.actors.get(actor);
            return known
                .is_some_and(|by| self.subject.identities.matches(&by.user, &by.user_agent));
        }
        actor == role || actor.split('/').next() == Some(role)
    }
}

/// The role of the controller under test.
const SUBJECT: &str = "subject";

impl PodTarget {
    fn of(key: &ObjectKey, pod: &Tree) -> Self {
        let containers = pod["spec"]["containers"].items();
        PodTarget {
            key: key.clone(),
            uid: Text::new(object::uid(pod)),
            node: pod["spec"]["nodeName"].text(),
            containers: containers.iter().map(|container| container["name"].text()).collect(),
        }
    }

    /// The containers that a selector means: the named one, else the first.
    pub fn chosen(&self, named: Option<&Text>) -> Option<Text> {
        match named {
            Some(name) => self.containers.iter().find(|have| *have == name).cloned(),
            None => self.containers.first().cloned(),
        }
    }
}

/// A condition that fails to evaluate does not hold: the candidate lacks what it asks about.
fn holds(condition: Option<&Program>, candidate: &Tree) -> bool {
    condition.is_none_or(|program| {
        program.holds(&Bindings::new().with("object", candidate)).unwrap_or(false)
    })
}

/// As many as `mode` says, drawn from `draws`, in the order in which they were given.
fn take<T>(candidates: Vec<T>, mode: Mode, draws: &mut Stream) -> Vec<T> {
    let total = candidates.len();
    let wanted = match mode {
        Mode::One => 1,
        Mode::All => total,
        Mode::Count(count) => count as usize,
        Mode::Percent(percent) => (total * percent as usize).div_ceil(100),
    };
    let mut chosen: Vec<(usize, T)> = candidates.into_iter().enumerate().collect();
    while chosen.len() > wanted.min(total) {
        chosen.remove(draws.index(chosen.len()));
    }
    chosen.into_iter().map(|(_, candidate)| candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_takes_as_many_as_asked_in_their_order() {
        let take = |mode| take(vec![1, 2, 3, 4, 5], mode, &mut Stream::new(7, "test"));
        assert_eq!(take(Mode::All), [1, 2, 3, 4, 5]);
        assert_eq!(take(Mode::Count(9)).len(), 5);
        assert_eq!(take(Mode::Percent(21)).len(), 2);
        let some = take(Mode::Count(3));
        assert!(some.len() == 3 && some.is_sorted());
        assert_eq!(some, take(Mode::Count(3)));
    }
}
