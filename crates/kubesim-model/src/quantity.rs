//! Resource quantities (`500m`, `1.5Gi`, `2e3`) as exact thousandths, and in canonical form.

use crate::Text;
use crate::tree::Tree;

/// The quantity in thousandths of its unit (millicores, thousandths of a byte), rounded up, as
/// apimachinery v0.36 `resource.Quantity` does; it saturates at the bounds of 64 bits. `None` for
/// what is no quantity.
pub fn milli(value: &Tree) -> Option<i64> {
    match value {
        Tree::Int(whole) => Some(whole.saturating_mul(1000)),
        Tree::Float(number) if number.is_finite() => Some((number * 1000.0).ceil() as i64),
        Tree::Str(text) => parse(text),
        _ => None,
    }
}

/// The quantity as Kubernetes writes it (apimachinery v0.36 `resource.Quantity`): without a
/// fraction, with the largest suffix of its kind, a billionth at least; `None` for what is no
/// quantity.
pub fn canonical(value: &Tree) -> Option<Text> {
    let text = match value {
        Tree::Str(text) => text.clone(),
        Tree::Int(number) => Text::from(number.to_string()),
        Tree::Float(number) if number.is_finite() => Text::from(number.to_string()),
        _ => return None,
    };
    let parts = Parts::read(&text)?;
    // What is too large for exact arithmetic stays as it is.
    Some(parts.canonical().map_or(text, Text::from))
}

/// A quantity in parts: its digits, how many of them are a fraction, and its suffix.
struct Parts<'t> {
    negative: bool,
    digits: i128,
    fraction: i32,
    suffix: &'t str,
}

const DECIMAL: [(i32, &str); 10] = [
    (-9, "n"),
    (-6, "u"),
    (-3, "m"),
    (0, ""),
    (3, "k"),
    (6, "M"),
    (9, "G"),
    (12, "T"),
    (15, "P"),
    (18, "E"),
];
const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

impl Parts<'_> {
    fn read(text: &str) -> Option<Parts<'_>> {
        let end = text.find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c));
        let (number, suffix) = text.split_at(end.unwrap_or(text.len()));
        let (negative, number) = match number.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, number.strip_prefix('+').unwrap_or(number)),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let length = whole.len() + fraction.len();
        let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if length == 0 || length > 24 || !plain(whole) || !plain(fraction) {
            return None;
        }
        scale(suffix)?;
        let add = |sum: i128, digit: u8| sum * 10 + i128::from(digit - b'0');
        let digits = whole.bytes().chain(fraction.bytes()).fold(0, add);
        Some(Parts { negative, digits, fraction: fraction.len() as i32, suffix })
    }

    fn canonical(&self) -> Option<String> {
        let sign = if self.negative && self.digits != 0 { "-" } else { "" };
        let decimal = DECIMAL.iter().find(|(_, suffix)| *suffix == self.suffix);
        let text = if let Some((power, _)) = decimal {
            decimal_text(self.digits, power - self.fraction, false)?
        } else if let Some(at) = BINARY.iter().position(|suffix| *suffix == self.suffix) {
            let unit = 1i128 << (10 * (at + 1));
            let (product, divisor) =
                (self.digits.checked_mul(unit)?, 10i128.checked_pow(self.fraction as u32)?);
            if product < 1024 * divisor {
                decimal_text(product, -self.fraction, false)?
            } else {
                binary_text((product + divisor - 1) / divisor)
            }
        } else {
            let power: i32 = self.suffix.get(1..)?.parse().ok()?;
            decimal_text(self.digits, power - self.fraction, true)?
        };
        Some(format!("{sign}{text}"))
    }
}

/// So many units of 10 to the power of `power`, rounded up to billionths.
fn decimal_text(digits: i128, power: i32, exponent: bool) -> Option<String> {
    if digits == 0 {
        return Some("0".to_owned());
    }
    let (mut digits, mut power) = (digits, power);
    while power < -9 {
        (digits, power) = ((digits + 9) / 10, power + 1);
    }
    while power % 3 != 0 || (power > 18 && !exponent) {
        (digits, power) = (digits.checked_mul(10)?, power - 1);
    }
    while digits % 1000 == 0 && (power < 18 || exponent) {
        (digits, power) = (digits / 1000, power + 3);
    }
    let suffix = DECIMAL.iter().find(|(have, _)| *have == power).map(|(_, suffix)| *suffix);
    match (exponent, power) {
        (_, 0) => Some(digits.to_string()),
        (true, power) => Some(format!("{digits}e{power}")),
        (false, _) => Some(format!("{digits}{}", suffix?)),
    }
}

fn binary_text(value: i128) -> String {
    let (mut value, mut at) = (value, 0);
    while value % 1024 == 0 && at < BINARY.len() {
        (value, at) = (value / 1024, at + 1);
    }
    let suffix = at.checked_sub(1).map_or("", |at| BINARY[at]);
    format!("{value}{suffix}")
}

fn parse(text: &str) -> Option<i64> {
    let parts = Parts::read(text)?;
    let (numerator, denominator) = scale(parts.suffix)?;
    let divisor = 10i128.checked_pow(u32::try_from(parts.fraction).ok()?)? * denominator;
    let thousandths = match parts.digits.checked_mul(numerator) {
        Some(product) => (product + divisor - 1) / divisor,
        None => i128::MAX,
    };
    let size = i64::try_from(thousandths).unwrap_or(i64::MAX);
    Some(if parts.negative { -size } else { size })
}

/// What a suffix multiplies by, in thousandths: numerator and denominator.
fn scale(suffix: &str) -> Option<(i128, i128)> {
    let decimal = |power: u32| Some((10i128.pow(power) * 1000, 1));
    let binary = |power: u32| Some(((1i128 << (10 * power)) * 1000, 1));
    match suffix {
        "n" => Some((1, 1_000_000)),
        "u" => Some((1, 1000)),
        "m" => Some((1, 1)),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            match exponent {
                0..=18 => decimal(exponent.unsigned_abs()),
                -18..0 => Some((1000, 10i128.pow(exponent.unsigned_abs()))),
                _ => None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_binary_and_exponent_forms_are_exact() {
        for (text, wanted) in [
            ("500m", 500),
            ("2", 2_000),
            ("0.5", 500),
            ("1.5Gi", 1_610_612_736_000),
            ("128Mi", 134_217_728_000),
            ("2e3", 2_000_000),
            ("1k", 1_000_000),
            ("100u", 1),
            ("-1", -1_000),
        ] {
            assert_eq!(milli(&text.into()), Some(wanted), "{text}");
        }
        assert_eq!(milli(&4.into()), Some(4_000));
        assert_eq!(milli(&"16Ei".into()), Some(i64::MAX));
    }

    #[test]
    fn the_canonical_form_has_no_fraction_and_the_largest_suffix() {
        for (text, wanted) in [
            ("0.5", "500m"),
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("0.5Ki", "512"),
            ("1000k", "1M"),
            ("2.0", "2"),
            ("+1", "1"),
            ("-0.5", "-500m"),
            ("0Mi", "0"),
            ("2e3", "2e3"),
            ("12e1", "120"),
            ("128974848", "128974848"),
            ("1.1n", "2n"),
            ("1Ei", "1Ei"),
        ] {
            assert_eq!(canonical(&text.into()).as_deref(), Some(wanted), "{text}");
            assert_eq!(milli(&text.into()), milli(&wanted.into()), "{text}");
        }
        assert_eq!(canonical(&4.into()).as_deref(), Some("4"));
        assert_eq!(canonical(&Tree::Float(0.25)).as_deref(), Some("250m"));
        assert_eq!(canonical(&"1x".into()), None);
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in ["", "m", "1x", "1.2.3", "--1", "1e99", "99999999999999999999999999"] {
            assert_eq!(milli(&text.into()), None, "{text}");
        }
        assert_eq!(milli(&Tree::Null), None);
    }
}
