//! Requests for certificates (v1.36, `pkg/apis/certificates/validation`). Their signatures are not
//! checked: what is asked for must be a PEM block of such a request.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kubesim_model::tree::Tree;

use super::names::{is_dns_label, is_dns_subdomain};
use crate::api::errors::Cause;

const CONDITIONS: &str = "status.conditions";
const CERTIFICATE: &str = "status.certificate";
const USAGES: [&str; 23] = [
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

/// What is wrong with a new request.
pub(super) fn check(request: &Tree, causes: &mut Vec<Cause>) {
    let spec = &request["spec"];
    if !is_pem(spec["request"].str(), "CERTIFICATE REQUEST") {
        let detail = "PEM block type must be CERTIFICATE REQUEST";
        causes.push(Cause::invalid("spec.request", &spec["request"], detail));
    }
    let usages = spec["usages"].items();
    if usages.is_empty() {
        causes.push(Cause::required("spec.usages", ""));
    }
    let mut seen = BTreeSet::new();
    for (at, usage) in usages.iter().enumerate() {
        let field = format!("spec.usages[{at}]");
        if !USAGES.contains(&usage.str()) {
            causes.push(Cause::not_supported(field.clone(), usage, &USAGES));
        }
        if !seen.insert(usage.str()) {
            causes.push(Cause::duplicate(field, usage));
        }
    }
    check_signer(&spec["signerName"], causes);
    let seconds = &spec["expirationSeconds"];
    if seconds.as_i64().is_some_and(|seconds| seconds < 600) {
        let detail = "may not specify a duration less than 600 seconds (10 minutes)";
        causes.push(Cause::invalid("spec.expirationSeconds", seconds, detail));
    }
}

/// A domain and a path of labels below it: `kubernetes.io/kube-apiserver-client`.
fn check_signer(signer: &Tree, causes: &mut Vec<Cause>) {
    let field = "spec.signerName";
    let text = signer.str();
    if text.is_empty() {
        causes.push(Cause::required(field, ""));
        return;
    }
    if text == "kubernetes.io/legacy-unknown" {
        let detail = "the legacy signerName is not allowed via this API version";
        causes.push(Cause::invalid(field, signer, detail));
        return;
    }
    let fits = text.split_once('/').is_some_and(|(domain, path)| {
        domain.contains('.') && is_dns_subdomain(domain) && path.split('.').all(is_dns_label)
    });
    if !fits {
        let detail =
            "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        causes.push(Cause::invalid(field, signer, detail));
    }
}

/// Whether this is base64 of a PEM block of this kind.
fn is_pem(text: &str, kind: &str) -> bool {
    let Ok(bytes) = STANDARD.decode(text) else { return false };
    let Ok(text) = String::from_utf8(bytes) else { return false };
    let (begin, end) = (format!("-----BEGIN {kind}-----"), format!("-----END {kind}-----"));
    let inner = text.trim().strip_prefix(&begin).and_then(|rest| rest.split_once(&end));
    inner.is_some_and(|(inner, _)| {
        let letters: String = inner.split_whitespace().collect();
        !letters.is_empty() && STANDARD.decode(letters).is_ok()
    })
}

/// What a write to `status` or `approval` may not do.
pub(super) fn check_update(old: &Tree, new: &Tree, subresource: &str, causes: &mut Vec<Cause>) {
    let mut seen = BTreeSet::new();
    for (at, condition) in new["status"]["conditions"].items().iter().enumerate() {
        let field = format!("{CONDITIONS}[{at}]");
        check_condition(condition, &field, causes);
        let kind = condition["type"].str();
        let opposite = match kind {
            "Approved" => "Denied",
            "Denied" => "Approved",
            _ => "",
        };
        if seen.contains(opposite) {
            let detail = "Approved and Denied conditions are mutually exclusive";
            causes.push(Cause::invalid(CONDITIONS, &condition["type"], detail));
        }
        if !seen.insert(kind) {
            causes.push(Cause::duplicate(format!("{field}.type"), &condition["type"]));
        }
    }
    let of = |request: &Tree, kind: &str| -> Vec<Tree> {
        let conditions = request["status"]["conditions"].items().iter();
        conditions.filter(|condition| condition["type"] == kind).cloned().collect()
    };
    for kind in ["Approved", "Denied", "Failed"] {
        let (had, have) = (of(old, kind), of(new, kind));
        let what = if have.len() < had.len() {
            "remove"
        } else if kind == "Failed" || subresource == "approval" || had == have {
            continue;
        } else if have.len() > had.len() {
            "add"
        } else {
            "modify"
        };
        let detail = format!("updates may not {what} a condition of type \"{kind}\"");
        causes.push(Cause::forbidden(CONDITIONS, &detail));
    }
    let (had, have) = (&old["status"]["certificate"], &new["status"]["certificate"]);
    if had == have {
        return;
    }
    if !have.is_null() && !is_pem(have.str(), "CERTIFICATE") {
        let detail = "must contain at least one CERTIFICATE PEM block";
        causes.push(Cause::invalid(CERTIFICATE, &Tree::from("<certificate data>"), detail));
    }
    if !had.is_null() {
        let detail = "updates may not modify existing certificate content";
        causes.push(Cause::forbidden(CERTIFICATE, detail));
    }
}

fn check_condition(condition: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let kind = condition["type"].str();
    if kind.is_empty() {
        causes.push(Cause::required(format!("{field}.type"), ""));
    }
    let decided = ["Approved", "Denied", "Failed"].contains(&kind);
    let allowed: &[&str] = if decided { &["True"] } else { &["False", "True", "Unknown"] };
    let status = &condition["status"];
    if status.str().is_empty() {
        causes.push(Cause::required(format!("{field}.status"), ""));
    } else if !allowed.contains(&status.str()) {
        causes.push(Cause::not_supported(format!("{field}.status"), status, allowed));
    }
}
