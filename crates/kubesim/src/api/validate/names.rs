//! The forms of names, label keys and label values (apimachinery v0.36, `util/validation`).

/// Lower-case letters, digits and inner hyphens, 63 at most.
pub(super) fn is_dns_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Labels without their limit of length, joined by dots; 253 characters at most.
pub(super) fn is_dns_subdomain(text: &str) -> bool {
    let part = |part: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !part.is_empty()
            && part.bytes().all(inner)
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(part)
}

/// What can stand between two slashes of a URL.
pub(super) fn is_path_segment(text: &str) -> bool {
    !text.contains(['/', '%']) && text != "." && text != ".."
}

/// Letters, digits and inner `-`, `_`, `.`; 63 at most, with an optional prefix `domain/`.
pub(in super::super) fn is_qualified_name(text: &str) -> bool {
    match text.split_once('/') {
        Some((domain, name)) => is_dns_subdomain(domain) && is_label_text(name),
        None => is_label_text(text),
    }
}

/// Why a text is no such name.
pub(super) fn wrong_in_qualified_name(text: &str) -> Option<&'static str> {
    let name = text.split_once('/').map_or(text, |(_, name)| name);
    if is_qualified_name(text) {
        None
    } else if is_label_text(name) {
        Some(
            "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
              characters, '-' or '.', and must start and end with an alphanumeric character (e.g. \
              'example.com', regex used for validation is \
              '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        )
    } else if name.len() > 63 {
        Some("name part must be no more than 63 bytes")
    } else if name.is_empty() {
        Some("name part must be non-empty")
    } else {
        Some(
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start \
              and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or \
              '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        )
    }
}

/// Empty, or as the name in a label key.
pub(in super::super) fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_label_text(text)
}

fn is_label_text(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    text.len() <= 63
        && bytes.iter().all(|byte| inner(*byte))
        && edge(bytes.first())
        && edge(bytes.last())
}
