//! Numbers as Go handles and writes them.

/// A number as Go's `%v` writes it.
pub(in crate::api) fn written(number: f64) -> String {
    let size = number.abs();
    if size != 0.0 && !(1e-4..1e21).contains(&size) && size.is_finite() {
        let text = format!("{number:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    number.to_string()
}

/// Whether a number is a whole one, but for what rounding may have done to it.
pub(super) fn is_whole(number: f64) -> bool {
    const LARGEST: f64 = 9_007_199_254_740_991.0;
    if !number.is_finite() || number.abs() > LARGEST {
        return false;
    }
    let whole = number.trunc();
    let apart = (number - whole).abs();
    apart == 0.0 || (whole != 0.0 && apart / (number.abs() + whole.abs()) < 1e-9)
}

/// Whether a number is in the range of a type and format (`int32`, `float`, …).
pub(super) fn fits(number: f64, kind: &str, format: &str) -> bool {
    match (kind, format) {
        ("integer", "int32") => {
            number.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number)
        }
        ("integer", _) => {
            number.fract() == 0.0 && (-9.3e18..9.223_372_036_854_775e18).contains(&number)
        }
        ("number", "float") => number.abs() <= f64::from(f32::MAX),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_go_does() {
        let cases =
            [(5.0, "5"), (0.5, "0.5"), (1e-7, "1e-07"), (1e21, "1e+21"), (-2.5e-10, "-2.5e-10")];
        for (number, text) in cases {
            assert_eq!(written(number), text);
        }
        assert!(is_whole(3.000_000_000_000_000_4) && !is_whole(2.5) && is_whole(0.0));
    }
}
