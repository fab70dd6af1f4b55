//! The subject as its file describes it: observations are the CEL expressions of `observe`. Answers
//! are kept as long as what they were made of stays the same.

use std::cell::RefCell;
use std::collections::BTreeMap;

use kubesim_model::Text;
use kubesim_model::object;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;

use crate::history::ActorEvent;
use crate::suite::Subject;
use crate::suite::cel::{Bindings, Program};

use super::cel::{objects, plurals};
use super::observe::{Observe, ObserveError, Question};

/// Answers kept before they are thrown away all at once.
const KEPT: usize = 50_000;

/// A subject file that answers observations.
pub struct Observed<'s> {
    subject: &'s Subject,
    resource: Resource,
    answers: RefCell<BTreeMap<Asked, Answer>>,
}

type Answer = Result<Option<Tree>, ObserveError>;

/// What an answer depends on: the observation, and uid and version of workload, old workload, pod.
type Asked = (&'static str, [Version; 3]);
type Version = (Text, u64);

impl<'s> Observed<'s> {
    /// The subject of this file.
    pub fn new(subject: &'s Subject) -> Self {
        let kind = &subject.workload;
        let plural = &kind.resource.value;
        let name = match kind.api_version.value.split_once('/') {
            Some((group, _)) => format!("{plural}.{group}"),
            None => plural.to_string(),
        };
        let resource = Resource::new(name);
        Observed { subject, resource, answers: RefCell::default() }
    }

    fn evaluate(&self, name: &'static str, program: &Program, question: &Question<'_>) -> Answer {
        let mut bindings = Bindings::new().with("object", question.workload);
        if let Some(old) = question.old {
            bindings.set("oldObject", old);
        }
        if let Some(pod) = question.pod {
            bindings.set("pod", pod);
        }
        if let Some(pods) = question.pods {
            bindings.set("pods", pods.to_vec());
        }
        if reads(program, "objects") {
            bindings.set("objects", objects(question.view, &plurals(program)));
        }
        program.eval(&bindings).map(Some).map_err(|error| ObserveError {
            name,
            object: object::key(question.workload).to_string(),
            reason: error.to_string(),
        })
    }
}

fn reads(program: &Program, name: &str) -> bool {
    program.references().iter().any(|have| have == name)
}

fn version(object: Option<&Tree>) -> Version {
    object.map_or_else(Version::default, |object| {
        (Text::new(object::uid(object)), object::resource_version(object))
    })
}

impl Observe for Observed<'_> {
    fn resource(&self) -> &Resource {
        &self.resource
    }

    fn is_subject(&self, actor: &ActorEvent) -> bool {
        self.subject.identities.matches(&actor.user, &actor.user_agent)
    }

    fn observes(&self, name: &str) -> bool {
        self.subject.observe.contains_key(name)
    }

    fn observe(&self, name: &'static str, question: &Question<'_>) -> Answer {
        let Some(program) = self.subject.observe.get(name) else { return Ok(None) };
        let program = &program.value;
        let versions = [Some(question.workload), question.old, question.pod].map(version);
        // Without a version, or with more than these objects to read, nothing can be kept.
        let can_keep = versions[0].1 > 0
            && (question.pod.is_none() || versions[2].1 > 0)
            && (question.old.is_none() || versions[1].1 > 0)
            && !reads(program, "objects")
            && !reads(program, "pods");
        if !can_keep {
            return self.evaluate(name, program, question);
        }
        let asked = (name, versions);
        if let Some(answer) = self.answers.borrow().get(&asked) {
            return answer.clone();
        }
        let answer = self.evaluate(name, program, question);
        let mut answers = self.answers.borrow_mut();
        if answers.len() >= KEPT {
            answers.clear();
        }
        answers.insert(asked, answer.clone());
        answer
    }
}
