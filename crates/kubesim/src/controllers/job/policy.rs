//! The policies of a Job: which failures count and which end it, and which successes are enough.

use kubesim_model::object;
use kubesim_model::tree::Tree;

use super::indexes::Indexes;

/// What a failed pod means (`matchPodFailurePolicy`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// Whether it counts against the limits.
    pub(super) counts: bool,
    /// Whether its index has failed for good.
    pub(super) ends_index: bool,
    /// Why the Job has failed with it, if it has.
    pub(super) ends_job: Option<String>,
}

/// What the first rule that a failed pod matches says of it; without one it counts.
pub(super) fn failure(job: &Tree, pod: &Tree) -> Failure {
    let plain = Failure { counts: true, ends_index: false, ends_job: None };
    let rules = job["spec"]["podFailurePolicy"]["rules"].items();
    for (at, rule) in rules.iter().enumerate() {
        let Some(what) = matched(rule, pod) else { continue };
        match rule["action"].str() {
            "Ignore" => return Failure { counts: false, ..plain },
            "FailIndex" => return Failure { ends_index: true, ..plain },
            "Count" => return plain,
            "FailJob" => {
                let ends_job = Some(format!("{what} matching FailJob rule at index {at}"));
                return Failure { ends_job, ..plain };
            }
            _ => {}
        }
    }
    plain
}

/// What of the pod a rule is about, in the words of the message; `None` if nothing is.
fn matched(rule: &Tree, pod: &Tree) -> Option<String> {
    let key = object::key(pod);
    let status = &pod["status"];
    if !rule["onExitCodes"].is_null() {
        let codes = &rule["onExitCodes"];
        let lists = ["containerStatuses", "initContainerStatuses"];
        let mut all = lists.iter().flat_map(|list| status[*list].items());
        let ended = all.find(|container| has_code(codes, container))?;
        let (name, code) = (ended["name"].str(), &ended["state"]["terminated"]["exitCode"]);
        return Some(format!("Container {name} for pod {key} failed with exit code {code}"));
    }
    let patterns = rule["onPodConditions"].items();
    let meets = |condition: &&Tree| {
        patterns.iter().any(|pattern| {
            pattern["type"] == condition["type"] && pattern["status"] == condition["status"]
        })
    };
    let condition = status["conditions"].items().iter().find(meets)?;
    Some(format!("Pod {key} has condition {}", condition["type"].str()))
}

fn has_code(wanted: &Tree, container: &Tree) -> bool {
    let code = &container["state"]["terminated"]["exitCode"];
    let of = &wanted["containerName"];
    let listed = wanted["values"].items().contains(code);
    !code.is_null()
        && code.as_i64() != Some(0)
        && (of.is_null() || *of == container["name"])
        && match wanted["operator"].str() {
            "In" => listed,
            "NotIn" => !listed,
            _ => false,
        }
}

/// Why the indexes that succeeded are enough, if they are (`matchSuccessPolicy`).
pub(super) fn success(job: &Tree, completions: i64, succeeded: &Indexes) -> Option<String> {
    if succeeded.total() == 0 {
        return None;
    }
    let rules = job["spec"]["successPolicy"]["rules"].items();
    let at = rules.iter().position(|rule| {
        let count = rule["succeededCount"].as_i64();
        let Some(text) = rule["succeededIndexes"].as_str() else {
            return count.is_some_and(|count| succeeded.total() >= count);
        };
        let wanted = Indexes::read(text, completions);
        let have = wanted.in_common(succeeded);
        wanted.total() > 0 && (have == wanted.total() || count.is_some_and(|count| have >= count))
    })?;
    Some(format!("Matched rules at index {at}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubesim_model::{list, map};

    fn failed(code: i64) -> Tree {
        let app = map! {
            "name" => "app", "state" => map! { "terminated" => map! { "exitCode" => code } },
        };
        let target = map! { "type" => "DisruptionTarget", "status" => "True" };
        map! {
            "metadata" => map! { "name" => "p", "namespace" => "n" },
            "status" => map! { "containerStatuses" => list![app], "conditions" => list![target] },
        }
    }

    fn job(rules: Tree) -> Tree {
        map! { "spec" => map! { "podFailurePolicy" => map! { "rules" => rules } } }
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let codes = |action: &str, operator: &str, code: i64| {
            let codes = map! { "operator" => operator, "values" => list![code] };
            map! { "action" => action, "onExitCodes" => codes }
        };
        let on_target = list![map! { "type" => "DisruptionTarget", "status" => "True" }];
        let job = job(list![
            codes("FailJob", "In", 42),
            codes("FailIndex", "In", 7),
            codes("Count", "NotIn", 3),
            map! { "action" => "Ignore", "onPodConditions" => on_target },
        ]);
        let ended = failure(&job, &failed(42)).ends_job;
        let text =
            "Container app for pod n/p failed with exit code 42 matching FailJob rule at index 0";
        assert_eq!(ended.as_deref(), Some(text));
        assert!(failure(&job, &failed(7)).ends_index);
        assert!(failure(&job, &failed(1)).counts);
        assert!(!failure(&job, &failed(3)).counts);
        assert!(!failure(&job, &failed(0)).counts, "no exit code: the condition decides");
    }

    #[test]
    fn success_is_enough_by_indexes_by_count_or_by_both() {
        let met = |rule: Tree, succeeded: &str| {
            let policy = map! { "rules" => list![rule] };
            let job = map! { "spec" => map! { "successPolicy" => policy } };
            success(&job, 10, &Indexes::read(succeeded, 10)).is_some()
        };
        let count = || map! { "succeededCount" => 2 };
        let indexes = || map! { "succeededIndexes" => "0-2" };
        let both = || map! { "succeededIndexes" => "0-2", "succeededCount" => 2 };
        assert!(met(count(), "4,9") && !met(count(), "4"));
        assert!(met(indexes(), "0-4") && !met(indexes(), "0,1,4"));
        assert!(met(both(), "0,2") && !met(both(), "2-9"));
        assert!(!met(map! { "succeededCount" => 0 }, ""));
    }
}
