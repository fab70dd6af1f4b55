//! The two small notations of the files: durations (`500ms`, `2m`, `1h30m`) and amounts (`3` or
//! `10%`). Owns their parsing and printing, and the rounding of percentages.

use std::fmt;

use kubesim_model::Millis;

const UNITS: [(&str, Millis); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// The longest duration: ten years, so that sums never overflow.
pub const MAX_DURATION: Millis = 3_650 * 86_400_000;

/// Reads a duration: whole numbers with the units `ms`, `s`, `m`, `h`, `d`, large ones first, each
/// at most once; `0` needs none. `None` if it is not one or longer than [`MAX_DURATION`].
pub fn parse_duration(text: &str) -> Option<Millis> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut sum: Millis = 0;
    let mut smaller_than = Millis::MAX;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: Millis = rest.get(..digits)?.parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (_, unit) = UNITS.into_iter().find(|(name, _)| *name == &rest[..letters])?;
        rest = &rest[letters..];
        if unit >= smaller_than {
            return None;
        }
        smaller_than = unit;
        sum = sum.checked_add(number.checked_mul(unit)?)?;
    }
    (!text.is_empty() && sum <= MAX_DURATION).then_some(sum)
}

/// Prints a duration as [`parse_duration`] reads it: `90000` as `1m30s`.
pub fn format_duration(mut millis: Millis) -> String {
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (name, unit) in UNITS.into_iter().rev() {
        if millis >= unit {
            text.push_str(&format!("{}{name}", millis / unit));
            millis %= unit;
        }
    }
    text
}

/// A whole number, or a percentage of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// So many.
    Count(i64),
    /// So many percent of the whole, which is known later.
    Percent(i64),
}

impl Amount {
    /// Reads `3` or `10%`.
    pub fn parse(text: &str) -> Option<Amount> {
        let digits = text.strip_suffix('%').unwrap_or(text);
        if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let number = digits.parse().ok()?;
        Some(if digits.len() < text.len() {
            Amount::Percent(number)
        } else {
            Amount::Count(number)
        })
    }

    /// The number for a whole of `total`, percentages rounded up, as `maxSurge` and budgets do.
    pub fn round_up(self, total: i64) -> i64 {
        match self {
            Amount::Count(count) => count,
            Amount::Percent(percent) => (total.saturating_mul(percent).saturating_add(99)) / 100,
        }
    }

    /// The number for a whole of `total`, percentages rounded down, as a Deployment's
    /// `maxUnavailable` does.
    pub fn round_down(self, total: i64) -> i64 {
        match self {
            Amount::Count(count) => count,
            Amount::Percent(percent) => total.saturating_mul(percent) / 100,
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Amount::Count(count) => write!(to, "{count}"),
            Amount::Percent(percent) => write!(to, "{percent}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print_the_same() {
        for text in ["500ms", "2m", "1h30m", "15m", "1d2h3m4s5ms"] {
            let millis = parse_duration(text).expect("a duration");
            assert_eq!(format_duration(millis), text);
        }
        assert_eq!(parse_duration("90s"), Some(90_000));
        assert_eq!(parse_duration("0"), Some(0));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "5", "m", "1.5s", "-3s", "5 m", "3m2h", "1s1s", "99999999999d", "2мин"]
        {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn ten_percent_of_ten_is_one_and_of_eleven_is_two_rounded_up() {
        let tenth = Amount::parse("10%").expect("an amount");
        assert_eq!(tenth.round_up(10), 1);
        assert_eq!(tenth.round_up(11), 2);
        assert_eq!(tenth.round_down(11), 1);
        assert_eq!(Amount::parse("3"), Some(Amount::Count(3)));
        assert_eq!(Amount::parse("1.5%"), None);
    }
}
