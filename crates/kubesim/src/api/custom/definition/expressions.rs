//! Rules in definitions: what they say, and whether they compile (v0.36,
//! `apiextensions/validation/validation.go` and `cel_validation.go`).

use kubesim_model::tree::Tree;

use super::super::schema::{Additional, ListKind, Schema};
use crate::api::errors::Cause;

/// What is wrong with the texts of the rules of a node.
pub(super) fn check_texts(schema: &Tree, path: &str, causes: &mut Vec<Cause>) {
    let breaks = |text: &str| text.contains(['\n', '\r']);
    for (at, rule) in schema["x-kubernetes-validations"].items().iter().enumerate() {
        let field = |name: &str| format!("{path}.x-kubernetes-validations[{at}].{name}");
        let (text, message) = (rule["rule"].str(), rule["message"].str());
        if text.trim().is_empty() {
            causes.push(Cause::required(field("rule"), "rule is not specified"));
        } else if !message.is_empty() && message.trim().is_empty() {
            let detail = "must be non-empty if specified";
            causes.push(Cause::invalid(field("message"), &rule["message"], detail));
        } else if breaks(message.trim()) {
            let detail = "must not contain line breaks";
            causes.push(Cause::invalid(field("message"), &rule["message"], detail));
        } else if breaks(text.trim()) && message.trim().is_empty() {
            let detail = "message must be specified if rule contains line breaks";
            causes.push(Cause::required(field("message"), detail));
        }
        let expression = rule["messageExpression"].str();
        if !expression.is_empty() && expression.trim().is_empty() {
            let detail = "messageExpression must be non-empty if specified";
            causes.push(Cause::required(field("messageExpression"), detail));
        }
        let reasons = [
            "FieldValueDuplicate",
            "FieldValueForbidden",
            "FieldValueInvalid",
            "FieldValueRequired",
        ];
        if !rule["reason"].is_null() && !reasons.contains(&rule["reason"].str()) {
            causes.push(Cause::not_supported(field("reason"), &rule["reason"], &reasons));
        }
        check_field_path(schema, &rule["fieldPath"], &field("fieldPath"), causes);
    }
}

fn check_field_path(schema: &Tree, value: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let text = value.str();
    if text.is_empty() {
        return;
    }
    if text.trim().is_empty() {
        causes.push(Cause::invalid(field, value, "must be non-empty if specified"));
    }
    if text.contains(['\n', '\r']) {
        causes.push(Cause::invalid(field, value, "must not contain line breaks"));
    }
    if Schema::read(schema).at_path(text, true).is_err() {
        causes.push(Cause::invalid(field, value, "must be a valid path"));
    }
}

/// Which rules of a whole schema, which is valid otherwise, do not compile.
pub(super) fn check(schema: &Tree, path: &str, causes: &mut Vec<Cause>) {
    let compiled = Schema::of_resource(schema);
    check_node(&compiled, schema, path, None, causes);
}

/// `lost` is the path of a node above in which the last state can't be told apart.
fn check_node(
    schema: &Schema,
    source: &Tree,
    path: &str,
    lost: Option<&str>,
    causes: &mut Vec<Cause>,
) {
    if !schema.has_rules {
        return;
    }
    if let Some(items) = &schema.items {
        let lost = lost.or((schema.list != ListKind::Map).then_some(path));
        check_node(items, &source["items"], &format!("{path}.items"), lost, causes);
    }
    for (name, property) in &schema.properties {
        let below = &source["properties"][name.as_str()];
        check_node(property, below, &format!("{path}.properties[{name}]"), lost, causes);
    }
    if let Some(Additional::Of(of)) = &schema.additional {
        let below = &source["additionalProperties"];
        check_node(of, below, &format!("{path}.additionalProperties"), lost, causes);
    }
    for (at, rule) in schema.rules.iter().enumerate() {
        let field = |name: &str| format!("{path}.x-kubernetes-validations[{at}].{name}");
        let compiled = &rule.compiled;
        let shown = shown(&source["x-kubernetes-validations"][at]);
        if let Some(why) = &compiled.failure {
            causes.push(Cause::invalid_as(field("rule"), &shown, why));
        }
        if let Some(why) = &compiled.message_failure {
            causes.push(Cause::invalid_as(field("messageExpression"), &shown, why));
        }
        if compiled.uses_old {
            if let Some(lost) = lost {
                let detail = format!(
                    "oldSelf cannot be used on the uncorrelatable portion of the schema within \
                     {lost}"
                );
                let text = Tree::Str(rule.text.clone());
                causes.push(Cause::invalid(field("rule"), &text, &detail));
            }
        } else if let Some(flag) = rule.optional_old {
            let detail = "may not be set if oldSelf is not used in rule";
            causes.push(Cause::invalid(field("optionalOldSelf"), &Tree::Bool(flag), detail));
        }
    }
}

/// A rule as Kubernetes' internal type is written.
fn shown(rule: &Tree) -> String {
    // Go escapes what could be taken for HTML.
    let text = |name: &str| {
        let text = Tree::from(rule[name].str()).to_string();
        text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
    };
    let (reason, optional) = (&rule["reason"], &rule["optionalOldSelf"]);
    format!(
        "{{\"Rule\":{},\"Message\":{},\"MessageExpression\":{},\"Reason\":{reason},\
         \"FieldPath\":{},\"OptionalOldSelf\":{optional}}}",
        text("rule"),
        text("message"),
        text("messageExpression"),
        text("fieldPath"),
    )
}
