//! Reads steps.

use camino::Utf8PathBuf;
use kubesim_model::Text;
use kubesim_model::tree::Tree;

use super::reader::{Fields, Reader};
use crate::suite::diagnostic::{Code, Diagnostic};
use crate::suite::faults::Args;
use crate::suite::located::{Located, Place};
use crate::suite::model::Params;
use crate::suite::node::{Node, Value};
use crate::suite::steps::{
    Action, Apply, Budget, BudgetChange, Converge, Delete, Drain, Evict, OPERATIONS, Operate,
    Patch, PatchType, Propagation, Recreate, STEPS, Script, Step, Target, Wait, WaitFor,
};

/// The fields that may stand beside any step.
pub(in crate::suite) const BESIDE: [&str; 2] = ["name", "trigger"];
/// How deep `parallel` may be nested.
const MAX_PARALLEL: usize = 8;

/// A step that is being read.
struct Reading<'n> {
    name: &'n Located<Text>,
    node: &'n Node,
    args: Args,
    fields: Option<Fields<'n>>,
}

impl Reading<'_> {
    fn located(&self, name: &str) -> Option<Located<Text>> {
        let at = self.args.0.get(name)?.at.clone();
        Some(Located::new(self.args.text(name)?.clone(), at))
    }

    fn place(&self, name: &str) -> Place {
        self.args.0.get(name).map_or_else(Place::nowhere, |arg| arg.at.clone())
    }
}

impl Reader<'_> {
    pub(super) fn steps(&mut self, node: &Node, what: &str) -> Vec<Step> {
        self.step_list(node, what, 0)
    }

    fn step_list(&mut self, node: &Node, what: &str, depth: usize) -> Vec<Step> {
        let items = self.list(node, what);
        items.iter().filter_map(|item| self.step(item, depth)).collect()
    }

    fn step(&mut self, item: &Node, depth: usize) -> Option<Step> {
        let (name, node) = self.one_key(item, "a step", &BESIDE)?;
        let beside = |name: &str| item.get(name);
        let own = beside("name").and_then(|node| self.word(node, "the name of a step"));
        let trigger = beside("trigger").and_then(|node| self.trigger(node));
        let action = if name.as_str() == "parallel" {
            self.parallel(node, depth)?
        } else {
            self.action(name, node)?
        };
        Some(Step { at: item.at.clone(), name: own, trigger, action })
    }

    fn parallel(&mut self, node: &Node, depth: usize) -> Option<Action> {
        if depth >= MAX_PARALLEL {
            let message = format!("`parallel` nested deeper than {MAX_PARALLEL} times");
            self.report(Diagnostic::error(Code::TooDeep, &node.at, message));
            return None;
        }
        let branches = self.list(node, "`parallel`");
        if branches.is_empty() {
            let message = "`parallel` needs at least one list of steps";
            self.report(Diagnostic::error(Code::EmptyList, &node.at, message));
        }
        let read = |branch| self.step_list(branch, "a branch of `parallel`", depth + 1);
        Some(Action::Parallel(branches.iter().map(read).collect()))
    }

    fn action(&mut self, name: &Located<Text>, node: &Node) -> Option<Action> {
        let Some(entry) = STEPS.iter().find(|entry| entry.name == name.as_str()) else {
            let message = format!("unknown step `{}`", name.value);
            let found = Diagnostic::error(Code::UnknownStep, &name.at, message);
            self.report(found.suggest(name, STEPS.iter().map(|entry| entry.name)));
            return None;
        };
        let errors = self.diagnostics.len();
        let (args, fields) = self.args(node, entry, &[])?;
        if self.diagnostics.len() > errors {
            return None;
        }
        let step = Reading { name, node, args, fields };
        match entry.name {
            "apply" => self.apply(&step).map(Action::Apply),
            "patch" => self.patch(&step).map(Action::Patch),
            "delete" => self.delete(&step).map(Action::Delete),
            "evict" => Some(Action::Evict(Evict {
                select: step.args.select("select")?.clone(),
                grace_seconds: step.args.int("graceSeconds"),
                retry_for: step.args.duration("retryFor"),
            })),
            "drain" => Some(Action::Drain(Drain {
                select: step.args.select("select")?.clone(),
                within: step.args.duration("within")?,
                must_finish: step.args.flag("mustFinish"),
            })),
            "budget" => self.budget(&step).map(Action::Budget),
            "recreate" => Some(Action::Recreate(Recreate {
                target: self.target(&step)?,
                propagation: propagation(&step.args),
                gap: step.args.duration("gap")?,
            })),
            "wait" => self.wait(&step).map(Action::Wait),
            "converge" => self.converge(&step).map(Action::Converge),
            "script" => self.script(&step).map(Action::Script),
            _ => self.operate(&step).map(Action::Operate),
        }
    }

    fn script(&mut self, step: &Reading<'_>) -> Option<Script> {
        let command = step.args.texts("command").to_vec();
        if command.first().is_none_or(|program| program.is_empty()) {
            let message = "`command` names no program";
            self.report(Diagnostic::error(Code::EmptyList, &step.place("command"), message));
            return None;
        }
        let folder = step.node.at.source().map(|source| source.folder().to_owned());
        Some(Script {
            command,
            within: step.args.duration("within")?,
            apply: step.args.flag("apply"),
            folder: folder.unwrap_or_default(),
        })
    }

    fn apply(&mut self, step: &Reading<'_>) -> Option<Apply> {
        let with = step.args.any("with").cloned().unwrap_or_else(Tree::map);
        let Tree::Map(with) = with else {
            let message = "`with` is a mapping of names to values";
            self.report(Diagnostic::error(Code::WrongType, &step.place("with"), message));
            return None;
        };
        let with = Params(with);
        let manifest = step.fields.as_ref().and_then(|fields| fields.get("manifest"));
        match (step.located("file"), manifest) {
            (Some(file), None) => {
                let given = step.fields.as_ref().and_then(|fields| fields.get("with"));
                let manifests = self.manifest_file(&file, &with, given)?;
                let path = Located::new(Utf8PathBuf::from(file.as_str()), file.at);
                Some(Apply { file: Some(path), with, manifests })
            }
            (None, Some(node)) => {
                let manifests = self.manifests(std::slice::from_ref(node));
                Some(Apply { file: None, with, manifests })
            }
            (None, None) => {
                let message = "`apply` needs the field `file` (or `manifest`)";
                self.report(Diagnostic::error(Code::MissingField, &step.node.at, message));
                None
            }
            (Some(file), Some(node)) => {
                let message = "`apply` takes `file` or `manifest`, not both";
                let found = Diagnostic::error(Code::Exclusive, &node.at, message);
                self.report(found.also(&file.at, "the other"));
                None
            }
        }
    }

    fn target(&mut self, step: &Reading<'_>) -> Option<Target> {
        let kind = step.fields.as_ref()?.get("kind")?;
        let kind = self.kind(kind)?;
        Some(Target {
            kind,
            api_version: step.args.text("apiVersion").cloned(),
            name: step.located("name")?,
            namespace: step.args.text("namespace").cloned(),
        })
    }

    fn patch(&mut self, step: &Reading<'_>) -> Option<Patch> {
        let kind = match step.args.text("type").map(Text::as_str) {
            Some("json") => PatchType::Json,
            Some("strategic") => PatchType::Strategic,
            _ => PatchType::Merge,
        };
        let patch = step.args.any("patch")?.clone();
        let fits = match kind {
            PatchType::Json => matches!(patch, Tree::List(_)),
            PatchType::Merge | PatchType::Strategic => matches!(patch, Tree::Map(_)),
        };
        if !fits {
            let message = "a `json` patch is a list of operations, any other is a mapping";
            self.report(Diagnostic::error(Code::WrongType, &step.place("patch"), message));
        }
        let subresource = step.args.text("subresource").cloned();
        Some(Patch { target: self.target(step)?, kind, patch, subresource })
    }

    fn delete(&mut self, step: &Reading<'_>) -> Option<Delete> {
        let select = step.args.select("select").cloned();
        let named = step.args.get("kind").is_some() && step.args.get("name").is_some();
        if select.is_some() == named {
            let message = "`delete` needs either `kind` and `name`, or `select`";
            self.report(Diagnostic::error(Code::Exclusive, &step.node.at, message));
            return None;
        }
        Some(Delete {
            target: if named { Some(self.target(step)?) } else { None },
            select,
            propagation: propagation(&step.args),
            grace_seconds: step.args.int("graceSeconds"),
        })
    }

    fn operate(&mut self, step: &Reading<'_>) -> Option<Operate> {
        let workload = step.located("workload")?;
        if !OPERATIONS.contains(&step.name.as_str()) {
            let args = step.args.any("args").cloned().unwrap_or_else(Tree::map);
            return Some(Operate { operation: step.located("operation")?, workload, args });
        }
        let mut args = Tree::map();
        for name in ["container", "image", "replicas", "partition"] {
            let value = match step.args.get(name) {
                Some(crate::suite::faults::Arg::Text(text)) => Tree::from(text),
                Some(crate::suite::faults::Arg::Int(number)) => Tree::Int(*number),
                Some(crate::suite::faults::Arg::Amount(amount)) => match amount {
                    crate::suite::duration::Amount::Count(count) => Tree::Int(*count),
                    percent => Tree::from(percent.to_string()),
                },
                _ => continue,
            };
            args.set(&[name], value);
        }
        Some(Operate { operation: step.name.clone(), workload, args })
    }

    fn budget(&mut self, step: &Reading<'_>) -> Option<Budget> {
        let changes = [
            step.args.amount("maxUnavailable").map(BudgetChange::MaxUnavailable),
            step.args.amount("minAvailable").map(BudgetChange::MinAvailable),
            step.args.flag("delete").then_some(BudgetChange::Delete),
        ];
        let mut changes = changes.into_iter().flatten();
        let (Some(change), None) = (changes.next(), changes.next()) else {
            let message =
                "`budget` needs one of `maxUnavailable`, `minAvailable` and `delete: true`";
            self.report(Diagnostic::error(Code::Exclusive, &step.node.at, message));
            return None;
        };
        Some(Budget { name: step.located("name")?, change })
    }

    fn wait(&mut self, step: &Reading<'_>) -> Option<Wait> {
        let event = step.fields.as_ref().and_then(|fields| fields.get("event"));
        let event = match event {
            Some(node) => Some(self.event(node)?),
            None => None,
        };
        let waits = [
            step.args.duration("for").map(WaitFor::Time),
            event.map(WaitFor::Event),
            step.args.cel("until").cloned().map(WaitFor::Condition),
        ];
        let mut waits = waits.into_iter().flatten();
        let (Some(until), None) = (waits.next(), waits.next()) else {
            let message = "`wait` needs one of `for`, `event` and `until`";
            self.report(Diagnostic::error(Code::Exclusive, &step.node.at, message));
            return None;
        };
        Some(Wait { until, within: step.args.duration("within")? })
    }

    fn converge(&mut self, step: &Reading<'_>) -> Option<Converge> {
        let within = step.args.duration("within")?;
        let hold = step.args.duration("hold")?;
        if hold >= within {
            let message = "`hold` must be shorter than `within`, which includes it";
            self.report(Diagnostic::error(Code::Contradiction, &step.node.at, message));
        }
        Some(Converge { within, hold })
    }
}

fn propagation(args: &Args) -> Propagation {
    match args.text("propagation").map(Text::as_str) {
        Some("foreground") => Propagation::Foreground,
        Some("orphan") => Propagation::Orphan,
        _ => Propagation::Background,
    }
}

/// Whether a node is nothing; used where an empty value stands for an empty list.
pub(super) fn is_nothing(node: &Node) -> bool {
    matches!(node.value, Value::Null)
}
