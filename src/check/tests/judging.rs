//! Facts about verdicts, attribution and knowledge.

use kubesim_model::resource::Resource;

use super::fixtures::{judged, judged_against};
use super::stories::{empty, story};
use super::story::{Story, image};
use crate::check::{Blame, Outcome, Verdict};
use crate::history::{Body, Event, FaultPhase, Gap, History, StepPhase, TIME};
use crate::suite::cel::Program;
use crate::suite::checks::{CelCheck, Check, CheckSpec};
use crate::suite::model::Across;
use crate::suite::vocabulary::KnownRequirement;

const WEB: (Resource, &str) = (Resource::CLONE_SETS, "web");

fn verdict(history: &History, ident: &str) -> Verdict {
    judged(history, &[ident]).checks[0].verdict
}

#[test]
fn what_nobody_could_know_yet_is_stale_and_no_finding() {
    let mut story = Story::web("stale", 3);
    story.ready("web-0", false).wait(50).delete("cloneset", "web-1");
    let judgement = judged(&story.history, &["disruption-bounded"]);
    assert_eq!((judgement.verdict, judgement.checks[0].stale), (Verdict::Pass, 1));
}

#[test]
fn an_actor_knows_what_it_asked_for_itself_at_once() {
    let mut story = Story::web("own writes", 3);
    story.delete("cloneset", "web-0").delete("cloneset", "web-1");
    assert_eq!(verdict(&story.history, "disruption-bounded"), Verdict::Fail);
}

#[test]
fn taking_down_an_unavailable_pod_is_free_and_so_is_what_others_do() {
    let mut story = Story::web("free", 3);
    story.ready("web-0", false).ready("web-1", false).wait(5_000);
    story.delete("cloneset", "web-0").delete("cloneset", "web-1").delete("user", "web-2");
    assert_eq!(verdict(&story.history, "disruption-bounded"), Verdict::Pass);
}

#[test]
fn what_an_actor_was_told_a_moment_ago_may_be_what_it_acts_on() {
    // It may know that one is up again, and not yet that another went down.
    let mut story = Story::web("news", 3);
    story.ready("web-0", false).wait(5_000);
    story.ready("web-1", false).ready("web-0", true).wait(10).delete("cloneset", "web-2");
    let judgement = judged(&story.history, &["disruption-bounded"]);
    assert_eq!((judgement.verdict, judgement.checks[0].stale), (Verdict::Pass, 1));
}

#[test]
fn what_an_overtaken_release_changes_is_no_bystander_of_the_next_one() {
    let mut story = Story::web("overtaken", 3);
    story.release();
    let mut containers =
        story.get(&Resource::CLONE_SETS, "web")["spec"]["template"]["spec"]["containers"].clone();
    containers.items_mut()[1].set(&["image"], image("r3"));
    let path = ["spec", "template", "spec", "containers"];
    story.set("user", (Resource::CLONE_SETS, "web"), &path, containers).wait(2_000);
    story.exit("web-0", "app", &image("r1"), 143);
    assert_eq!(verdict(&story.history, "bystander-containers-untouched"), Verdict::Pass);
}

#[test]
fn scale_in_takes_down_available_pods_without_being_a_disruption() {
    let mut story = Story::web("scale-in", 3);
    story.set("user", (Resource::CLONE_SETS, "web"), &["spec", "replicas"], 1).wait(2_000);
    story.delete("cloneset", "web-0").delete("cloneset", "web-1");
    assert_eq!(verdict(&story.history, "disruption-bounded"), Verdict::Pass);
}

#[test]
fn a_gap_leaves_undecided_what_needs_it_and_keeps_what_was_found() {
    let gap =
        |missing: &str| Body::Gap(Gap { from: 0, missing: missing.into(), reason: "x".into() });
    for (holds, expected) in [(true, Verdict::Unknown), (false, Verdict::Fail)] {
        let mut story = story("no-zombie-containers", holds).unwrap();
        story.push(gap("host"));
        assert_eq!(verdict(&story.history, "no-zombie-containers"), expected);
    }
    let mut story = story("disruption-bounded", true).unwrap();
    story.push(gap("host"));
    assert_eq!(verdict(&story.history, "disruption-bounded"), Verdict::Pass);
}

#[test]
fn what_is_found_after_a_gap_in_what_it_needs_proves_nothing() {
    let held_against = |missing: &str| {
        let mut story = Story::web("gap first", 3);
        story.push(Body::Gap(Gap { from: 0, missing: missing.into(), reason: "x".into() }));
        story.delete("cloneset", "web-0").wait(60_000).delete("cloneset", "web-1");
        verdict(&story.history, "disruption-bounded")
    };
    assert_eq!(held_against("host"), Verdict::Fail);
    assert_eq!(held_against("actors"), Verdict::Unknown);
    assert_eq!(held_against("objects"), Verdict::Unknown);
}

#[test]
fn what_is_found_on_a_starved_machine_is_nobodys_fault() {
    let slow = || {
        let (missing, reason) = (TIME.into(), "programs took 42 times as long".into());
        Body::Gap(Gap { from: 0, missing, reason })
    };
    let mut story = Story::web("starved", 3);
    story.push(slow());
    story.delete("cloneset", "web-0").wait(60_000).delete("cloneset", "web-1");
    let judgement = judged(&story.history, &["disruption-bounded"]);
    assert_eq!(judgement.verdict, Verdict::Unknown);
    let reason = &judgement.checks[0].reasons[0];
    assert_eq!(reason.blame, Blame::Environment);
    assert!(reason.text.ends_with("but programs took 42 times as long"), "{}", reason.text);
    // What was kept is kept, and what was found before stands.
    for (holds, expected) in [(true, Verdict::Pass), (false, Verdict::Fail)] {
        let mut story = self::story("disruption-bounded", holds).unwrap();
        story.push(slow());
        assert_eq!(verdict(&story.history, "disruption-bounded"), expected);
    }
}

#[test]
fn what_was_excused_for_want_of_knowledge_is_undecided_where_deliveries_were_lost() {
    let missing = "deliveries".into();
    let mut story = Story::web("stale", 3);
    story.ready("web-0", false).wait(50).delete("cloneset", "web-1");
    story.push(Body::Gap(Gap { from: 0, missing, reason: "the proxy was restarted".into() }));
    let judgement = judged(&story.history, &["disruption-bounded"]);
    assert_eq!(judgement.verdict, Verdict::Unknown);
    assert_eq!(judgement.checks[0].reasons[0].blame, Blame::Environment);
}

#[test]
fn who_was_never_told_anything_is_not_guilty_at_once() {
    let told = |event: &Event| !matches!(&event.body, Body::Deliver(to) if to.actor == "cloneset");
    for (wait, expected) in [(50, Verdict::Unknown), (60_000, Verdict::Fail)] {
        let mut story = Story::web("never told", 3);
        story.delete("user", "web-0").wait(wait).delete("cloneset", "web-1");
        story.history.events.retain(told);
        assert_eq!(verdict(&story.history, "disruption-bounded"), expected);
    }
}

#[test]
fn without_deliveries_what_happened_a_moment_ago_leaves_a_takedown_undecided() {
    for (wait, expected) in [(50, Verdict::Unknown), (60_000, Verdict::Fail)] {
        let mut story = Story::web("no deliveries", 3);
        story.history.header.capabilities.retain(|have| have != "deliveries");
        story.ready("web-0", false).wait(wait).delete("cloneset", "web-1");
        story.history.events.retain(|event| !matches!(event.body, Body::Deliver(_)));
        assert_eq!(verdict(&story.history, "max-unavailable"), expected);
    }
}

#[test]
fn without_deliveries_what_passes_a_limit_is_found_unless_something_changed_just_before() {
    for (ident, wait, expected) in [
        ("max-surge", 60_000, Verdict::Fail),
        ("max-surge", 50, Verdict::Unknown),
        ("partition-respected", 60_000, Verdict::Fail),
        ("partition-respected", 50, Verdict::Unknown),
    ] {
        let mut story = Story::web("no deliveries", 3);
        story.history.header.capabilities.retain(|have| have != "deliveries");
        story.set("user", WEB, &["spec", "updateStrategy", "partition"], 2).release();
        story.update_in_place("web-0").wait(60_000);
        story.set("user", WEB, &["spec", "template", "x"], "y").wait(wait);
        match ident {
            "max-surge" => story.pod("web-9", "r1", true),
            _ => story.update_in_place("web-1"),
        };
        story.history.events.retain(|event| !matches!(event.body, Body::Deliver(_)));
        assert_eq!(verdict(&story.history, ident), expected, "{ident} after {wait} ms");
    }
}

#[test]
fn what_fails_in_some_runs_only_is_met_in_either_case() {
    for (across, holds, expected) in [
        (Across::Each, true, Outcome::Unexpected),
        (Across::Seeds, true, Outcome::Met),
        (Across::Runs, true, Outcome::Met),
        (Across::Runs, false, Outcome::Met),
    ] {
        let story = story("disruption-bounded", holds).unwrap();
        let invariants = vec!["disruption-bounded".to_owned()];
        let requirement = KnownRequirement { id: "BUDGET-1".into(), invariants };
        let fails = [("BUDGET-1".to_owned(), across)];
        let judgement = judged_against(&story.history, &[requirement], &fails);
        assert_eq!(judgement.outcome, expected, "{across:?}, holds: {holds}");
        assert_eq!(judgement.requirements[0].may_hold, across == Across::Runs);
    }
}

#[test]
fn an_expected_failure_is_not_met_where_the_fault_never_bit() {
    for (phase, expected) in
        [(FaultPhase::Bit, Outcome::Met), (FaultPhase::Missed, Outcome::Unknown)]
    {
        let mut story = story("disruption-bounded", false).unwrap();
        story.history.events.retain(|event| !matches!(event.body, Body::Fault(_)));
        story.fault(phase, true);
        let invariants = vec!["disruption-bounded".to_owned()];
        let requirement = KnownRequirement { id: "BUDGET-1".into(), invariants };
        let fails = [("BUDGET-1".to_owned(), Across::Each)];
        let judgement = judged_against(&story.history, &[requirement], &fails);
        assert_eq!((judgement.verdict, judgement.outcome), (Verdict::Fail, expected));
        assert_eq!(judgement.unexpected_failures().count(), 0);
    }
}

#[test]
fn without_its_capability_an_invariant_is_undecided() {
    let mut story = story("no-zombie-containers", true).unwrap();
    story.history.header.capabilities.retain(|have| have != "host");
    let judgement = judged(&story.history, &["no-zombie-containers"]);
    assert_eq!(judgement.verdict, Verdict::Unknown);
    assert_eq!(judgement.checks[0].reasons[0].blame, Blame::Environment);
}

#[test]
fn a_fault_that_never_bit_makes_the_trial_undecided() {
    let mut story = Story::web("never bit", 3);
    story.fault(FaultPhase::Injected, false).wait(10).fault(FaultPhase::Healed, false);
    let judgement = judged(&story.history, &["disruption-bounded"]);
    assert_eq!((judgement.verdict, judgement.outcome), (Verdict::Unknown, Outcome::Unknown));
    assert!(judgement.reasons[0].text.contains("never bit"));
}

#[test]
fn convergence_waits_for_transient_faults_and_not_for_lasting_ones() {
    for (lasting, expected) in [(true, Verdict::Pass), (false, Verdict::Unknown)] {
        let mut story = Story::web("faults", 3);
        story.fault(FaultPhase::Injected, lasting).fault(FaultPhase::Bit, lasting);
        story.wait(2_000_000).step("converge", StepPhase::Finished);
        assert_eq!(verdict(&story.history, "converged-and-stable"), expected);
    }
}

#[test]
fn a_write_that_counts_starts_the_hold_anew_and_a_heartbeat_does_not() {
    let mut story = Story::web("hold", 3);
    story.wait(59_000).set("cloneset", (Resource::CLONE_SETS, "web"), &["status", "x"], 1);
    story.wait(59_000).step("converge", StepPhase::Finished);
    assert_eq!(verdict(&story.history, "converged-and-stable"), Verdict::Unknown);
    let mut story = Story::web("hold", 3);
    let notes = ["metadata", "annotations", "x"];
    story.wait(59_000).set("cloneset", (Resource::CLONE_SETS, "web"), &notes, "y");
    story.wait(5_000).step("converge", StepPhase::Finished);
    assert_eq!(verdict(&story.history, "converged-and-stable"), Verdict::Pass);
}

#[test]
fn nothing_panics_on_objects_of_any_content() {
    let mut story = empty();
    for resource in [
        Resource::PODS,
        Resource::CLONE_SETS,
        Resource::SERVICES,
        Resource::ENDPOINT_SLICES,
        Resource::POD_DISRUPTION_BUDGETS,
    ] {
        let object = kubesim_model::map! {
            "metadata" => kubesim_model::map! { "name" => "odd" },
            "spec" => "text", "status" => kubesim_model::list![1, "two"],
        };
        story.write("cloneset", resource.clone(), object).remove("cloneset", resource, "odd");
    }
    let all: Vec<&str> = crate::check::registry().iter().map(|d| d.entry.name).collect();
    assert_eq!(judged(&story.history, &all).checks.len(), all.len());
}

#[test]
fn an_expression_is_not_asked_while_the_world_is_prepared() {
    for (step, expected) in [("given[0]", Verdict::Pass), ("when[0]", Verdict::Fail)] {
        let mut story = Story::new("cel");
        story.named_step("given[0]", StepPhase::Started);
        story.named_step(step, StepPhase::Started);
        story.write("user", Resource::CLONE_SETS, super::story::workload(1));
        let expr = Program::compile("objects.clonesets.all(c, c.spec.replicas == 3)").unwrap();
        let check = CelCheck { expr, kind: None, message: None };
        let spec = CheckSpec { check: Check::Cel(check), ..super::fixtures::check("three") };
        assert_eq!(super::fixtures::judged_by(&story.history, &[spec]).verdict, expected, "{step}");
    }
}

#[test]
fn an_expression_that_can_not_be_evaluated_is_undecided_and_the_suites_fault() {
    let mut story = Story::web("cel", 1);
    story.set("user", (Resource::CLONE_SETS, "web"), &["spec", "replicas"], 2);
    let expr = Program::compile("object.spec.nothing.here == 1").unwrap();
    let check = CelCheck { expr, kind: None, message: None };
    let spec = CheckSpec { check: Check::Cel(check), ..super::fixtures::check("nothing") };
    let judgement = super::fixtures::judged_by(&story.history, &[spec]);
    assert_eq!((judgement.verdict, judgement.outcome), (Verdict::Unknown, Outcome::Unknown));
    assert!(judgement.checks[0].reasons.iter().all(|reason| reason.blame == Blame::Suite));
}

#[test]
fn a_violation_stays_one_beside_whatever_is_undecided() {
    let mut story = story("disruption-bounded", false).unwrap();
    story.push(Body::Gap(Gap { from: 0, missing: "objects".into(), reason: "cut off".into() }));
    let judgement = judged(&story.history, &["disruption-bounded", "no-orphans"]);
    let verdicts: Vec<Verdict> = judgement.checks.iter().map(|check| check.verdict).collect();
    assert_eq!(verdicts, [Verdict::Fail, Verdict::Unknown]);
    assert_eq!((judgement.verdict, judgement.outcome), (Verdict::Fail, Outcome::Unexpected));
}
