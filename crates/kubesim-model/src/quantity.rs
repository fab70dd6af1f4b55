//! Resource quantities (`500m`, `1.5Gi`, `2e3`) as exact thousandths.

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

fn parse(text: &str) -> Option<i64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c));
    let (number, suffix) = text.split_at(end.unwrap_or(text.len()));
    let (negative, number) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || whole.len() + fraction.len() > 24 {
        return None;
    }
    let mantissa: i128 = format!("{whole}{fraction}").parse().ok().filter(|n| *n >= 0)?;
    let (numerator, denominator) = scale(suffix)?;
    let divisor = 10i128.checked_pow(u32::try_from(fraction.len()).ok()?)? * denominator;
    let thousandths = match mantissa.checked_mul(numerator) {
        Some(product) => (product + divisor - 1) / divisor,
        None => i128::MAX,
    };
    let size = i64::try_from(thousandths).unwrap_or(i64::MAX);
    Some(if negative { -size } else { size })
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
    fn what_is_no_quantity_is_refused() {
        for text in ["", "m", "1x", "1.2.3", "--1", "1e99", "99999999999999999999999999"] {
            assert_eq!(milli(&text.into()), None, "{text}");
        }
        assert_eq!(milli(&Tree::Null), None);
    }
}
