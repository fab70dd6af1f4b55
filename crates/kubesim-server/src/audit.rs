//! The names of requests: those that their senders give them, so that they know them again in a
//! record of what happened, or new ones (apiserver v0.36, `endpoints/filters/request_audit_id`).

use http::{HeaderMap, HeaderName, HeaderValue};
use kubesim_model::Text;
use tokio_rustls::rustls::crypto::ring;

/// Bears the name of a request, there and back.
pub(crate) const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");

/// How much of a name is kept.
const LONGEST: usize = 64;

/// The name of a request with these headers.
pub(crate) fn name(headers: &HeaderMap) -> Text {
    let given = headers.get(AUDIT_ID).and_then(|name| name.to_str().ok());
    match given.filter(|name| !name.is_empty()) {
        Some(given) => given.chars().take(LONGEST).collect::<String>().into(),
        None => fresh(),
    }
}

/// A UUID (RFC 9562, version 4). One that is not random names its request as well.
fn fresh() -> Text {
    let mut bytes = [0u8; 16];
    let _ = ring::default_provider().secure_random.fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    parts.join("-").into()
}

/// The header's value that is this name.
pub(crate) fn value(name: &str) -> HeaderValue {
    HeaderValue::from_str(name).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_name_that_it_is_given_or_one_of_its_own() {
        let mut headers = HeaderMap::new();
        let (one, other) = (name(&headers), name(&headers));
        assert!(one != other && one.len() == 36, "{one} {other}");
        headers.insert(AUDIT_ID, HeaderValue::from_static("mine"));
        assert_eq!(name(&headers), "mine");
        headers.insert(AUDIT_ID, value(&"long".repeat(100)));
        assert_eq!(name(&headers).len(), LONGEST);
    }
}
