//! `wait`: for time, for an event, for a condition.

use kubesim_model::Millis;

use crate::run::objects::objects_for;
use crate::run::stage::{Progress, Stage, Task};
use crate::run::watchpoint::EventCounter;
use crate::suite::cel::{Bindings, Program};
use crate::suite::steps::{Wait, WaitFor};

/// A `wait` under way.
pub(super) struct Waiting {
    what: What,
    until: Millis,
}

enum What {
    Time,
    Event(EventCounter),
    Condition { program: Program, looked_at: usize, error: Option<String> },
}

impl Waiting {
    pub(super) fn new(wait: &Wait, stage: &Stage<'_>) -> Self {
        let (what, span) = match &wait.until {
            WaitFor::Time(span) => (What::Time, *span),
            WaitFor::Event(filter) => (What::Event(EventCounter::new(filter, stage)), wait.within),
            WaitFor::Condition(program) => {
                let (program, looked_at, error) = (program.clone(), usize::MAX, None);
                (What::Condition { program, looked_at, error }, wait.within)
            }
        };
        Waiting { what, until: stage.now() + span }
    }
}

impl Task for Waiting {
    fn poll(&mut self, stage: &mut Stage<'_>) -> Progress {
        let is_over = stage.now() >= self.until;
        let why = match &mut self.what {
            What::Time if is_over => return Progress::Done(Ok(String::new())),
            What::Time => String::new(),
            What::Event(counter) => {
                if counter.is_reached(stage) {
                    return Progress::Done(Ok("the event was seen".to_owned()));
                }
                counter.error.clone().unwrap_or_else(|| "the event was not seen".to_owned())
            }
            What::Condition { program, looked_at, error } => {
                let events = stage.journal.events().len();
                // The objects change only by events; between them the answer is the same.
                if *looked_at != events {
                    *looked_at = events;
                    match holds(program, stage) {
                        Ok(true) => return Progress::Done(Ok("the condition holds".to_owned())),
                        Ok(false) => *error = None,
                        Err(failed) => *error = Some(failed),
                    }
                }
                error.clone().unwrap_or_else(|| "the condition does not hold".to_owned())
            }
        };
        match is_over {
            true => Progress::Done(Err(format!("time is over: {why}"))),
            false => Progress::Pending(Some(self.until)),
        }
    }
}

fn holds(program: &Program, stage: &Stage<'_>) -> Result<bool, String> {
    let bindings = Bindings::new()
        .with("objects", objects_for(stage.journal.view(), [program]))
        .with("params", stage.params)
        .with("now", stage.now());
    program.holds(&bindings).map_err(|error| error.to_string())
}
