//! How a definition says that versions become each other.

use std::collections::BTreeSet;

use kubesim_model::tree::Tree;

use super::super::words::{dns_1035_label, dns_1123_subdomain};
use crate::api::errors::Cause;

/// What is wrong with `spec.conversion`.
pub(super) fn check(conversion: &Tree, causes: &mut Vec<Cause>) {
    if conversion.is_null() {
        return;
    }
    let strategy = &conversion["strategy"];
    match strategy.str() {
        "" => causes.push(Cause::required("spec.conversion.strategy", "")),
        "None" | "Webhook" => {}
        _ => {
            let field = "spec.conversion.strategy";
            causes.push(Cause::not_supported(field, strategy, &["None", "Webhook"]));
        }
    }
    let webhook = &conversion["webhook"];
    let (client, reviews) = (&webhook["clientConfig"], &webhook["conversionReviewVersions"]);
    let (client_field, reviews_field) =
        ("spec.conversion.webhookClientConfig", "spec.conversion.conversionReviewVersions");
    if *strategy != "Webhook" {
        let detail = "should not be set when strategy is not set to Webhook";
        if client.as_map().is_some() {
            causes.push(Cause::forbidden(client_field, detail));
        }
        if !reviews.items().is_empty() {
            causes.push(Cause::forbidden(reviews_field, detail));
        }
        return;
    }
    if client.as_map().is_none() {
        let detail = "required when strategy is set to Webhook";
        causes.push(Cause::required(client_field, detail));
    } else {
        match (client["url"].as_str(), client["service"].as_map()) {
            (Some(url), None) => check_url(url, causes),
            (None, Some(_)) => check_service(&client["service"], causes),
            _ => {
                let detail = "exactly one of url or service is required";
                causes.push(Cause::required(client_field, detail));
            }
        }
    }
    check_reviews(reviews, reviews_field, causes);
}

fn check_url(url: &str, causes: &mut Vec<Cause>) {
    const FORM: &str = "; desired format: https://host[/path]";
    let field = "spec.conversion.webhookClientConfig.url";
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let mut wrong = |value: &str, detail: String| {
        causes.push(Cause::invalid(field, &Tree::from(value), &detail));
    };
    if scheme != "https" {
        wrong(scheme, format!("'https' is the only allowed URL scheme{FORM}"));
    }
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = if scheme.is_empty() { "" } else { rest.split('/').next().unwrap_or("") };
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    if host.is_empty() {
        wrong("", format!("host must be specified{FORM}"));
    }
    if let Some(user) = user {
        wrong(user, "user information is not permitted in the URL".to_owned());
    }
    if !fragment.is_empty() {
        wrong(fragment, "fragments are not permitted in the URL".to_owned());
    }
    if !query.is_empty() {
        wrong(query, "query parameters are not permitted in the URL".to_owned());
    }
}

fn check_service(service: &Tree, causes: &mut Vec<Cause>) {
    let field = "spec.conversion.webhookClientConfig.service";
    // Kubernetes tells of a missing name at the namespace, and the other way round.
    for (missing, told) in [("namespace", "name"), ("name", "namespace")] {
        if service[missing].str().is_empty() {
            causes.push(Cause::required(format!("{field}.{told}"), ""));
        }
    }
    let port = &service["port"];
    if !port.is_null() && !port.as_i64().is_some_and(|port| (1..=65_535).contains(&port)) {
        let detail = "port is not valid: must be between 1 and 65535, inclusive";
        causes.push(Cause::invalid(format!("{field}.port"), port, detail));
    }
    let path = &service["path"];
    let Some(text) = path.as_str().filter(|text| !matches!(*text, "" | "/")) else { return };
    let field = format!("{field}.path");
    if text == "//" {
        causes.push(Cause::invalid(field.as_str(), path, "segment[0] may not be empty"));
    } else if !text.starts_with('/') {
        causes.push(Cause::invalid(field.as_str(), path, "must start with a '/'"));
    }
    let inner = text.get(1..).unwrap_or("");
    for (at, segment) in inner.strip_suffix('/').unwrap_or(inner).split('/').enumerate() {
        let detail = match dns_1123_subdomain(segment) {
            _ if text == "//" => return,
            _ if segment.is_empty() => format!("segment[{at}] may not be empty"),
            Some(why) => format!("segment[{at}]: {why}"),
            None => continue,
        };
        causes.push(Cause::invalid(field.as_str(), path, &detail));
    }
}

fn check_reviews(reviews: &Tree, field: &str, causes: &mut Vec<Cause>) {
    if reviews.items().is_empty() {
        causes.push(Cause::required(field, ""));
        return;
    }
    let mut seen = BTreeSet::new();
    for (at, version) in reviews.items().iter().enumerate() {
        let place = format!("{field}[{at}]");
        if !seen.insert(version.str()) {
            causes.push(Cause::invalid(place, version, "duplicate version"));
        } else if let Some(why) = dns_1035_label(version.str()) {
            causes.push(Cause::invalid(place, version, &why));
        }
    }
    if !seen.contains("v1") && !seen.contains("v1beta1") {
        causes.push(Cause::invalid(field, reviews, "must include at least one of v1, v1beta1"));
    }
}
