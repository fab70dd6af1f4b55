//! `IntOrString` fields: a whole number, or a percentage of a total.

use crate::tree::Tree;

/// To which side a share that is no whole number goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// To the next smaller whole number.
    Down,
    /// To the next greater whole number.
    Up,
}

/// The number that an `IntOrString` stands for, of `total` (apimachinery v0.36,
/// `GetScaledValueFromIntOrPercent`). `None` for what is neither a number nor `N%`.
pub fn share(value: &Tree, total: i64, rounding: Rounding) -> Option<i64> {
    let Some(text) = value.as_str() else { return value.as_i64() };
    let percent: i64 = text.strip_suffix('%')?.parse().ok()?;
    let hundredths = percent.checked_mul(total)?;
    Some(match rounding {
        Rounding::Down => hundredths.div_euclid(100),
        Rounding::Up => hundredths.checked_add(99)?.div_euclid(100),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_rounded_to_the_asked_side_and_numbers_are_themselves() {
        assert_eq!(share(&"25%".into(), 10, Rounding::Down), Some(2));
        assert_eq!(share(&"25%".into(), 10, Rounding::Up), Some(3));
        assert_eq!(share(&"0%".into(), 10, Rounding::Up), Some(0));
        assert_eq!(share(&7.into(), 3, Rounding::Up), Some(7));
        for wrong in [Tree::Null, "7".into(), "x%".into(), "9223372036854775807%".into()] {
            assert_eq!(share(&wrong, 10, Rounding::Up), None);
        }
    }
}
