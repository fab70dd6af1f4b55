//! Subject files: how to run a controller, who it is, how to operate and observe its kind of
//! workload. Owns the typed model; doing what it says is the job of the module `subject`.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8PathBuf;
use kubesim_model::Text;

use super::cel::Program;
use super::located::{Located, Source};
use super::steps::PatchType;
use super::template::Template;
use super::ways::Run;

/// A subject file.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The file.
    pub source: Arc<Source>,
    /// `metadata.name`.
    pub name: Located<Text>,
    /// What it is, in a sentence or two.
    pub description: Option<Text>,
    /// How to run it.
    pub run: Run,
    /// By which requests it is known.
    pub identities: Identities,
    /// The kind of its workload.
    pub workload: WorkloadKind,
    /// How a Deployment-shaped manifest becomes a workload of this kind.
    pub from: Conversion,
    /// What can be done to the workload, by name.
    pub operations: BTreeMap<Text, Operation>,
    /// How the workload is read, by name; see [`OBSERVATIONS`].
    pub observe: BTreeMap<Text, Located<Program>>,
    /// What it can do.
    pub capabilities: Vec<Located<Text>>,
    /// The files that it refers to, by the path it uses.
    pub files: BTreeMap<Utf8PathBuf, Arc<Source>>,
}

/// By which requests a subject is known. A request is the subject's if user and user agent match.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identities {
    /// User names; `*` stands for any text. None means any user.
    pub users: Vec<Text>,
    /// User agents; `*` stands for any text. None means any agent.
    pub user_agents: Vec<Text>,
}

impl Identities {
    /// Whether a request of `user` with `agent` is the subject's. Without any pattern, none is.
    pub fn matches(&self, user: &str, agent: &str) -> bool {
        let any = |patterns: &[Text], text: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| glob(pattern, text))
        };
        let some = !(self.users.is_empty() && self.user_agents.is_empty());
        some && any(&self.users, user) && any(&self.user_agents, agent)
    }
}

/// Whether `text` matches `pattern`, in which `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(middle) = last.replace(part) {
            let Some(at) = rest.find(middle) else { return false };
            rest = &rest[at + middle.len()..];
        }
    }
    last.map_or(rest.is_empty(), |last: &str| rest.ends_with(last))
}

/// The kind of a workload.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkloadKind {
    /// E.g. `apps.kruise.io/v1alpha1`.
    pub api_version: Located<Text>,
    /// E.g. `CloneSet`.
    pub kind: Located<Text>,
    /// The plural, e.g. `clonesets`.
    pub resource: Located<Text>,
}

/// How a Deployment-shaped manifest becomes the subject's workload. `apiVersion` and `kind` are
/// replaced always; then `rename`, `drop` and `set` are done in this order. Paths are dotted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversion {
    /// Fields to move: from, to.
    pub rename: Vec<(Located<Text>, Located<Text>)>,
    /// Fields to take away.
    pub drop: Vec<Located<Text>>,
    /// Fields to set. Templates see the manifest as it was as `object`.
    pub set: Vec<(Located<Text>, Template)>,
    /// Further objects to create with it. Templates see the manifest as it was as `object`.
    pub also: Vec<Template>,
}

/// What can be done to a workload: one patch, or several in a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// The patches.
    pub patches: Vec<OperationPatch>,
}

/// A patch of an operation.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationPatch {
    /// How the patch is meant.
    pub kind: PatchType,
    /// The patch. Templates see `args` and the workload as `object`.
    pub patch: Template,
    /// `scale`, `status` or another subresource.
    pub subresource: Option<Text>,
    /// Another object than the workload: its kind, apiVersion and name.
    pub target: Option<OperationTarget>,
}

/// The object that an operation patches if it is not the workload.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationTarget {
    /// Its apiVersion.
    pub api_version: Text,
    /// Its kind.
    pub kind: Text,
    /// Its name; the template sees `args` and `object`.
    pub name: Template,
}

/// An observation: its name, the variables it sees, what it answers.
#[derive(Clone, Copy, Debug)]
pub struct Observation {
    /// The name in the file.
    pub name: &'static str,
    /// The variables that its expression may read.
    pub sees: &'static [&'static str],
    /// What it answers.
    pub doc: &'static str,
}

const fn observation(
    name: &'static str,
    sees: &'static [&'static str],
    doc: &'static str,
) -> Observation {
    Observation { name, sees, doc }
}

const WORKLOAD: &[&str] = &["object", "objects"];
const POD: &[&str] = &["object", "objects", "pod"];
const PODS: &[&str] = &["object", "objects", "pods"];

/// Everything that a subject file may say under `observe`. `object` is the workload, `pod` a pod of
/// it, `pods` its live pods, `objects` all objects of the trial by plural.
pub const OBSERVATIONS: &[Observation] = &[
    observation("desired", WORKLOAD, "The desired state; a change of it starts convergence anew."),
    observation("replicas", WORKLOAD, "How many pods are wanted."),
    observation("wanted", WORKLOAD, "The wanted image of each container, by container name."),
    observation("updateRevision", WORKLOAD, "The revision that pods are to have."),
    observation("revision", POD, "The revision that this pod has."),
    observation("owns", POD, "Whether this pod belongs to the workload."),
    observation("partition", WORKLOAD, "How many pods keep the old revision."),
    observation("maxUnavailable", WORKLOAD, "How many pods may be unavailable."),
    observation("maxSurge", WORKLOAD, "How many pods there may be beyond the wanted number."),
    observation("paused", WORKLOAD, "Whether the release is paused."),
    observation(
        "inPlaceable",
        &["object", "oldObject", "objects"],
        "Whether the change from `oldObject` to `object` is to be made in place.",
    ),
    observation("matches", PODS, "Whether the live pods are what the workload asks for."),
    observation("observedGeneration", WORKLOAD, "The generation that the status speaks of."),
    observation("status", WORKLOAD, "The numbers of the status, by their usual names."),
];

/// The kind of manifest that a conversion starts from.
pub const SHAPE: &str = "Deployment";

/// What an operation sees.
pub const OPERATION_VARIABLES: [&str; 3] = ["args", "object", "objects"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(glob("system:serviceaccount:*:kruise-*", "system:serviceaccount:a:kruise-manager"));
        assert!(glob("manager", "manager"));
        assert!(!glob("manager", "manager/v1"));
        assert!(!glob("*-a-*-a", "x-a"));
        assert!(glob("*", ""));
    }

    #[test]
    fn a_subject_without_patterns_is_nobody() {
        assert!(!Identities::default().matches("u", "a"));
        let by_user = Identities { users: vec!["u*".into()], ..Default::default() };
        assert!(by_user.matches("user", "anything"));
    }
}
