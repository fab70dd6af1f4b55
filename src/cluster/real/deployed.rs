//! Programs in containers of the cluster, by the workloads that were applied: who they are for the
//! API, which of their containers run, and what can be done to them.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::Text;
use kubesim_model::object;
use kubesim_model::tree::Tree;

use super::apply::runs_as;
use super::ground::{Ground, turn_of};
use crate::cluster::{ContainerSelector, Lever, LeverError, Touched};
use crate::history::{ActorEvent, ActorPhase, ContainerFact, HostEvent, HostFact};
use crate::suite::ways::NAMESPACE;

/// The exit code of SIGKILL.
const KILLED: i32 = 137;

/// The workloads, by the name of who runs in them.
#[derive(Default)]
pub(super) struct Deployed {
    members: BTreeMap<Text, Member>,
    /// The namespaces that hold nothing of what a trial is about.
    apart: BTreeSet<Text>,
    /// The nodes that stand still.
    frozen: BTreeSet<Text>,
}

struct Member {
    namespace: Text,
    /// What runs under its account.
    pods: Vec<Pods>,
    event: ActorEvent,
    has_come: bool,
    /// Its containers that run, as far as that was seen, and their nodes.
    running: BTreeMap<Text, Text>,
    /// Whether it stands still because its nodes do.
    is_frozen: bool,
    /// Whether one was ever seen to run.
    has_run: bool,
}

/// The pods of a workload, and the container of theirs that counts.
pub(super) struct Pods {
    /// How their names begin.
    pub(super) beginning: String,
    pub(super) container: Text,
}

impl Deployed {
    /// Takes up what runs of `objects`; answers its users and their names. A service account is
    /// called by its own name, the one that every namespace has by that of the workload.
    pub(super) fn take_up(&mut self, objects: &[Tree]) -> Vec<(Text, Text)> {
        let mut users: Vec<(Text, Text)> = Vec::new();
        for object in objects {
            let (namespace, workload) = (namespace(object), object::name(object));
            let beginning = match object["kind"].str() {
                "Pod" => workload.to_owned(),
                "Deployment" | "StatefulSet" | "DaemonSet" => format!("{workload}-"),
                _ => continue,
            };
            let (account, container) = runs_as(object);
            let user = Text::from(format!("system:serviceaccount:{namespace}:{account}"));
            let own = if account == "default" { Text::new(workload) } else { account };
            let known = users.iter().find(|(have, _)| *have == user);
            let name = match known {
                Some((_, name)) => name.clone(),
                None if self.members.contains_key(&own) => Text::from(format!("{namespace}/{own}")),
                None => own,
            };
            if namespace != "default" {
                self.apart.insert(namespace.clone());
            }
            let member = self.members.entry(name.clone()).or_insert_with(|| {
                users.push((user.clone(), name.clone()));
                Member::new(name, user, namespace)
            });
            member.pods.push(Pods { beginning, container });
        }
        users
    }

    /// Whether what lies in a namespace is the subject's own.
    pub(super) fn is_apart(&self, namespace: &str) -> bool {
        self.apart.contains(namespace)
    }

    /// Which incarnation of somebody lives; `None` for others.
    pub(super) fn incarnation(&self, name: &str) -> Option<u32> {
        self.members.get(name).map(|member| member.event.incarnation)
    }

    /// A request of somebody was seen; what is to be told, if it is the first.
    pub(super) fn arrived(&mut self, name: &str, user_agent: &Text) -> Option<ActorEvent> {
        let member = self.members.get_mut(name).filter(|member| !member.has_come)?;
        member.has_come = true;
        member.event.user_agent = user_agent.clone();
        Some(member.event.clone())
    }

    /// What a fact of a host tells of them; `None` if it is about others.
    pub(super) fn saw(&mut self, fact: &HostEvent) -> Option<Vec<ActorEvent>> {
        let (container, starts) = match &fact.fact {
            HostFact::ContainerStarted(container) => (container, Some(true)),
            HostFact::ContainerExited { container, .. } => (container, Some(false)),
            HostFact::ContainerStuck { container, .. } => (container, None),
            _ => return None,
        };
        let mut members = self.members.values_mut();
        let Some(member) = members.find(|member| member.owns(container)) else {
            return self.is_apart(&container.pod.namespace).then(Vec::new);
        };
        let event = starts.and_then(|starts| match starts {
            true => member.started(&container.container_id, &fact.node),
            false => member.exited(&container.container_id),
        });
        Some(event.into_iter().collect())
    }

    /// Who stands still, or goes on, with the host that a fact is about: what is sent to it is not
    /// read before it goes on.
    pub(super) fn stand_still(&mut self, fact: &HostEvent) -> Vec<ActorEvent> {
        match fact.fact {
            HostFact::Frozen => self.frozen.insert(fact.node.clone()),
            HostFact::Thawed | HostFact::PoweredOff => self.frozen.remove(&fact.node),
            _ => return Vec::new(),
        };
        let frozen = &self.frozen;
        self.members.values_mut().filter_map(|member| member.stand_still(frozen)).collect()
    }

    /// Moves a lever that acts on one of them; `None` if it does not. A kubelet starts what was
    /// ended again when it will.
    pub(super) fn pull(
        &mut self,
        lever: &Lever,
        ground: &mut dyn Ground,
    ) -> Option<Result<(Touched, Vec<ActorEvent>), LeverError>> {
        let (actor, phase) = turn_of(lever)?;
        let member = self.members.get_mut(actor)?;
        let mut did = false;
        for container in member.selectors() {
            let lever = match phase {
                ActorPhase::Crashed => Lever::KillContainer { container, exit_code: KILLED },
                ActorPhase::Paused => Lever::StickContainer { container },
                ActorPhase::Resumed => Lever::UnstickContainer { container },
                ActorPhase::Started => break,
            };
            match ground.pull(&lever) {
                Some(Ok(touched)) => did |= !touched.pods.is_empty(),
                Some(Err(error)) => return Some(Err(error)),
                None => {}
            }
        }
        if !did {
            return Some(Ok((Touched::default(), Vec::new())));
        }
        let touched = Touched { actors: vec![actor.clone()], ..Touched::default() };
        Some(Ok((touched, member.turned(phase).into_iter().collect())))
    }

    /// Whose logs can be asked for: the name, the namespace and the pods.
    pub(super) fn pods(&self) -> impl Iterator<Item = (&Text, &Text, &[Pods])> {
        self.members.iter().map(|(name, member)| (name, &member.namespace, &member.pods[..]))
    }
}

impl Member {
    fn new(name: Text, user: Text, namespace: Text) -> Member {
        let event = ActorEvent {
            actor: name,
            user,
            user_agent: Text::default(),
            node: Text::default(),
            incarnation: 1,
            phase: ActorPhase::Started,
        };
        Member {
            namespace,
            pods: Vec::new(),
            event,
            has_come: false,
            running: BTreeMap::new(),
            is_frozen: false,
            has_run: false,
        }
    }

    fn owns(&self, container: &ContainerFact) -> bool {
        let (pod, name) = (&container.pod, &container.name);
        let mut pods = self.pods.iter();
        pod.namespace == self.namespace
            && pods.any(|own| own.container == *name && pod.name.starts_with(&own.beginning))
    }

    fn selectors(&self) -> impl Iterator<Item = ContainerSelector> {
        self.pods.iter().map(|own| ContainerSelector {
            namespace: self.namespace.clone(),
            pod: Text::from(format!("{}*", own.beginning)),
            container: own.container.clone(),
            ..ContainerSelector::default()
        })
    }

    /// With the first container that runs after none did it lives again.
    fn started(&mut self, id: &Text, node: &Text) -> Option<ActorEvent> {
        let was_down = self.running.is_empty();
        self.running.insert(id.clone(), node.clone());
        if !was_down || !std::mem::replace(&mut self.has_run, true) {
            return None;
        }
        self.turned(ActorPhase::Started)
    }

    /// It stands still if all nodes do on which it runs.
    fn stand_still(&mut self, frozen: &BTreeSet<Text>) -> Option<ActorEvent> {
        let is_frozen =
            !self.running.is_empty() && self.running.values().all(|node| frozen.contains(node));
        let was_frozen = std::mem::replace(&mut self.is_frozen, is_frozen);
        match (was_frozen, is_frozen, self.event.phase) {
            (false, true, ActorPhase::Started | ActorPhase::Resumed) => {
                self.turned(ActorPhase::Paused)
            }
            (true, false, ActorPhase::Paused) => self.turned(ActorPhase::Resumed),
            _ => None,
        }
    }

    fn exited(&mut self, id: &Text) -> Option<ActorEvent> {
        let was = self.running.remove(id);
        let is_told = self.event.phase == ActorPhase::Crashed;
        if was.is_none() || !self.running.is_empty() || is_told {
            return None;
        }
        self.turned(ActorPhase::Crashed)
    }

    /// Notes what became of it; it is told once it was heard of.
    fn turned(&mut self, phase: ActorPhase) -> Option<ActorEvent> {
        self.event.incarnation += u32::from(phase == ActorPhase::Started);
        self.event.phase = phase;
        self.has_come.then(|| self.event.clone())
    }
}

/// The namespace of an object that may name none.
fn namespace(object: &Tree) -> Text {
    match object::namespace(object) {
        "" => Text::new_static(NAMESPACE),
        namespace => Text::new(namespace),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubesim_model::resource::ObjectKey;
    use kubesim_model::{list, map};

    fn fact(id: &str, starts: bool) -> HostEvent {
        let container = ContainerFact {
            container_id: id.into(),
            pod_uid: "u".into(),
            pod: ObjectKey::new("kruise-system", "manager-5d-x"),
            name: "manager".into(),
            image: "i".into(),
            image_id: "i".into(),
        };
        let fact = match starts {
            true => HostFact::ContainerStarted(container),
            false => HostFact::ContainerExited { container, exit_code: 1, reason: "".into() },
        };
        HostEvent { node: "n".into(), fact }
    }

    #[test]
    fn a_container_that_follows_another_is_the_next_incarnation() {
        let mut deployed = Deployed::default();
        let template = map! { "spec" => map! {
            "serviceAccountName" => "kruise", "containers" => list![map! { "name" => "manager" }],
        } };
        let manager = map! {
            "kind" => "Deployment",
            "metadata" => map! { "name" => "manager", "namespace" => "kruise-system" },
            "spec" => map! { "template" => template },
        };
        let users = deployed.take_up(&[manager]);
        let user: Text = "system:serviceaccount:kruise-system:kruise".into();
        assert_eq!(users, [(user, "kruise".into())]);
        assert!(deployed.is_apart("kruise-system") && !deployed.is_apart("default"));
        assert_eq!(deployed.saw(&fact("a", true)), Some(Vec::new()));
        assert!(deployed.arrived("kruise", &"manager/v1".into()).is_some());
        assert!(deployed.arrived("kruise", &"manager/v1".into()).is_none());
        let ended = deployed.saw(&fact("a", false)).unwrap_or_default();
        assert_eq!(ended[0].phase, ActorPhase::Crashed);
        let again = deployed.saw(&fact("b", true)).unwrap_or_default();
        assert_eq!((again[0].phase, again[0].incarnation), (ActorPhase::Started, 2));
    }
}
