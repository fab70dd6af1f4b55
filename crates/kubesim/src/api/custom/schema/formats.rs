//! The formats of texts that schemas may ask for (kube-openapi of v1.36, `pkg/validation/strfmt`).
//! Hyphens in their names do not count, and those that are not known are ignored.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;

use regex::Regex;

use super::node::Kind;

/// The formats of texts without hyphens, sorted.
const TEXTS: &[&str] = &[
    "bsonobjectid",
    "byte",
    "cidr",
    "creditcard",
    "date",
    "datetime",
    "duration",
    "email",
    "hexcolor",
    "hostname",
    "ipv4",
    "ipv6",
    "isbn",
    "isbn10",
    "isbn13",
    "k8slongname",
    "k8sshortname",
    "mac",
    "password",
    "rgbcolor",
    "ssn",
    "uri",
    "uuid",
    "uuid3",
    "uuid4",
    "uuid5",
];

/// Formats that are told by an expression alone.
const PATTERNS: &[(&str, &str)] = &[
    ("bsonobjectid", "^[0-9a-fA-F]{24}$"),
    ("byte", "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$"),
    ("hexcolor", "^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"),
    ("k8sshortname", "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
    ("k8slongname", r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"),
    (
        "mac",
        "^(?:[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}|[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){7}|\
         [0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){19}|[0-9a-fA-F]{2}(?:-[0-9a-fA-F]{2}){5}|\
         [0-9a-fA-F]{2}(?:-[0-9a-fA-F]{2}){7}|[0-9a-fA-F]{2}(?:-[0-9a-fA-F]{2}){19}|\
         [0-9a-fA-F]{4}(?:\\.[0-9a-fA-F]{4}){2}|[0-9a-fA-F]{4}(?:\\.[0-9a-fA-F]{4}){3}|\
         [0-9a-fA-F]{4}(?:\\.[0-9a-fA-F]{4}){9})$",
    ),
    (
        "rgbcolor",
        r"^rgb\(\s*(0|[1-9][0-9]?|1[0-9]{0,2}|2[0-4][0-9]|25[0-5])\s*,\s*(0|[1-9][0-9]?|1[0-9]{0,2}|2[0-4][0-9]|25[0-5])\s*,\s*(0|[1-9][0-9]?|1[0-9]{0,2}|2[0-4][0-9]|25[0-5])\s*\)$",
    ),
    ("ssn", "^[0-9]{3}[- ]?[0-9]{2}[- ]?[0-9]{4}$"),
    ("uuid", "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$"),
    ("uuid3", "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$"),
    ("uuid4", "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$"),
    ("uuid5", "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$"),
    ("time", "^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$"),
    (
        "creditcard",
        "^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|\
         3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35[0-9]{3})[0-9]{11})$",
    ),
    (
        "hostname",
        r"^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9\-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$",
    ),
    ("duration", "([0-9]+)\\s*([A-Za-zµ]+)"),
];

/// Whether a value of this kind can have this format.
pub(in super::super) fn is_known(kind: Kind, format: &str) -> bool {
    match kind {
        Kind::Any | Kind::String => TEXTS.binary_search(&plain(format).as_str()).is_ok(),
        Kind::Integer => matches!(format, "int32" | "int64"),
        Kind::Number => matches!(format, "float" | "double"),
        _ => false,
    }
}

/// Whether a text has a format; of numbers' formats any text has.
pub(super) fn fits(format: &str, text: &str) -> bool {
    match plain(format).as_str() {
        "cidr" => is_cidr(text),
        "creditcard" => {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            matches("creditcard", &digits) && has_check_digit(&digits)
        }
        "date" => is_date(text),
        "datetime" => is_date_time(text),
        "duration" => is_duration(text),
        "email" => is_email(text),
        "hostname" => {
            text.len() <= 255
                && text.split('.').all(|label| label.len() <= 63)
                && matches("hostname", text)
        }
        "ipv4" => is_ipv4(text),
        "ipv6" => text.contains(':') && text.parse::<Ipv6Addr>().is_ok(),
        "isbn" => is_isbn10(text) || is_isbn13(text),
        "isbn10" => is_isbn10(text),
        "isbn13" => is_isbn13(text),
        "k8sshortname" => text.len() <= 63 && matches("k8sshortname", text),
        "k8slongname" => text.len() <= 253 && matches("k8slongname", text),
        "ssn" => text.len() == 11 && matches("ssn", text),
        "uri" => is_uri(text),
        other => pattern(other).is_none_or(|pattern| pattern.is_match(text)),
    }
}

fn plain(format: &str) -> String {
    format.replace('-', "")
}

fn matches(name: &str, text: &str) -> bool {
    pattern(name).is_some_and(|pattern| pattern.is_match(text))
}

fn pattern(name: &str) -> Option<&'static Regex> {
    static COMPILED: [OnceLock<Option<Regex>>; PATTERNS.len()] =
        [const { OnceLock::new() }; PATTERNS.len()];
    let at = PATTERNS.iter().position(|(have, _)| *have == name)?;
    COMPILED[at].get_or_init(|| Regex::new(PATTERNS[at].1).ok()).as_ref()
}

/// Zeros before digits are let pass.
fn is_ipv4(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let part = |part: &&str| {
        !part.is_empty()
            && part.len() <= 3
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && part.parse::<u16>().is_ok_and(|number| number <= 255)
    };
    (parts.len() == 4 && parts.iter().all(part))
        || (text.contains(':') && text.contains('.') && text.parse::<Ipv6Addr>().is_ok())
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let most = match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(_)) => 128,
        _ if is_ipv4(address) => Ipv4Addr::BITS,
        _ => return false,
    };
    bits.len() <= 3
        && bits.bytes().all(|byte| byte.is_ascii_digit())
        && bits.parse::<u32>().is_ok_and(|bits| bits <= most)
}

fn is_date(text: &str) -> bool {
    let digits = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    text.len() == 10
        && [0, 1, 2, 3, 5, 6, 8, 9].into_iter().all(digits)
        && text.parse::<jiff::civil::Date>().is_ok()
}

fn is_date_time(text: &str) -> bool {
    let lower = text.to_lowercase();
    let parts: Vec<&str> = lower.split('t').collect();
    let (Some(date), Some(time)) = (parts.first(), parts.get(1)) else { return false };
    if !is_date(date) {
        return false;
    }
    let Some(found) = pattern("time").and_then(|pattern| pattern.captures(time)) else {
        return false;
    };
    let part = |at: usize| found.get(at).map_or("", |part| part.as_str());
    part(1) <= "23" && part(2) <= "59" && part(3) <= "59"
}

/// Go's durations, or a sum of numbers with units as Scala writes it.
fn is_duration(text: &str) -> bool {
    if go_duration(text).is_some() {
        return true;
    }
    const UNITS: &[(&[&str], &str)] = &[
        (&["ns"], "nano"),
        (&["us", "µs"], "micro"),
        (&["ms"], "milli"),
        (&["s"], "sec"),
        (&["m"], "min"),
        (&["h", "hr"], "hour"),
        (&["d"], "day"),
        (&["w", "wk"], "week"),
    ];
    let Some(pattern) = pattern("duration") else { return false };
    let mut found = false;
    for part in pattern.captures_iter(text) {
        let (number, unit) = (&part[1], part[2].to_lowercase());
        if number.parse::<i64>().is_err() {
            return false;
        }
        found |= UNITS
            .iter()
            .any(|(short, long)| short.contains(&unit.as_str()) || unit.starts_with(long));
    }
    found
}

/// The nanoseconds of a duration as Go writes it: `1h30m`, `-1.5s`.
pub(in super::super) fn go_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total = 0_f64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number = &rest[..end];
        if !number.bytes().any(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number: f64 = format!("0{number}").parse().ok()?;
        rest = &rest[end..];
        let units = [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6)];
        let mut units = units.into_iter().chain([("s", 1e9), ("m", 6e10), ("h", 3.6e12)]);
        let (unit, size) = units.find(|(unit, _)| rest.starts_with(unit))?;
        rest = &rest[unit.len()..];
        total += number * size;
    }
    if total > 9.223_372_036_854_775e18 {
        return None;
    }
    Some(if negative { -total as i64 } else { total as i64 })
}

fn is_email(text: &str) -> bool {
    let address = match (text.find('<'), text.ends_with('>')) {
        (Some(at), true) => &text[at + 1..text.len() - 1],
        (None, false) => text,
        _ => return false,
    };
    let Some((local, domain)) = address.trim().rsplit_once('@') else { return false };
    let atom = |text: &str| {
        let letter =
            |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || !c.is_ascii();
        !text.is_empty() && text.chars().all(letter)
    };
    let quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let literal = domain.starts_with('[') && domain.ends_with(']');
    (quoted || local.split('.').all(atom)) && (literal || domain.split('.').all(atom))
}

fn is_uri(text: &str) -> bool {
    let bytes = text.as_bytes();
    let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let fine = |(at, byte): (usize, &u8)| match byte {
        b'%' => hex(at + 1) && hex(at + 2),
        byte => !byte.is_ascii_control(),
    };
    if text.is_empty() || !bytes.iter().enumerate().all(fine) {
        return false;
    }
    if text.starts_with('/') || text == "*" {
        return true;
    }
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    if !scheme.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
        || !scheme.bytes().all(letter)
    {
        return false;
    }
    let host = rest.strip_prefix("//").map(|rest| rest.split(['/', '?']).next().unwrap_or(""));
    host.is_none_or(|host| {
        let host = host.rsplit('@').next().unwrap_or(host);
        let (name, port) = match host.rfind(']') {
            Some(end) => host.split_at(end + 1),
            None => host.split_at(host.find(':').unwrap_or(host.len())),
        };
        let digits = port.strip_prefix(':').unwrap_or(port);
        !name.contains([' ', '<', '>', '"', '^', '`', '{', '}', '\\'])
            && (port.is_empty() || port.starts_with(':'))
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn is_isbn10(text: &str) -> bool {
    let text = without_separators(text);
    let bytes = text.as_bytes();
    let valid = bytes.len() == 10
        && bytes[..9].iter().all(u8::is_ascii_digit)
        && (bytes[9].is_ascii_digit() || bytes[9] == b'X');
    let digit = |byte: u8| if byte == b'X' { 10 } else { u32::from(byte - b'0') };
    valid && bytes.iter().zip(1..).map(|(byte, at)| at * digit(*byte)).sum::<u32>() % 11 == 0
}

fn is_isbn13(text: &str) -> bool {
    let text = without_separators(text);
    let bytes = text.as_bytes();
    let weight = |at: usize| if at.is_multiple_of(2) { 1 } else { 3 };
    bytes.len() == 13
        && bytes.iter().all(u8::is_ascii_digit)
        && bytes.iter().enumerate().map(|(at, b)| weight(at) * u32::from(b - b'0')).sum::<u32>()
            % 10
            == 0
}

fn without_separators(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_ascii_whitespace() && *letter != '-').collect()
}

fn has_check_digit(digits: &str) -> bool {
    let weighed = digits.bytes().rev().enumerate().map(|(at, byte)| {
        let digit = u32::from(byte - b'0') * if at % 2 == 1 { 2 } else { 1 };
        if digit >= 10 { digit % 10 + 1 } else { digit }
    });
    weighed.sum::<u32>() % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_patterns_compile() {
        assert!(TEXTS.is_sorted());
        for (name, _) in PATTERNS {
            assert!(pattern(name).is_some(), "{name}");
        }
    }

    #[test]
    fn texts_have_the_formats_that_kubernetes_sees_in_them() {
        for (format, yes, no) in [
            ("date-time", "2024-01-02T03:04:05Z", "2024-01-02 03:04:05Z"),
            ("date", "2024-02-29", "2023-02-29"),
            ("duration", "1h30m", "soon"),
            ("duration", "22 ns", "22"),
            ("email", "a@b.example", "a.b.example"),
            ("hostname", "a.example.com", "a_b"),
            ("ipv4", "10.0.0.1", "10.0.0.256"),
            ("ipv6", "::1", "10.0.0.1"),
            ("cidr", "10.0.0.0/8", "10.0.0.0/33"),
            ("mac", "01:23:45:67:89:ab", "01:23"),
            ("uuid", "11111111-1111-4111-8111-111111111111", "11111111-1111"),
            ("uri", "https://example.com/a?b", "example.com"),
            ("byte", "YQ==", "YQ="),
            ("isbn", "978-0321751041", "978-0321751042"),
            ("creditcard", "4111 1111 1111 1111", "4111 1111 1111 1112"),
            ("ssn", "123-45-6789", "123"),
            ("hexcolor", "#FFF", "#GGG"),
            ("rgbcolor", "rgb(255, 0, 1)", "rgb(256,0,0)"),
            ("k8s-short-name", "a-b", "a.b"),
            ("k8s-long-name", "a-b.c", "A"),
            ("bsonobjectid", "507f1f77bcf86cd799439011", "507f"),
        ] {
            assert!(is_known(Kind::String, format) && fits(format, yes), "{format} {yes}");
            assert!(!fits(format, no), "{format} {no}");
        }
    }
}
