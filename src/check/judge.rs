//! The judge: a history and a plan of checks in, a judgement out. A pure function, in one pass over
//! the history for all checks together.

use std::collections::BTreeMap;

use kubesim_model::{Millis, Text};
use serde::{Deserialize, Serialize};

use crate::history::{Body, Event, FaultPhase, Gap, Header, History, StepPhase, TIME, View};
use crate::suite::checks::{Check, CheckSpec};
use crate::suite::model::Across;
use crate::suite::vocabulary::KnownRequirement;

use super::cel::CelInvariant;
use super::finding::{Finding, Findings};
use super::invariant::{Capability, Invariant};
use super::observe::{Observe, Scene};
use super::registry;
use super::verdict::{Blame, Outcome, Reason, Verdict};

/// What is to be judged.
pub struct Plan<'a> {
    /// The checks, `always` and `eventually`.
    pub checks: &'a [CheckSpec],
    /// The subject.
    pub subject: &'a dyn Observe,
    /// The requirements that the scenario proves.
    pub requirements: &'a [KnownRequirement],
    /// The requirements that the subject is expected to fail.
    pub expected: &'a [(String, Across)],
    /// How many findings are kept of each check; the rest is counted.
    pub findings: usize,
}

/// How many findings are kept of each check if nothing else is said.
pub const FINDINGS: usize = 100;

/// What the judge says of a trial; the content of `verdict.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The worst of the checks, and at least `unknown` if there are reasons.
    pub verdict: Verdict,
    /// The verdict against what was expected.
    pub outcome: Outcome,
    /// The checks, in the order of the plan.
    pub checks: Vec<CheckResult>,
    /// The requirements, in the order of the plan.
    pub requirements: Vec<RequirementResult>,
    /// The faults, by injection.
    pub faults: Vec<FaultResult>,
    /// Why the trial as a whole is undecided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// The number of events that were judged.
    pub events: u64,
    /// The time of the last event, in milliseconds.
    pub ended: Millis,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The invariant, or the name of a `cel` check.
    pub name: Text,
    /// The verdict.
    pub verdict: Verdict,
    /// How many violations there were.
    pub violations: u64,
    /// How often a limit was passed only because nobody could know.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stale: u64,
    /// Why it is undecided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// The first violations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// What came of a requirement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequirementResult {
    /// Its identifier.
    pub id: String,
    /// The worst of the checks that decide it.
    pub verdict: Verdict,
    /// Whether it was expected to fail.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expected_to_fail: bool,
    /// Whether it is expected to fail now and then only, so that a whole run may pass without.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_hold: bool,
    /// The checks of this trial that decide it.
    pub decided_by: Vec<Text>,
}

/// What came of a fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultResult {
    /// The injection.
    pub fault: Text,
    /// The catalogue's name.
    pub name: Text,
    /// Whether it took effect.
    pub bit: bool,
    /// The evidence, or why it was missed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub evidence: String,
}

impl Judgement {
    /// The checks that failed, but for those that decide nothing else than requirements that were
    /// expected to fail.
    pub fn unexpected_failures(&self) -> impl Iterator<Item = &CheckResult> {
        let failed = self.checks.iter().filter(|check| check.verdict == Verdict::Fail);
        failed.filter(|check| {
            let mut decided =
                self.requirements.iter().filter(|r| r.decided_by.contains(&check.name)).peekable();
            decided.peek().is_none() || decided.any(|requirement| !requirement.expected_to_fail)
        })
    }
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

struct Running {
    name: Text,
    needs: &'static [Capability],
    invariant: Option<Box<dyn Invariant>>,
    findings: Findings,
}

/// Judges a history.
pub fn judge(history: &History, plan: &Plan<'_>) -> Judgement {
    let mut checks: Vec<Running> = plan.checks.iter().map(|spec| start(spec, plan)).collect();
    let mut view = View::new(&history.header);
    for event in &history.events {
        view.take(event);
        let scene = Scene { view: &view, subject: plan.subject };
        for check in &mut checks {
            if let Body::Gap(gap) = &event.body {
                check.take_gap(gap);
            }
            if let Some(invariant) = &mut check.invariant {
                invariant.event(event, &scene, &mut check.findings);
            }
        }
    }
    let scene = Scene { view: &view, subject: plan.subject };
    for check in &mut checks {
        if let Some(invariant) = &mut check.invariant {
            invariant.finish(&scene, &mut check.findings);
        }
    }
    let checks = checks.into_iter().map(|check| check.result(&history.header, &view.gaps));
    let checks: Vec<CheckResult> = checks.collect();
    let faults = faults(&history.events);
    let reasons = reasons(&history.events, &faults);
    let undecided = (!reasons.is_empty()).then_some(Verdict::Unknown);
    let verdict = Verdict::worst(checks.iter().map(|check| check.verdict).chain(undecided));
    let requirements = requirements(&checks, plan, !reasons.is_empty());
    let outcome = match outcome(verdict, &checks, &requirements, plan) {
        // What was expected to fail did, but not in the trial that the scenario describes.
        Outcome::Met if !reasons.is_empty() => Outcome::Unknown,
        outcome => outcome,
    };
    let (events, ended) = (history.events.len() as u64, view.now);
    Judgement { verdict, outcome, checks, requirements, faults, reasons, events, ended }
}

fn start(spec: &CheckSpec, plan: &Plan<'_>) -> Running {
    let name = spec.name.value.clone();
    let mut findings = Findings::new(name.clone(), plan.findings);
    let (needs, invariant): (_, Option<Box<dyn Invariant>>) = match &spec.check {
        Check::Cel(check) => (&[][..], Some(Box::new(CelInvariant::new(check.clone())))),
        Check::Invariant(args) => match registry::find(&name) {
            Some(definition) => (definition.needs, Some((definition.make)(args))),
            None => {
                findings.undecided(Blame::Suite, format!("there is no invariant `{name}`"));
                (&[][..], None)
            }
        },
    };
    Running { name, needs, invariant, findings }
}

impl Running {
    fn take_gap(&mut self, gap: &Gap) {
        if self.is_blinded_by(gap) {
            self.findings.go_blind();
        } else if gap.missing == TIME {
            self.findings.doubt(&gap.reason);
        }
    }

    /// Whether something that this check needs was missed. What is found afterwards may come of
    /// that; what was found before stands.
    fn is_blinded_by(&self, gap: &Gap) -> bool {
        gap.missing == "objects" || self.needs.iter().any(|need| gap.missing == need.word())
    }

    fn result(mut self, header: &Header, gaps: &[Gap]) -> CheckResult {
        for need in self.needs.iter().map(|need| need.word()) {
            if !header.capabilities.iter().any(|have| have == need) {
                let text = format!("the history has no `{need}`");
                self.findings.undecided(Blame::Environment, text);
            }
        }
        for gap in gaps {
            if self.is_blinded_by(gap) {
                let text = format!("{} may be missing: {}", gap.missing, gap.reason);
                self.findings.undecided(Blame::Environment, text);
            }
        }
        // What was excused because nobody could know may have been told while nothing was recorded.
        let told = Capability::Deliveries.word();
        if let Some(gap) = gaps.iter().find(|gap| gap.missing == told && self.findings.stale > 0) {
            let text = format!("what passed a limit may have been known: {}", gap.reason);
            self.findings.undecided(Blame::Environment, text);
        }
        let reasons: Vec<Reason> = self.findings.undecided.into_iter().collect();
        let verdict = match (self.findings.count, reasons.is_empty()) {
            (0, true) => Verdict::Pass,
            (0, false) => Verdict::Unknown,
            _ => Verdict::Fail,
        };
        CheckResult {
            name: self.name,
            verdict,
            violations: self.findings.count,
            stale: self.findings.stale,
            reasons,
            findings: self.findings.kept,
        }
    }
}

fn faults(events: &[Event]) -> Vec<FaultResult> {
    let mut results = BTreeMap::<Text, FaultResult>::new();
    for event in events {
        let Body::Fault(fault) = &event.body else { continue };
        let result = results.entry(fault.fault.clone()).or_insert_with(|| FaultResult {
            fault: fault.fault.clone(),
            name: fault.name.clone(),
            bit: false,
            evidence: String::new(),
        });
        match fault.phase {
            FaultPhase::Bit => {
                result.bit = true;
                result.evidence.clone_from(&fault.evidence);
            }
            FaultPhase::Missed => result.evidence.clone_from(&fault.evidence),
            FaultPhase::Armed | FaultPhase::Injected | FaultPhase::Healed => {}
        }
    }
    results.into_values().collect()
}

/// What makes the trial as a whole undecided: faults that never bit, and steps that failed.
fn reasons(events: &[Event], faults: &[FaultResult]) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for fault in faults.iter().filter(|fault| !fault.bit) {
        let why = if fault.evidence.is_empty() { "no effect was seen" } else { &fault.evidence };
        let text = format!("the fault {} ({}) never bit: {why}", fault.fault, fault.name);
        reasons.push(Reason::new(Blame::Suite, text));
    }
    let mut is_starved = false;
    for event in events {
        is_starved |= matches!(&event.body, Body::Gap(gap) if gap.missing == TIME);
        let Body::Step(step) = &event.body else { continue };
        if step.phase != StepPhase::Failed || step.step.starts_with("eventually") {
            continue;
        }
        let blame = match step.name.as_str() {
            _ if is_starved => Blame::Environment,
            // They wait for what the subject is to do.
            "wait" | "converge" | "drain" => Blame::Subject,
            _ => Blame::Suite,
        };
        let text = format!("the step {} ({}) failed: {}", step.step, step.name, step.message);
        reasons.push(Reason::new(blame, text));
    }
    reasons
}

fn requirements(
    checks: &[CheckResult],
    plan: &Plan<'_>,
    is_undecided: bool,
) -> Vec<RequirementResult> {
    let result = |requirement: &KnownRequirement| {
        let decides = |check: &&CheckResult| requirement.invariants.iter().any(|i| check.name == i);
        let deciding: Vec<&CheckResult> = checks.iter().filter(decides).collect();
        let expected = || {
            let own = plan.expected.iter().filter(|(id, _)| *id == requirement.id);
            own.map(|(_, across)| *across)
        };
        let undecided = (is_undecided || deciding.is_empty()).then_some(Verdict::Unknown);
        RequirementResult {
            id: requirement.id.clone(),
            verdict: Verdict::worst(deciding.iter().map(|check| check.verdict).chain(undecided)),
            expected_to_fail: expected().next().is_some(),
            may_hold: expected().any(|across| across == Across::Runs),
            decided_by: deciding.iter().map(|check| check.name.clone()).collect(),
        }
    };
    plan.requirements.iter().map(result).collect()
}

/// `met` if exactly those requirements fail that are expected to. What is expected `across: seeds`
/// or `across: runs` may fail in a single trial and need not.
fn outcome(
    verdict: Verdict,
    checks: &[CheckResult],
    requirements: &[RequirementResult],
    plan: &Plan<'_>,
) -> Outcome {
    let must =
        |id: &str| plan.expected.iter().any(|(e, across)| e == id && *across == Across::Each);
    let failed = |result: &&RequirementResult| result.verdict == Verdict::Fail;
    let unexpected = requirements.iter().filter(failed).any(|result| !result.expected_to_fail);
    let excused = |check: &CheckResult| {
        let mut failed = requirements.iter().filter(failed);
        failed.any(|result| result.decided_by.contains(&check.name))
    };
    let stray = checks.iter().any(|check| check.verdict == Verdict::Fail && !excused(check));
    let missing =
        requirements.iter().any(|result| must(&result.id) && result.verdict == Verdict::Pass);
    if unexpected || stray || missing {
        return Outcome::Unexpected;
    }
    let undecided = requirements.iter().any(|result| result.verdict == Verdict::Unknown)
        || checks.iter().any(|check| check.verdict == Verdict::Unknown);
    match verdict {
        Verdict::Skipped => Outcome::Skipped,
        Verdict::Unknown => Outcome::Unknown,
        _ if undecided => Outcome::Unknown,
        _ => Outcome::Met,
    }
}
