//! Amounts of resources that remember the form they were written in.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use kubesim_model::tree::Tree;
use kubesim_model::{Text, quantity};

/// Amounts by the name of a resource.
pub(crate) type Amounts = BTreeMap<Text, Amount>;

/// An amount in thousandths. Two of the same size are the same, however they are written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Amount {
    pub(crate) milli: i64,
    /// Whether it is written in powers of 1024.
    binary: bool,
}

impl Amount {
    /// So many objects.
    pub(crate) fn count(number: usize) -> Amount {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        Amount { milli: number.saturating_mul(1000), binary: false }
    }

    /// A quantity; `None` for what is none.
    pub(crate) fn read(value: &Tree) -> Option<Amount> {
        let milli = quantity::milli(value)?;
        Some(Amount { milli, binary: value.str().ends_with('i') })
    }

    /// The sum, in the form of what is not zero (apimachinery v0.36, `Quantity.Add`).
    #[must_use]
    pub(crate) fn plus(self, more: Amount) -> Amount {
        let binary = if self.milli == 0 { more.binary } else { self.binary };
        Amount { milli: self.milli.saturating_add(more.milli), binary }
    }

    /// What is more than `less`; nothing if it is not more.
    #[must_use]
    pub(crate) fn beyond(self, less: Amount) -> Amount {
        Amount { milli: self.milli.saturating_sub(less.milli).max(0), ..self }
    }

    /// In whole units, rounded up.
    #[must_use]
    pub(crate) fn rounded_up(self) -> Amount {
        let units = self.milli.div_euclid(1000) + i64::from(self.milli.rem_euclid(1000) != 0);
        Amount { milli: units.saturating_mul(1000), ..self }
    }

    /// As Kubernetes writes it.
    pub(crate) fn text(self) -> Text {
        let whole = self.milli / 1000;
        let text = if self.milli % 1000 != 0 {
            format!("{}m", self.milli)
        } else if self.binary && whole % 1024 == 0 {
            format!("{}Ki", whole / 1024)
        } else if self.binary {
            return Text::from(whole.to_string());
        } else {
            whole.to_string()
        };
        quantity::canonical(&Tree::from(text.as_str())).unwrap_or_else(|| Text::from(text))
    }
}

impl PartialEq for Amount {
    fn eq(&self, other: &Amount) -> bool {
        self.milli == other.milli
    }
}

impl Eq for Amount {}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Amount) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Amount {
    fn cmp(&self, other: &Amount) -> Ordering {
        self.milli.cmp(&other.milli)
    }
}

/// The amounts of a list of resources.
pub(crate) fn amounts_of(list: &Tree) -> Amounts {
    list.fields().filter_map(|(name, value)| Some((name.clone(), Amount::read(value)?))).collect()
}

/// Adds `more` to amounts.
pub(crate) fn add(to: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        let have = to.entry(name.clone()).or_default();
        *have = have.plus(*amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        Amount::read(&text.into()).expect("a quantity")
    }

    #[test]
    fn a_sum_keeps_the_form_of_its_first_part_that_is_not_zero() {
        for (parts, sum) in [
            (["0", "128Mi", "128Mi"], "256Mi"),
            (["1k", "1Ki", "0"], "2024"),
            (["1Ki", "24", "0"], "1048"),
            (["500m", "1", "0"], "1500m"),
            (["1Gi", "1Mi", "0"], "1025Mi"),
            (["1500", "500", "0"], "2k"),
        ] {
            let total = parts.into_iter().map(amount).fold(Amount::default(), Amount::plus);
            assert_eq!(total.text(), sum, "{parts:?}");
        }
    }

    #[test]
    fn what_is_beyond_another_amount_is_never_negative() {
        assert_eq!(amount("3").beyond(amount("1")), amount("2"));
        assert_eq!(amount("1").beyond(amount("3")), amount("0"));
        assert_eq!(amount("100m").rounded_up(), amount("1"));
    }
}
