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
    latest: RefCell<BTreeMap<(&'static str, Text), Latest>>,
}

/// The last answer of an expression that reads nothing but the workload: the parts of it that it
/// looked at, and what it said. Most writes change other parts.
type Latest = (Vec<Tree>, Answer);

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
        Observed { subject, resource, answers: RefCell::default(), latest: RefCell::default() }
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

impl Observed<'_> {
    /// The answer of an expression that reads these parts of the workload and nothing else.
    fn of_parts(
        &self,
        name: &'static str,
        program: &Program,
        parts: Vec<Tree>,
        question: &Question<'_>,
    ) -> Answer {
        let key = (name, Text::new(object::uid(question.workload)));
        if let Some((had, answer)) = self.latest.borrow().get(&key)
            && *had == parts
        {
            return answer.clone();
        }
        let answer = self.evaluate(name, program, question);
        self.latest.borrow_mut().insert(key, (parts, answer.clone()));
        answer
    }
}

/// What `program` looks at of the workload, if that are some of its fields and nothing else at all.
fn parts(program: &Program, workload: &Tree) -> Option<Vec<Tree>> {
    let only = program.references().iter().all(|name| name == "object");
    let part = |field: Option<&Text>| field.map(|field| workload[field.as_str()].clone());
    let parts = program.fields_of("object").map(part);
    if only && !object::uid(workload).is_empty() { parts.collect() } else { None }
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
        if let Some(parts) = parts(program, question.workload) {
            return self.of_parts(name, program, parts, question);
        }
        let read = |what: &str, object: Option<&Tree>| {
            let object = object.filter(|_| reads(program, what));
            (version(object), object.is_none())
        };
        let looked_at = [
            read("object", Some(question.workload)),
            read("oldObject", question.old),
            read("pod", question.pod),
        ];
        // Without a version, or with more than these objects to read, nothing can be kept. An
        // answer that is an error names the workload.
        let can_keep = looked_at.iter().all(|((_, rv), is_unread)| *is_unread || *rv > 0)
            && !reads(program, "objects")
            && !reads(program, "pods");
        if !can_keep {
            return self.evaluate(name, program, question);
        }
        let versions = looked_at.map(|(version, _)| version);
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
