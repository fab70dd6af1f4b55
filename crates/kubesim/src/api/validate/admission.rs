//! Webhook configurations and admission policies (v1.36,
//! `pkg/apis/admissionregistration/validation`). CEL expressions are compiled, but
//! for those that change objects and those of webhooks.

use std::collections::BTreeSet;

use kubesim_model::tree::Tree;

use super::names::{is_dns_label, is_dns_subdomain, is_path_segment, is_qualified_name};
use super::pod::one_of;
use super::workload::check_selector;
use crate::api::errors::Cause;
use crate::api::policies;

const POLICIES: [&str; 2] = ["Fail", "Ignore"];
const MATCHES: [&str; 2] = ["Equivalent", "Exact"];
/// The most conditions of a webhook or policy.
const MOST_CONDITIONS: i64 = 64;

/// What is wrong with the webhooks of a configuration.
pub(super) fn check_webhooks(configuration: &Tree, causes: &mut Vec<Cause>) {
    let mut names = BTreeSet::new();
    for (at, hook) in configuration["webhooks"].items().iter().enumerate() {
        let field = format!("webhooks[{at}]");
        let name = &hook["name"];
        if name.str().is_empty() {
            causes.push(Cause::required(format!("{field}.name"), ""));
        } else if !is_dns_subdomain(name.str()) || name.str().matches('.').count() < 2 {
            let detail = "should be a domain with at least three segments separated by dots";
            causes.push(Cause::invalid(format!("{field}.name"), name, detail));
        }
        check_webhook(hook, &field, causes);
        causes.extend(policies::condition_problems(hook, &field));
        check_review_versions(hook, &format!("{field}.admissionReviewVersions"), causes);
        if !name.str().is_empty() && !names.insert(name.str()) {
            causes.push(Cause::duplicate(format!("{field}.name"), name));
        }
    }
}

fn check_webhook(hook: &Tree, field: &str, causes: &mut Vec<Cause>) {
    for (at, rule) in hook["rules"].items().iter().enumerate() {
        check_rule(rule, &format!("{field}.rules[{at}]"), causes);
    }
    one_of(hook, field, "failurePolicy", &POLICIES, causes);
    one_of(hook, field, "matchPolicy", &MATCHES, causes);
    one_of(hook, field, "reinvocationPolicy", &["IfNeeded", "Never"], causes);
    let effects = ["None", "NoneOnDryRun"];
    if hook["sideEffects"].is_null() {
        let detail = "must specify one of None, NoneOnDryRun";
        causes.push(Cause::required(format!("{field}.sideEffects"), detail));
    } else {
        one_of(hook, field, "sideEffects", &effects, causes);
    }
    let timeout = &hook["timeoutSeconds"];
    if timeout.as_i64().is_some_and(|seconds| !(1..=30).contains(&seconds)) {
        let detail = "the timeout value must be between 1 and 30 seconds";
        causes.push(Cause::invalid(format!("{field}.timeoutSeconds"), timeout, detail));
    }
    check_selectors(hook, field, causes);
    let client = &hook["clientConfig"];
    let (url, service) = (&client["url"], &client["service"]);
    let field_of = |name: &str| format!("{field}.clientConfig{name}");
    if url.is_null() == service.is_null() {
        let detail = "exactly one of url or service is required";
        causes.push(Cause::required(field_of(""), detail));
    } else if service.is_null() {
        check_url(url, &field_of(".url"), causes);
    } else {
        check_service(service, &field_of(".service"), causes);
    }
    check_conditions(&hook["matchConditions"], &format!("{field}.matchConditions"), causes);
}

fn check_url(url: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let detail = match url.str().split_once("://") {
        Some((scheme, _)) if scheme != "https" => "'https' is the only allowed URL scheme",
        Some((_, rest)) if rest.split('/').next().is_none_or(str::is_empty) => {
            "host must be specified"
        }
        Some((_, rest)) if rest.contains('@') => "user information is not permitted in the URL",
        Some((_, rest)) if rest.contains('#') => "fragments are not permitted in the URL",
        Some((_, rest)) if rest.contains('?') => "query parameters are not permitted in the URL",
        Some(_) => return,
        None => "url must be a valid URL with the scheme 'https'",
    };
    causes.push(Cause::invalid(field, url, detail));
}

fn check_service(service: &Tree, field: &str, causes: &mut Vec<Cause>) {
    for name in ["name", "namespace"] {
        if service[name].str().is_empty() {
            causes.push(Cause::required(format!("{field}.{name}"), ""));
        }
    }
    let port = &service["port"];
    if port.as_i64().is_some_and(|port| !(1..=65_535).contains(&port)) {
        let detail = "port is not valid: must be between 1 and 65535, inclusive";
        causes.push(Cause::invalid(format!("{field}.port"), port, detail));
    }
    let path = &service["path"];
    let steps = path.str().strip_prefix('/').map(|rest| rest.trim_end_matches('/'));
    let fits = |rest: &str| rest.is_empty() || rest.split('/').all(is_dns_subdomain);
    if !path.str().is_empty() && !steps.is_some_and(fits) {
        let detail = "must start with a '/' and consist of lower-case steps";
        causes.push(Cause::invalid(format!("{field}.path"), path, detail));
    }
}

fn check_review_versions(hook: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let versions = hook["admissionReviewVersions"].items();
    if versions.is_empty() {
        causes.push(Cause::required(field, "must specify one of v1, v1beta1"));
        return;
    }
    let mut seen = BTreeSet::new();
    for (at, version) in versions.iter().enumerate() {
        let field = format!("{field}[{at}]");
        if !seen.insert(version.str()) {
            causes.push(Cause::invalid(field, version, "duplicate version"));
        } else if !is_dns_label(version.str()) {
            causes.push(Cause::invalid(field, version, "a DNS-1035 label is wanted"));
        }
    }
    if !["v1", "v1beta1"].iter().any(|known| seen.contains(known)) {
        let detail = "must include at least one of v1, v1beta1";
        causes.push(Cause::invalid(field, &hook["admissionReviewVersions"], detail));
    }
}

fn check_selectors(tree: &Tree, field: &str, causes: &mut Vec<Cause>) {
    for selector in ["namespaceSelector", "objectSelector"] {
        check_selector(&tree[selector], &format!("{field}.{selector}"), causes);
    }
}

/// A rule with its operations.
fn check_rule(rule: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let operations = rule["operations"].items();
    let lists = [
        ("operations", "operations"),
        ("apiGroups", "API groups"),
        ("apiVersions", "API versions"),
    ];
    for (list, what) in lists {
        let (items, field) = (rule[list].items(), format!("{field}.{list}"));
        if items.is_empty() {
            causes.push(Cause::required(field.clone(), ""));
        }
        if items.len() > 1 && items.iter().any(|item| *item == "*") {
            let detail = format!("if '*' is present, must not specify other {what}");
            causes.push(Cause::invalid(field, &rule[list], &detail));
        }
    }
    for (at, operation) in operations.iter().enumerate() {
        let allowed = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
        if !allowed.contains(&operation.str()) {
            let field = format!("{field}.operations[{at}]");
            causes.push(Cause::not_supported(field, operation, &allowed));
        }
    }
    for (at, version) in rule["apiVersions"].items().iter().enumerate() {
        if version.str().is_empty() {
            causes.push(Cause::required(format!("{field}.apiVersions[{at}]"), ""));
        }
    }
    check_resources(&rule["resources"], &format!("{field}.resources"), causes);
    one_of(rule, field, "scope", &["*", "Cluster", "Namespaced"], causes);
}

fn check_resources(resources: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let items = resources.items();
    if items.is_empty() {
        causes.push(Cause::required(field, ""));
    }
    let (mut all_of, mut of_all) = (BTreeSet::new(), BTreeSet::new());
    for (at, item) in items.iter().enumerate() {
        let field = format!("{field}[{at}]");
        if item.str().is_empty() {
            causes.push(Cause::required(field, ""));
            continue;
        }
        let Some((resource, part)) = item.str().split_once('/') else { continue };
        if all_of.contains(resource) || of_all.contains(part) {
            let detail = format!("if '{resource}/*' is present, must not specify {}", item.str());
            causes.push(Cause::invalid(field, item, &detail));
        }
        if part == "*" {
            all_of.insert(resource);
        }
        if resource == "*" {
            of_all.insert(part);
        }
    }
    let has = |name: &str| items.iter().any(|item| *item == name);
    if items.len() > 1 && has("*/*") {
        let detail = "if '*/*' is present, must not specify other resources";
        causes.push(Cause::invalid(field, resources, detail));
    }
    // Only the last one without a part decides, as in Kubernetes.
    let last = items.iter().rev().find(|item| !item.str().contains('/'));
    if has("*") && last.is_some_and(|last| *last != "*") {
        let detail = "if '*' is present, must not specify other resources without subresources";
        causes.push(Cause::invalid(field, resources, detail));
    }
}

fn check_conditions(conditions: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let count = conditions.items().len() as i64;
    if count > MOST_CONDITIONS {
        causes.push(Cause::too_many(field, count, MOST_CONDITIONS));
    }
    let mut names = BTreeSet::new();
    for (at, condition) in conditions.items().iter().enumerate() {
        let field = format!("{field}[{at}]");
        if condition["expression"].str().trim().is_empty() {
            causes.push(Cause::required(format!("{field}.expression"), ""));
        }
        let name = &condition["name"];
        if name.str().is_empty() {
            causes.push(Cause::required(format!("{field}.name"), ""));
        } else if !is_qualified_name(name.str()) {
            let detail = "name part must be a qualified name";
            causes.push(Cause::invalid(format!("{field}.name"), name, detail));
        } else if !names.insert(name.str()) {
            causes.push(Cause::duplicate(format!("{field}.name"), name));
        }
    }
}

/// What is wrong with a validating or mutating policy.
pub(super) fn check_policy(policy: &Tree, causes: &mut Vec<Cause>) {
    let (spec, mutating) = (&policy["spec"], policy["kind"] == "MutatingAdmissionPolicy");
    one_of(spec, "spec", "failurePolicy", &POLICIES, causes);
    if !spec["paramKind"].is_null() {
        check_param_kind(&spec["paramKind"], causes);
    }
    if spec["matchConstraints"].is_null() {
        causes.push(Cause::required("spec.matchConstraints", ""));
    } else {
        check_match(&spec["matchConstraints"], "spec.matchConstraints", causes);
        if spec["matchConstraints"]["resourceRules"].items().is_empty() {
            causes.push(Cause::required("spec.matchConstraints.resourceRules", ""));
        }
    }
    check_conditions(&spec["matchConditions"], "spec.matchConditions", causes);
    for (at, variable) in spec["variables"].items().iter().enumerate() {
        for name in ["name", "expression"] {
            if variable[name].str().trim().is_empty() {
                causes.push(Cause::required(format!("spec.variables[{at}].{name}"), ""));
            }
        }
    }
    if mutating {
        check_mutations(spec, causes)
    } else {
        check_validations(policy, causes)
    }
    causes.extend(policies::problems(policy));
}

fn check_param_kind(kind: &Tree, causes: &mut Vec<Cause>) {
    let (version, name) = (&kind["apiVersion"], &kind["kind"]);
    if version.str().is_empty() {
        causes.push(Cause::required("spec.paramKind.apiVersion", ""));
    } else {
        let (group, number) = version.str().rsplit_once('/').unwrap_or(("", version.str()));
        let fits = (group.is_empty() || is_dns_subdomain(group)) && is_dns_label(number);
        if !fits {
            let detail = "must be a version with its group";
            causes.push(Cause::invalid("spec.paramKind.apiVersion", version, detail));
        }
    }
    if name.str().is_empty() {
        causes.push(Cause::required("spec.paramKind.kind", ""));
    } else if !is_dns_label(&name.str().to_lowercase()) {
        let detail = "may have mixed case, but should otherwise match a DNS-1035 label";
        causes.push(Cause::invalid("spec.paramKind.kind", name, detail));
    }
}

fn check_match(matched: &Tree, field: &str, causes: &mut Vec<Cause>) {
    one_of(matched, field, "matchPolicy", &MATCHES, causes);
    check_selectors(matched, field, causes);
    for list in ["resourceRules", "excludeResourceRules"] {
        for (at, rule) in matched[list].items().iter().enumerate() {
            let field = format!("{field}.{list}[{at}]");
            let mut seen = BTreeSet::new();
            for (number, name) in rule["resourceNames"].items().iter().enumerate() {
                let field = format!("{field}.resourceNames[{number}]");
                if !is_path_segment(name.str()) {
                    causes.push(Cause::invalid(field.clone(), name, "no path segment"));
                }
                if !seen.insert(name.str()) {
                    causes.push(Cause::duplicate(field, name));
                }
            }
            check_rule(rule, &field, causes);
        }
    }
}

fn check_validations(policy: &Tree, causes: &mut Vec<Cause>) {
    let spec = &policy["spec"];
    let (validations, annotations) =
        (spec["validations"].items(), spec["auditAnnotations"].items());
    if validations.is_empty() && annotations.is_empty() {
        let detail = "validations or auditAnnotations must contain at least one item";
        causes.push(Cause::required("spec.validations", detail));
        causes.push(Cause::required("spec.auditAnnotations", detail));
    }
    for (at, validation) in validations.iter().enumerate() {
        let field = format!("spec.validations[{at}]");
        if validation["expression"].str().trim().is_empty() {
            let detail = "expression is not specified";
            causes.push(Cause::required(format!("{field}.expression"), detail));
        }
        for name in ["message", "messageExpression"] {
            let text = validation[name].str();
            if !text.is_empty() && text.trim().is_empty() {
                let detail = "must be non-empty if specified";
                causes.push(Cause::invalid(format!("{field}.{name}"), &validation[name], detail));
            }
        }
        if validation["message"].str().trim().contains(['\n', '\r']) {
            let (field, value) = (format!("{field}.message"), &validation["message"]);
            causes.push(Cause::invalid(field, value, "must not contain line breaks"));
        }
        let reasons = ["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"];
        one_of(validation, &field, "reason", &reasons, causes);
    }
    let mut keys = BTreeSet::new();
    for (at, annotation) in annotations.iter().enumerate() {
        let (field, key) = (format!("spec.auditAnnotations[{at}]"), &annotation["key"]);
        let name = policy["metadata"]["name"].str();
        if !is_qualified_name(&format!("{name}/{}", key.str())) {
            let detail = "must be a qualified name below the name of the policy";
            causes.push(Cause::invalid(format!("{field}.key"), key, detail));
        }
        if annotation["valueExpression"].str().trim().is_empty() {
            let detail = "valueExpression is not specified";
            causes.push(Cause::required(format!("{field}.valueExpression"), detail));
        }
        if !keys.insert(key.str()) {
            causes.push(Cause::duplicate(format!("{field}.key"), key));
        }
    }
}

fn check_mutations(spec: &Tree, causes: &mut Vec<Cause>) {
    if spec["mutations"].items().is_empty() {
        let detail = "mutations must contain at least one item";
        causes.push(Cause::required("spec.mutations", detail));
    }
    for (at, mutation) in spec["mutations"].items().iter().enumerate() {
        let field = format!("spec.mutations[{at}]");
        let kind = &mutation["patchType"];
        let (own, other) = match kind.str() {
            "ApplyConfiguration" => ("applyConfiguration", "jsonPatch"),
            "JSONPatch" => ("jsonPatch", "applyConfiguration"),
            "" => {
                causes.push(Cause::required(format!("{field}.patchType"), ""));
                continue;
            }
            _ => {
                let allowed = ["ApplyConfiguration", "JSONPatch"];
                causes.push(Cause::not_supported(format!("{field}.patchType"), kind, &allowed));
                continue;
            }
        };
        if mutation[own].is_null() {
            let detail = format!("must be specified when patchType is {}", kind.str());
            causes.push(Cause::required(format!("{field}.{own}"), &detail));
        } else if mutation[own]["expression"].str().trim().is_empty() {
            causes.push(Cause::required(format!("{field}.{own}.expression"), ""));
        }
        if !mutation[other].is_null() {
            let detail = format!("must not be specified when patchType is {}", kind.str());
            // The real server shows the name of what is set.
            let shown = Tree::from(format!("{{{other}}}"));
            causes.push(Cause::invalid(format!("{field}.{other}"), &shown, &detail));
        }
    }
    if spec["reinvocationPolicy"].str().is_empty() {
        causes.push(Cause::required("spec.reinvocationPolicy", ""));
    } else {
        one_of(spec, "spec", "reinvocationPolicy", &["IfNeeded", "Never"], causes);
    }
}

/// What is wrong with the binding of a policy.
pub(super) fn check_binding(binding: &Tree, causes: &mut Vec<Cause>) {
    let spec = &binding["spec"];
    if spec["policyName"].str().is_empty() {
        causes.push(Cause::required("spec.policyName", ""));
    } else if !is_dns_subdomain(spec["policyName"].str()) {
        let detail = "a lowercase RFC 1123 subdomain is wanted";
        causes.push(Cause::invalid("spec.policyName", &spec["policyName"], detail));
    }
    check_param_reference(&spec["paramRef"], causes);
    if !spec["matchResources"].is_null() {
        check_match(&spec["matchResources"], "spec.matchResources", causes);
    }
    if binding["kind"] != "ValidatingAdmissionPolicyBinding" {
        return;
    }
    let actions = spec["validationActions"].items();
    let mut seen = BTreeSet::new();
    for (at, action) in actions.iter().enumerate() {
        let (field, allowed) = (format!("spec.validationActions[{at}]"), ["Audit", "Deny", "Warn"]);
        if !allowed.contains(&action.str()) {
            causes.push(Cause::not_supported(field.clone(), action, &allowed));
        }
        if !seen.insert(action.str()) {
            causes.push(Cause::duplicate(field, action));
        }
    }
    if seen.contains("Deny") && seen.contains("Warn") {
        let detail = "must not contain both Deny and Warn";
        causes.push(Cause::invalid("spec.validationActions", &spec["validationActions"], detail));
    }
    if actions.is_empty() {
        let detail = "at least one validation action is required";
        causes.push(Cause::required("spec.validationActions", detail));
    }
}

fn check_param_reference(reference: &Tree, causes: &mut Vec<Cause>) {
    if reference.is_null() {
        return;
    }
    let (name, selector) = (&reference["name"], &reference["selector"]);
    match (name.str().is_empty(), selector.is_null()) {
        (true, true) => {
            let detail = "one of name or selector must be specified";
            causes.push(Cause::required("spec.paramRef", detail));
        }
        (false, false) => {
            let detail = "name and selector are mutually exclusive";
            for field in ["spec.paramRef.name", "spec.paramRef.selector"] {
                causes.push(Cause::forbidden(field, detail));
            }
        }
        _ => check_selector(selector, "spec.paramRef.selector", causes),
    }
    if reference["parameterNotFoundAction"].is_null() {
        causes.push(Cause::required("spec.paramRef.parameterNotFoundAction", ""));
    } else {
        one_of(reference, "spec.paramRef", "parameterNotFoundAction", &["Deny", "Allow"], causes);
    }
}
