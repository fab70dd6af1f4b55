//! Jobs and CronJobs (v1.36, `pkg/apis/batch/validation`).

use std::collections::BTreeSet;

use kubesim_model::object;
use kubesim_model::tree::Tree;

use super::names::{is_dns_label, is_dns_subdomain, is_qualified_name};
use super::not_negative;
use super::pod::one_of;
use super::workload::{check_pods_of, check_selector, check_template_of};
use crate::api::errors::Cause;

/// The most that run at once of an Indexed Job.
const MOST_PARALLEL: i64 = 100_000;
/// The longest name of a CronJob: eleven letters are added for those of its Jobs.
const LONGEST_CRON_JOB: usize = 52;
const IMMUTABLE: &str = "field is immutable";

/// What is wrong with a Job.
pub(super) fn check_job(job: &Tree, causes: &mut Vec<Cause>) {
    let spec = &job["spec"];
    if !spec["manualSelector"].is_true() && !spec["selector"].is_null() {
        check_own_labels(job, causes);
    }
    check_spec(spec, "spec", causes);
    if spec["selector"].is_null() {
        causes.push(Cause::required("spec.selector", ""));
    } else {
        check_selector(&spec["selector"], "spec.selector", causes);
    }
    check_pods_of(&spec["selector"], &spec["template"], causes);
    let completions = spec["completions"].as_i64().unwrap_or(0);
    let name = object::name(job);
    if is_indexed(spec) && completions > 0 && !is_dns_label(&format!("{name}-{}", completions - 1))
    {
        let detail = "will not able to create pod with invalid DNS label";
        causes.push(Cause::invalid("metadata.name", &Tree::from(name), detail));
    }
}

/// The labels that the server gives the pods of a Job that has no selector of its own.
fn check_own_labels(job: &Tree, causes: &mut Vec<Cause>) {
    let labels = &job["spec"]["template"]["metadata"]["labels"];
    for (key, wanted) in [
        ("controller-uid", object::uid(job)),
        ("job-name", object::name(job)),
        ("batch.kubernetes.io/controller-uid", object::uid(job)),
        ("batch.kubernetes.io/job-name", object::name(job)),
    ] {
        let field = format!("spec.template.metadata.labels[{key}]");
        match labels.get(key) {
            None => {
                let field = "spec.template.metadata.labels";
                causes.push(Cause::required(field, &format!("must be '{wanted}'")));
            }
            Some(value) if *value != wanted => {
                causes.push(Cause::invalid(field, labels, &format!("must be '{wanted}'")));
            }
            Some(_) => {}
        }
    }
    let selector = &job["spec"]["selector"];
    let mut own = Tree::map();
    for (key, value) in [
        ("controller-uid", object::uid(job)),
        ("job-name", object::name(job)),
        ("batch.kubernetes.io/controller-uid", object::uid(job)),
        ("batch.kubernetes.io/job-name", object::name(job)),
    ] {
        own.set(&[key], value);
    }
    if !kubesim_model::selector::selects(selector, &own) {
        causes.push(Cause::invalid("spec.selector", selector, "`selector` not auto-generated"));
    }
}

fn is_indexed(spec: &Tree) -> bool {
    spec["completionMode"] == "Indexed"
}

/// What a Job's spec and that of a CronJob's template share.
fn check_spec(spec: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let at = |name: &str| format!("{field}.{name}");
    let numbers = [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ];
    for number in numbers {
        not_negative(&spec[number], &at(number), causes);
    }
    if !spec["maxFailedIndexes"].is_null() && spec["backoffLimitPerIndex"].is_null() {
        let detail = "when maxFailedIndexes is specified";
        causes.push(Cause::required(at("backoffLimitPerIndex"), detail));
    }
    let by = &spec["managedBy"];
    let path = by.str().split_once('/');
    if !by.is_null() && !path.is_some_and(|(domain, _)| is_dns_subdomain(domain)) {
        let detail = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        causes.push(Cause::invalid(at("managedBy"), by, detail));
    }
    one_of(spec, field, "completionMode", &["NonIndexed", "Indexed"], causes);
    check_indexes(spec, field, causes);
    let policy = &spec["podFailurePolicy"];
    for (index, rule) in policy["rules"].items().iter().enumerate() {
        let field = at(&format!("podFailurePolicy.rules[{index}]"));
        check_failure_rule(spec, rule, &field, causes);
    }
    if !spec["successPolicy"].is_null() {
        check_success_policy(spec, &at("successPolicy"), causes);
    }
    let replaced: &[&str] =
        if policy.is_null() { &["Failed", "TerminatingOrFailed"] } else { &["Failed"] };
    one_of(spec, field, "podReplacementPolicy", replaced, causes);
    check_template_of(&spec["template"], &at("template"), causes);
    let restart = &spec["template"]["spec"]["restartPolicy"];
    let field = at("template.spec.restartPolicy");
    match restart.str() {
        "" | "Always" => {
            causes.push(Cause::required(field, "valid values: \"OnFailure\", \"Never\""));
        }
        "OnFailure" if !policy.is_null() => {
            let detail = "only \"Never\" is supported when podFailurePolicy is specified";
            causes.push(Cause::invalid(field, restart, detail));
        }
        "OnFailure" | "Never" => {}
        _ => causes.push(Cause::not_supported(field, restart, &["OnFailure", "Never"])),
    }
}

/// What goes with indexes, and what only with them.
fn check_indexes(spec: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let at = |name: &str| format!("{field}.{name}");
    let (completions, failed) = (&spec["completions"], &spec["maxFailedIndexes"]);
    if !is_indexed(spec) {
        for name in ["backoffLimitPerIndex", "maxFailedIndexes"] {
            if !spec[name].is_null() {
                let detail = "requires indexed completion mode";
                causes.push(Cause::invalid(at(name), &spec[name], detail));
            }
        }
        return;
    }
    if completions.is_null() {
        causes.push(Cause::required(at("completions"), "when completion mode is Indexed"));
    }
    let number = |tree: &Tree| tree.as_i64().unwrap_or(0);
    if number(&spec["parallelism"]) > MOST_PARALLEL {
        let detail = "must be less than or equal to 100000 when completion mode is Indexed";
        causes.push(Cause::invalid(at("parallelism"), &spec["parallelism"], detail));
    }
    if !completions.is_null() && number(failed) > number(completions) {
        let detail = "must be less than or equal to completions";
        causes.push(Cause::invalid(at("maxFailedIndexes"), failed, detail));
    }
    if number(failed) > MOST_PARALLEL {
        let detail = "must be less than or equal to 100000";
        causes.push(Cause::invalid(at("maxFailedIndexes"), failed, detail));
    }
}

fn check_failure_rule(spec: &Tree, rule: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let action = &rule["action"];
    let at = format!("{field}.action");
    match action.str() {
        "" => causes.push(Cause::required(at, "")),
        "FailIndex" if spec["backoffLimitPerIndex"].is_null() => {
            let detail = "requires the backoffLimitPerIndex to be set";
            causes.push(Cause::invalid(at, action, detail));
        }
        _ => {
            let actions = ["Count", "FailIndex", "FailJob", "Ignore"];
            one_of(rule, field, "action", &actions, causes);
        }
    }
    let (codes, conditions) = (&rule["onExitCodes"], rule["onPodConditions"].items());
    if !codes.is_null() {
        check_exit_codes(spec, codes, &format!("{field}.onExitCodes"), causes);
    }
    for (index, pattern) in conditions.iter().enumerate() {
        let field = format!("{field}.onPodConditions[{index}]");
        if !is_qualified_name(pattern["type"].str()) {
            let detail = "name part must be a qualified name";
            causes.push(Cause::invalid(format!("{field}.type"), &pattern["type"], detail));
        }
        one_of(pattern, &field, "status", &["False", "True", "Unknown"], causes);
    }
    if codes.is_null() == conditions.is_empty() {
        let detail = "specifying one of OnExitCodes and OnPodConditions is required";
        causes.push(Cause::invalid(field, rule, detail));
    }
}

fn check_exit_codes(spec: &Tree, codes: &Tree, field: &str, causes: &mut Vec<Cause>) {
    if codes["operator"].str().is_empty() {
        causes.push(Cause::required(format!("{field}.operator"), ""));
    } else {
        one_of(codes, field, "operator", &["In", "NotIn"], causes);
    }
    let (name, pod) = (&codes["containerName"], &spec["template"]["spec"]);
    let mut containers = pod["containers"].items().iter().chain(pod["initContainers"].items());
    if !name.is_null() && !containers.any(|container| container["name"] == *name) {
        let detail = "must be one of the container or initContainer names in the pod template";
        causes.push(Cause::invalid(format!("{field}.containerName"), name, detail));
    }
    let values = codes["values"].items();
    let whole = format!("{field}.values");
    if values.is_empty() {
        causes.push(Cause::invalid(
            whole.clone(),
            &codes["values"],
            "at least one value is required",
        ));
    }
    let mut seen = BTreeSet::new();
    for (index, value) in values.iter().enumerate() {
        let field = format!("{whole}[{index}]");
        if codes["operator"] == "In" && value.as_i64() == Some(0) {
            let detail = "must not be 0 for the In operator";
            causes.push(Cause::invalid(field.clone(), value, detail));
        }
        if !seen.insert(value.as_i64()) {
            causes.push(Cause::duplicate(field, value));
        }
    }
    if !values.is_sorted_by_key(Tree::as_i64) {
        causes.push(Cause::invalid(whole, &codes["values"], "must be ordered"));
    }
}

fn check_success_policy(spec: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let policy = &spec["successPolicy"];
    if !is_indexed(spec) {
        causes.push(Cause::invalid(field, policy, "requires indexed completion mode"));
        return;
    }
    if policy["rules"].items().is_empty() {
        let detail = "at least one rules must be specified when the successPolicy is specified";
        causes.push(Cause::required(format!("{field}.rules"), detail));
    }
    let completions = spec["completions"].as_i64().unwrap_or(0);
    for (index, rule) in policy["rules"].items().iter().enumerate() {
        let field = format!("{field}.rules[{index}]");
        let (count, indexes) = (&rule["succeededCount"], &rule["succeededIndexes"]);
        if count.is_null() && indexes.is_null() {
            let detail = "at least one of succeededCount or succeededIndexes must be specified";
            causes.push(Cause::required(field.clone(), detail));
        }
        let named = count_indexes(indexes.str(), completions);
        if !indexes.is_null() && named.is_none() {
            let detail = "error parsing succeededIndexes";
            causes.push(Cause::invalid(format!("{field}.succeededIndexes"), indexes, detail));
        }
        let field = format!("{field}.succeededCount");
        not_negative(count, &field, causes);
        let wanted = count.as_i64().unwrap_or(0);
        if wanted > completions {
            let detail = "must be less than or equal to the number of specified completions";
            causes.push(Cause::invalid(field.clone(), count, detail));
        }
        if !indexes.is_null() && wanted > named.unwrap_or(0) {
            let detail = "must be less than or equal to the number of indexes in the specified \
                          succeededIndexes field";
            causes.push(Cause::invalid(field, count, detail));
        }
    }
}

/// How many indexes a text like `1,3-5` names; `None` unless they rise and lie below `end`.
fn count_indexes(text: &str, end: i64) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    let (mut count, mut next) = (0i64, 0);
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (i64, i64) = (first.parse().ok()?, last.parse().ok()?);
        let single = !part.contains('-');
        if first < next || last >= end || last < first || (last == first && !single) {
            return None;
        }
        count += last - first + 1;
        next = last + 1;
    }
    Some(count)
}

/// What of a Job may not change.
pub(super) fn check_job_update(old: &Tree, new: &Tree, causes: &mut Vec<Cause>) {
    let (had, have) = (&old["spec"], &new["spec"]);
    // An Indexed Job may be made larger and smaller as a whole.
    let elastic = is_indexed(had) && have["completions"] == have["parallelism"];
    let completions: &[&str] = if elastic { &[] } else { &["completions"] };
    let fixed = [
        "selector",
        "completionMode",
        "podFailurePolicy",
        "backoffLimitPerIndex",
        "managedBy",
        "successPolicy",
    ];
    for field in completions.iter().chain(&fixed) {
        if had[*field] != have[*field] {
            causes.push(Cause::invalid(format!("spec.{field}"), &have[*field], IMMUTABLE));
        }
    }
    let free = is_at_rest(old);
    if !template_may_become(free, &had["template"], &have["template"]) {
        let field = if free { "spec.template.spec" } else { "spec.template" };
        causes.push(Cause::invalid(field, &have["template"], IMMUTABLE));
    }
}

/// Whether a Job is suspended and none of its pods run.
fn is_at_rest(job: &Tree) -> bool {
    let status = &job["status"];
    let idle = status["startTime"].is_null() || object::has_condition(job, "Suspended");
    job["spec"]["suspend"].is_true() && idle && status["active"].as_i64().is_none()
}

/// Where the pods of a Job at rest will run, and what they will use, may be changed.
fn template_may_become(free: bool, had: &Tree, have: &Tree) -> bool {
    if had == have || !free {
        return had == have;
    }
    let without = |template: &Tree| {
        let mut template = template.clone();
        for field in ["annotations", "labels"] {
            template.remove(&["metadata", field]);
        }
        for field in ["nodeSelector", "tolerations", "schedulingGates"] {
            template.remove(&["spec", field]);
        }
        template.remove(&["spec", "affinity", "nodeAffinity"]);
        if template["spec"]["affinity"].fields().next().is_none() {
            template.remove(&["spec", "affinity"]);
        }
        for list in ["containers", "initContainers"] {
            for at in 0..template["spec"][list].items().len() {
                template.at_mut(&["spec", list]).items_mut()[at].remove(&["resources"]);
            }
        }
        template
    };
    without(had) == without(have)
}

/// What is wrong with a CronJob; `old` is what it was.
pub(super) fn check_cron_job(cron: &Tree, old: &Tree, causes: &mut Vec<Cause>) {
    let spec = &cron["spec"];
    let schedule = &spec["schedule"];
    if schedule.str().is_empty() {
        causes.push(Cause::required("spec.schedule", ""));
    } else {
        if !is_schedule(schedule.str()) {
            let detail = "expected exactly 5 fields, or a descriptor";
            causes.push(Cause::invalid("spec.schedule", schedule, detail));
        }
        if schedule.str().contains("TZ") && !old["spec"]["schedule"].str().contains("TZ") {
            let detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
            causes.push(Cause::invalid("spec.schedule", schedule, detail));
        }
    }
    let zone = &spec["timeZone"];
    if !zone.is_null() && *zone != old["spec"]["timeZone"] && !is_time_zone(zone.str()) {
        causes.push(Cause::invalid("spec.timeZone", zone, "unknown time zone"));
    }
    for number in
        ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"]
    {
        not_negative(&spec[number], &format!("spec.{number}"), causes);
    }
    one_of(spec, "spec", "concurrencyPolicy", &["Allow", "Forbid", "Replace"], causes);
    let job = &spec["jobTemplate"]["spec"];
    check_spec(job, "spec.jobTemplate.spec", causes);
    if !job["selector"].is_null() {
        let detail = "`selector` will be auto-generated";
        causes.push(Cause::invalid("spec.jobTemplate.spec.selector", &job["selector"], detail));
    }
    if job["manualSelector"].is_true() {
        let (field, value) = ("spec.jobTemplate.spec.manualSelector", &job["manualSelector"]);
        causes.push(Cause::not_supported(field, value, &["nil", "false"]));
    }
    if old.is_null() && object::name(cron).len() > LONGEST_CRON_JOB {
        let detail = "must be no more than 52 characters";
        causes.push(Cause::invalid("metadata.name", &cron["metadata"]["name"], detail));
    }
}

/// An area and a place, as the time zone database names them; which ones there are is not known.
fn is_time_zone(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte);
    let part = |part: &str| {
        (1..=14).contains(&part.len())
            && part.bytes().all(letter)
            && part != "."
            && part != ".."
            && !part.starts_with('-')
    };
    !text.eq_ignore_ascii_case("local") && text.split('/').all(part)
}

/// Five fields of cron (`*/5 0-6 * jan mon,tue`) or a descriptor (`@daily`, `@every 1h`).
fn is_schedule(text: &str) -> bool {
    let text = match text.split_once(' ') {
        Some((zone, rest)) if zone.starts_with("TZ=") || zone.starts_with("CRON_TZ=") => rest,
        _ => text,
    };
    if let Some(name) = text.strip_prefix('@') {
        let known = ["yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly"];
        let every = |rest: &str| rest.ends_with(['s', 'm', 'h']) && rest.starts_with(is_digit);
        return known.contains(&name) || name.strip_prefix("every ").is_some_and(every);
    }
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    let fields: Vec<&str> = text.split_whitespace().collect();
    let bounds: [(u32, u32, &[&str]); 5] =
        [(0, 59, &[]), (0, 23, &[]), (1, 31, &[]), (1, 12, &MONTHS), (0, 6, &DAYS)];
    fields.len() == bounds.len()
        && fields
            .iter()
            .zip(bounds)
            .all(|(field, bounds)| field.split(',').all(|range| is_range(range, bounds)))
}

fn is_digit(letter: char) -> bool {
    letter.is_ascii_digit()
}

/// `*`, `5`, `mon-fri`, `1-10/2` within the bounds, by number or by name.
fn is_range(text: &str, (first, last, names): (u32, u32, &[&str])) -> bool {
    let (range, step) = match text.split_once('/') {
        Some((range, step)) => (range, step.parse::<u32>().ok()),
        None => (text, Some(1)),
    };
    let value = |text: &str| {
        let named = names.iter().position(|name| text.eq_ignore_ascii_case(name));
        named.map(|at| first + at as u32).or_else(|| text.parse().ok())
    };
    let whole = range == "*" || range == "?";
    let (from, to) = range.split_once('-').unwrap_or((range, range));
    let within = match (value(from), value(to)) {
        (Some(from), Some(to)) => first <= from && from <= to && to <= last,
        _ => false,
    };
    (whole || within) && step.is_some_and(|step| step > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_five_fields_or_a_descriptor() {
        for text in ["* * * * *", "*/5 0-6 1,15 jan-MAR mon", "@daily", "@every 1h", "0 0 ? * 6"] {
            assert!(is_schedule(text), "{text}");
        }
        for text in ["", "* * * *", "60 * * * *", "* * * * 7", "*/0 * * * *", "@sometimes", "a"] {
            assert!(!is_schedule(text), "{text}");
        }
    }

    #[test]
    fn indexes_rise_below_the_end() {
        assert_eq!(count_indexes("0,2-4", 5), Some(4));
        assert_eq!(count_indexes("", 5), Some(0));
        for text in ["5", "2,1", "3-3", "4-2", "a", "1,,2", "-1"] {
            assert_eq!(count_indexes(text, 5), None, "{text}");
        }
    }
}
