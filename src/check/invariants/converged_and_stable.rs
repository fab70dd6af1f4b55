//! `converged-and-stable`: the workload reaches its desired state and stays there.

use kubesim_model::Millis;

use crate::check::convergence::{Convergence, State};
use crate::check::finding::{Findings, Violation};
use crate::check::invariant::{Definition, Invariant};
use crate::check::observe::Scene;
use crate::check::verdict::Blame;
use crate::history::Event;
use crate::suite::faults::Args;
use crate::suite::vocabulary::{Entry, Param, ParamKind};

/// Its place in the catalogue.
pub const DEFINITION: Definition = Definition {
    entry: Entry {
        name: "converged-and-stable",
        doc: "The workload reaches its desired state and stays there without a write.",
        params: &[
            Param::new("within", ParamKind::Duration, "How long it may take.").default("15m"),
            Param::new("hold", ParamKind::Duration, "How long it must stay so.").default("60s"),
        ],
    },
    doc: "Once no step is open, no transient fault is in force and the desired state no longer \
          changes, the workload reaches the state in which the subject's `matches` holds over its \
          live pods within `within`, and stays there for `hold` without a write to spec, labels or \
          non-heartbeat status of the workload, its revisions, pods, budgets or slices. Leases, node \
          status and Events never count. Pods that terminate on a node with a lasting fault count \
          as gone. The 15 minutes leave room for what a dead node takes by default: 40 to 50 s until \
          it is noticed, 300 s of toleration of its taint (kube-controller-manager and admission, \
          v1.36), and image pulls with back-off up to 300 s.",
    needs: &[],
    make: |args| Box::new(ConvergedAndStable::new(args)),
};

struct ConvergedAndStable {
    within: Millis,
    hold: Millis,
    convergence: Convergence,
}

impl ConvergedAndStable {
    fn new(args: &Args) -> Self {
        let within = args.duration("within").unwrap_or(900_000);
        let hold = args.duration("hold").unwrap_or(60_000);
        ConvergedAndStable { within, hold, convergence: Convergence::new(hold) }
    }
}

impl Invariant for ConvergedAndStable {
    fn event(&mut self, event: &Event, scene: &Scene<'_>, _: &mut Findings) {
        self.convergence.event(event, scene);
    }

    fn finish(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        let (now, view) = (scene.view.now, scene.view);
        if let Some(fault) = view.faults.values().find(|fault| !fault.event.lasting) {
            let text = format!("the transient fault {} was never healed", fault.event.fault);
            return findings.undecided(Blame::Harness, text);
        }
        let (from, from_n) = self.convergence.disturbed();
        let (quiet, quiet_n) = self.convergence.quiet_since();
        let state = self.convergence.state(scene).clone();
        let waited = now.saturating_sub(from);
        let why = match state {
            State::Undecided(text) => return findings.undecided(Blame::Suite, text),
            State::Matches if quiet.saturating_sub(from) > self.within => {
                format!("it took until {} s", seconds(quiet - from))
            }
            State::Matches if now - quiet >= self.hold => return,
            State::Matches => "something is still being written".to_owned(),
            State::Not(why) => why,
        };
        if waited < self.within {
            let after = seconds(waited);
            let text = format!("the history ends {after} s after the last disturbance: {why}");
            return findings.undecided(Blame::Harness, text);
        }
        findings.fail(
            scene,
            Violation {
                object: scene.subject.resource().to_string(),
                value: format!("{} s", seconds(waited)),
                limit: format!("{} s", seconds(self.within)),
                message: format!("not converged: {why}"),
                evidence: vec![from_n, quiet_n],
                ..Violation::default()
            },
        );
    }
}

fn seconds(millis: Millis) -> Millis {
    millis / 1000
}
