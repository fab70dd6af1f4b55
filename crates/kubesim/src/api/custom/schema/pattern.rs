//! Patterns: the expressions of Go's `regexp` for the `regex` crate.
//!
//! Both know the same language but for how some of it is written: Go's classes `\d`, `\w`, `\s` and
//! the boundary `\b` are of ASCII, and in its brackets `[`, `&` and `~` are ordinary letters.

use regex::{Regex, RegexBuilder};

/// How many bytes a compiled pattern may take.
const LARGEST: usize = 4 << 20;

/// Compiles a pattern.
///
/// # Errors
/// A text about what is wrong with it.
pub(in super::super) fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(&translated(pattern))
        .size_limit(LARGEST)
        .build()
        .map_err(|error| error.to_string().lines().last().unwrap_or_default().to_owned())
}

fn translated(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(letter) = rest.chars().next() {
        let after = &rest[letter.len_utf8()..];
        rest = after;
        match letter {
            '\\' => {
                let Some(escaped) = after.chars().next() else {
                    text.push('\\');
                    break;
                };
                rest = &after[escaped.len_utf8()..];
                if escaped == 'Q' {
                    let (literal, end) = rest.split_once("\\E").unwrap_or((rest, ""));
                    text += &regex::escape(literal);
                    rest = end;
                    continue;
                }
                text += match (escaped, in_class) {
                    ('d', _) => "[0-9]",
                    ('D', _) => "[^0-9]",
                    ('w', _) => "[0-9A-Za-z_]",
                    ('W', _) => "[^0-9A-Za-z_]",
                    ('s', _) => "[\\t\\n\\f\\r ]",
                    ('S', _) => "[^\\t\\n\\f\\r ]",
                    ('b', false) => "(?-u:\\b)",
                    _ => {
                        text.push('\\');
                        text.push(escaped);
                        continue;
                    }
                };
            }
            '[' if !in_class => {
                in_class = true;
                text.push('[');
                if let Some(inverted) = rest.strip_prefix('^') {
                    text.push('^');
                    rest = inverted;
                }
                // The first bracket of a class is a letter.
                if let Some(first) = rest.strip_prefix(']') {
                    text += "\\]";
                    rest = first;
                }
            }
            '[' if rest.starts_with(':') => {
                let end = rest.find(":]").map_or(rest.len(), |at| at + 2);
                text.push('[');
                text += &rest[..end];
                rest = &rest[end..];
            }
            '[' | '&' | '~' if in_class => {
                text.push('\\');
                text.push(letter);
            }
            ']' if in_class => {
                in_class = false;
                text.push(']');
            }
            '{' if !in_class && !is_repetition(rest) => text += "\\{",
            letter => text.push(letter),
        }
    }
    text
}

/// Whether this is the rest of `{n}`, `{n,}` or `{n,m}`; any other brace is a letter.
fn is_repetition(rest: &str) -> bool {
    let Some((inside, _)) = rest.split_once('}') else { return false };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match inside.split_once(',') {
        Some((least, most)) => !least.is_empty() && digits(least) && digits(most),
        None => !inside.is_empty() && digits(inside),
    }
}

#[cfg(test)]
mod tests {
    use super::compile;

    #[test]
    fn patterns_are_read_as_go_reads_them() {
        for (pattern, text, fits) in [
            (r"^\d+$", "12", true),
            (r"^\d+$", "١", false),
            (r"^[\d\w]+$", "a1", true),
            (r"^[[]$", "[", true),
            (r"^[]a]+$", "]a", true),
            (r"^[^]]$", "]", false),
            (r"^[[:alpha:]&~]+$", "a&~", true),
            (r"^a{,2}$", "a{,2}", true),
            (r"^a{2}$", "aa", true),
            (r"^\Qa.b\E$", "a.b", true),
            (r"^\Qa.b\E$", "axb", false),
            ("^.$", "ü", true),
        ] {
            let compiled = compile(pattern).expect(pattern);
            assert_eq!(compiled.is_match(text), fits, "{pattern} on {text}");
        }
        assert!(compile("(a").is_err() && compile(r"(?=a)").is_err() && compile("\\").is_err());
    }
}
