//! What kubectl printed without what varies between clusters and runs.

/// A text without ages, addresses, generated names and the width of columns. What `explain` says
/// of fields in words, and how far something was while it was waited for, is left out; so is that
/// the authorizer of nodes, which a simulated cluster has not, tells no rules.
pub(crate) fn normal(text: &str, sorted: bool) -> String {
    let mut described = false;
    let told = text.lines().filter(|line| {
        described = (described || line.starts_with("DESCRIPTION:")) && *line != "FIELDS:";
        let varies = line.starts_with("Waiting for")
            || line.starts_with("error when evicting")
            || line.starts_with("warning: the list may be incomplete: node authorizer");
        !described && !varies
    });
    let mut lines: Vec<String> = told.map(line).collect();
    if sorted {
        lines.sort();
    }
    // What happens more than once is counted, and that varies.
    lines.dedup();
    lines.join("\n").trim().to_owned()
}

fn line(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    let words: Vec<String> = line.split_whitespace().map(word).collect();
    let mut told = format!("{}{}", " ".repeat(indent), words.join(" "));
    if let Some((before, number)) = told.split_once("resourceVersion: ") {
        let number = number.trim_matches('"');
        if is_digits(number) {
            told = format!("{before}resourceVersion: VERSION");
        }
    }
    told
}

fn word(word: &str) -> String {
    let core = word.trim_matches(|c: char| "\"'(),;[]{}".contains(c));
    if core.is_empty() {
        return word.to_owned();
    }
    let (before, after) = word.split_once(core).unwrap_or(("", ""));
    format!("{before}{}{after}", plain(core))
}

fn plain(word: &str) -> String {
    if word.starts_with("https://127.0.0.1") {
        return "URL".to_owned();
    }
    if is_age(word) {
        return "AGE".to_owned();
    }
    if is_time(word) || is_date(word) {
        return "TIME".to_owned();
    }
    if word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return "DIGEST".to_owned();
    }
    if word.len() > 6 && is_digits(word) {
        return "NUMBER".to_owned();
    }
    for by in ["=", "/", ":", ","] {
        let parts: Vec<&str> = word.split(by).collect();
        if parts.len() > 1 {
            return parts.into_iter().map(plain).collect::<Vec<_>>().join(by);
        }
    }
    if word.parse::<std::net::Ipv4Addr>().is_ok() {
        return "IP".to_owned();
    }
    let dashes: Vec<&str> = word.split('-').collect();
    if let [a, b, c, d, e] = dashes.as_slice()
        && [a.len(), b.len(), c.len(), d.len(), e.len()] == [8, 4, 4, 4, 12]
    {
        return "UID".to_owned();
    }
    if dashes.len() == 1 && is_hash(word) {
        return "HASH".to_owned();
    }
    // Folders of `diff` have numbers, some of which look like what Kubernetes draws.
    if let ["LIVE" | "MERGED", _] = dashes.as_slice() {
        return format!("{}-NUMBER", dashes[0]);
    }
    let parts = dashes.iter().enumerate().map(|(at, part)| match part {
        _ if at > 0 && is_random(part) => "RANDOM",
        _ if part.len() > 6 && is_digits(part) => "NUMBER",
        part => part,
    });
    parts.collect::<Vec<_>>().join("-")
}

/// `45s`, `3m20s`, `5d`.
fn is_age(word: &str) -> bool {
    let mut digits = 0;
    let mut units = 0;
    for letter in word.chars() {
        match letter {
            '0'..='9' => digits += 1,
            's' | 'm' | 'h' | 'd' | 'y' if digits > 0 => {
                units += 1;
                digits = 0;
            }
            _ => return false,
        }
    }
    units > 0 && digits == 0
}

/// `2026-01-01T00:00:00Z`, or `00:00:00`.
fn is_time(word: &str) -> bool {
    let time = |text: &str| {
        let text = text.split('.').next().unwrap_or(text);
        let parts: Vec<&str> = text.split(':').collect();
        parts.len() == 3 && parts.iter().all(|part| part.len() == 2 && is_digits(part))
    };
    let whole = word.strip_suffix('Z').and_then(|word| word.split_once('T'));
    whole.is_some_and(|(_, rest)| time(rest)) || time(word)
}

/// `2026-01-01`.
fn is_date(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    matches!(parts.as_slice(), [year, month, day]
        if [year.len(), month.len(), day.len()] == [4, 2, 2]
            && [year, month, day].iter().all(|part| is_digits(part)))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The hash of a pod template, where it stands alone.
fn is_hash(word: &str) -> bool {
    (8..=10).contains(&word.len()) && is_random(word) && word.bytes().any(|b| b.is_ascii_digit())
}

/// A part of a name that was drawn: what Kubernetes draws names of has no vowels.
fn is_random(part: &str) -> bool {
    const LETTERS: &str = "bcdfghjklmnpqrstvwxz2456789";
    part.len() >= 5 && part.chars().all(|letter| LETTERS.contains(letter))
}
