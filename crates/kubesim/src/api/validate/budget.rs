//! PodDisruptionBudgets (v1.36, `pkg/apis/policy/validation`).

use kubesim_model::tree::Tree;

use super::not_negative;
use super::workload::check_selector;
use crate::api::errors::Cause;

pub(super) fn check(spec: &Tree, causes: &mut Vec<Cause>) {
    let (least, most) = (&spec["minAvailable"], &spec["maxUnavailable"]);
    if !least.is_null() && !most.is_null() {
        let detail = "minAvailable and maxUnavailable cannot be both set";
        causes.push(Cause::invalid("spec", spec, detail));
    }
    check_share(least, "spec.minAvailable", causes);
    check_share(most, "spec.maxUnavailable", causes);
    check_selector(&spec["selector"], "spec.selector", causes);
    let policy = &spec["unhealthyPodEvictionPolicy"];
    let allowed = ["AlwaysAllow", "IfHealthyBudget"];
    if !policy.is_null() && !allowed.contains(&policy.str()) {
        causes.push(Cause::not_supported("spec.unhealthyPodEvictionPolicy", policy, &allowed));
    }
}

/// A number that is not negative, or a percentage up to 100 %.
pub(super) fn check_share(value: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let Some(text) = value.as_str() else {
        return not_negative(value, field, causes);
    };
    let percent = text.strip_suffix('%').and_then(|digits| {
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse::<u32>().ok()).flatten()
    });
    match percent {
        None => {
            let detail =
                "a valid percent string must be a numeric string followed by an ending '%'";
            causes.push(Cause::invalid(field, value, detail));
        }
        Some(percent) if percent > 100 => {
            causes.push(Cause::invalid(field, value, "must not be greater than 100%"));
        }
        Some(_) => {}
    }
}
