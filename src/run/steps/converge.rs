//! `converge`: waits until the workload has converged and stays so.

use kubesim_model::Millis;

use crate::run::stage::{Progress, Stage, Task, sooner};
use crate::suite::steps::Converge;

/// A `converge` under way.
pub(super) struct Converging {
    hold: Millis,
    since: Millis,
    until: Millis,
}

impl Converging {
    pub(super) fn new(converge: Converge, stage: &Stage<'_>) -> Self {
        let since = stage.now();
        Converging { hold: converge.hold, since, until: since + converge.within }
    }
}

impl Task for Converging {
    fn poll(&mut self, stage: &mut Stage<'_>) -> Progress {
        let (now, give_up) = (stage.now(), self.until + self.hold);
        let earliest = match stage.journal.is_converged(now, self.hold, stage.observed) {
            Ok(()) => {
                let took = now - self.since;
                return Progress::Done(Ok(format!("converged after {} s", took / 1000)));
            }
            Err(earliest) => earliest,
        };
        if now >= give_up {
            let why = stage.journal.why_not(stage.observed);
            return Progress::Done(Err(format!("not converged: {why}")));
        }
        Progress::Pending(sooner(earliest, Some(give_up)))
    }
}
