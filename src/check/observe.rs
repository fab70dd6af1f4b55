//! What checks ask about the subject: whose requests are its, what its workloads want. A subject
//! file answers in CEL (`observed.rs`); here is the question, and typed access to the answers.

use kubesim_model::Text;
use kubesim_model::object;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::share::{Rounding, share};
use kubesim_model::tree::Tree;

use crate::history::{ActorEvent, View};

/// An observation that could not be made: its expression failed, or answered the wrong type.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("the subject's observation `{name}` of {object}: {reason}")]
pub struct ObserveError {
    /// The observation.
    pub name: &'static str,
    /// The workload.
    pub object: String,
    /// What went wrong.
    pub reason: String,
}

/// What an observation is made of.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The workload.
    pub workload: &'a Tree,
    /// For `inPlaceable`: the workload before.
    pub old: Option<&'a Tree>,
    /// For `owns` and `revision`: the pod.
    pub pod: Option<&'a Tree>,
    /// For `matches`: the live pods.
    pub pods: Option<&'a [Tree]>,
    /// Everything else.
    pub view: &'a View,
}

impl<'a> Question<'a> {
    /// About a workload alone.
    pub fn of(workload: &'a Tree, view: &'a View) -> Question<'a> {
        Question { workload, old: None, pod: None, pods: None, view }
    }
}

/// The subject as checks see it.
pub trait Observe {
    /// The resource of its workloads.
    fn resource(&self) -> &Resource;

    /// Whether this actor is (a part of) the subject.
    fn is_subject(&self, actor: &ActorEvent) -> bool;

    /// Whether the subject has this observation.
    fn observes(&self, name: &str) -> bool;

    /// The answer to an observation; `None` if the subject does not have it.
    ///
    /// # Errors
    /// The observation failed.
    fn observe(
        &self,
        name: &'static str,
        question: &Question<'_>,
    ) -> Result<Option<Tree>, ObserveError>;
}

/// A point of a history together with the subject.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// Everything after the event at hand.
    pub view: &'a View,
    /// The subject.
    pub subject: &'a dyn Observe,
}

type Observed<T> = Result<Option<T>, ObserveError>;

impl<'a> Scene<'a> {
    /// The workloads of the subject: the objects of its resource of which `desired` is not null.
    pub fn workloads(&self) -> Result<Vec<&'a Tree>, ObserveError> {
        let all = self.view.objects.all(self.subject.resource());
        let mut found = Vec::new();
        for (_, workload) in all {
            if self.is_workload(workload)? {
                found.push(workload);
            }
        }
        Ok(found)
    }

    fn is_workload(&self, workload: &Tree) -> Result<bool, ObserveError> {
        Ok(self.ask("desired", workload)?.is_none_or(|desired| !desired.is_null()))
    }

    /// The workload that a pod belongs to, as things are now.
    pub fn workload_of(&self, pod: &Tree) -> Result<Option<&'a Tree>, ObserveError> {
        for workload in self.workloads()? {
            if self.owns(workload, pod)? {
                return Ok(Some(workload));
            }
        }
        Ok(None)
    }

    /// Whether a pod belongs to the workload: what the observation `owns` says, or else whether the
    /// workload is among its controllers.
    pub fn owns(&self, workload: &Tree, pod: &Tree) -> Result<bool, ObserveError> {
        if object::namespace(workload) != object::namespace(pod) {
            return Ok(false);
        }
        let question = Question { pod: Some(pod), ..Question::of(workload, self.view) };
        match self.subject.observe("owns", &question)? {
            Some(answer) => bool(&answer, "owns", workload),
            None => {
                let uid = object::uid(workload);
                let owners = self.view.objects.owners(pod);
                Ok(!uid.is_empty() && owners.iter().any(|owner| owner == uid))
            }
        }
    }

    /// The pods of a workload, by name; terminating and ended ones too.
    pub fn pods(&self, workload: &Tree) -> Result<Vec<(&'a ObjectKey, &'a Tree)>, ObserveError> {
        if !self.subject.observes("owns") {
            let uid = object::uid(workload);
            return Ok(self.view.objects.descendants(uid, &Resource::PODS));
        }
        let mut found = Vec::new();
        for (key, pod) in self.view.objects.all(&Resource::PODS) {
            if self.owns(workload, pod)? {
                found.push((key, pod));
            }
        }
        Ok(found)
    }

    /// The live pods: neither ended, nor terminating on a node with a lasting fault.
    pub fn live_pods(&self, workload: &Tree) -> Result<Vec<Tree>, ObserveError> {
        let pods = self.pods(workload)?.into_iter();
        Ok(pods.filter(|(_, pod)| !self.is_gone(pod)).map(|(_, pod)| pod.clone()).collect())
    }

    /// Whether a pod counts as gone: it ended, or terminates on a node with a lasting fault.
    pub fn is_gone(&self, pod: &Tree) -> bool {
        let node = pod["spec"]["nodeName"].str();
        object::is_terminal(pod)
            || (object::is_terminating(pod) && self.view.is_lastingly_disturbed(node))
    }

    /// The desired state; the whole `spec` if the subject does not say.
    pub fn desired(&self, workload: &Tree) -> Result<Tree, ObserveError> {
        Ok(self.ask("desired", workload)?.unwrap_or_else(|| workload["spec"].clone()))
    }

    /// How many pods are wanted.
    pub fn replicas(&self, workload: &Tree) -> Observed<i64> {
        self.number("replicas", workload, 0)
    }

    /// How many pods may be unavailable. A percentage is of the replicas and rounded up; a subject
    /// that rounds otherwise answers the number.
    pub fn max_unavailable(&self, workload: &Tree) -> Observed<i64> {
        let replicas = self.replicas(workload)?.unwrap_or(0);
        self.number("maxUnavailable", workload, replicas)
    }

    /// How many pods there may be beyond the wanted number; percentages as above.
    pub fn max_surge(&self, workload: &Tree) -> Observed<i64> {
        let replicas = self.replicas(workload)?.unwrap_or(0);
        self.number("maxSurge", workload, replicas)
    }

    /// How many pods keep the old revision; percentages as above.
    pub fn partition(&self, workload: &Tree) -> Observed<i64> {
        let replicas = self.replicas(workload)?.unwrap_or(0);
        self.number("partition", workload, replicas)
    }

    /// The wanted image of each container.
    pub fn wanted(&self, workload: &Tree) -> Observed<Tree> {
        self.ask("wanted", workload)
    }

    /// The revision that pods are to have.
    pub fn update_revision(&self, workload: &Tree) -> Observed<Text> {
        Ok(self.ask("updateRevision", workload)?.and_then(|revision| text(&revision)))
    }

    /// The revision that a pod has.
    pub fn revision(&self, workload: &Tree, pod: &Tree) -> Observed<Text> {
        let question = Question { pod: Some(pod), ..Question::of(workload, self.view) };
        Ok(self.subject.observe("revision", &question)?.and_then(|revision| text(&revision)))
    }

    /// Whether the change from `old` to `workload` is to be made in place; not if the subject does
    /// not say.
    pub fn in_placeable(&self, old: &Tree, workload: &Tree) -> Result<bool, ObserveError> {
        let question = Question { old: Some(old), ..Question::of(workload, self.view) };
        match self.subject.observe("inPlaceable", &question)? {
            Some(answer) => bool(&answer, "inPlaceable", workload),
            None => Ok(false),
        }
    }

    /// Whether the live pods are what the workload asks for.
    pub fn matches(&self, workload: &Tree) -> Observed<bool> {
        let pods = self.live_pods(workload)?;
        let question = Question { pods: Some(&pods), ..Question::of(workload, self.view) };
        let answer = self.subject.observe("matches", &question)?;
        answer.map(|answer| bool(&answer, "matches", workload)).transpose()
    }

    /// The generation that the status speaks of.
    pub fn observed_generation(&self, workload: &Tree) -> Observed<i64> {
        self.number("observedGeneration", workload, 0)
    }

    /// The numbers of the status.
    pub fn status(&self, workload: &Tree) -> Observed<Tree> {
        self.ask("status", workload)
    }

    /// Whether the actor is (a part of) the subject.
    pub fn is_subject(&self, actor: &str) -> bool {
        self.view.actors.get(actor).is_some_and(|actor| self.subject.is_subject(actor))
    }

    fn ask(&self, name: &'static str, workload: &Tree) -> Observed<Tree> {
        let question = Question::of(workload, self.view);
        self.subject.observe(name, &question)
    }

    fn number(&self, name: &'static str, workload: &Tree, total: i64) -> Observed<i64> {
        match self.ask(name, workload)? {
            None | Some(Tree::Null) => Ok(None),
            Some(answer) => match share(&answer, total, Rounding::Up) {
                Some(number) => Ok(Some(number)),
                None => Err(wrong(name, workload, "neither a number nor a percentage", &answer)),
            },
        }
    }
}

fn text(answer: &Tree) -> Option<Text> {
    match answer {
        Tree::Null => None,
        Tree::Str(text) if text.is_empty() => None,
        Tree::Str(text) => Some(text.clone()),
        other => Some(Text::from(other.to_string())),
    }
}

fn bool(answer: &Tree, name: &'static str, workload: &Tree) -> Result<bool, ObserveError> {
    answer.as_bool().ok_or_else(|| wrong(name, workload, "neither true nor false", answer))
}

fn wrong(name: &'static str, workload: &Tree, what: &str, answer: &Tree) -> ObserveError {
    let reason = format!("it answers `{answer}`, which is {what}");
    ObserveError { name, object: object::key(workload).to_string(), reason }
}
