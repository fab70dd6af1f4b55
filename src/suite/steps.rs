//! Steps: the things that users and operators do. Owns the typed steps of a resolved scenario and
//! the list of their names and fields; doing them is the job of `run`.

use camino::Utf8PathBuf;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

use super::duration::Amount;
use super::located::{Located, Place};
use super::model::Params;
use super::select::{EventFilter, Select, Trigger};
use super::vocabulary::{Entry, Param, ParamKind};

/// A step of a resolved scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Where it stands.
    pub at: Place,
    /// Its own name, by which triggers refer to it.
    pub name: Option<Text>,
    /// What delays it; none means that it starts when the step before it has ended.
    pub trigger: Option<Trigger>,
    /// What is done.
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Creates or replaces objects.
    Apply(Apply),
    /// Patches an object.
    Patch(Patch),
    /// Deletes an object, or all that a selector matches.
    Delete(Delete),
    /// Does an abstract operation of the subject: `release`, `scale`, `pause`, …
    Operate(Operate),
    /// Asks the eviction API to evict pods.
    Evict(Evict),
    /// Cordons nodes and evicts their pods, as `kubectl drain` does.
    Drain(Drain),
    /// Creates, changes or deletes a PodDisruptionBudget.
    Budget(Budget),
    /// Deletes an object and creates it again under the same name.
    Recreate(Recreate),
    /// Waits.
    Wait(Wait),
    /// Waits until the workload has converged and stays so.
    Converge(Converge),
    /// Does lists of steps at the same time; ends with the last one.
    Parallel(Vec<Vec<Step>>),
    /// Runs a program beside the cluster.
    Script(Script),
}

impl Action {
    /// The name under which the step is written.
    pub fn name(&self) -> &str {
        match self {
            Action::Apply(_) => "apply",
            Action::Patch(_) => "patch",
            Action::Delete(_) => "delete",
            Action::Operate(operate) => &operate.operation,
            Action::Evict(_) => "evict",
            Action::Drain(_) => "drain",
            Action::Budget(_) => "budget",
            Action::Recreate(_) => "recreate",
            Action::Wait(_) => "wait",
            Action::Converge(_) => "converge",
            Action::Parallel(_) => "parallel",
            Action::Script(_) => "script",
        }
    }
}

/// An object, by kind and name.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The kind, e.g. `Pod`; `Workload` means the kind of the subject.
    pub kind: Located<Text>,
    /// The `apiVersion`, needed for kinds that are not built in.
    pub api_version: Option<Text>,
    /// The name.
    pub name: Located<Text>,
    /// The namespace; none means the trial's.
    pub namespace: Option<Text>,
}

/// `apply`.
#[derive(Clone, Debug, PartialEq)]
pub struct Apply {
    /// The file, as it was read; none if the manifest stands in the scenario itself.
    pub file: Option<Located<Utf8PathBuf>>,
    /// What the file sees as `params`.
    pub with: Params,
    /// The objects, in the order of the file, with every `${{ … }}` replaced.
    pub manifests: Vec<Tree>,
}

/// How a patch is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PatchType {
    /// RFC 7386.
    #[default]
    Merge,
    /// RFC 6902.
    Json,
    /// Kubernetes' strategic merge patch; for built-in kinds only.
    Strategic,
}

/// `patch`.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    /// The object.
    pub target: Target,
    /// How the patch is meant.
    pub kind: PatchType,
    /// The patch: an object, or for [`PatchType::Json`] a list.
    pub patch: Tree,
    /// `status`, `scale` or another subresource.
    pub subresource: Option<Text>,
}

/// What becomes of the objects that a deleted one owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// The garbage collector deletes them afterwards.
    #[default]
    Background,
    /// They are deleted first.
    Foreground,
    /// They stay, without an owner.
    Orphan,
}

/// `delete`.
#[derive(Clone, Debug, PartialEq)]
pub struct Delete {
    /// The object; none if `select` is given.
    pub target: Option<Target>,
    /// Pods, by selector.
    pub select: Option<Select>,
    /// What becomes of owned objects.
    pub propagation: Propagation,
    /// `gracePeriodSeconds`; 0 deletes at once.
    pub grace_seconds: Option<i64>,
}

/// An operation of the subject's workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Operate {
    /// Its name: `release`, `scale`, `pause`, `resume`, `partition`, `rollback` or the subject's
    /// own.
    pub operation: Located<Text>,
    /// The name of the workload.
    pub workload: Located<Text>,
    /// What the templates of the subject see as `args`.
    pub args: Tree,
}

/// `evict`.
#[derive(Clone, Debug, PartialEq)]
pub struct Evict {
    /// The pods.
    pub select: Select,
    /// `gracePeriodSeconds`.
    pub grace_seconds: Option<i64>,
    /// Whether a refusal (429) is tried again, and for how long; none asks once.
    pub retry_for: Option<Millis>,
}

/// `drain`.
#[derive(Clone, Debug, PartialEq)]
pub struct Drain {
    /// The nodes.
    pub select: Select,
    /// How long refused evictions are tried again.
    pub within: Millis,
    /// Whether running out of time makes the step fail; a drain that is to be stopped by a budget
    /// says `false`.
    pub must_finish: bool,
}

/// `budget`.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// The name of the PodDisruptionBudget.
    pub name: Located<Text>,
    /// What is done to it.
    pub change: BudgetChange,
}

/// What `budget` does.
#[derive(Clone, Debug, PartialEq)]
pub enum BudgetChange {
    /// Sets `maxUnavailable` (and clears `minAvailable`), creating the budget if need be.
    MaxUnavailable(Amount),
    /// Sets `minAvailable` (and clears `maxUnavailable`), creating the budget if need be.
    MinAvailable(Amount),
    /// Deletes it.
    Delete,
}

/// `recreate`.
#[derive(Clone, Debug, PartialEq)]
pub struct Recreate {
    /// The object.
    pub target: Target,
    /// What becomes of owned objects.
    pub propagation: Propagation,
    /// How long to stay without it.
    pub gap: Millis,
}

/// `wait`.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    /// For what.
    pub until: WaitFor,
    /// How long at most; the step fails afterwards. For [`WaitFor::Time`] it has no meaning.
    pub within: Millis,
}

/// What a step waits for.
#[derive(Clone, Debug, PartialEq)]
pub enum WaitFor {
    /// Time to pass.
    Time(Millis),
    /// An event, counted from the start of the step.
    Event(EventFilter),
    /// An expression over the objects to hold.
    Condition(super::cel::Program),
}

/// `converge`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Converge {
    /// How long it may take.
    pub within: Millis,
    /// How long it must stay so without a write.
    pub hold: Millis,
}

/// `script`.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// The program and its arguments; never empty.
    pub command: Vec<Text>,
    /// How long it may take, in real time.
    pub within: Millis,
    /// Whether what it prints are objects to apply.
    pub apply: bool,
    /// The folder of the scenario: where it runs.
    pub folder: Utf8PathBuf,
}

const fn param(name: &'static str, kind: ParamKind, doc: &'static str) -> Param {
    Param::new(name, kind, doc)
}

const TARGET: [Param; 4] = [
    param("kind", ParamKind::Text, "The kind; `Workload` means the kind of the subject."),
    param("apiVersion", ParamKind::Text, "Its apiVersion, if the kind is not built in."),
    param("name", ParamKind::Text, "The name of the object."),
    param("namespace", ParamKind::Text, "Its namespace; the trial's if not given."),
];

const WORKLOAD: Param = param("workload", ParamKind::Text, "The name of the workload.").required();

const PROPAGATION: Param = param(
    "propagation",
    ParamKind::Word(&["background", "foreground", "orphan"]),
    "What becomes of the objects that it owns.",
)
.default("background");

const GRACE: Param = param("graceSeconds", ParamKind::Int, "Overrides the grace period.");

const WITHIN: Param = param("within", ParamKind::Duration, "How long it may take.");

/// Every step: its name, what it does, its fields.
pub const STEPS: &[Entry] = &[
    Entry {
        name: "apply",
        doc: "Creates or replaces the objects of a file or of the scenario itself.",
        params: &[
            param("file", ParamKind::Text, "A file of manifests, relative to the scenario."),
            param("with", ParamKind::Any, "What the file sees as `params`."),
            param("manifest", ParamKind::Any, "An object, or a list of objects, in place."),
        ],
    },
    Entry {
        name: "patch",
        doc: "Patches one object.",
        params: &[
            TARGET[0].required(),
            TARGET[1],
            TARGET[2].required(),
            TARGET[3],
            param("type", ParamKind::Word(&["merge", "json", "strategic"]), "How it is meant.")
                .default("merge"),
            param("patch", ParamKind::Any, "The patch.").required(),
            param("subresource", ParamKind::Text, "`status`, `scale` or another subresource."),
        ],
    },
    Entry {
        name: "delete",
        doc: "Deletes one object, or the pods that a selector matches.",
        params: &[
            TARGET[0],
            TARGET[1],
            TARGET[2],
            TARGET[3],
            param("select", ParamKind::Select, "Which pods, instead of one object."),
            PROPAGATION,
            GRACE,
        ],
    },
    Entry {
        name: "release",
        doc: "Gives a container of the workload another image.",
        params: &[
            WORKLOAD,
            param("container", ParamKind::Text, "The container; the first if not given."),
            param("image", ParamKind::Text, "The new image.").required(),
        ],
    },
    Entry {
        name: "scale",
        doc: "Changes the number of replicas.",
        params: &[WORKLOAD, param("replicas", ParamKind::Int, "The new number.").required()],
    },
    Entry { name: "pause", doc: "Pauses the release.", params: &[WORKLOAD] },
    Entry { name: "resume", doc: "Resumes a paused release.", params: &[WORKLOAD] },
    Entry {
        name: "partition",
        doc: "Changes how many pods keep the old revision.",
        params: &[WORKLOAD, param("partition", ParamKind::Amount, "So many.").required()],
    },
    Entry {
        name: "rollback",
        doc: "Goes back to the revision before the last release.",
        params: &[WORKLOAD],
    },
    Entry {
        name: "operate",
        doc: "Does an operation that only some subjects describe.",
        params: &[
            WORKLOAD,
            param("operation", ParamKind::Text, "Its name in the subject file.").required(),
            param("args", ParamKind::Any, "What its templates see as `args`."),
        ],
    },
    Entry {
        name: "evict",
        doc: "Asks the eviction API to evict pods.",
        params: &[
            param("select", ParamKind::Select, "Which pods.").required(),
            GRACE,
            param("retryFor", ParamKind::Duration, "How long a refusal is tried again."),
        ],
    },
    Entry {
        name: "drain",
        doc: "Cordons nodes and evicts their pods.",
        params: &[
            param("select", ParamKind::Select, "Which nodes.").required(),
            WITHIN.default("5m"),
            param("mustFinish", ParamKind::Bool, "Whether running out of time is a failure.")
                .default("true"),
        ],
    },
    Entry {
        name: "budget",
        doc: "Creates, changes or deletes a PodDisruptionBudget.",
        params: &[
            param("name", ParamKind::Text, "The name of the budget.").required(),
            param("maxUnavailable", ParamKind::Amount, "The new limit."),
            param("minAvailable", ParamKind::Amount, "The new floor."),
            param("delete", ParamKind::Bool, "Deletes it instead."),
        ],
    },
    Entry {
        name: "recreate",
        doc: "Deletes an object and creates it again under the same name.",
        params: &[
            TARGET[0].required(),
            TARGET[1],
            TARGET[2].required(),
            TARGET[3],
            PROPAGATION,
            param("gap", ParamKind::Duration, "How long to stay without it.").default("0s"),
        ],
    },
    Entry {
        name: "wait",
        doc: "Waits for time, for an event, or for a condition.",
        params: &[
            param("for", ParamKind::Duration, "So long."),
            param("event", ParamKind::Any, "Until this event."),
            param("until", ParamKind::Cel, "Until this holds."),
            WITHIN.default("5m"),
        ],
    },
    Entry {
        name: "converge",
        doc: "Waits until the workload has converged and stays so.",
        params: &[
            WITHIN.default("10m"),
            param("hold", ParamKind::Duration, "How long it must stay so.").default("60s"),
        ],
    },
    Entry { name: "parallel", doc: "Does lists of steps at the same time.", params: &[] },
    Entry {
        name: "script",
        doc: "Runs a program beside the cluster. It runs in the scenario's folder and reads \
              from its standard input, as JSON, what expressions see: `now`, `namespace`, \
              `subject`, `seed`, `params` and all `objects`, by plural. `KUBECONFIG` names the \
              cluster if it has an address; the simulated one has none, and its time stands \
              still meanwhile. The step fails if the program does not end with 0. A trial is \
              repeated exactly only if the program answers the same thing to the same input.",
        params: &[
            param(
                "command",
                ParamKind::Texts,
                "The program and its arguments. With a `/` it is a path from the scenario's folder.",
            )
            .required(),
            param("within", ParamKind::Duration, "How long it may take, in real time.")
                .default("1m"),
            param(
                "apply",
                ParamKind::Bool,
                "Whether what it prints are manifests in YAML to be applied, as by `apply`.",
            )
            .default("false"),
        ],
    },
];

/// The operations of a workload that have a step of their own.
pub const OPERATIONS: [&str; 6] = ["release", "scale", "pause", "resume", "partition", "rollback"];
