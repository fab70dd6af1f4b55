//! How times, numbers and outcomes look in a terminal. All texts carry styles; whoever prints them
//! strips the styles where there is no colour.

use anstyle::{AnsiColor, Style};
use kubesim_model::Millis;

use crate::check::{Outcome, Verdict};

/// For what matters most.
pub const BOLD: Style = Style::new().bold();
/// For what may be passed over.
pub const DIM: Style = Style::new().dimmed();
/// For what went as expected.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// For what did not.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// For what is undecided.
pub const OPEN: Style = AnsiColor::Yellow.on_default().bold();
/// For names that can be looked up or typed.
pub const NAME: Style = AnsiColor::Cyan.on_default();

/// `text` in `style`.
pub fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// The style of an outcome.
pub fn style_of(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Met => GOOD,
        Outcome::Unexpected => BAD,
        Outcome::Unknown => OPEN,
        Outcome::Skipped => DIM,
    }
}

/// The mark of an outcome.
pub fn mark(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Met => "✓",
        Outcome::Unexpected => "✗",
        Outcome::Unknown => "?",
        Outcome::Skipped => "-",
    }
}

/// The word for an outcome.
pub fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Met => "met",
        Outcome::Unexpected => "unexpected",
        Outcome::Unknown => "unknown",
        Outcome::Skipped => "skipped",
    }
}

/// What is said of a verdict against what was expected: `fail (expected)`.
pub fn verdict(verdict: Verdict, outcome: Outcome) -> String {
    match (verdict, outcome) {
        (Verdict::Fail, Outcome::Met) => "fail, as expected".to_owned(),
        (Verdict::Pass, Outcome::Unexpected) => "pass, but a failure was expected".to_owned(),
        (verdict, _) => verdict.word().to_owned(),
    }
}

/// A point in time, exact to the millisecond: `3m12.045s`.
pub fn time(at: Millis) -> String {
    let (hours, minutes) = (at / 3_600_000, at / 60_000 % 60);
    let (seconds, millis) = (at / 1000 % 60, at % 1000);
    let seconds = match millis {
        0 => format!("{seconds:02}s"),
        _ => format!("{seconds:02}.{millis:03}s"),
    };
    match (hours, minutes) {
        (0, 0) => seconds.strip_prefix('0').unwrap_or(&seconds).to_owned(),
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes:02}m{seconds}"),
    }
}

/// A span, to three places at most: `840ms`, `6m41s`.
pub fn span(length: Millis) -> String {
    match length {
        0..1000 => format!("{length}ms"),
        1000..10_000 => format!("{}.{}s", length / 1000, length / 100 % 10),
        _ => time((length + 500) / 1000 * 1000),
    }
}

/// `1 trial`, `2 trials`.
pub fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

/// `text` with every line after `indent` spaces.
pub fn indented(text: &str, indent: usize) -> String {
    let pad = " ".repeat(indent);
    text.lines().map(|line| format!("{pad}{line}\n")).collect()
}

/// `text` in lines of at most `width` columns, broken at spaces.
pub fn wrapped(text: &str, width: usize) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            lines.push('\n');
            column = 0;
        } else if column > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact_and_spans_are_short() {
        assert_eq!(time(0), "0s");
        assert_eq!(time(45), "0.045s");
        assert_eq!(time(192_045), "3m12.045s");
        assert_eq!(time(3_723_000), "1h02m03s");
        assert_eq!(span(840), "840ms");
        assert_eq!(span(1_250), "1.2s");
        assert_eq!(span(401_400), "6m41s");
    }

    #[test]
    fn text_is_broken_at_spaces_only() {
        assert_eq!(wrapped("one two three", 7), "one two\nthree");
        assert_eq!(wrapped("unbreakable", 3), "unbreakable");
    }
}
