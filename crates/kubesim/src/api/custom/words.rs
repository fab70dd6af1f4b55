//! What is said of names that have not the form they must have (apimachinery v0.36,
//! `util/validation`).

/// Why a text is no label of a DNS name that begins with a letter; `None` if it is one.
pub(in crate::api) fn dns_1035_label(text: &str) -> Option<String> {
    let mut why = Vec::new();
    if text.len() > 63 {
        why.push("must be no more than 63 characters".to_owned());
    }
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = text.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
        && text.bytes().all(inner)
        && !text.ends_with('-');
    if !fits {
        why.push(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start \
             with an alphabetic character, and end with an alphanumeric character (e.g. \
             'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
                .to_owned(),
        );
    }
    (!why.is_empty()).then(|| why.join(","))
}

/// Why a text, in lower case, is no such label.
pub(in crate::api) fn mixed_case_label(text: &str) -> Option<String> {
    let why = dns_1035_label(&text.to_lowercase())?;
    Some(format!("may have mixed case, but should otherwise match: {why}"))
}

/// Why a text is no name of dots and lower-case labels.
pub(in crate::api) fn dns_1123_subdomain(text: &str) -> Option<String> {
    let mut why = Vec::new();
    if text.len() > 253 {
        why.push("must be no more than 253 bytes".to_owned());
    }
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty()
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !text.split('.').all(label) {
        why.push(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \
             '-' or '.', and must start and end with an alphanumeric character (e.g. \
             'example.com', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
                .to_owned(),
        );
    }
    (!why.is_empty()).then(|| why.join(","))
}
