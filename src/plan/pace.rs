//! Scenarios on clusters that notice a lost node sooner than by default: what gets shorter with
//! that, and what does not.

use kubesim_model::{Millis, Text};

use crate::cluster::Capability;
use crate::fault::{self, Ends, Fault};
use crate::suite::ResolvedScenario;
use crate::suite::checks::{CONVERGED, Check, CheckSpec};
use crate::suite::faults::{Arg, FaultSpec, Lasts};
use crate::suite::select::Trigger;
use crate::suite::steps::{Action, Step, WaitFor};

/// What must stay so is watched for no shorter than this: what pods do by themselves is as slow as
/// ever, and much of it comes every few seconds.
const SHORTEST_HOLD: Millis = 5_000;

/// By what the times of a scenario are divided on a cluster that is `cluster` times as fast. How
/// long a machine has to be away, and how long one has to look, follows from how soon that is
/// noticed; in a scenario that breaks anything else times mean other things too.
pub(super) fn of_scenario(scenario: &ResolvedScenario, cluster: u64) -> u64 {
    let of_hosts = [Capability::HostFaults, Capability::PowerFaults];
    let of_a_host = |fault: &FaultSpec| {
        let known = fault::fault(&fault.name);
        known.is_some_and(|fault| fault.needs.iter().all(|need| of_hosts.contains(need)))
    };
    let all = !scenario.faults.is_empty() && scenario.faults.iter().all(of_a_host);
    if all { cluster } else { 1 }
}

/// Divides outages, waits and what must hold; not how long something may take (`within`), for what
/// is too late is too late.
pub(super) fn shorten(scenario: &mut ResolvedScenario, pace: u64) {
    scenario.given.iter_mut().chain(&mut scenario.when).for_each(|one| step(one, pace));
    scenario.faults.iter_mut().for_each(|one| fault(one, pace));
    let checks = scenario.always.iter_mut().chain(&mut scenario.eventually);
    checks.for_each(|one| check(one, pace));
}

fn step(step: &mut Step, pace: u64) {
    step.trigger.iter_mut().for_each(|one| trigger(one, pace));
    match &mut step.action {
        Action::Converge(converge) => hold(&mut converge.hold, pace),
        Action::Parallel(lists) => {
            lists.iter_mut().flatten().for_each(|one| self::step(one, pace));
        }
        Action::Wait(wait) => {
            if let WaitFor::Time(time) = &mut wait.until {
                *time /= pace;
            }
        }
        _ => {}
    }
}

fn fault(spec: &mut FaultSpec, pace: u64) {
    spec.trigger.iter_mut().for_each(|one| trigger(one, pace));
    let ends = fault::fault(&spec.name).map(|Fault { ends, .. }| *ends);
    spec.lasts = match (spec.lasts, ends) {
        (Lasts::For(span), _) | (Lasts::UntilWhenEnds, Some(Ends::After(span))) => {
            Lasts::For(span / pace)
        }
        (lasts, _) => lasts,
    };
}

fn trigger(trigger: &mut Trigger, pace: u64) {
    trigger.at.iter_mut().chain(&mut trigger.after).for_each(|time| *time /= pace);
}

fn check(check: &mut CheckSpec, pace: u64) {
    if check.name.as_str() != CONVERGED {
        return;
    }
    if let Check::Invariant(args) = &mut check.check
        && let Some(arg) = args.0.get_mut(&Text::new_static("hold"))
        && let Arg::Duration(span) = &mut arg.value
    {
        hold(span, pace);
    }
}

fn hold(span: &mut Millis, pace: u64) {
    *span = (*span / pace).max(SHORTEST_HOLD.min(*span));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_never_shorter_than_what_comes_every_few_seconds() {
        for (before, after) in [(60_000, 12_000), (10_000, 5_000), (3_000, 3_000)] {
            let mut span = before;
            hold(&mut span, 5);
            assert_eq!(span, after);
        }
    }
}
