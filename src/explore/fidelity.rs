//! The same trials on two providers: what each says, how each ends, how long each takes.

use std::collections::BTreeMap;
use std::time::Duration;

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, object};

use super::mutants::Clock;
use crate::check::Verdict;
use crate::cluster::Provider;
use crate::history::{History, View};
use crate::plan::Trial;
use crate::run::{Event, RunOptions, TrialOutcome, record_trial, run};

/// A trial on both.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The trial's name.
    pub trial: String,
    /// On the simulated cluster.
    pub simulated: Side,
    /// On the other one.
    pub real: Side,
}

/// A trial on one provider.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// What it came to: `pass`, `fail CONV-1`, `unknown`, `skipped`.
    pub verdict: String,
    /// Why it was not decided.
    pub why: String,
    /// What there is at the end, each with how often.
    pub end: BTreeMap<String, usize>,
    /// How long it took, in milliseconds of the cluster's clock.
    pub lasted: Millis,
}

/// How two providers compare.
#[derive(Clone, Debug, Default)]
pub struct Fidelity {
    /// The trials, in the order of the plan.
    pub pairs: Vec<Pair>,
    /// How long the simulated trials took, one after the other.
    pub simulating: Duration,
}

impl Pair {
    /// Whether both were decided.
    pub fn is_decided(&self) -> bool {
        let open = |side: &Side| side.verdict.starts_with("unknown") || side.verdict == "skipped";
        !open(&self.simulated) && !open(&self.real)
    }

    /// Whether both were decided, and otherwise than each other.
    pub fn differs(&self) -> bool {
        self.is_decided() && self.simulated.verdict != self.real.verdict
    }

    /// What is there at the end on one side only: simulated (-) and real (+).
    pub fn differences(&self) -> Vec<String> {
        let (ours, theirs) = (&self.simulated.end, &self.real.end);
        let more = |a: &BTreeMap<String, usize>, b: &BTreeMap<String, usize>, sign: char| {
            let one = |(what, count): (&String, &usize)| {
                let more = count.saturating_sub(*b.get(what).unwrap_or(&0));
                (more > 0).then(|| format!("{sign}{more} {what}"))
            };
            a.iter().filter_map(one).collect::<Vec<_>>()
        };
        if !self.is_decided() {
            return Vec::new();
        }
        [more(ours, theirs, '-'), more(theirs, ours, '+')].concat()
    }
}

impl Fidelity {
    /// How many times faster the simulation was; only trials that were run on both count.
    pub fn speed(&self) -> f64 {
        let ran = self.pairs.iter().filter(|pair| pair.real.lasted > 0);
        let real: Millis = ran.map(|pair| pair.real.lasted).sum();
        real as f64 / 1_000.0 / self.simulating.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// Runs the trials on `simulated`, one after the other, and on `real`, side by side. Trials that
/// can't be run on `real` are left out of the first.
pub fn compare(
    trials: &[Trial],
    simulated: &dyn Provider,
    real: &dyn Provider,
    options: RunOptions<'_>,
    clock: Clock<'_>,
    finished: &mut dyn FnMut(&Pair),
) -> Fidelity {
    let mut fidelity = Fidelity::default();
    run(trials, real, options, &mut |event| {
        let Event::TrialFinished { index, outcome, .. } = event else { return };
        let trial = &trials[index];
        let real = side(outcome);
        let mut simulated_side = Side { verdict: "skipped".to_owned(), ..Side::default() };
        if real.verdict != "skipped" {
            let began = clock();
            let outcome = match record_trial(trial, false, simulated) {
                Ok(result) => TrialOutcome::Judged(Box::new(result)),
                Err(error) => TrialOutcome::Environment(error.to_string()),
            };
            fidelity.simulating += clock().saturating_sub(began);
            simulated_side = side(&outcome);
        }
        let pair = Pair { trial: trial.name(), simulated: simulated_side, real };
        finished(&pair);
        fidelity.pairs.push(pair);
    });
    fidelity
}

fn side(outcome: &TrialOutcome) -> Side {
    match outcome {
        TrialOutcome::Judged(result) => {
            let judgement = &result.judgement;
            let failed = judgement.requirements.iter().filter(|r| r.verdict == Verdict::Fail);
            let failed: Vec<&str> = failed.map(|requirement| requirement.id.as_str()).collect();
            let checks = judgement.checks.iter().flat_map(|check| &check.reasons);
            let reasons = judgement.reasons.iter().chain(checks).map(|reason| reason.text.clone());
            Side {
                verdict: format!("{} {}", judgement.verdict.word(), failed.join(" "))
                    .trim()
                    .to_owned(),
                why: reasons.take(1).collect(),
                end: end(&result.history),
                lasted: judgement.ended,
            }
        }
        TrialOutcome::Skipped(why) => {
            Side { verdict: "skipped".to_owned(), why: why.clone(), ..Side::default() }
        }
        TrialOutcome::BaselineFailed(_) => Side {
            verdict: "unknown (baseline)".to_owned(),
            why: "the baseline failed".to_owned(),
            ..Side::default()
        },
        TrialOutcome::Environment(why) | TrialOutcome::Broken(why) => {
            Side { verdict: "unknown".to_owned(), why: why.clone(), ..Side::default() }
        }
    }
}

/// What there is at the end of a history, without what nobody may count on: names, times, nodes.
fn end(history: &History) -> BTreeMap<String, usize> {
    let mut view = View::for_conducting(&history.header);
    history.events.iter().for_each(|event| view.take(event));
    let mut end = BTreeMap::new();
    for resource in view.objects.resources() {
        for (key, object) in view.objects.all(resource) {
            if key.namespace == "default"
                && let Some(what) = essence(resource, object)
            {
                *end.entry(what).or_insert(0) += 1;
            }
        }
    }
    end
}

fn essence(resource: &Resource, object: &Tree) -> Option<String> {
    let number = |part: &str, name: &str| object[part][name].as_i64().unwrap_or(0);
    if *resource == Resource::PODS {
        let containers = object["spec"]["containers"].items().iter();
        let images: Vec<&str> = containers.map(|container| container["image"].str()).collect();
        let images: Vec<&str> =
            images.iter().map(|image| image.rsplit('/').next().unwrap_or(image)).collect();
        let ready = if object::is_ready(object) { "ready" } else { "not ready" };
        let going = if object::is_terminating(object) { " terminating" } else { "" };
        let phase = object["status"]["phase"].str();
        return Some(format!("pod {phase} {ready}{going} of {}", images.join("+")));
    }
    let kind = object["kind"].str();
    match resource.plural() {
        // Old ReplicaSets are kept empty.
        "replicasets" if number("spec", "replicas") == 0 => None,
        "deployments" | "replicasets" | "statefulsets" | "clonesets" => Some(format!(
            "{kind} of {}: {} pods, {} ready, {} available",
            number("spec", "replicas"),
            number("status", "replicas"),
            number("status", "readyReplicas"),
            number("status", "availableReplicas"),
        )),
        "daemonsets" => Some(format!(
            "DaemonSet of {}: {} ready",
            number("status", "desiredNumberScheduled"),
            number("status", "numberReady"),
        )),
        "poddisruptionbudgets" => Some(format!(
            "PodDisruptionBudget: {} of {} healthy, {} wanted, {} allowed",
            number("status", "currentHealthy"),
            number("status", "expectedPods"),
            number("status", "desiredHealthy"),
            number("status", "disruptionsAllowed"),
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sided(verdict: &str, end: &[(&str, usize)], lasted: Millis) -> Side {
        let end = end.iter().map(|(what, count)| ((*what).to_owned(), *count)).collect();
        Side { verdict: verdict.to_owned(), end, lasted, ..Side::default() }
    }

    #[test]
    fn what_is_on_one_side_only_is_told_with_its_number() {
        let simulated = sided("pass", &[("pod a", 3), ("pod b", 1)], 1_000);
        let real = sided("pass", &[("pod a", 2), ("pod c", 1)], 2_000);
        let pair = Pair { trial: "t".to_owned(), simulated, real };
        assert!(!pair.differs());
        assert_eq!(pair.differences(), ["-1 pod a", "-1 pod b", "+1 pod c"]);
        let simulating = Duration::from_millis(4);
        assert_eq!(Fidelity { pairs: vec![pair], simulating }.speed().round(), 500.0);
    }

    #[test]
    fn what_is_undecided_does_not_differ() {
        let real = sided("unknown", &[], 2_000);
        let simulated = sided("fail CONV-1", &[("pod a", 3)], 1_000);
        let pair = Pair { trial: "t".to_owned(), simulated, real };
        assert!(!pair.differs() && pair.differences().is_empty());
    }
}
