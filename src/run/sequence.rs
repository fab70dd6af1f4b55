//! Steps one after the other, and several such lists at the same time.

use kubesim_model::{Millis, Text};

use super::stage::{Progress, Stage, Task, sooner};
use super::steps;
use super::watchpoint::Watchpoint;
use crate::history::StepPhase;
use crate::suite::steps::{Action, Step};

/// A list of steps. It ends with its last step, or with the first that fails.
pub(super) struct Sequence {
    path: String,
    steps: Vec<Step>,
    at: usize,
    base: Millis,
    current: Option<Current>,
}

struct Current {
    label: Text,
    name: Text,
    target: Text,
    trigger: Option<Watchpoint>,
    task: Option<Box<dyn Task>>,
}

impl Sequence {
    /// The steps that stand at `path` of the scenario; times of triggers count from `base`.
    pub(super) fn new(path: impl Into<String>, steps: &[Step], base: Millis) -> Self {
        Sequence { path: path.into(), steps: steps.to_vec(), at: 0, base, current: None }
    }

    fn begin(&self, step: &Step, stage: &Stage<'_>) -> Current {
        Current {
            label: Text::from(format!("{}[{}]", self.path, self.at)),
            name: Text::new(step.action.name()),
            target: steps::target(&step.action, stage),
            trigger: step.trigger.as_ref().map(|t| Watchpoint::new(t, self.base, stage)),
            task: None,
        }
    }
}

impl Task for Sequence {
    fn poll(&mut self, stage: &mut Stage<'_>) -> Progress {
        while let Some(step) = self.steps.get(self.at) {
            if self.current.is_none() {
                self.current = Some(self.begin(step, stage));
            }
            let Some(current) = self.current.as_mut() else { break };
            if let Some(Err(wake)) = current.trigger.as_mut().map(|trigger| trigger.poll(stage)) {
                return Progress::Pending(wake);
            }
            current.trigger = None;
            let Current { label, name, target, .. } = current;
            let task = current.task.get_or_insert_with(|| {
                stage.record_step(label, name, target, StepPhase::Started, String::new());
                task_of(step, label, self.base, stage)
            });
            match task.poll(stage) {
                Progress::Pending(wake) => return Progress::Pending(wake),
                Progress::Done(Ok(message)) => {
                    stage.record_step(label, name, target, StepPhase::Finished, message);
                    stage.ended_steps.extend(step.name.clone());
                }
                Progress::Done(Err(message)) => {
                    stage.record_step(label, name, target, StepPhase::Failed, message.clone());
                    let message = format!("{label} ({name}): {message}");
                    self.at = self.steps.len();
                    return Progress::Done(Err(message));
                }
            }
            self.current = None;
            self.at += 1;
        }
        Progress::Done(Ok(String::new()))
    }
}

fn task_of(step: &Step, label: &Text, base: Millis, stage: &Stage<'_>) -> Box<dyn Task> {
    match &step.action {
        Action::Parallel(lists) => Box::new(Parallel::new(label, lists, base)),
        action => steps::task(action, stage),
    }
}

/// Lists of steps at the same time. It ends with the last of them, and fails if one did.
struct Parallel {
    open: Vec<Sequence>,
    failed: Option<String>,
}

impl Parallel {
    fn new(label: &Text, lists: &[Vec<Step>], base: Millis) -> Self {
        let list = |(at, steps): (usize, &Vec<Step>)| {
            Sequence::new(format!("{label}.parallel[{at}]"), steps, base)
        };
        Parallel { open: lists.iter().enumerate().map(list).collect(), failed: None }
    }
}

impl Task for Parallel {
    fn poll(&mut self, stage: &mut Stage<'_>) -> Progress {
        let mut wake = None;
        let failed = &mut self.failed;
        self.open.retain_mut(|list| match list.poll(stage) {
            Progress::Pending(at) => {
                wake = sooner(wake, at);
                true
            }
            Progress::Done(result) => {
                if let Err(message) = result {
                    failed.get_or_insert(message);
                }
                false
            }
        });
        if !self.open.is_empty() {
            return Progress::Pending(wake);
        }
        Progress::Done(self.failed.take().map_or(Ok(String::new()), Err))
    }
}
